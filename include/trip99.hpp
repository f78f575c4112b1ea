/*
 * trip99: a latency circuit breaker for trading engines. The C++ wrapper: header-only, C++14, over the C API alone.
 *
 *     trip99::Config config;
 *     config.threshold = std::chrono::milliseconds(5);
 *     trip99::Breaker breaker(config);
 *     for (;;) {
 *         if (breaker.allow()) {
 *             trip99::Call call = breaker.begin();
 *             ... send the order; when its answer comes: breaker.end(call), or breaker.fail(call) ...
 *         }
 *         breaker.poll();
 *     }
 *
 * Ask for what adds risk. Don't ask for cancels and reduce-only orders: refusing those would trap a position.
 *
 * trip99.h has the long form: what each operation does, and which thread may call it. Here constructors, reconfigure,
 * lane and events throw trip99::Error, and everything else is noexcept. Durations are std::chrono's, points of time are
 * nanoseconds on the breaker's clock (`_ns`), as a clock of their own would pretend to a relation with std::chrono's.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_HPP
#define TRIP99_HPP

#include "trip99.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#if defined(__cplusplus) && __cplusplus >= 201703L
#define TRIP99_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define TRIP99_NODISCARD __attribute__((warn_unused_result))
#else
#define TRIP99_NODISCARD
#endif

namespace trip99 {

/** The automatic state of a breaker. A halt is not a state: it lies over all three. */
enum class State : cb_state {
    Closed = CB_STATE_CLOSED,
    Open = CB_STATE_OPEN,
    HalfOpen = CB_STATE_HALF_OPEN,
};

/** Who tests the node while the breaker is half-open. */
enum class Recovery : cb_recovery {
    Trials = CB_RECOVERY_TRIALS,
    HealthChecks = CB_RECOVERY_HEALTH_CHECKS,
};

/** Why a breaker changed its state, or was halted, resumed or restarted. A newer library may have more. */
enum class Reason : cb_reason {
    Latency = CB_REASON_LATENCY,
    FailureRate = CB_REASON_FAILURE_RATE,
    ConsecutiveFailures = CB_REASON_CONSECUTIVE_FAILURES,
    Spike = CB_REASON_SPIKE,
    Stall = CB_REASON_STALL,
    Retry = CB_REASON_RETRY,
    ProbeFailed = CB_REASON_PROBE_FAILED,
    ProbeSlow = CB_REASON_PROBE_SLOW,
    ProbeLost = CB_REASON_PROBE_LOST,
    Recovered = CB_REASON_RECOVERED,
    Halt = CB_REASON_HALT,
    Resume = CB_REASON_RESUME,
    Restart = CB_REASON_RESTART,
};

/** What the plain (not `_at`) operations read the time from. */
enum class Clock : cb_clock {
    Tsc = CB_CLOCK_TSC,
    Monotonic = CB_CLOCK_MONOTONIC,
};

/** The name, as in "half_open". */
inline const char *to_string(State state) noexcept { return cb_state_text(static_cast<cb_state>(state)); }

/** The name, as in "consecutive_failures". */
inline const char *to_string(Reason reason) noexcept { return cb_reason_text(static_cast<cb_reason>(reason)); }

/** The library's version, as in "1.2.3"; the header's is that of its ABI, CB_ABI_VERSION. */
inline const char *version() noexcept { return cb_version_text(); }

/** The library's CB_ABI_VERSION. */
inline std::uint32_t abi_version() noexcept { return cb_abi_version(); }

/** What constructors, reconfigure, lane and events throw: what() names the setting, its value and what is legal. */
class Error : public std::runtime_error {
  public:
    Error(cb_status status, const std::string &what) : std::runtime_error(what), status_(status) {}

    /** One of cb_status_value. */
    cb_status status() const noexcept { return status_; }

  private:
    cb_status status_;
};

/** A ticket for one call; 16 bytes to be copied as you like. start_ns tells when the call began. */
using Call = cb_call;

class Breaker;

