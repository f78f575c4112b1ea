// The script: what the node does to its clients, and when it goes on to the next trouble.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <trip99.hpp>

constexpr std::uint64_t MS = 1'000'000;

enum class Phase { Calm, Slow, Silent, Lost };

// On the line to the node.
constexpr const char *name(Phase phase) {
    switch (phase) {
    case Phase::Calm: return "calm";
    case Phase::Slow: return "slow";
    case Phase::Silent: return "silent";
    case Phase::Lost: return "lost";
    }
    return "";
}

// For people.
constexpr const char *title(Phase phase) {
    switch (phase) {
    case Phase::Calm: return "calm";
    case Phase::Slow: return "slow answers";
    case Phase::Silent: return "no answers";
    case Phase::Lost: return "connection lost";
    }
    return "";
}

// What the node does, after its title.
constexpr const char *describe(Phase phase) {
    switch (phase) {
    case Phase::Calm: return "it answers after 1 to 3 ms";
    case Phase::Slow: return "they come after 350 to 500 ms";
    case Phase::Silent: return "it reads orders, and that is all";
    case Phase::Lost: return "it closes this one, and new ones at once";
    }
    return "";
}

// A trouble, and what is asked of the breaker: to notice it within a bound, by one of these rules.
struct Trouble {
    Phase phase;
    std::uint64_t lasts_ns;
    std::uint64_t notice_within_ns;
    trip99::Reason reasons[2];
};

// The bounds leave a busy machine some five times what a quiet one takes. Each trouble outlasts the first trial, and
// ends well before the second (at some 0.7 and 1.9 s, or 0.5 and 1.5 s when the connection is lost), so that the run
// doesn't hang on microseconds.
constexpr Trouble TROUBLES[] = {
    {Phase::Slow, 1300 * MS, 1000 * MS, {trip99::Reason::Latency, trip99::Reason::Spike}},
    {Phase::Silent, 1300 * MS, 1200 * MS, {trip99::Reason::Latency, trip99::Reason::Stall}},
    {Phase::Lost, 1000 * MS, 500 * MS, {trip99::Reason::ConsecutiveFailures, trip99::Reason::FailureRate}},
};
constexpr std::size_t TROUBLE_COUNT = sizeof TROUBLES / sizeof *TROUBLES;

// Trading must go on so soon after each trouble: the longest pause is 2 s, and on a busy machine another may follow.
constexpr std::uint64_t RESUME_WITHIN_NS = 6000 * MS;

// Calm lasts until trading has gone on for so long.
constexpr std::uint64_t SETTLED_NS = 1500 * MS;

// Follows the script. Calm has no fixed length: on a busy machine a hiccup between two troubles may pause trading for
// reasons of its own, and a trouble can only be noticed by who is trading.
class Director {
  public:
    explicit Director(std::uint64_t now_ns) : since_ns_(now_ns) {}

    // The phase that begins now, if one does. `has_settled`: trading has gone on for SETTLED_NS.
    std::optional<Phase> cue(std::uint64_t now_ns, bool has_settled) {
        const std::uint64_t so_far_ns = now_ns - since_ns_;
        if (phase_ != Phase::Calm) {
            if (so_far_ns < TROUBLES[begun_ - 1].lasts_ns) {
                return std::nullopt;
            }
            phase_ = Phase::Calm;
        } else if (has_settled && so_far_ns >= SETTLED_NS && begun_ < TROUBLE_COUNT) {
            phase_ = TROUBLES[begun_++].phase;
        } else {
            has_ended_ = so_far_ns >= SETTLED_NS + RESUME_WITHIN_NS || (has_settled && so_far_ns >= SETTLED_NS);
            return std::nullopt;
        }
        since_ns_ = now_ns;
        return phase_;
    }

    // All was played, or trading doesn't settle.
    bool has_ended() const { return has_ended_; }

  private:
    Phase phase_ = Phase::Calm;
    std::uint64_t since_ns_;
    std::size_t begun_ = 0;
    bool has_ended_ = false;
};
