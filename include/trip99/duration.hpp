/* std::chrono durations to and from nanoseconds. Part of trip99.hpp. */
#ifndef TRIP99_DURATION_HPP
#define TRIP99_DURATION_HPP

#include "language.hpp"

#include "error.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

namespace trip99 {

namespace detail {

/** A time that a duration can't hold (above all UINT64_MAX, which is never) becomes the longest duration. */
inline std::chrono::nanoseconds duration(std::uint64_t ns) noexcept {
    constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns < longest ? ns : longest));
}

/** A latency. A negative duration becomes 2^63 ns or more, which is no latency: it is counted as misused and otherwise ignored. */
constexpr std::uint64_t ns(std::chrono::nanoseconds duration) noexcept {
    return static_cast<std::uint64_t>(duration.count());
}

/** A setting, which must not be negative. The longest duration is never. */
inline std::uint64_t ns(const char *field, std::chrono::nanoseconds duration) {
    if (duration.count() < 0) {
        raise(CB_STATUS_OUT_OF_RANGE,
              std::string(field) + " is " + std::to_string(duration.count()) + " ns; legal: not negative");
    }
    return duration == std::chrono::nanoseconds::max() ? UINT64_MAX : ns(duration);
}

/** A limit of latencies. Latencies end where durations do, so the longest one is as it is, and is never, too. */
inline std::uint64_t limit_ns(const char *field, std::chrono::nanoseconds duration) {
    constexpr auto longest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return std::min(ns(field, duration), longest);
}

} // namespace detail

} // namespace trip99

#endif // TRIP99_DURATION_HPP
