/* How each call of a breaker went. Part of trip99.hpp. */
#ifndef TRIP99_TAP_HPP
#define TRIP99_TAP_HPP

#include "duration.hpp"
#include "error.hpp"
#include "values.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace trip99 {

/** What a row of the tap tells of: see cb_tap_kind_value. */
enum class TapKind : cb_tap_kind {
    Ask = CB_TAP_ASK,
    Free = CB_TAP_FREE,
    Withdrawn = CB_TAP_WITHDRAWN,
    Refused = CB_TAP_REFUSED,
    Late = CB_TAP_LATE,
    Restart = CB_TAP_RESTART,
};

/** A row of the tap: a call, when it is known how it went. */
struct TapRow {
    TapKind kind = TapKind::Ask;
    /** When the call began, on the owner's clock. */
    std::uint64_t start_ns = 0;
    /** False: the call never came back, as far as the owner knows. */
    bool returned = false;
    std::chrono::nanoseconds latency{0};
    bool ok = true;

    TapRow() noexcept = default;

    explicit TapRow(const cb_tap_row &row) noexcept
        : kind(static_cast<TapKind>(row.kind)), start_ns(row.start_ns), returned(row.latency_ns != UINT64_MAX),
          latency(detail::duration(returned ? row.latency_ns : 0)), ok(row.ok != 0) {}
};

/**
 * A reader of a breaker's tap (tap_len), with a place of its own. A reader may outlive the breaker. Any thread may use it, one at a time.
 */
class Tap {
  public:
    /** The reader begins with the oldest row that is there. Throws Error, too, if there is no tap. */
    explicit Tap(const cb_breaker *breaker) { detail::check(cb_tap_open(breaker, &handle_)); }

    /** Takes over a reader made by cb_tap_open or cb_observer_tap_open. */
    static Tap adopt(cb_tap *tap) noexcept {
        Tap adopted;
        adopted.handle_ = tap;
        return adopted;
    }

    Tap(Tap &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Tap &operator=(Tap &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Tap(const Tap &) = delete;
    Tap &operator=(const Tap &) = delete;
    ~Tap() { cb_tap_close(handle_); }

    /** Reads the next row. False: there is none for now. */
    CB_MUST_USE bool next(TapRow &row) noexcept {
        cb_tap_row read = CB_TAP_ROW_INIT;
        if (!cb_tap_next(handle_, &read)) {
            return false;
        }
        row = TapRow(read);
        return true;
    }

    /** How many rows were overwritten before this reader came to them. */
    std::uint64_t missed() const noexcept { return cb_tap_missed(handle_); }

    /** A later owner has made the page's file larger: open the page again. */
    bool has_moved() const noexcept { return cb_tap_has_moved(handle_); }

  private:
    Tap() noexcept = default;

    cb_tap *handle_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_TAP_HPP