namespace detail {

/** Without exceptions there is nobody to tell: prints what is wrong, and aborts. */
[[noreturn]] inline void raise(cb_status status, const std::string &what) {
#ifdef __cpp_exceptions
    throw Error(status, what);
#else
    std::fprintf(stderr, "trip99: %s: %s\n", cb_status_text(status), what.c_str());
    std::abort();
#endif
}

inline void check(cb_status status) {
    if (status != CB_STATUS_OK) {
        raise(status, cb_error_text());
    }
}

/** What a duration can't hold (UINT64_MAX = never, above all) becomes the longest one. */
inline std::chrono::nanoseconds duration(std::uint64_t ns) noexcept {
    constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns < longest ? ns : longest));
}

/** The longest duration is never. A negative one is endless, too: it is no latency, and counts as slow. */
constexpr std::uint64_t ns(std::chrono::nanoseconds duration) noexcept {
    return static_cast<std::uint64_t>(duration.count());
}

/** A setting must not be negative. */
inline std::uint64_t ns(const char *field, std::chrono::nanoseconds duration) {
    if (duration.count() < 0) {
        raise(CB_STATUS_OUT_OF_RANGE,
              std::string(field) + " is " + std::to_string(duration.count()) + " ns; legal: not negative");
    }
    return duration == std::chrono::nanoseconds::max() ? UINT64_MAX : ns(duration);
}

/** How many exceptions are on their way. */
inline int uncaught_exceptions() noexcept {
#ifdef __cpp_lib_uncaught_exceptions
    return std::uncaught_exceptions();
#else
    return std::uncaught_exception() ? 1 : 0;
#endif
}

/** A gate that never shows closed: in place of its own to an owner who is none now, so that allow() asks, and is refused. */
inline const cb_gate *shut_gate() noexcept {
    static const cb_gate shut = {1};
    return &shut;
}

/** Where a breaker that a supervisor has on its list is now, as breakers move; nullptr once it is gone. */
struct Seat {
    Breaker *breaker;
};

// What a scoped call does with its handle, whichever it is.
inline void end(cb_breaker *breaker, Call call) noexcept { cb_end(breaker, call); }
inline void end(cb_lane *lane, Call call) noexcept { cb_lane_end(lane, call); }
inline void fail(cb_breaker *breaker, Call call) noexcept { cb_fail(breaker, call); }
inline void fail(cb_lane *lane, Call call) noexcept { cb_lane_fail(lane, call); }
inline void abandon(cb_breaker *breaker, Call call) noexcept { cb_abandon(breaker, call); }
inline void abandon(cb_lane *lane, Call call) noexcept { cb_lane_abandon(lane, call); }

} // namespace detail

/**
 * The settings: those of cb_config, which tells their meanings, defaults and legal ranges. A new one has the defaults.
 * std::chrono::nanoseconds::max() is never.
 */
struct Config {
    std::uint32_t quantile_ppm;
    std::chrono::nanoseconds threshold;
    std::chrono::nanoseconds window_age;
    std::uint32_t window_len;
    std::uint32_t sample_every;
    std::uint32_t min_samples;
    std::uint32_t confirm_verdicts;
    std::uint32_t failure_rate_ppm;
    std::uint32_t consecutive_failures;
    std::chrono::nanoseconds spike_limit;
    std::uint32_t spike_count;
    std::uint32_t max_in_flight;
    std::chrono::nanoseconds stall_limit;
    std::chrono::nanoseconds recover_threshold;
    Recovery recovery;
    std::uint32_t probes;
    std::uint32_t trials_in_flight;
    std::uint32_t backoff_multiplier;
    std::chrono::nanoseconds probe_timeout;
    std::chrono::nanoseconds backoff_base;
    std::chrono::nanoseconds backoff_max;
    std::uint32_t jitter_ppm;
    State start;
    std::uint64_t jitter_seed;
    std::chrono::nanoseconds stable_after;
    bool shadow;

    Config() noexcept : Config(defaults()) {}

