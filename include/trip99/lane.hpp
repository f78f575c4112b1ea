/* What other threads than the owner trade through. Part of trip99.hpp. */
#ifndef TRIP99_LANE_HPP
#define TRIP99_LANE_HPP

#include "duration.hpp"
#include "error.hpp"
#include "observer.hpp"
#include "scoped_call.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace trip99 {

class Lane;

/** A lane's call that ends when the scope does. */
using ScopedLaneCall = BasicScopedCall<Lane>;

/**
 * What a thread that isn't the owner trades through. The thread asks the breaker, with trials, and reports its calls. The owner
 * hears them when it polls. Each such thread has a lane, and only that thread uses it. But halt, resume, closed, and what a View
 * has, are for any thread. A lane may outlive the breaker, and refuses then. Destroy a lane when its calls are back. A moved-from
 * lane may only be assigned to or destroyed. A move assignment exchanges the two lanes.
 */
class Lane : public View {
  public:
    /** The owner opens the lane, which allocates. `capacity` is how many calls it has room for; 0 = 4096. Throws Error. */
    explicit Lane(cb_breaker *breaker, std::uint32_t capacity = 0) {
        detail::check(cb_lane_open(breaker, capacity, &handle_));
        look();
    }

    /** Takes over a lane made by cb_lane_open, cb_lane_split or cb_supervisor_lane. */
    static Lane adopt(cb_lane *lane) noexcept {
        Lane adopted;
        adopted.handle_ = lane;
        adopted.look();
        return adopted;
    }

    /**
     * Makes two halves of the lane, for two threads. From now on this object is the begin half, for the thread on which calls
     * begin (allow, begin, release). The result is the end half, for the thread on which calls end (end, record_probe). The other
     * operations are for both halves. If both give back a ticket, the first one counts. Throws Error: this is a half already.
     */
    CB_MUST_USE Lane split() {
        cb_lane *end = nullptr;
        detail::check(cb_lane_split(handle_, &end));
        return adopt(end);
    }

    /** Tells a checked build that another thread will use this lane, or half, from now on. Otherwise it does nothing. */
    void hand_over() noexcept { cb_lane_hand_over(handle_); }

    Lane(Lane &&other) noexcept
        : View(std::move(other)), handle_(std::exchange(other.handle_, nullptr)),
          byte_(std::exchange(other.byte_, nullptr)) {}
    Lane &operator=(Lane &&other) noexcept {
        View::operator=(std::move(other));
        std::swap(handle_, other.handle_);
        std::swap(byte_, other.byte_);
        return *this;
    }
    Lane(const Lane &) = delete;
    Lane &operator=(const Lane &) = delete;
    ~Lane() { cb_lane_close(handle_); }

    /**
     * May an order be sent now? While the breaker is half-open, true grants a trial: send it or release(). A lane that is too
     * full to take the call's begin refuses. (closed() asks the breaker alone, by one inline load.)
     */
    CB_MUST_USE bool allow() noexcept { return cb_lane_allow(handle_); }

    /** Gives back the trial that this lane was granted last, if it will not be sent. */
    void release() noexcept { cb_lane_release(handle_); }

    /** A call is sent. Its ticket goes back once, by end, fail or abandon on this lane. See also scoped_call. */
    CB_MUST_USE Call begin() noexcept { return cb_lane_begin(handle_); }
    CB_MUST_USE Call begin_at(std::uint64_t now_ns) noexcept { return cb_lane_begin_at(handle_, now_ns); }

    /** The call came back with an answer (a business reject is one). */
    void end(Call call) noexcept { cb_lane_end(handle_, call); }
    void end_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_end_at(handle_, now_ns, call); }

    /** The venue or the transport failed the call: timeout, disconnect, system error. */
    void fail(Call call) noexcept { cb_lane_fail(handle_, call); }
    void fail_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_fail_at(handle_, now_ns, call); }

    /** The call was not sent after all. It gives no sample, and a trial counts neither way. */
    void abandon(Call call) noexcept { cb_lane_abandon(handle_, call); }
    void abandon_at(std::uint64_t now_ns, Call call) noexcept { cb_lane_abandon_at(handle_, now_ns, call); }

    /** A call without a ticket came back with an answer. A negative latency is counted as misused, and otherwise ignored. */
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
    CB_MUST_USE ScopedLaneCall scoped_call() noexcept { return ScopedLaneCall(*this); }

    /** Makes one relaxed load, inline. True: the breaker lets every call pass, whatever room this lane has. Any thread. */
    bool closed() const noexcept { return cb_gate_closed(byte_); }

    /**
     * Refuses every call from now on, until the halt is lifted. The reason is text in UTF-8. nullptr gives none. The holder is the engine
     * itself. Any thread, as the next three.
     */
    HaltResult halt(const char *reason = nullptr) noexcept {
        cb_halt_result result = CB_HALT_ENDED;
        cb_lane_halt(handle_, reason, &result);
        return static_cast<HaltResult>(result);
    }
    /** halt() in the name of this holder, which has a halt of its own. Throws Error: the name is illegal, and nothing is halted. */
    HaltResult halt_as(const std::string &holder, const char *reason = nullptr) {
        cb_halt_result result = CB_HALT_ENDED;
        detail::check(cb_lane_halt_as(handle_, holder.c_str(), reason, &result));
        return static_cast<HaltResult>(result);
    }
    /** Lifts halt()'s halt, and no other. When nobody else holds one, calls pass after the owner's next poll. */
    ResumeResult resume(const char *reason = nullptr) noexcept {
        cb_resume_result result = CB_RESUME_ENDED;
        cb_lane_resume(handle_, reason, &result);
        return static_cast<ResumeResult>(result);
    }
    /** Lifts the halt of this holder, whoever set it. Throws Error: the name is illegal, and nothing is resumed. */
    ResumeResult resume_as(const std::string &holder, const char *reason = nullptr) {
        cb_resume_result result = CB_RESUME_ENDED;
        detail::check(cb_lane_resume_as(handle_, holder.c_str(), reason, &result));
        return static_cast<ResumeResult>(result);
    }

    /** Why allow() refuses now: as View::why(), and that the lane is full if it is. */
    std::string why() const {
        return detail::text_of(
            [this](char *buffer, std::size_t capacity) { return cb_lane_why(handle_, buffer, capacity); });
    }

    /** How many messages were dropped because the lane was full. */
    std::uint64_t dropped() const noexcept { return cb_lane_dropped(handle_); }

    /** The time on the breaker's clock. */
    std::uint64_t now_ns() const noexcept { return cb_lane_now_ns(handle_); }

    /** The C lane, which stays this object's. */
    cb_lane *c_handle() const noexcept { return handle_; }

  private:
    Lane() noexcept = default;

    void look() noexcept {
        view_ = cb_lane_observer(handle_);
        byte_ = cb_lane_gate_of(handle_);
    }

    cb_lane *handle_ = nullptr;
    const cb_gate *byte_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_LANE_HPP
