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

/**
 * Halts the breaker of a page, in the name of a holder; an empty one stands for the user who runs this process (USER@HOST). See
 * cb_halt_shared. Throws Error: nothing is halted then.
 */
inline HaltResult halt_shared(const std::string &path_or_name, const std::string &reason,
                              const std::string &holder = std::string()) {
    cb_halt_result result = CB_HALT_ENDED;
    const char *name = holder.empty() ? nullptr : holder.c_str();
    detail::check(cb_halt_shared(path_or_name.c_str(), name, reason.c_str(), &result));
    return static_cast<HaltResult>(result);
}

/** Lifts the halt of a holder; an empty one stands for the user who runs this process. Throws Error: nothing is resumed then. */
inline ResumeResult resume_shared(const std::string &path_or_name, const std::string &reason,
                                  const std::string &holder = std::string()) {
    cb_resume_result result = CB_RESUME_ENDED;
    const char *name = holder.empty() ? nullptr : holder.c_str();
    detail::check(cb_resume_shared(path_or_name.c_str(), name, reason.c_str(), &result));
    return static_cast<ResumeResult>(result);
}

} // namespace trip99

#endif // TRIP99_SHARED_HPP
