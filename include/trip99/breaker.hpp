/* The breaker. Part of trip99.hpp. */
#ifndef TRIP99_BREAKER_HPP
#define TRIP99_BREAKER_HPP

#include "config.hpp"
#include "duration.hpp"
#include "error.hpp"
#include "events.hpp"
#include "gate.hpp"
#include "lane.hpp"
#include "observer.hpp"
#include "scoped_call.hpp"
#include "shared_options.hpp"
#include "tap.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace trip99 {

class Breaker;

/** An owner's call that ends when the scope does. */
using ScopedCall = BasicScopedCall<Breaker>;

namespace detail {

/**
 * A gate that never shows closed. While a supervisor owns a breaker, this takes the place of the breaker's gate, so that allow()
 * asks, and is refused.
 */
inline const cb_gate *shut_gate() noexcept {
    static const cb_gate shut = {1};
    return &shut;
}

/** Where a breaker that is on a supervisor's list is now, as breakers move. nullptr once the breaker is gone. */
struct Seat {
    Breaker *breaker;
};

} // namespace detail

/**
 * A breaker for one node. One thread owns a breaker, and only that thread calls the operations that aren't marked "any thread".
 * While a supervisor is the owner nobody else may call them. No harm comes of such a call: lane and reconfigure throw, allow
 * refuses, and other calls are counted (see cb_breaker in trip99.h).
 *
 * A moved-from breaker may only be assigned to or destroyed. A move assignment exchanges the two breakers, so the one that was
 * assigned to ends with the other object.
 */
class Breaker {
  public:
    /** Allocates all that the breaker will ever use. The first breaker in a process takes up to 200 ms. Throws Error. */
    explicit Breaker(const Config &config = Config()) : Breaker(config.to_c()) {}

    explicit Breaker(const cb_config &config) {
        detail::check(cb_create(&config, &handle_));
        gate_ = cb_gate_of(handle_);
    }

    /**
     * Makes a breaker whose page is in a file, so that other processes can see and ask it (Observer, Gate). The page has a plain
     * name, or a path, which has a '/'. A page that is there is taken over, as cb_create_shared says. `start` stands in place of
     * config.start. Throws Error.
     */
    static Breaker create_shared(const std::string &path_or_name, const Config &config, Start start,
                                 const SharedOptions &options = SharedOptions()) {
        const cb_config c = config.to_c();
        const cb_shared_options c_options = options.to_c();
        cb_breaker *breaker = nullptr;
        detail::check(cb_create_shared_with(path_or_name.c_str(), &c, static_cast<cb_start>(start), &c_options,
                                            &breaker));
        return adopt(breaker);
    }
    /** create_shared at a given time, for an owner with a time of its own. */
    static Breaker create_shared_at(std::uint64_t now_ns, const std::string &path_or_name, const Config &config,
                                    Start start) {
        SharedOptions options;
        options.now_ns = now_ns;
        return create_shared(path_or_name, config, start, options);
    }

    /** Takes over a breaker made by cb_create, cb_create_shared or one of its other forms. */
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
    /**
     * While an exception unwinds the end is unclean: the next owner of the page finds the breaker open. A breaker may end while a
     * supervisor owns it, but that is counted as misused: see cb_destroy.
     *
     * (A strictly conforming C++14 library can't tell an exception from another that was on its way before. With such a library the
     * end of a breaker that was made in a destructor during unwinding is clean.)
     */
    ~Breaker() {
        leave();
        if (detail::uncaught_exceptions() > exceptions_) {
            cb_destroy_unclean(handle_);
        } else {
            cb_destroy(handle_);
        }
    }

    /**
     * Ends the breaker at a given time, for an owner with a time of its own: see cb_destroy_at. Afterwards this object is as if it
     * were moved from.
     */
    void destroy_at(std::uint64_t now_ns) noexcept { cb_destroy_at(detach(), now_ns); }

    /**
     * May an order be sent now? While the breaker is closed this is one inline load. While it is half-open, true grants a trial:
     * send it or release().
     */
    CB_MUST_USE bool allow() noexcept { return cb_gate_closed(gate_) || cb_allow(handle_); }
    CB_MUST_USE bool allow_at(std::uint64_t now_ns) noexcept {
        return cb_gate_closed(gate_) || cb_allow_at(handle_, now_ns);
    }

    /** A call is sent. Its ticket goes back once, by end, fail or abandon. See also scoped_call. */
    CB_MUST_USE Call begin() noexcept { return cb_begin(handle_); }
    CB_MUST_USE Call begin_at(std::uint64_t now_ns) noexcept { return cb_begin_at(handle_, now_ns); }

