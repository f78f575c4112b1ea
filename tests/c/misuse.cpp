/* Misuse through the C++ wrapper: clean, and told. */
#include "trip99_supervisor.hpp"
#include "check.hpp"

#include <memory>
#include <string>
#include <thread>

using std::chrono::milliseconds;
using std::chrono::seconds;
using trip99::Breaker;
using trip99::Lane;
using trip99::Supervisor;

/* It comes at once; the bound only tells a test that hangs. */
template <typename F> static void await(F condition) {
    const auto give_up = std::chrono::steady_clock::now() + seconds(120);
    while (!condition()) {
        CHECK(std::chrono::steady_clock::now() < give_up);
        std::this_thread::sleep_for(milliseconds(1));
    }
}

template <typename F> static void says_not_now(F call, const char *text) {
    try {
        call();
    } catch (const trip99::Error &error) {
        CHECK(error.status() == CB_STATUS_NOT_NOW && std::string(error.what()).find(text) != std::string::npos);
        return;
    }
    CHECK(false);
}

static void works(Breaker &breaker) {
    const std::uint64_t recorded = breaker.snapshot().recorded;
    CHECK(breaker.allow());
    breaker.end(breaker.begin());
    CHECK(breaker.snapshot().recorded == recorded + 1);
    Lane lane = breaker.lane();
    CHECK(lane.allow());
    breaker.reconfigure(breaker.config());
}

static void what_is_the_owners_is_refused_and_counted() {
    Breaker breaker;
    Supervisor supervisor;
    supervisor.add("node", breaker);
    supervisor.start();
    CHECK(!breaker.allow() && !breaker.allow_at(breaker.now_ns()));
    CHECK(breaker.closed()); /* as lanes see it */
    {
        const auto scoped = breaker.scoped_call();
    }
    breaker.fail(breaker.begin());
    breaker.abandon(breaker.begin());
    breaker.record(seconds(1000));
    breaker.release();
    breaker.poll();
    breaker.hand_over();
    await([&] { return breaker.snapshot().misused == 12; });
    CHECK(breaker.snapshot().refused == 2 && breaker.snapshot().recorded == 0);
    says_not_now([&] { Lane lane = breaker.lane(); }, "cb_supervisor_stop");
    says_not_now([&] { trip99::Gate gate = breaker.gate(); }, "cb_supervisor_gate_handle");
    says_not_now([&] { breaker.reconfigure(trip99::Config()); }, "cb_supervisor_stop");
    says_not_now(
        [&] {
            Supervisor second;
            second.add("node", breaker);
        },
        "cb_supervisor_stop");
    CHECK(breaker.quantile(990000).count() == 0 && breaker.next_deadline_ns() == UINT64_MAX);
    CHECK(breaker.config().threshold == trip99::Config().threshold);
    Breaker moved = std::move(breaker); /* a handle moves as ever */
    CHECK(!moved.allow());
    moved.halt_at(moved.now_ns());
    CHECK(moved.is_halted());
    moved.resume_at(moved.now_ns());
    supervisor.stop();
    works(moved);
    supervisor.start();
    CHECK(!moved.allow());
    supervisor.stop();
    works(moved);
}

static void breakers_that_go_before_their_supervisor() {
    Supervisor idle;
    {
        Supervisor running;
        Breaker outlives;
        std::unique_ptr<Lane> lane;
        {
            Breaker breaker;
            lane.reset(new Lane(breaker.lane()));
            running.add("gone", breaker);
            running.add("outlives", outlives);
            running.start();
        }
        CHECK(lane->allow()); /* the breaker lives on with its supervisor */
        lane->end(lane->begin());
        running.stop();
        CHECK(!lane->allow());
        works(outlives);
        says_not_now([&] { running.start(); }, "gone was destroyed");
        works(outlives);
        Breaker never_started;
        idle.add("never", never_started);
    } /* `outlives` ends before its supervisor, too */
    says_not_now([&] { idle.start(); }, "never was destroyed");

    Supervisor first; /* declared in the wrong order, and running to the end */
    Breaker then;
    first.add("node", then);
    first.start();
}

static void a_start_that_is_refused_gives_back_all() {
    Breaker taken, free_one;
    Supervisor first, second;
    second.add("free", free_one);
    second.add("taken", taken);
    first.add("taken", taken);
    first.start();
    says_not_now([&] { second.start(); }, "taken is with another supervisor");
    works(free_one);
    CHECK(!taken.allow());
    first.stop();
    works(taken);
}

/* One that never ran lets nobody in whose breaker another one has. */
static void another_supervisor_that_goes_opens_no_gate() {
    Breaker breaker;
    Supervisor running;
    running.add("node", breaker);
    {
        Supervisor idle;
        idle.add("node", breaker);
        running.start();
        CHECK(!breaker.allow());
        idle.stop();
        CHECK(!breaker.allow());
        Supervisor moved = std::move(idle);
    }
    CHECK(!breaker.allow());
    Supervisor moved = std::move(running);
    CHECK(!breaker.allow());
    moved.stop();
    CHECK(breaker.allow());
    works(breaker);
}

int main() {
    another_supervisor_that_goes_opens_no_gate();
    what_is_the_owners_is_refused_and_counted();
    breakers_that_go_before_their_supervisor();
    a_start_that_is_refused_gives_back_all();
    return 0;
}