    explicit Config(const cb_config &config) noexcept
        : quantile_ppm(config.quantile_ppm), threshold(detail::duration(config.threshold_ns)),
          window_age(detail::duration(config.window_age_ns)), window_len(config.window_len),
          sample_every(config.sample_every), min_samples(config.min_samples),
          confirm_verdicts(config.confirm_verdicts), failure_rate_ppm(config.failure_rate_ppm),
          consecutive_failures(config.consecutive_failures), spike_limit(detail::duration(config.spike_limit_ns)),
          spike_count(config.spike_count), max_in_flight(config.max_in_flight),
          stall_limit(detail::duration(config.stall_limit_ns)),
          recover_threshold(detail::duration(config.recover_threshold_ns)),
          recovery(static_cast<Recovery>(config.recovery)), probes(config.probes),
          trials_in_flight(config.trials_in_flight), backoff_multiplier(config.backoff_multiplier),
          probe_timeout(detail::duration(config.probe_timeout_ns)),
          backoff_base(detail::duration(config.backoff_base_ns)),
          backoff_max(detail::duration(config.backoff_max_ns)), jitter_ppm(config.jitter_ppm),
          start(static_cast<State>(config.start)), jitter_seed(config.jitter_seed),
          stable_after(detail::duration(config.stable_after_ns)), shadow(config.shadow != 0) {}

    /** Throws Error if a duration is negative; the other ranges are checked by the breaker. */
    cb_config to_c() const {
        cb_config config = defaults();
        config.quantile_ppm = quantile_ppm;
        config.threshold_ns = detail::ns("threshold", threshold);
        config.window_age_ns = detail::ns("window_age", window_age);
        config.window_len = window_len;
        config.sample_every = sample_every;
        config.min_samples = min_samples;
        config.confirm_verdicts = confirm_verdicts;
        config.failure_rate_ppm = failure_rate_ppm;
        config.consecutive_failures = consecutive_failures;
        config.spike_limit_ns = detail::ns("spike_limit", spike_limit);
        config.spike_count = spike_count;
        config.max_in_flight = max_in_flight;
        config.stall_limit_ns = detail::ns("stall_limit", stall_limit);
        config.recover_threshold_ns = detail::ns("recover_threshold", recover_threshold);
        config.recovery = static_cast<cb_recovery>(recovery);
        config.probes = probes;
        config.trials_in_flight = trials_in_flight;
        config.backoff_multiplier = backoff_multiplier;
        config.probe_timeout_ns = detail::ns("probe_timeout", probe_timeout);
        config.backoff_base_ns = detail::ns("backoff_base", backoff_base);
        config.backoff_max_ns = detail::ns("backoff_max", backoff_max);
        config.jitter_ppm = jitter_ppm;
        config.start = static_cast<cb_state>(start);
        config.jitter_seed = jitter_seed;
        config.stable_after_ns = detail::ns("stable_after", stable_after);
        config.shadow = shadow ? 1 : 0;
        return config;
    }

  private:
    static cb_config defaults() noexcept {
        cb_config config;
        cb_config_init(&config, sizeof config);
        return config;
    }
};

/**
 * A breaker at one moment: the fields of cb_snapshot. Of two of them, state and clock, which are C's integers,
 * automatic_state() and time_source() give the enums.
 */
struct Snapshot : cb_snapshot {
    Snapshot() noexcept : cb_snapshot() { struct_size = sizeof(cb_snapshot); }

    trip99::State automatic_state() const noexcept { return static_cast<trip99::State>(state); }
    trip99::Clock time_source() const noexcept { return static_cast<trip99::Clock>(clock); }
};

/** A transition, halt or resume, with the figures of a verdict at that moment. Meanings as in cb_event. */
struct Event {
    std::uint64_t sequence = 0;
    std::uint64_t t_ns = 0;
    std::uint64_t wall_ns = 0;
    State from = State::Closed;
    State to = State::Closed;
    Reason reason = Reason::Latency;
    std::chrono::nanoseconds quantile{0};
    std::chrono::nanoseconds owner_gap{0};
    /** UINT64_MAX unless `to` is open. */
    std::uint64_t retry_at_ns = 0;
    std::uint32_t samples = 0;
    std::uint32_t slow = 0;
    std::uint32_t overdue = 0;
    std::uint32_t failures = 0;
    std::uint32_t attempt = 0;

    Event() noexcept = default;

