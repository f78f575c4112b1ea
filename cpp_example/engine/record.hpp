// What happened in a run: written by the engine, then judged and shown.
#pragma once

#include "script.hpp"

#include <cstdint>
#include <vector>

// How a request ended. Each one does, in the end.
enum class How : std::uint8_t {
    Answered,
    Failed, // with the connection, or for lack of one
    GivenUp,
    NotSent, // there was no room for it after all; such a one is in no record
};

// One call: an order or a cancel.
struct Row {
    // Before the breaker was asked.
    std::uint64_t asked_ns;
    std::uint64_t start_ns;
    std::uint64_t latency_ns;
    bool is_order;
    How how;
};

struct Tally {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::uint64_t given_up = 0;
    std::uint64_t refused = 0;
    std::uint64_t cancels = 0;
    std::uint64_t cancels_in_pauses = 0;
    std::uint64_t cancels_again = 0;
};

// When the node was told to begin a trouble, and to end it; 0: it wasn't.
struct Span {
    std::uint64_t start_ns = 0;
    std::uint64_t end_ns = 0;
};

struct Record {
    std::uint64_t first_ns = 0;
    Tally tally;
    std::vector<Row> rows;
    std::vector<trip99::Event> events;
    // When each event was in force for every thread that trades.
    std::vector<std::uint64_t> in_force_ns;
    std::uint64_t missed_events = 0;
    // Those of the script, in its order.
    Span troubles[TROUBLE_COUNT];
    // The breaker's own counts, at the end.
    trip99::Snapshot snapshot;
};
