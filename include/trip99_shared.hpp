/*
 * trip99: halts and resumes a breaker by the name of its page in a file. Header-only, C++14. trip99.hpp has the rest of what pages
 * in files are for: trip99::Breaker::create_shared for the owner, trip99::Observer and trip99::Gate for other processes.
 *
 *     trip99::halt_shared("venue-a", "prices look wrong");
 *
 * A page has a plain name ("venue-a" is /dev/shm/trip99-USER/venue-a), or a path, which has a '/'.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_SHARED_HPP
#define TRIP99_SHARED_HPP

#include "trip99.hpp"

namespace trip99 {

/** Halts the breaker of a page. Leaves a note of why, when and by whom. Throws Error: nothing is halted then. */
inline void halt_shared(const std::string &path_or_name, const std::string &reason) {
    detail::check(cb_halt_shared(path_or_name.c_str(), reason.c_str()));
}

/** Ends a halt, whoever set it. Throws Error: nothing is resumed then. */
inline void resume_shared(const std::string &path_or_name) { detail::check(cb_resume_shared(path_or_name.c_str())); }

} // namespace trip99

#endif // TRIP99_SHARED_HPP
