/* What the wrapper throws. Part of trip99.hpp. */
#ifndef TRIP99_ERROR_HPP
#define TRIP99_ERROR_HPP

#include "language.hpp"

#include "../trip99.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace trip99 {

/** What constructors throw, and functions that make something or change settings. what() tells what was wrong, and what is legal. */
class Error : public std::runtime_error {
  public:
    Error(cb_status status, const std::string &what) : std::runtime_error(what), status_(status) {}

    /** One of cb_status_value. */
    cb_status status() const noexcept { return status_; }

  private:
    cb_status status_;
};

namespace detail {

/** Throws an Error. A program without exceptions can't be told: then this prints what is wrong, and aborts. */
[[noreturn]] inline void raise(cb_status status, const std::string &what) {
#ifdef __cpp_exceptions
    throw Error(status, what);
#else
    std::fprintf(stderr, "trip99: %s: %s\n", cb_status_text(status), what.c_str());
    std::abort();
#endif
}

/** How many exceptions are on their way. */
inline int uncaught_exceptions() noexcept {
#ifdef __cpp_lib_uncaught_exceptions
    return std::uncaught_exceptions();
#else
    return std::uncaught_exception() ? 1 : 0;
#endif
}

inline void check(cb_status status) {
    if (status != CB_STATUS_OK) {
        raise(status, cb_error_text());
    }
}

} // namespace detail

} // namespace trip99

#endif // TRIP99_ERROR_HPP
