/* Options of a page in a file. Part of trip99.hpp. */
#ifndef TRIP99_SHARED_OPTIONS_HPP
#define TRIP99_SHARED_OPTIONS_HPP

#include "values.hpp"

#include <cstdint>
#include <string>

namespace trip99 {

/** Options of a page in a file: those of cb_shared_options, which tells what each means. New ones are the defaults. */
struct SharedOptions {
    bool warden = true;
    /** Empty: none. The page is for this user alone. */
    std::string group{};
    /** Empty: the folder that trip99 chooses. */
    std::string state_dir{};
    /** The time of construction on the breaker's clock. UINT64_MAX: the process's. */
    std::uint64_t now_ns = UINT64_MAX;

    /** It points into these options. */
    cb_shared_options to_c() const noexcept {
        cb_shared_options options = CB_SHARED_OPTIONS_INIT;
        options.warden = warden ? 1 : 0;
        options.group = group.empty() ? nullptr : group.c_str();
        options.state_dir = state_dir.empty() ? nullptr : state_dir.c_str();
        options.now_ns = now_ns;
        return options;
    }
};

} // namespace trip99

#endif // TRIP99_SHARED_OPTIONS_HPP
