/*
 * What the C++ wrapper of lanes adds to C: durations, exceptions, moves, scoped calls, and std::thread's threads. What it
 * has in common with C is in tests/conformance.
 */
#include "trip99.hpp"
#include "check.hpp"

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

using std::chrono::nanoseconds;
using std::chrono::seconds;
using trip99::Breaker;
using trip99::Config;
using trip99::Lane;
using trip99::State;

static const std::uint64_t SECOND = 1000000000;

static_assert(!std::is_copy_constructible<Lane>::value && !std::is_copy_assignable<Lane>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<Lane>::value, "moves");
static_assert(std::is_nothrow_move_assignable<Lane>::value, "moves");
static_assert(!std::is_copy_constructible<trip99::ScopedLaneCall>::value, "move-only");
static_assert(!std::is_constructible<trip99::ScopedLaneCall, Breaker &>::value, "each to its own");
static_assert(noexcept(std::declval<Lane &>().allow()), "hot calls don't throw");
static_assert(noexcept(std::declval<Lane &>().end(trip99::Call())), "hot calls don't throw");

/* Trips at the first slow sample, pauses for one second, recovers by one trial. */
static Config quick() {
    Config config;
    config.spike_count = 1;
    config.probes = 1;
    config.jitter_ppm = 0;
    return config;
}

/* No pause of this machine's is a trip. */
static Config patient() { return Config::for_threshold(seconds(1000)); }

static void a_negative_latency_is_counted_and_ignored() {
    Breaker breaker(quick());
    Lane lane = breaker.lane();
    CHECK(lane.allow() && lane.closed());
    lane.record_at(41, nanoseconds(-1));
    lane.record_failure_at(41, nanoseconds::min());
    breaker.poll_at(41);
    CHECK(breaker.state() == State::Closed && breaker.snapshot().misused == 2 && breaker.snapshot().recorded == 0);
    lane.record_at(42, nanoseconds::max());
    CHECK(lane.allow());
    breaker.poll_at(42);
    CHECK(breaker.state() == State::Open && !lane.allow() && !lane.closed());
}

static void real_time() {
    Config config = patient();
    config.consecutive_failures = 0;
    Breaker breaker(config);
    Lane lane = breaker.lane();
    const trip99::Call ended = lane.begin(), failed = lane.begin(), abandoned = lane.begin();
    CHECK(lane.now_ns() + SECOND > ended.start_ns && lane.now_ns() - breaker.now_ns() + SECOND < 2 * SECOND);
    lane.end(ended);
    lane.fail(failed);
    lane.abandon(abandoned);
    lane.record(nanoseconds(1));
    lane.record_failure(nanoseconds(1));
    lane.record_probe(nanoseconds(1), true);
    breaker.poll();
    const trip99::Snapshot snapshot = breaker.snapshot();
    CHECK(snapshot.samples == 4 && snapshot.failures == 2 && snapshot.stale == 1 && snapshot.in_flight == 0);
}

static void scoped_calls() {
    Breaker breaker(patient());
    Lane lane = breaker.lane();
    { const trip99::ScopedLaneCall call(lane); }
    try {
        const trip99::ScopedLaneCall call = lane.scoped_call();
        throw std::runtime_error("the venue is gone");
    } catch (const std::runtime_error &) {
    }
    {
        trip99::ScopedLaneCall call = lane.scoped_call();
        call.abandon();
    }
    breaker.poll();
    CHECK(breaker.snapshot().samples == 2 && breaker.snapshot().failures == 1 && breaker.snapshot().in_flight == 0);
}

static void moves_errors_and_drops() {
    Breaker breaker;
    Lane first = breaker.lane(4), second = std::move(first);
    CHECK(first.c_handle() == nullptr && second.allow());
    first = Lane(breaker.c_handle(), 4);
    for (int i = 0; i < 6; i++) {
        first.record(nanoseconds(1));
    }
    CHECK(first.dropped() == 2 && second.dropped() == 0);
    std::swap(first, second);
    CHECK(first.dropped() == 0 && second.dropped() == 2);
    breaker.poll();
    CHECK(breaker.snapshot().dropped == 2 && breaker.snapshot().samples == 4);
    try {
        const Lane none(nullptr);
        CHECK(false);
    } catch (const trip99::Error &error) {
        CHECK(error.status() == CB_STATUS_NULL_POINTER && std::strcmp(error.what(), "breaker is NULL") == 0);
    }
    CHECK(first.allow() && second.allow());
    breaker = Breaker(); // the lanes outlive it, and refuse: nobody watches
    CHECK(!first.allow() && !first.closed() && !second.allow());
}

static void threads() {
    constexpr std::uint64_t ROUNDS = 500;
    Breaker breaker(patient());
    std::atomic<int> at_work{3};
    std::vector<std::thread> traders;
    for (int i = 0; i < 3; i++) {
        traders.emplace_back([&at_work, lane = breaker.lane()]() mutable {
            for (std::uint64_t round = 0; round < ROUNDS; round++) {
                CHECK(lane.allow());
                const trip99::ScopedLaneCall call = lane.scoped_call();
            }
            at_work--;
        });
    }
    while (at_work > 0) {
        breaker.poll();
        std::this_thread::yield();
    }
    for (std::thread &trader : traders) {
        trader.join();
    }
    breaker.poll();
    CHECK(breaker.snapshot().recorded == 3 * ROUNDS && breaker.snapshot().dropped == 0);
}

int main() {
    a_negative_latency_is_counted_and_ignored();
    real_time();
    scoped_calls();
    moves_errors_and_drops();
    threads();
    return 0;
}
