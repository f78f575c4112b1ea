/* Enums with their names, tickets, versions. Part of trip99.hpp. */
#ifndef TRIP99_VALUES_HPP
#define TRIP99_VALUES_HPP

#include "language.hpp"

#include "../trip99.h"

#include <cstdint>

namespace trip99 {

/** The automatic state of a breaker. A halt is not a state: it lies over all three. */
enum class State : cb_state {
    Closed = CB_STATE_CLOSED,
    Open = CB_STATE_OPEN,
    HalfOpen = CB_STATE_HALF_OPEN,
};

/** How a breaker starts. cb_start_value tells what each means. */
enum class Start : cb_start {
    Closed = CB_START_CLOSED,
    HalfOpen = CB_START_HALF_OPEN,
    Halted = CB_START_HALTED,
};

/** How a breaker's page was found. A newer library may have more. cb_started_value tells what each means. */
enum class Started : cb_started {
    Private = CB_STARTED_PRIVATE,
    New = CB_STARTED_NEW,
    Clean = CB_STARTED_CLEAN,
    Unclean = CB_STARTED_UNCLEAN,
};

/** Who tests the node while the breaker is half-open. */
enum class Recovery : cb_recovery {
    Trials = CB_RECOVERY_TRIALS,
    HealthChecks = CB_RECOVERY_HEALTH_CHECKS,
};

/** Why a breaker changed its state, or was halted, resumed, restarted or reconfigured. A newer library may have more. */
enum class Reason : cb_reason {
    Latency = CB_REASON_LATENCY,
    FailureRate = CB_REASON_FAILURE_RATE,
    ConsecutiveFailures = CB_REASON_CONSECUTIVE_FAILURES,
    Spike = CB_REASON_SPIKE,
    Stall = CB_REASON_STALL,
    Retry = CB_REASON_RETRY,
    ProbeFailed = CB_REASON_PROBE_FAILED,
    ProbeSlow = CB_REASON_PROBE_SLOW,
    ProbeLost = CB_REASON_PROBE_LOST,
    Recovered = CB_REASON_RECOVERED,
    Halt = CB_REASON_HALT,
    Resume = CB_REASON_RESUME,
    Restart = CB_REASON_RESTART,
    Tripped = CB_REASON_TRIPPED,
    Reconfigured = CB_REASON_RECONFIGURED,
    OwnerSilent = CB_REASON_OWNER_SILENT,
    OwnerBack = CB_REASON_OWNER_BACK,
    ClockJumped = CB_REASON_CLOCK_JUMPED,
    Latched = CB_REASON_LATCHED,
};

/** What the plain operations (those without `_at`) read the time from. */
enum class Clock : cb_clock {
    Tsc = CB_CLOCK_TSC,
    Monotonic = CB_CLOCK_MONOTONIC,
};

/** What came of a halt. A newer library may have more. cb_halt_result_value tells what each means. */
enum class HaltResult : cb_halt_result {
    Done = CB_HALT_DONE,
    NoOwner = CB_HALT_NO_OWNER,
    Replaced = CB_HALT_REPLACED,
    Ended = CB_HALT_ENDED,
};

/** What came of a resume. A newer library may have more. cb_resume_result_value tells what each means. */
enum class ResumeResult : cb_resume_result {
    Done = CB_RESUME_DONE,
    StillHeld = CB_RESUME_STILL_HELD,
    NotHeld = CB_RESUME_NOT_HELD,
    Changed = CB_RESUME_CHANGED,
    NoOwner = CB_RESUME_NO_OWNER,
    Ended = CB_RESUME_ENDED,
};

/** The name, as in "half_open". */
inline const char *to_string(State state) noexcept { return cb_state_text(static_cast<cb_state>(state)); }

/** The name, as in "consecutive_failures". */
inline const char *to_string(Reason reason) noexcept { return cb_reason_text(static_cast<cb_reason>(reason)); }

/** What it means, as in "halted; the page has no owner". */
inline const char *to_string(HaltResult result) noexcept {
    return cb_halt_result_text(static_cast<cb_halt_result>(result));
}

/** What it means, as in "resumed; others still hold a halt". */
inline const char *to_string(ResumeResult result) noexcept {
    return cb_resume_result_text(static_cast<cb_resume_result>(result));
}

/** The library's version, as in "1.2.3". CB_VERSION_TEXT is the header's. */
inline const char *version() noexcept { return cb_version_text(); }

/** The version of the library's ABI. CB_ABI_VERSION is the header's. */
inline std::uint32_t abi_version() noexcept { return cb_abi_version(); }

/**
 * Turns the warden of this process off, for breakers, gates, lanes and pages that come after this. See cb_warden_disable, which tells
 * what is lost.
 */
inline void disable_warden() noexcept { cb_warden_disable(); }

/** A ticket for one call: 16 bytes, which may be copied. start_ns tells when the call began. */
using Call = cb_call;

} // namespace trip99

#endif // TRIP99_VALUES_HPP
