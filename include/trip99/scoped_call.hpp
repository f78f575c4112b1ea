/* Calls that end by themselves. Part of trip99.hpp. */
#ifndef TRIP99_SCOPED_CALL_HPP
#define TRIP99_SCOPED_CALL_HPP

#include "error.hpp"
#include "values.hpp"

#include <cstdint>
#include <utility>

namespace trip99 {

namespace detail {

// What a scoped call does with its handle, whichever it is.
inline void end(cb_breaker *breaker, Call call) noexcept { cb_end(breaker, call); }
inline void end(cb_lane *lane, Call call) noexcept { cb_lane_end(lane, call); }
inline void fail(cb_breaker *breaker, Call call) noexcept { cb_fail(breaker, call); }
inline void fail(cb_lane *lane, Call call) noexcept { cb_lane_fail(lane, call); }
inline void abandon(cb_breaker *breaker, Call call) noexcept { cb_abandon(breaker, call); }
inline void abandon(cb_lane *lane, Call call) noexcept { cb_lane_abandon(lane, call); }

} // namespace detail

/**
 * A call that ends when the scope does, and that fails if an exception leaves the scope. It is for calls whose answer comes
 * within the scope. The C handle, a breaker's or a lane's, must outlive the scoped call. A scoped call asks twice how many
 * exceptions are on their way, so it takes a few nanoseconds more than begin and end.
 *
 * (A strictly conforming C++14 library can't tell an exception from another that was on its way before. With such a library a
 * call that begins in a destructor during unwinding ends, even if an exception leaves the scope.)
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

    /** end, fail and abandon settle the call now. The end of the scope, and any of the three, do nothing afterwards. */
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

    /** Hands the ticket over, as the answer will come after this scope. */
    CB_MUST_USE Call detach() noexcept {
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

} // namespace trip99

#endif // TRIP99_SCOPED_CALL_HPP
