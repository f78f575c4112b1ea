/* The language that the wrapper needs. Part of trip99.hpp. */
#ifndef TRIP99_LANGUAGE_HPP
#define TRIP99_LANGUAGE_HPP

#if __cplusplus < 201402L
#error "trip99.hpp needs C++14 or newer: compile with -std=c++14, or use the C API in trip99.h"
#endif

#endif // TRIP99_LANGUAGE_HPP