    explicit Event(const cb_event &event) noexcept
        : sequence(event.sequence), t_ns(event.t_ns), wall_ns(event.wall_ns), from(static_cast<State>(event.from)),
          to(static_cast<State>(event.to)), reason(static_cast<Reason>(event.reason)),
          quantile(detail::duration(event.quantile_ns)), owner_gap(detail::duration(event.owner_gap_ns)),
          retry_at_ns(event.retry_at_ns), samples(event.samples), slow(event.slow), overdue(event.overdue),
          failures(event.failures), attempt(event.attempt) {}

    /** How long trading pauses from here; 0 unless `to` is open. */
    std::chrono::nanoseconds pause() const noexcept {
        return detail::duration(to == State::Open && retry_at_ns > t_ns ? retry_at_ns - t_ns : 0);
    }
};

/**
 * A reader of a breaker's events, with a place of its own. A `for` over it takes what there is now, and a later one goes
 * on from there. May outlive the breaker. Any thread, one at a time.
 */
class Events {
  public:
    /** Begins with the oldest event that the journal (256 long) still has. Throws Error. */
    explicit Events(const cb_breaker *breaker) { detail::check(cb_events_open(breaker, &handle_)); }

    /** Takes over a reader made by cb_events_open or cb_observer_events_open. */
    static Events adopt(cb_events *events) noexcept {
        Events adopted;
        adopted.handle_ = events;
        return adopted;
    }

    Events(Events &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Events &operator=(Events &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Events(const Events &) = delete;
    Events &operator=(const Events &) = delete;
    ~Events() { cb_events_close(handle_); }

    /** Reads the next event; false if there is none for now. */
    bool next(Event &event) noexcept {
        cb_event read;
        read.struct_size = sizeof read;
        if (!cb_events_next(handle_, &read)) {
            return false;
        }
        event = Event(read);
        return true;
    }

    /** How many events were overwritten before this reader came to them. */
    std::uint64_t missed() const noexcept { return cb_events_missed(handle_); }

    /** Takes an event at each step, and ends when there is none for now. */
    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Event;
        using difference_type = std::ptrdiff_t;
        using pointer = const Event *;
        using reference = const Event &;

        explicit Iterator(Events *events) noexcept : events_(events) { ++*this; }
        Iterator() noexcept = default;

        reference operator*() const noexcept { return event_; }
        pointer operator->() const noexcept { return &event_; }
        Iterator &operator++() noexcept {
            if (!events_->next(event_)) {
                events_ = nullptr;
            }
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        bool operator==(const Iterator &other) const noexcept { return events_ == other.events_; }
        bool operator!=(const Iterator &other) const noexcept { return events_ != other.events_; }

      private:
        Events *events_ = nullptr;
        Event event_;
    };

    Iterator begin() noexcept { return Iterator(this); }
    Iterator end() noexcept { return Iterator(); }

  private:
    Events() noexcept = default;

    cb_events *handle_ = nullptr;
};

/**
 * One byte that tells whether calls pass: for other threads, while the breaker lives. The owner has it in allow(), which
 * asks it inline.
 */
class Gate {
  public:
    explicit Gate(const cb_gate *gate) noexcept : gate_(gate) {}

    /** One relaxed load, inline. True: every call passes. False: ask allow(), which knows more. */
    bool closed() const noexcept { return cb_gate_closed(gate_); }

  private:
    const cb_gate *gate_;
};

class Lane;
template <typename Owner> class BasicScopedCall;

/** A call of the owner's that ends when the scope does. */
using ScopedCall = BasicScopedCall<Breaker>;
/** A lane's. */
using ScopedLaneCall = BasicScopedCall<Lane>;

/**
 * What a thread that isn't the owner trades through: it asks the breaker, with trials, and reports its calls, which the
 * owner hears when it polls. One for each such thread, and used by that alone, but for gate(). May outlive the breaker, and
 * refuses then; destroy it when its calls are back. A moved-from one may only be assigned to or destroyed; one that is
 * moved into changes places with it.
 */
class Lane {
  public:
    /** Opened by the owner: allocates. How many calls it has room for: 0 = 4096. Throws Error. */
    explicit Lane(cb_breaker *breaker, std::uint32_t capacity = 0) {
        detail::check(cb_lane_open(breaker, capacity, &handle_));
        gate_ = cb_lane_gate_of(handle_);
    }

    /** Takes over a lane made by cb_lane_open, cb_lane_split or cb_supervisor_lane. */
    static Lane adopt(cb_lane *lane) noexcept { return Lane(lane, cb_lane_gate_of(lane)); }

    /**
     * Makes two halves of it, for two threads: from now on this is the begin half, for the thread on which calls begin (allow,
     * begin, release), and what is returned the end half, for the thread on which they end (end, record_probe). The rest is for
     * both. Of a ticket that both give back the first one counts. Throws Error: it is a half already.
     */
    TRIP99_NODISCARD Lane split() {
        cb_lane *end = nullptr;
        detail::check(cb_lane_split(handle_, &end));
        return adopt(end);
    }

    /** Checked builds: another thread will use this lane, or half, from now on. Otherwise it does nothing. */
    void hand_over() noexcept { cb_lane_hand_over(handle_); }

    Lane(Lane &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), gate_(std::exchange(other.gate_, nullptr)) {}
    Lane &operator=(Lane &&other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(gate_, other.gate_);
        return *this;
    }
    Lane(const Lane &) = delete;
    Lane &operator=(const Lane &) = delete;
    ~Lane() { cb_lane_close(handle_); }

    /**
     * May an order be sent now? Half-open, true grants a trial: send it or release(). A lane that is too full to take the
     * call's begin refuses. (gate() asks the breaker alone, by one inline load.)
     */
    TRIP99_NODISCARD bool allow() noexcept { return cb_lane_allow(handle_); }

    /** Gives back a trial that this lane was granted and that will not be sent: the one that it was granted last. */
    void release() noexcept { cb_lane_release(handle_); }

    /** A call is sent. Its ticket goes back by end, fail or abandon, once, on this lane. See also scoped_call. */
    TRIP99_NODISCARD Call begin() noexcept { return cb_lane_begin(handle_); }
    TRIP99_NODISCARD Call begin_at(std::uint64_t now_ns) noexcept { return cb_lane_begin_at(handle_, now_ns); }

    /** The call came back with an answer (a business reject is one). */
    void end(Call call) noexcept { cb_lane_end(handle_, call); }
    void end_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_end_at(handle_, now_ns, call); }

    /** The venue or the transport failed the call: timeout, disconnect, system error. */
    void fail(Call call) noexcept { cb_lane_fail(handle_, call); }
    void fail_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_fail_at(handle_, now_ns, call); }

