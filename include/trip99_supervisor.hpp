/*
 * trip99: a thread that owns breakers, runs health checks and feeds listeners. Header-only, C++14.
 *
 *     trip99::Breaker breaker(config);
 *     trip99::Supervisor supervisor;
 *     supervisor.add("gateway", breaker);
 *     supervisor.check("gateway", [&](std::chrono::nanoseconds timeout) { return ping(timeout); });
 *     supervisor.listen([](const char *name, const trip99::Event *event, std::uint64_t missed) { ... });
 *     supervisor.start();
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_SUPERVISOR_HPP
#define TRIP99_SUPERVISOR_HPP

#include "trip99.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace trip99 {

/** Asks a node whether it is well, within `timeout`. See cb_check. A check that throws says no. */
using Check = std::function<bool(std::chrono::nanoseconds timeout)>;

/**
 * Is told each event. If `event` is nullptr, the listener missed as many events as `missed` says. See cb_listen. What it throws is
 * counted, and dropped.
 */
using Listen = std::function<void(const char *name, const Event *event, std::uint64_t missed)>;

/**
 * A thread that owns breakers. From start to stop (or the destructor) the supervisor owns the breakers that were added, and
 * nobody else may call their operations that aren't marked "any thread". Afterwards the thread that stopped it owns them. The
 * breakers should outlive the supervisor, so declare them before it. A breaker that goes earlier ends with the stop, and start()
 * throws afterwards. One thread at a time may use a supervisor, and none of its callbacks may.
 *
 * Callbacks run on threads of the supervisor's, each always on the same one. An exception ends there, and exceptions() counts it.
 * (No callback may end its thread, by pthread_exit for instance: that unwinds, and can't be stopped.)
 */
class Supervisor {
  public:
    /** `interval` is how often it polls its breakers. 0 = without a pause, which takes a whole CPU. Throws Error. */
    explicit Supervisor(std::chrono::nanoseconds interval = std::chrono::milliseconds(1))
        : callbacks_(new Callbacks) {
        detail::check(cb_supervisor_create(detail::ns("interval", interval), &handle_));
    }

    /** A moved-from supervisor may only be assigned to or destroyed. */
    Supervisor(Supervisor &&other) noexcept
        : callbacks_(std::move(other.callbacks_)), seats_(std::move(other.seats_)),
          handle_(std::exchange(other.handle_, nullptr)), runs_(std::exchange(other.runs_, false)) {}
    Supervisor &operator=(Supervisor &&other) noexcept {
        std::swap(callbacks_, other.callbacks_);
        std::swap(seats_, other.seats_);
        std::swap(handle_, other.handle_);
        std::swap(runs_, other.runs_);
        return *this;
    }
    Supervisor(const Supervisor &) = delete;
    Supervisor &operator=(const Supervisor &) = delete;
    /** Stops the supervisor, if it runs. The callbacks go when none runs any more. */
    ~Supervisor() {
        if (runs_ && cb_supervisor_stop(handle_) == CB_STATUS_OK) {
            open_gates();
        }
        cb_supervisor_destroy(handle_);
    }

    /** Adds a breaker, which stays its owner's until start. Throws Error: the name is empty or taken, or the supervisor runs. */
    void add(const std::string &name, Breaker &breaker) {
        if (!breaker.seat_) {
            breaker.seat_ = std::make_shared<detail::Seat>(detail::Seat{&breaker});
        }
        seats_.push_back(breaker.seat_);
        const cb_status status = cb_supervisor_add(handle_, name.c_str(), breaker.c_handle());
        if (status != CB_STATUS_OK) {
            seats_.pop_back();
            detail::check(status);
        }
    }

    /**
     * Has a node checked while its breaker is half-open. `every` is how far apart checks begin; 0 = as cb_supervisor_check says.
     * Throws Error: there is no such breaker, or the supervisor runs.
     */
    void check(const std::string &name, Check check, std::chrono::nanoseconds every = std::chrono::nanoseconds(0)) {
        const std::uint64_t every_ns = detail::ns("every", every);
        callbacks_->checks.push_back({std::move(check), callbacks_.get()});
        detail::check(
            cb_supervisor_check(handle_, name.c_str(), every_ns, call_check, &callbacks_->checks.back()));
    }

    /** Has a node checked by a TCP connection. The address is in figures, as in "10.0.0.7:9000". Throws Error. */
    void check_tcp(const std::string &name, const std::string &address,
                   std::chrono::nanoseconds every = std::chrono::nanoseconds(0)) {
        detail::check(
            cb_supervisor_check_tcp(handle_, name.c_str(), detail::ns("every", every), address.c_str()));
    }

