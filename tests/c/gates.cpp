/*
 * What the C++ wrapper of gates and observers adds to C: one base class, exceptions, moves, and std::thread's threads. What it has
 * in common with C is in tests/conformance.
 */
#include "trip99_supervisor.hpp"
#include "check.hpp"

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using std::chrono::seconds;
using trip99::Breaker;
using trip99::Gate;
using trip99::HaltNote;
using trip99::HaltResult;
using trip99::Observer;
using trip99::Reason;
using trip99::ResumeResult;
using trip99::State;
using trip99::View;

static_assert(!std::is_copy_constructible<Gate>::value && !std::is_copy_assignable<Gate>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<Gate>::value && std::is_nothrow_move_assignable<Gate>::value, "moves");
static_assert(!std::is_copy_constructible<Observer>::value && !std::is_copy_assignable<Observer>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<Observer>::value, "moves");
static_assert(std::is_nothrow_move_assignable<Observer>::value, "moves");
static_assert(std::is_base_of<View, Gate>::value && std::is_base_of<View, Observer>::value, "both may be looked at");
static_assert(std::is_base_of<View, trip99::Lane>::value, "so may lanes");
static_assert(!std::is_default_constructible<View>::value && !std::is_move_constructible<View>::value, "no slices");
static_assert(!std::is_destructible<View>::value, "it is another's");
static_assert(noexcept(std::declval<Gate &>().allow()) && noexcept(std::declval<Gate &>().halt("")), "don't throw");

static const std::uint64_t SECOND = 1000000000;

template <typename F> static cb_status status_of(F call) {
    try {
        call();
    } catch (const trip99::Error &error) {
        return error.status();
    }
    return CB_STATUS_OK;
}

static std::string reason_of(const View &view) {
    HaltNote note;
    return view.halt_note(note) ? note.reason : "none";
}

/* Opens at the first slow sample, pauses for one second, recovers by one trial. */
static trip99::Config quick() {
    trip99::Config config;
    config.spike_count = 1;
    config.probes = 1;
    config.jitter_ppm = 0;
    return config;
}

static void a_gate_asks_and_gives_back() {
    Breaker breaker(quick());
    Gate gate = breaker.gate(), other(breaker.c_handle());
    CHECK(gate.closed() && gate.allow() && breaker.closed());
    breaker.record_at(0, seconds(10));
    CHECK(!gate.closed() && !gate.allow() && !breaker.closed() && gate.state() == State::Open);
    breaker.poll_at(SECOND);
    CHECK(gate.allow() && !other.allow());
    other.release();
    CHECK(!other.allow());
    gate.release();
    CHECK(other.allow() && gate.state() == State::HalfOpen);
    breaker.end_at(SECOND + 1, breaker.begin_at(SECOND + 1));
    CHECK(gate.closed() && gate.allow());
}

static void who_halts_says_why() {
    Breaker breaker;
    Gate gate = breaker.gate();
    trip99::Lane lane = breaker.lane();
    const Observer observer = breaker.observer();
    HaltNote note;
    CHECK(!breaker.halt_note(note) && reason_of(gate) == "none");
    breaker.halt();
    CHECK(breaker.halt_note(note) && note.reason.empty() && note.pid > 0 && note.wall_ns > 0);
    CHECK(gate.is_halted() && lane.is_halted() && observer.is_halted() && !gate.allow());
    breaker.halt("by the breaker");
    CHECK(reason_of(gate) == "by the breaker" && reason_of(lane) == "by the breaker");
    gate.halt("by the gate");
    CHECK(reason_of(observer) == "by the gate");
    const std::string reason = "by the lane";
    lane.halt(reason.c_str());
    CHECK(reason_of(observer) == reason && breaker.halt_note(note) && note.reason == reason);
    lane.halt(nullptr);
    CHECK(reason_of(observer).empty());
    gate.halt();
    CHECK(lane.resume() == ResumeResult::Done && !lane.allow());
    breaker.poll();
    CHECK(lane.closed() && gate.allow() && reason_of(observer) == "none");
    CHECK(lane.halt("again") == HaltResult::Done && reason_of(observer) == "again");
    CHECK(gate.resume("it is over") == ResumeResult::Done && gate.resume() == ResumeResult::NotHeld);
    breaker.poll();
    CHECK(lane.allow() && !observer.is_halted());
}