    /** The call was not sent after all: no sample, and a trial counts neither way. */
    void abandon(Call call) noexcept { cb_lane_abandon(handle_, call); }
    void abandon_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_abandon_at(handle_, now_ns, call); }

    /** A call without a ticket came back with an answer. A negative latency counts as endless. */
    void record(std::chrono::nanoseconds latency) noexcept { cb_lane_record(handle_, detail::ns(latency)); }
    void record_at(std::uint64_t now_ns, std::chrono::nanoseconds latency) noexcept {
        cb_lane_record_at(handle_, now_ns, detail::ns(latency));
    }

    /** A call without a ticket failed. */
    void record_failure(std::chrono::nanoseconds latency) noexcept {
        cb_lane_record_failure(handle_, detail::ns(latency));
    }
    void record_failure_at(std::uint64_t now_ns, std::chrono::nanoseconds latency) noexcept {
        cb_lane_record_failure_at(handle_, now_ns, detail::ns(latency));
    }

    /** The result of a health check. */
    void record_probe(std::chrono::nanoseconds latency, bool ok) noexcept {
        cb_lane_record_probe(handle_, detail::ns(latency), ok);
    }
    void record_probe_at(std::uint64_t now_ns, std::chrono::nanoseconds latency, bool ok) noexcept {
        cb_lane_record_probe_at(handle_, now_ns, detail::ns(latency), ok);
    }

    /** Begins a call that ends by itself when the scope does. */
    TRIP99_NODISCARD ScopedLaneCall scoped_call() noexcept;

    /** The breaker's, valid as long as this lane. Any thread. */
    Gate gate() const noexcept { return Gate(gate_); }

    /** How many messages were dropped because the lane was full. */
    std::uint64_t dropped() const noexcept { return cb_lane_dropped(handle_); }

    /** The time on the breaker's clock. */
    std::uint64_t now_ns() const noexcept { return cb_lane_now_ns(handle_); }

    /** The C lane, which stays this object's. */
    cb_lane *c_handle() const noexcept { return handle_; }

  private:
    Lane(cb_lane *lane, const cb_gate *gate) noexcept : handle_(lane), gate_(gate) {}

    cb_lane *handle_ = nullptr;
    const cb_gate *gate_ = nullptr;
};

