/*
 * trip99: halts and resumes a breaker by the name of its page in a file, and finds pages. Header-only, C++14. trip99.hpp has the rest of
 * what pages in files are for: trip99::Breaker::create_shared for the owner, trip99::Observer and trip99::Gate for other processes.
 *
 *     trip99::halt_shared("venue-a", "prices look wrong");
 *
 * A page has a plain name, which is looked for in the conventional places, or a path, which has a '/'.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_SHARED_HPP
#define TRIP99_SHARED_HPP

#include "trip99.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace trip99 {

namespace detail {

/** Throws unless it is done. What is amiss although it is done goes to `warning`, which may be nullptr. */
inline void check_done(cb_status status, std::string *warning) {
    const bool is_amiss = status == CB_STATUS_NOT_DURABLE || status == CB_STATUS_ODD_PAGE;
    if (!is_amiss) {
        check(status);
    }
    if (warning != nullptr) {
        *warning = is_amiss ? cb_error_text() : "";
    }
}

} // namespace detail

/**
 * Halts the breaker of a page, in whatever condition the page is, in the name of a holder; an empty one stands for the user who runs
 * this process (USER@HOST). See cb_halt_shared. Throws Error: nothing is halted then. If it is halted, but the halt isn't durable or the
 * page is odd, `warning` tells so; otherwise it is empty then.
 */
inline HaltResult halt_shared(const std::string &path_or_name, const std::string &reason,
                              const std::string &holder = std::string(), std::string *warning = nullptr) {
    cb_halt_result result = CB_HALT_ENDED;
    const char *name = holder.empty() ? nullptr : holder.c_str();
    detail::check_done(cb_halt_shared(path_or_name.c_str(), name, reason.c_str(), &result), warning);
    return static_cast<HaltResult>(result);
}

/**
 * Lifts the halt of a holder; an empty one stands for the user who runs this process. Throws Error: nothing is resumed then. `warning` is
 * as for halt_shared.
 */
inline ResumeResult resume_shared(const std::string &path_or_name, const std::string &reason,
                                  const std::string &holder = std::string(), std::string *warning = nullptr) {
    cb_resume_result result = CB_RESUME_ENDED;
    const char *name = holder.empty() ? nullptr : holder.c_str();
    detail::check_done(cb_resume_shared(path_or_name.c_str(), name, reason.c_str(), &result), warning);
    return static_cast<ResumeResult>(result);
}

/** The path of the page of this name: see cb_shared_find. Throws Error: there is none, or there are several. */
inline std::string find_shared(const std::string &name) {
    return detail::text_of([&name](char *buffer, std::size_t capacity) {
        std::size_t length = 0;
        detail::check(cb_shared_find(name.c_str(), buffer, capacity, &length));
        return length;
    });
}

/** The conventional places of all users, for tools that list pages: see cb_shared_place. */
inline std::vector<std::string> shared_places() {
    std::vector<std::string> places;
    for (;;) {
        const std::size_t index = places.size();
        const std::string place = detail::text_of(
            [index](char *buffer, std::size_t capacity) { return cb_shared_place(index, buffer, capacity); });
        if (place.empty()) {
            return places;
        }
        places.push_back(place);
    }
}

} // namespace trip99

#endif // TRIP99_SHARED_HPP