static void each_holder_has_a_halt_of_its_own() {
    Breaker breaker(quick());
    Gate gate = breaker.gate();
    trip99::Lane lane = breaker.lane(4);
    CHECK(breaker.holders().empty() && breaker.why() == "passes" && lane.why() == "passes" && gate.why() == "passes");
    CHECK(breaker.halt("session lost") == HaltResult::Done && gate.halt_as("ann@desk-7") == HaltResult::Done);
    CHECK(lane.halt_as("engine.risk", "position limit") == HaltResult::Done);
    const std::vector<HaltNote> holders = breaker.holders();
    CHECK(holders.size() == 3 && gate.holders().size() == 3 && lane.holders().size() == 3);
    CHECK(holders[0].holder == "engine" && holders[0].reason == "session lost" && holders[0].entry == 1);
    CHECK(holders[1].holder == "ann@desk-7" && holders[1].reason.empty() && holders[1].entry == 2);
    CHECK(holders[2].holder == "engine.risk" && holders[2].pid > 0 && holders[2].wall_ns > 0);
    const std::string why = "refused: halted by engine (session lost), ann@desk-7 (no reason given) and engine.risk (position limit)";
    CHECK(breaker.why() == why && gate.why() == why && lane.why() == why);
    CHECK(breaker.resume("it is back") == ResumeResult::StillHeld && lane.resume_as("ann@desk-7") == ResumeResult::StillHeld);
    CHECK(gate.resume_as("nobody") == ResumeResult::NotHeld && breaker.resume_as("damage") == ResumeResult::NotHeld);
    CHECK(breaker.resume_as_at(1, "engine.risk", "limit raised") == ResumeResult::Done && gate.allow());
    trip99::LogEntry entry;
    CHECK(gate.log_entry(3, entry) && entry.is_halt && entry.note.reason == "position limit");
    CHECK(gate.log_entry(6, entry) && !entry.is_halt && entry.note.reason == "limit raised" && entry.note.holder == "engine.risk");
    CHECK(!gate.log_entry(7, entry) && entry.note.entry == 6);

    const std::string longest(300, 'x'); /* longer than a first buffer */
    CHECK(breaker.halt_at(2, longest.c_str()) == HaltResult::Done && breaker.why().size() > 216);
    CHECK(breaker.halt_as_at(2, "engine.b") == HaltResult::Done && breaker.resume_at(2) == ResumeResult::StillHeld);
    for (int i = 0; i < 20; i++) {
        breaker.halt_as("n" + std::to_string(i));
    }
    CHECK(breaker.holders().size() == 15); /* 16 names have a slot: engine.b and 13 beside those above; the others share one */
    for (const char *name : {"", "no spaces", "start", "latch", "damage", "drill", "fleet", "fleet-lease", "others"}) {
        CHECK(status_of([&] { breaker.halt_as(name); }) == CB_STATUS_BAD_NAME);
        CHECK(status_of([&] { gate.halt_as(name); }) == CB_STATUS_BAD_NAME);
        CHECK(status_of([&] { lane.halt_as(name); }) == CB_STATUS_BAD_NAME);
    }
    CHECK(status_of([&] { breaker.resume_as("no spaces"); }) == CB_STATUS_BAD_NAME);
    CHECK(std::strcmp(to_string(HaltResult::NoOwner), "halted; the page has no owner") == 0);
    CHECK(std::strcmp(to_string(ResumeResult::StillHeld), "resumed; others still hold a halt") == 0);

    Breaker full;
    trip99::Lane small = full.lane(4);
    CHECK(gate.resting() == UINT64_MAX);
    breaker.set_resting(7);
    CHECK(gate.resting() == 7);
    while (small.allow()) {
        CHECK(small.begin().start_ns > 0);
    }
    CHECK(small.why() == "refused: the lane is full" && full.why() == "passes");
    const Observer last = full.observer();
    full = Breaker();
    CHECK(small.why() == "refused: the breaker has ended" && small.halt() == HaltResult::Ended);
    CHECK(small.resume() == ResumeResult::Ended && last.why() == "refused: the breaker has ended");
}

/* Of a private breaker. */
static void a_view_shows_what_is_published() {
    Breaker breaker(quick());
    const Gate gate = breaker.gate();
    const trip99::Lane lane = breaker.lane();
    const Observer observer = breaker.observer(), again(breaker.c_handle());
    for (const View *view : {static_cast<const View *>(&gate), static_cast<const View *>(&lane),
                             static_cast<const View *>(&observer), static_cast<const View *>(&again)}) {
        trip99::Snapshot snapshot;
        CHECK(!view->snapshot(snapshot) && view->state() == State::Closed);
    }
    breaker.record_at(7, seconds(10));
    for (const View *view : {static_cast<const View *>(&gate), static_cast<const View *>(&lane),
                             static_cast<const View *>(&observer), static_cast<const View *>(&again)}) {
        trip99::Snapshot snapshot;
        CHECK(view->snapshot(snapshot) && snapshot.automatic_state() == State::Open && view->state() == State::Open);
        trip99::Events events = view->events();
        trip99::Event event;
        CHECK(events.next(event) && event.reason == Reason::Spike && event.t_ns == 7 && !events.next(event));
        CHECK(view->quantile(990000).count() == 0); /* only pages in files tell */
        CHECK(!view->owner().alive && view->owner().pid == 0);
    }
}

