// Durations for people.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

// Three digits and a unit.
inline std::string show_ns(std::uint64_t ns) {
    const auto value = static_cast<double>(ns);
    char text[32];
    if (ns < 1000) {
        std::snprintf(text, sizeof text, "%.0f ns", value);
    } else if (value < 999.5e3) {
        std::snprintf(text, sizeof text, "%.3g us", value / 1e3);
    } else if (value < 999.5e6) {
        std::snprintf(text, sizeof text, "%.3g ms", value / 1e6);
    } else {
        std::snprintf(text, sizeof text, "%.3g s", value / 1e9);
    }
    return text;
}