    /** Adds a listener, for all the breakers, with a thread of its own. Throws Error: the supervisor runs. */
    void listen(Listen listen) {
        callbacks_->listeners.push_back({std::move(listen), callbacks_.get()});
        detail::check(cb_supervisor_listen(handle_, call_listen, &callbacks_->listeners.back()));
    }

    /** Starts the supervisor. Throws Error: then it doesn't run, and the breakers are as they were (see cb_supervisor_start). */
    void start() {
        detail::check(cb_supervisor_start(handle_));
        runs_ = true;
        for (const auto &seat : seats_) {
            if (seat->breaker != nullptr) {
                seat->breaker->gate_ = detail::shut_gate();
            }
        }
    }

    /**
     * Opens a lane of the breaker of this name while the supervisor runs. `capacity` is how many calls the lane has room for;
     * 0 = 4096. Throws Error: there is no such breaker, or the supervisor doesn't run. Any thread, while no other thread starts or
     * stops the supervisor.
     */
    Lane lane(const std::string &name, std::uint32_t capacity = 0) const {
        cb_lane *lane = nullptr;
        detail::check(cb_supervisor_lane(handle_, name.c_str(), capacity, &lane));
        return Lane::adopt(lane);
    }

    /**
     * Makes what another thread asks, halts and resumes the breaker of this name by, while the supervisor runs. Throws Error, and is
     * for any thread, as lane() is.
     */
    Gate gate(const std::string &name) const {
        cb_gate_handle *handle = nullptr;
        detail::check(cb_supervisor_gate_handle(handle_, name.c_str(), &handle));
        return Gate::adopt(handle);
    }

    /** Makes what another thread sees the breaker of this name by, while the supervisor runs. Otherwise it is as gate(). */
    Observer observer(const std::string &name) const {
        cb_observer *observer = nullptr;
        detail::check(cb_supervisor_observer(handle_, name.c_str(), &observer));
        return Observer::adopt(observer);
    }

    /** Stops the supervisor, and waits for callbacks that are under way. Throws Error only for a mistake in trip99. */
    void stop() {
        detail::check(cb_supervisor_stop(handle_));
        if (runs_) {
            runs_ = false;
            open_gates();
        }
    }

    /** How many exceptions callbacks threw. Any thread. */
    std::uint64_t exceptions() const noexcept { return callbacks_->exceptions.load(std::memory_order_relaxed); }

  private:
    struct Callbacks;

    template <typename F> struct Callback {
        F call;
        Callbacks *all;
    };

    /** This and all that is in it keep their addresses, as the library has pointers to its parts. */
    struct Callbacks {
        std::deque<Callback<Check>> checks{};
        std::deque<Callback<Listen>> listeners{};
        std::atomic<std::uint64_t> exceptions{0};
    };

    static bool call_check(void *context, std::uint64_t timeout_ns) {
        auto *check = static_cast<Callback<Check> *>(context);
        return guard(check->all, [&] { return check->call(detail::duration(timeout_ns)); });
    }

    static void call_listen(void *context, const char *name, const cb_event *event, std::uint64_t missed) {
        auto *listen = static_cast<Callback<Listen> *>(context);
        guard(listen->all, [&] {
            if (event == nullptr) {
                listen->call(name, nullptr, missed);
            } else {
                const Event told(*event);
                listen->call(name, &told, 0);
            }
            return true;
        });
    }

    /** Nothing may unwind into the library. */
    template <typename F> static bool guard(Callbacks *callbacks, F call) {
#ifdef __cpp_exceptions
        try {
            return call();
        } catch (...) {
            callbacks->exceptions.fetch_add(1, std::memory_order_relaxed);
        }
        return false;
#else
        (void)callbacks;
        return call();
#endif
    }

    /** For a supervisor that ran, and runs no more. (The breakers of one that never ran may be with another.) */
    void open_gates() noexcept {
        for (const auto &seat : seats_) {
            if (seat->breaker != nullptr) {
                seat->breaker->gate_ = cb_gate_of(seat->breaker->handle_);
            }
        }
    }

    /** The callbacks outlive the library's pointers to them, as the destructor's body comes first. */
    std::unique_ptr<Callbacks> callbacks_;
    /** Where its breakers are. */
    std::vector<std::shared_ptr<detail::Seat>> seats_{};
    cb_supervisor *handle_ = nullptr;
    /** True from start to stop. The gates of its breakers are shut then. */
    bool runs_ = false;
};

} // namespace trip99

#endif // TRIP99_SUPERVISOR_HPP