    /** The call came back with an answer (a business reject is one). */
    void end(Call call) noexcept { cb_end(handle_, call); }
    void end_at(std::uint64_t now_ns, Call call) noexcept { cb_end_at(handle_, now_ns, call); }

    /** The venue or the transport failed the call: timeout, disconnect, system error. */
    void fail(Call call) noexcept { cb_fail(handle_, call); }
    void fail_at(std::uint64_t now_ns, Call call) noexcept { cb_fail_at(handle_, now_ns, call); }

    /** The call was not sent after all. It gives no sample, and a trial counts neither way. */
    void abandon(Call call) noexcept { cb_abandon(handle_, call); }
    void abandon_at(std::uint64_t now_ns, Call call) noexcept { cb_abandon_at(handle_, now_ns, call); }

    /** A call without a ticket came back with an answer. A negative latency is counted as misused, and otherwise ignored. */
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

    /** Opens a closed or half-open breaker at once, by what the owner knows better than any sample, such as a lost session. */
    void trip() noexcept { cb_trip(handle_); }
    void trip_at(std::uint64_t now_ns) noexcept { cb_trip_at(handle_, now_ns); }

    /** Hears the lanes, and fires the timers that are due. Call it once in each turn of the loop. */
    void poll() noexcept { cb_poll(handle_); }
    void poll_at(std::uint64_t now_ns) noexcept { cb_poll_at(handle_, now_ns); }

    /** Begins a call that ends by itself when the scope does. */
    CB_MUST_USE ScopedCall scoped_call() noexcept { return ScopedCall(*this); }

    /** Tells, by one load, whether every call passes now, whoever owns the breaker. Any thread. */
    bool closed() const noexcept { return cb_gate_closed(cb_gate_of(handle_)); }
    /** The automatic state. Any thread. */
    State state() const noexcept { return static_cast<State>(cb_get_state(handle_)); }
    /** Tells whether trading is halted. Any thread. */
    bool is_halted() const noexcept { return cb_is_halted(handle_); }
    /**
     * Refuses every call from now on, until the halt is lifted. The reason is text in UTF-8. nullptr gives none. The holder is the engine
     * itself. Any thread, as the next three.
     */
    HaltResult halt(const char *reason = nullptr) noexcept {
        cb_halt_result result = CB_HALT_ENDED;
        cb_halt_with(handle_, reason, &result);
        return static_cast<HaltResult>(result);
    }
    /** halt() in the name of this holder, which has a halt of its own. Throws Error: the name is illegal, and nothing is halted. */
    HaltResult halt_as(const std::string &holder, const char *reason = nullptr) {
        cb_halt_result result = CB_HALT_ENDED;
        detail::check(cb_halt_as(handle_, holder.c_str(), reason, &result));
        return static_cast<HaltResult>(result);
    }
    /** Lifts halt()'s halt, and no other. When nobody else holds one, calls pass after the owner's next poll. */
    ResumeResult resume(const char *reason = nullptr) noexcept {
        cb_resume_result result = CB_RESUME_ENDED;
        cb_resume_with(handle_, reason, &result);
        return static_cast<ResumeResult>(result);
    }
    /** Lifts the halt of this holder, whoever set it. Throws Error: the name is illegal, and nothing is resumed. */
    ResumeResult resume_as(const std::string &holder, const char *reason = nullptr) {
        cb_resume_result result = CB_RESUME_ENDED;
        detail::check(cb_resume_as(handle_, holder.c_str(), reason, &result));
        return static_cast<ResumeResult>(result);
    }

    /** halt() that adds its event at once. While a supervisor owns the breaker this is halt(). So are the next three. */
    HaltResult halt_at(std::uint64_t now_ns, const char *reason = nullptr) noexcept {
        cb_halt_result result = CB_HALT_ENDED;
        cb_halt_with_at(handle_, now_ns, reason, &result);
        return static_cast<HaltResult>(result);
    }
    HaltResult halt_as_at(std::uint64_t now_ns, const std::string &holder, const char *reason = nullptr) {
        cb_halt_result result = CB_HALT_ENDED;
        detail::check(cb_halt_as_at(handle_, now_ns, holder.c_str(), reason, &result));
        return static_cast<HaltResult>(result);
    }
    ResumeResult resume_at(std::uint64_t now_ns, const char *reason = nullptr) noexcept {
        cb_resume_result result = CB_RESUME_ENDED;
        cb_resume_with_at(handle_, now_ns, reason, &result);
        return static_cast<ResumeResult>(result);
    }
    ResumeResult resume_as_at(std::uint64_t now_ns, const std::string &holder, const char *reason = nullptr) {
        cb_resume_result result = CB_RESUME_ENDED;
        detail::check(cb_resume_as_at(handle_, now_ns, holder.c_str(), reason, &result));
        return static_cast<ResumeResult>(result);
    }

