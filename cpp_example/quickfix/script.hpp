// What the venue does when, and what that should do to the trader. Both programs know it.
#pragma once

#include <chrono>
#include <cstddef>

enum class Phase { Calm, Slow, Silent, Reject, Gone };

struct Act {
    Phase phase;
    std::chrono::milliseconds lasts;
};

// From the first logon on. The trader kills the venue when it is to be gone.
constexpr Act SCRIPT[] = {
    {Phase::Calm, std::chrono::milliseconds(2000)},   {Phase::Slow, std::chrono::milliseconds(1500)},
    {Phase::Calm, std::chrono::milliseconds(3500)},   {Phase::Silent, std::chrono::milliseconds(1500)},
    {Phase::Calm, std::chrono::milliseconds(3500)},   {Phase::Reject, std::chrono::milliseconds(1500)},
    {Phase::Calm, std::chrono::milliseconds(1000)},   {Phase::Gone, std::chrono::milliseconds(3000)},
    {Phase::Calm, std::chrono::milliseconds(5000)},
};
constexpr std::size_t ACTS = sizeof SCRIPT / sizeof SCRIPT[0];

inline const char *text(Phase phase) {
    switch (phase) {
    case Phase::Calm: return "calm: it answers after 10 ms";
    case Phase::Slow: return "slow: it answers after 350 ms";
    case Phase::Silent: return "silent: it reads orders, and that is all";
    case Phase::Reject: return "reject: it rejects each message (35=3)";
    case Phase::Gone: return "gone: killed; then it refuses logons";
    }
    return "";
}