/**
 * A breaker for one node. One thread owns it, and alone calls what isn't marked "any thread". While a supervisor is the owner
 * nobody else may, but no harm comes of it: lane and reconfigure throw, allow refuses, and the rest is counted (see cb_breaker
 * in trip99.h). A moved-from one may only be
 * assigned to or destroyed; one that is moved into changes places with it, so what it was is destroyed with the other.
 */
class Breaker {
  public:
    /** Allocates all that it will ever use; the first in a process takes up to 200 ms. Throws Error. */
    explicit Breaker(const Config &config = Config()) : Breaker(config.to_c()) {}

    explicit Breaker(const cb_config &config) {
        detail::check(cb_create(&config, &handle_));
        gate_ = cb_gate_of(handle_);
    }

    /**
     * A breaker whose page is in a file, for other processes to observe and to halt (trip99_shared.hpp): a plain name, or a
     * path, which has a '/'. What there is of it is taken over, as cb_create_shared says. Throws Error.
     */
    static Breaker create_shared(const std::string &path_or_name, const Config &config = Config()) {
        const cb_config c = config.to_c();
        cb_breaker *breaker = nullptr;
        detail::check(cb_create_shared(path_or_name.c_str(), &c, &breaker));
        return adopt(breaker);
    }

    /** Takes over a breaker made by cb_create or cb_create_shared. */
    static Breaker adopt(cb_breaker *breaker) noexcept { return Breaker(breaker, cb_gate_of(breaker)); }

    Breaker(Breaker &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), gate_(std::exchange(other.gate_, nullptr)),
          seat_(std::move(other.seat_)) {
        sit();
    }
    Breaker &operator=(Breaker &&other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(gate_, other.gate_);
        std::swap(seat_, other.seat_);
        sit();
        other.sit();
        return *this;
    }
    Breaker(const Breaker &) = delete;
    Breaker &operator=(const Breaker &) = delete;
    /** Clean while a supervisor owns it, too, but counted as misused: see cb_destroy. */
    ~Breaker() {
        leave();
        cb_destroy(handle_);
    }

    /** May an order be sent now? While closed one inline load. Half-open, true grants a trial: send it or release(). */
    TRIP99_NODISCARD bool allow() noexcept { return cb_gate_closed(gate_) || cb_allow(handle_); }
    TRIP99_NODISCARD bool allow_at(std::uint64_t now_ns) noexcept { return cb_gate_closed(gate_) || cb_allow_at(handle_, now_ns); }

    /** A call is sent. Its ticket goes back by end, fail or abandon, once. See also scoped_call. */
    TRIP99_NODISCARD Call begin() noexcept { return cb_begin(handle_); }
    TRIP99_NODISCARD Call begin_at(std::uint64_t now_ns) noexcept { return cb_begin_at(handle_, now_ns); }

    /** The call came back with an answer (a business reject is one). */
    void end(Call call) noexcept { cb_end(handle_, call); }
    void end_at(std::uint64_t now_ns, Call call) noexcept { cb_end_at(handle_, now_ns, call); }

    /** The venue or the transport failed the call: timeout, disconnect, system error. */
    void fail(Call call) noexcept { cb_fail(handle_, call); }
    void fail_at(std::uint64_t now_ns, Call call) noexcept { cb_fail_at(handle_, now_ns, call); }

    /** The call was not sent after all: no sample, and a trial counts neither way. */
    void abandon(Call call) noexcept { cb_abandon(handle_, call); }
    void abandon_at(std::uint64_t now_ns, Call call) noexcept { cb_abandon_at(handle_, now_ns, call); }