    /** Who holds a halt now, since when and why. Trading goes on when each of them has resumed. See cb_get_holders. Any thread. */
    std::vector<HaltNote> holders() const {
        return detail::holders_of([this](cb_halt_note *out, std::size_t capacity, std::size_t note_size) {
            return cb_get_holders(handle_, out, capacity, note_size);
        });
    }

    /** Why calls are refused now, as one line for the text of a reject; "passes" if nothing refuses. See cb_why. Any thread. */
    std::string why() const {
        return detail::text_of([this](char *buffer, std::size_t capacity) { return cb_why(handle_, buffer, capacity); });
    }

    /** How the breaker's page was found, if it is in a file. This makes a few system calls. Any thread. */
    Started started() const noexcept { return static_cast<Started>(cb_get_started(handle_)); }

    /** Tells others how many orders rest at the venue: see cb_set_resting. */
    void set_resting(std::uint64_t orders) noexcept { cb_set_resting(handle_, orders); }

    /** Gives the note of the latest halt that is held. False: there is none. Any thread. */
    CB_MUST_USE bool halt_note(HaltNote &note) const {
        cb_halt_note read = CB_HALT_NOTE_INIT;
        if (!cb_get_halt_note(handle_, &read)) {
            return false;
        }
        note = HaltNote(read);
        return true;
    }

    /** Makes what another thread sees the breaker by. Throws Error. Any thread. */
    Observer observer() const { return Observer(handle_); }

    /** Makes what another thread asks, halts and resumes by. Throws Error. */
    Gate gate() { return Gate(handle_); }

    /** Opens what another thread trades through. `capacity` is how many calls it has room for; 0 = 4096. Throws Error. */
    Lane lane(std::uint32_t capacity = 0) { return Lane(handle_, capacity); }

    /** Opens a reader of the events, which may outlive the breaker. Throws Error. Any thread. */
    Events events() const { return Events(handle_); }

    /** Opens a reader of the tap, which may outlive the breaker. Throws Error, too, if tap_len is 0. Any thread. */
    Tap tap() const { return Tap(handle_); }

    /** Passes ownership on to the thread that calls next: see cb_hand_over. */
    void hand_over() noexcept { cb_hand_over(handle_); }

    /** A snapshot as of the latest time seen. While a supervisor owns the breaker, it is what the supervisor published last. */
    Snapshot snapshot() const noexcept {
        Snapshot snapshot;
        cb_get_snapshot(handle_, &snapshot);
        return snapshot;
    }

    /**
     * Gives the snapshot that the owner published last: at a transition, or by a poll, at most one each millisecond. False: it published none
     * so far.
     * Any thread.
     */
    CB_MUST_USE bool published(Snapshot &snapshot) const noexcept { return cb_get_published(handle_, &snapshot); }

    /**
     * A quantile of what a verdict sees, as of the latest time seen; 990 000 ppm is the P99. 0 if the verdict sees nothing. It takes
     * time in proportion to the window.
     */
    std::chrono::nanoseconds quantile(std::uint32_t quantile_ppm) noexcept {
        return detail::duration(cb_quantile_ns(handle_, quantile_ppm));
    }
    std::chrono::nanoseconds quantile_at(std::uint64_t now_ns, std::uint32_t quantile_ppm) noexcept {
        return detail::duration(cb_quantile_ns_at(handle_, now_ns, quantile_ppm));
    }

    /** The settings in force. While a supervisor owns the breaker they are the defaults, and the call counts as misused. */
    Config config() const noexcept {
        cb_config config;
        cb_config_init(&config, sizeof config);
        cb_get_config(handle_, &config);
        return Config(config);
    }

    /** Changes the settings, except window_len, max_in_flight and start. Throws Error: nothing is changed then. */
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

    /** Hands the C breaker over to the caller, who destroys it by cb_destroy. */
    CB_MUST_USE cb_breaker *detach() noexcept {
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
    /** The gate that allow() asks. While a supervisor owns the breaker it is one that never shows closed. */
    const cb_gate *gate_ = nullptr;
    std::shared_ptr<detail::Seat> seat_{};
    /** How many exceptions were on their way when this object was made. */
    int exceptions_ = detail::uncaught_exceptions();
};

} // namespace trip99

#endif // TRIP99_BREAKER_HPP
