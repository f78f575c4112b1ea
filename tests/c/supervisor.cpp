/* The C++ wrapper of supervisors: callbacks that are closures, and what they throw. */
#include "trip99_supervisor.hpp"
#include "check.hpp"

#include <mutex>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <vector>

using std::chrono::milliseconds;
using std::chrono::seconds;
using trip99::Breaker;
using trip99::Reason;
using trip99::Supervisor;

static_assert(!std::is_copy_constructible<Supervisor>::value && !std::is_copy_assignable<Supervisor>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<Supervisor>::value, "moves");
static_assert(std::is_nothrow_move_assignable<Supervisor>::value, "moves");

/* It comes at once; the bound only tells a test that hangs. */
template <typename F> static void await(F condition) {
    const auto give_up = std::chrono::steady_clock::now() + seconds(120);
    while (!condition()) {
        CHECK(std::chrono::steady_clock::now() < give_up);
        std::this_thread::sleep_for(milliseconds(1));
    }
}

template <typename F> static cb_status status_of(F call) {
    try {
        call();
    } catch (const trip99::Error &error) {
        return error.status();
    }
    return CB_STATUS_OK;
}

static trip99::Config checked() {
    /* No pause of this machine's is a lost check, nor a slow one. */
    trip99::Config config = trip99::Config::for_threshold(seconds(100));
    config.recovery = trip99::Recovery::HealthChecks;
    config.spike_count = 1;
    config.probes = 1;
    config.backoff_base = milliseconds(1);
    config.backoff_multiplier = 1;
    config.probe_timeout = seconds(100);
    return config;
}

static void closures_check_and_listen() {
    Breaker breaker(checked());
    std::atomic<int> mood{0}; /* throw, say no, say yes */
    std::atomic<int> checks{0};
    std::mutex mutex;
    std::vector<Reason> reasons;
    {
        Supervisor made(milliseconds(0));
        Supervisor supervisor = std::move(made); /* callbacks stay where they are */
        supervisor.add("node", breaker);
        supervisor.check(
            "node",
            [&](std::chrono::nanoseconds timeout) {
                CHECK(timeout == seconds(100));
                ++checks;
                if (mood == 0) {
                    throw std::runtime_error("unwell");
                }
                return mood == 2;
            },
            milliseconds(1));
        supervisor.listen([&](const char *name, const trip99::Event *event, std::uint64_t missed) {
            CHECK(std::string(name) == "node" && event != nullptr && missed == 0);
            const std::lock_guard<std::mutex> lock(mutex);
            reasons.push_back(event->reason);
        });
        supervisor.listen([](const char *, const trip99::Event *, std::uint64_t) { throw 42; });
        breaker.record(std::chrono::hours(1));
        supervisor.start();
        CHECK(status_of([&] { supervisor.start(); }) == CB_STATUS_NOT_NOW);
        await([&] { return checks >= 2 && supervisor.exceptions() >= 2; });
        mood = 1;
        const int before = checks;
        await([&] { return checks >= before + 2; });
        mood = 2;
        await([&] { return breaker.closed(); });
        supervisor.stop();
        const std::size_t told = reasons.size();
        CHECK(told == breaker.snapshot().events && told >= 2 + 2 * 3 + 1); /* this thread owns the breaker again */
        CHECK(reasons.front() == Reason::Spike && reasons[2] == Reason::ProbeFailed);
        CHECK(reasons.back() == Reason::Recovered);
        CHECK(supervisor.exceptions() >= told); /* of the second listener, and of the check */
        supervisor.stop();
        supervisor.start(); /* and the destructor stops it */
    }
    CHECK(breaker.allow());
}

static void errors_are_thrown() {
    Breaker breaker;
    Supervisor supervisor;
    const trip99::Check yes = [](std::chrono::nanoseconds) { return true; };
    CHECK(status_of([&] { supervisor.start(); }) == CB_STATUS_NOT_NOW);
    CHECK(status_of([&] { supervisor.add("", breaker); }) == CB_STATUS_BAD_NAME);
    supervisor.add("node", breaker);
    CHECK(status_of([&] { supervisor.add("node", breaker); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { supervisor.check("nobody", yes); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { supervisor.check("node", yes, milliseconds(-1)); }) == CB_STATUS_OUT_OF_RANGE);
    CHECK(status_of([&] { supervisor.check_tcp("node", "nowhere"); }) == CB_STATUS_BAD_NAME);
    supervisor.check_tcp("node", "127.0.0.1:1");
    CHECK(status_of([&] { supervisor.start(); }) == CB_STATUS_OUT_OF_RANGE); /* it recovers by trials */
    CHECK(status_of([] { Supervisor negative(milliseconds(-1)); }) == CB_STATUS_OUT_OF_RANGE);
    CHECK(breaker.allow());
}

static void lanes_are_opened_while_it_runs() {
    Breaker breaker(trip99::Config::for_threshold(seconds(1000))); /* no pause of this machine's is a trip */
    Supervisor supervisor(milliseconds(1));
    supervisor.add("node", breaker);
    CHECK(status_of([&] { const trip99::Lane none = supervisor.lane("node"); }) == CB_STATUS_NOT_NOW);
    supervisor.start();
    CHECK(status_of([&] { const trip99::Lane none = supervisor.lane("another"); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { const trip99::Lane none = breaker.lane(); }) == CB_STATUS_NOT_NOW);
    trip99::Lane begins = supervisor.lane("node", 8);
    trip99::Lane ends = begins.split();
    CHECK(status_of([&] { const trip99::Lane third = begins.split(); }) == CB_STATUS_NOT_NOW);
    std::thread receiver([&ends, call = begins.begin()] { ends.end(call); });
    receiver.join();
    CHECK(begins.allow() && !ends.allow()); /* the end half doesn't ask */
    ends.hand_over();
    supervisor.stop();
    CHECK(breaker.snapshot().samples == 1 && breaker.snapshot().misused == 1);
}

int main() {
    lanes_are_opened_while_it_runs();
    closures_check_and_listen();
    errors_are_thrown();
    return 0;
}