    /** A call without a ticket came back with an answer. A negative latency counts as endless. */
    void record(std::chrono::nanoseconds latency) noexcept { cb_record(handle_, detail::ns(latency)); }
    void record_at(std::uint64_t now_ns, std::chrono::nanoseconds latency) noexcept {
        cb_record_at(handle_, now_ns, detail::ns(latency));
    }

    /** A call without a ticket failed. */
    void record_failure(std::chrono::nanoseconds latency) noexcept { cb_record_failure(handle_, detail::ns(latency)); }
    void record_failure_at(std::uint64_t now_ns, std::chrono::nanoseconds latency) noexcept {
        cb_record_failure_at(handle_, now_ns, detail::ns(latency));
    }

    /** The result of a health check. */
    void record_probe(std::chrono::nanoseconds latency, bool ok) noexcept {
        cb_record_probe(handle_, detail::ns(latency), ok);
    }
    void record_probe_at(std::uint64_t now_ns, std::chrono::nanoseconds latency, bool ok) noexcept {
        cb_record_probe_at(handle_, now_ns, detail::ns(latency), ok);
    }

    /** Gives back a trial that was granted and will not be sent. */
    void release() noexcept { cb_release(handle_); }
    void release_at(std::uint64_t now_ns) noexcept { cb_release_at(handle_, now_ns); }

    /** Hears the lanes, and fires the timers that are due: once each turn of the loop. */
    void poll() noexcept { cb_poll(handle_); }
    void poll_at(std::uint64_t now_ns) noexcept { cb_poll_at(handle_, now_ns); }

    /** Begins a call that ends by itself when the scope does. */
    TRIP99_NODISCARD ScopedCall scoped_call() noexcept;

    /** The breaker's, whoever owns it. Any thread. */
    Gate gate() const noexcept { return Gate(cb_gate_of(handle_)); }
    /** The automatic state. Any thread. */
    State state() const noexcept { return static_cast<State>(cb_get_state(handle_)); }
    /** Any thread. */
    bool is_halted() const noexcept { return cb_is_halted(handle_); }
    /** Refuses every call from now on, until resume. Any thread. */
    void halt() noexcept { cb_halt(handle_); }
    /** With its event at once, or as halt() while a supervisor owns the breaker. */
    void halt_at(std::uint64_t now_ns) noexcept { cb_halt_at(handle_, now_ns); }
    /** Any thread. */
    void resume() noexcept { cb_resume(handle_); }
    /** With its event at once. */
    void resume_at(std::uint64_t now_ns) noexcept { cb_resume_at(handle_, now_ns); }

    /** What another thread trades through. How many calls it has room for: 0 = 4096. Throws Error. */
    Lane lane(std::uint32_t capacity = 0) { return Lane(handle_, capacity); }

    /** A reader of the events; it may outlive the breaker. Throws Error. Any thread. */
    Events events() const { return Events(handle_); }

    /** Passes ownership on to the thread that calls next: see cb_hand_over. */
    void hand_over() noexcept { cb_hand_over(handle_); }

    /** Everything there is to know, as of the latest time seen; while a supervisor owns it what that published last. */
    Snapshot snapshot() const noexcept {
        Snapshot snapshot;
        cb_get_snapshot(handle_, &snapshot);
        return snapshot;
    }

    /** What the owner published last, at most a millisecond of its work ago; false if nothing so far. Any thread. */
    bool published(Snapshot &snapshot) const noexcept { return cb_get_published(handle_, &snapshot); }

    /** A quantile of what a verdict sees, as of the latest time seen; 990 000 ppm is the P99. 0 of nothing. O(window). */
    std::chrono::nanoseconds quantile(std::uint32_t quantile_ppm) noexcept {
        return detail::duration(cb_quantile_ns(handle_, quantile_ppm));
    }
    std::chrono::nanoseconds quantile_at(std::uint64_t now_ns, std::uint32_t quantile_ppm) noexcept {
        return detail::duration(cb_quantile_ns_at(handle_, now_ns, quantile_ppm));
    }

    /** The settings in force; the defaults while a supervisor owns the breaker, which counts as misused. */
    Config config() const noexcept {
        cb_config config;
        cb_config_init(&config, sizeof config);
        cb_get_config(handle_, &config);
        return Config(config);
    }