static void moves_and_handles() {
    Breaker breaker;
    Gate first = breaker.gate(), second = std::move(first);
    CHECK(first.c_handle() == nullptr && first.is_halted() && first.state() == State::Open); /* a view of nothing */
    CHECK(second.closed() && second.state() == State::Closed && !second.is_halted());
    first = std::move(second);
    CHECK(second.c_handle() == nullptr && first.closed() && !first.is_halted());
    second = breaker.gate();
    first.halt("all");
    std::swap(first, second);
    CHECK(!first.allow() && !second.allow() && reason_of(first) == "all" && reason_of(second) == "all");
    first.resume();
    breaker.poll();

    cb_gate_handle *handle = nullptr;
    CHECK(cb_gate_handle_of(breaker.c_handle(), &handle) == CB_STATUS_OK);
    Gate adopted = Gate::adopt(handle);
    CHECK(adopted.c_handle() == handle && adopted.allow() && adopted.state() == State::Closed);
    cb_observer *raw = nullptr;
    CHECK(cb_observer_of(breaker.c_handle(), &raw) == CB_STATUS_OK);
    Observer observer = Observer::adopt(raw), moved = std::move(observer);
    CHECK(moved.state() == State::Closed && observer.state() == State::Open && observer.is_halted());
    observer = std::move(moved);
    CHECK(observer.state() == State::Closed && !observer.is_halted() && moved.is_halted());

    trip99::Lane lane = breaker.lane(), other = std::move(lane);
    CHECK(lane.is_halted() && !other.is_halted() && other.closed());
    lane = std::move(other);
    CHECK(lane.closed() && lane.state() == State::Closed && other.is_halted());

    cb_breaker *const none = nullptr;
    CHECK(status_of([&] { Gate gate(none); }) == CB_STATUS_NULL_POINTER);
    CHECK(status_of([&] { Observer of(none); }) == CB_STATUS_NULL_POINTER);
    breaker = Breaker(); /* they outlive it, and refuse: nobody watches */
    CHECK(!first.allow() && !first.closed() && observer.state() == State::Open);
    trip99::Event event;
    trip99::Events events = observer.events();
    CHECK(events.next(event) && event.reason == Reason::Halt && events.next(event) && event.reason == Reason::Resume);
    CHECK(!events.next(event));
    CHECK(first.halt("heard by nobody") == HaltResult::Ended && first.resume() == ResumeResult::Ended);
    CHECK(reason_of(observer) == "none");
}

static void a_supervisor_gives_them() {
    Breaker breaker;
    trip99::Supervisor supervisor;
    supervisor.add("node", breaker);
    CHECK(status_of([&] { const Gate gate = supervisor.gate("node"); }) == CB_STATUS_NOT_NOW);
    CHECK(status_of([&] { const Observer of = supervisor.observer("node"); }) == CB_STATUS_NOT_NOW);
    supervisor.start();
    CHECK(status_of([&] { const Gate gate = supervisor.gate("another"); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { const Observer of = supervisor.observer("another"); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { const Gate gate = breaker.gate(); }) == CB_STATUS_NOT_NOW);
    Gate gate = supervisor.gate("node");
    const Observer observer = supervisor.observer("node"), own = breaker.observer();
    CHECK(gate.allow() && gate.closed() && breaker.closed() && !breaker.allow());
    gate.halt("while it runs");
    CHECK(observer.is_halted() && reason_of(observer) == "while it runs" && reason_of(own) == "while it runs");
    CHECK(!breaker.closed());
    gate.resume();
    supervisor.stop();
    CHECK(breaker.allow() && gate.allow());
    while (breaker.snapshot().events < 2) { /* the owner looks every millisecond */
        breaker.poll();
    }
    CHECK(breaker.snapshot().events == 2);
}

static void threads() {
    constexpr int ROUNDS = 500;
    Breaker breaker;
    Gate gate = breaker.gate(); /* one for all */
    std::atomic<int> at_work{3};
    std::vector<std::thread> askers;
    for (int i = 0; i < 3; i++) {
        askers.emplace_back([&at_work, &gate, own = breaker.gate()]() mutable {
            for (int round = 0; round < ROUNDS; round++) {
                if (gate.allow()) {
                    gate.halt("here");
                }
                if (own.is_halted()) {
                    const std::string reason = reason_of(own);
                    CHECK(reason == "here" || reason == "none" || reason.empty()); /* it is still being written, or over */
                    own.resume();
                }
            }
            at_work--;
        });
    }
    while (at_work > 0) {
        breaker.poll();
        std::this_thread::yield();
    }
    for (std::thread &asker : askers) {
        asker.join();
    }
    gate.resume();
    breaker.poll();
    CHECK(gate.allow() && reason_of(gate) == "none");
}

int main() {
    a_gate_asks_and_gives_back();
    who_halts_says_why();
    each_holder_has_a_halt_of_its_own();
    a_view_shows_what_is_published();
    moves_and_handles();
    a_supervisor_gives_them();
    threads();
    return 0;
}