    /** Changes the settings, but for window_len, max_in_flight and start. Throws Error; nothing is changed then. */
    void reconfigure(const Config &config) {
        const cb_config c = config.to_c();
        detail::check(cb_reconfigure(handle_, &c));
    }
    void reconfigure_at(std::uint64_t now_ns, const Config &config) {
        const cb_config c = config.to_c();
        detail::check(cb_reconfigure_at(handle_, now_ns, &c));
    }

    /** The time on the breaker's clock. Any thread. */
    std::uint64_t now_ns() const noexcept { return cb_now_ns(handle_); }

    /** When poll will next have work; UINT64_MAX = at no time. */
    std::uint64_t next_deadline_ns() const noexcept { return cb_next_deadline_ns(handle_); }

    /** The C breaker, which stays this object's. */
    cb_breaker *c_handle() const noexcept { return handle_; }

    /** The C breaker, which becomes the caller's, to be destroyed by cb_destroy. */
    cb_breaker *detach() noexcept {
        leave();
        gate_ = nullptr;
        return std::exchange(handle_, nullptr);
    }

  private:
    friend class Supervisor;

    Breaker(cb_breaker *breaker, const cb_gate *gate) noexcept : handle_(breaker), gate_(gate) {}

    /** Its supervisor finds it here from now on. */
    void sit() noexcept {
        if (seat_) {
            seat_->breaker = this;
        }
    }
    /** Its supervisor doesn't find it any more. */
    void leave() noexcept {
        if (seat_) {
            seat_->breaker = nullptr;
            seat_.reset();
        }
    }

    cb_breaker *handle_ = nullptr;
    /** What allow() asks: the breaker's, or while a supervisor owns that, one that is shut. */
    const cb_gate *gate_ = nullptr;
    std::shared_ptr<detail::Seat> seat_;
};

/**
 * A call that ends when the scope does, and fails if an exception leaves the scope: for calls whose answer comes before
 * it. (A strictly conforming C++14 library can't tell an exception from one that was on its way before: a call that begins
 * in a destructor during unwinding then ends.) The C handle, a breaker's or a lane's, must outlive it. It asks how many
 * exceptions are on their way, twice: a few nanoseconds more than begin and end.
 */
template <typename Owner> class BasicScopedCall {
  public:
    explicit BasicScopedCall(Owner &owner) noexcept
        : handle_(owner.c_handle()), call_(owner.begin()), exceptions_(detail::uncaught_exceptions()) {}

    BasicScopedCall(BasicScopedCall &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr)), call_(other.call_), exceptions_(other.exceptions_) {}
    BasicScopedCall(const BasicScopedCall &) = delete;
    BasicScopedCall &operator=(const BasicScopedCall &) = delete;
    BasicScopedCall &operator=(BasicScopedCall &&) = delete;

    ~BasicScopedCall() {
        if (handle_ != nullptr && detail::uncaught_exceptions() > exceptions_) {
            fail();
        } else {
            end();
        }
    }

    /** Each of these settles the call now; the scope's end, and the others, then do nothing. */
    void end() noexcept {
        if (Handle handle = settle()) {
            detail::end(handle, call_);
        }
    }
    void fail() noexcept {
        if (Handle handle = settle()) {
            detail::fail(handle, call_);
        }
    }
    void abandon() noexcept {
        if (Handle handle = settle()) {
            detail::abandon(handle, call_);
        }
    }

    /** Hands the ticket over: the answer will come after this scope. */
    Call detach() noexcept {
        settle();
        return call_;
    }

    /** When the call began, on the breaker's clock. */
    std::uint64_t start_ns() const noexcept { return call_.start_ns; }

  private:
    using Handle = decltype(std::declval<Owner &>().c_handle());

    Handle settle() noexcept { return std::exchange(handle_, nullptr); }

    Handle handle_;
    Call call_;
    int exceptions_;
};

inline ScopedCall Breaker::scoped_call() noexcept { return ScopedCall(*this); }
inline ScopedLaneCall Lane::scoped_call() noexcept { return ScopedLaneCall(*this); }

} // namespace trip99

#endif // TRIP99_HPP
