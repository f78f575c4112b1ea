/*
 * Gate handles, observers and the notes of halts: pointers, texts, what outlives what, and real threads. gates.txt in
 * tests/conformance has what a gate decides, and shared.c has pages in files.
 */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "sizes.h"
#include "workers.h"
#include <limits.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

static cb_gate_handle *gate_of(cb_breaker *breaker) {
    cb_gate_handle *handle = NULL;
    CHECK_EQ(cb_gate_handle_of(breaker, &handle), CB_STATUS_OK);
    CHECK(handle != NULL);
    return handle;
}

static cb_observer *observer_of(const cb_breaker *breaker) {
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    CHECK(observer != NULL);
    return observer;
}

static cb_halt_note note_of(const cb_observer *observer) {
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_observer_get_halt_note(observer, &note));
    return note;
}

static void arguments(void) {
    cb_breaker *breaker = create(NULL);
    cb_gate_handle *handle = (cb_gate_handle *)(uintptr_t)8; /* to be overwritten */
    cb_observer *observer = (cb_observer *)(uintptr_t)8;
    cb_halt_note note = {0};
    CHECK_EQ(cb_gate_handle_of(NULL, &handle), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK_EQ(cb_gate_handle_of(breaker, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    CHECK_EQ(cb_observer_of(NULL, &observer), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK_EQ(cb_observer_of(breaker, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    CHECK(handle == NULL && observer == NULL);

    /* Where the header says that NULL is fine. */
    CHECK(cb_gate_handle_gate(NULL) == NULL);
    CHECK(cb_gate_handle_observer(NULL) == NULL && cb_lane_observer(NULL) == NULL);
    cb_gate_handle_halt(NULL, "nobody's", NULL);
    cb_gate_handle_resume(NULL, NULL, NULL);
    cb_gate_handle_close(NULL);
    cb_lane_halt(NULL, "nobody's", NULL);
    cb_lane_resume(NULL, NULL, NULL);
    cb_halt_with(NULL, "nobody's", NULL);
    CHECK(!cb_get_halt_note(NULL, &note) && !cb_get_halt_note(breaker, &note));
    cb_halt(breaker);
    CHECK(!cb_get_halt_note(breaker, NULL));
    CHECK_EQ(note.struct_size, 0); /* nothing was written */
    cb_destroy(breaker);
}

/* Who halts: by each function, and each gives this reason. */
static cb_breaker *halted;
static cb_lane *halting_lane;
static cb_gate_handle *halting_gate;

static void by_the_breaker(const char *reason) { cb_halt_with(halted, reason, NULL); }

static void by_the_lane(const char *reason) { cb_lane_halt(halting_lane, reason, NULL); }

static void by_the_gate(const char *reason) { cb_gate_handle_halt(halting_gate, reason, NULL); }

static bool get_note(void *out) { return cb_get_halt_note(halted, (cb_halt_note *)out); }

static void every_halt_leaves_a_note(void) {
    static void (*const HALT[])(const char *) = {by_the_breaker, by_the_lane, by_the_gate};
    char longest[301], cut[217];
    memset(longest, 'x', 300);
    longest[300] = 0;
    memset(cut, 'x', 216);
    cut[216] = 0;
    const struct { const char *given, *kept; } REASONS[] = {
        {"prices look wrong", "prices look wrong"},
        {NULL, ""},
        {"", ""},
        {"Preisfehler \xe2\x80\x93 halt", "Preisfehler \xe2\x80\x93 halt"},
        {"not \xff UTF-8", "not \xef\xbf\xbd UTF-8"}, /* replaced, but halted */
        {"two\nlines", "two lines"},
        {longest, cut},
    };
    halted = create(NULL);
    CHECK_EQ(cb_lane_open(halted, 0, &halting_lane), CB_STATUS_OK);
    halting_gate = gate_of(halted);
    cb_observer *observer = observer_of(halted);
    const uint64_t before_ns = (uint64_t)time(NULL) * SECOND;
    uint64_t entries = 0;
    for (size_t by = 0; by < sizeof HALT / sizeof *HALT; by++) {
        for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
            HALT[by](REASONS[i].given);
            CHECK(cb_is_halted(halted) && !cb_gate_closed(cb_gate_of(halted)) && !cb_allow(halted));
            cb_halt_note note = CB_HALT_NOTE_INIT;
            CHECK(cb_get_halt_note(halted, &note));
            CHECK_TEXT(note.reason, REASONS[i].kept);
            CHECK_EQ(note.pid, (uint64_t)getpid());
            CHECK_EQ(note.uid, getuid());
            CHECK(note.wall_ns >= before_ns && note.entry == ++entries);
            CHECK_TEXT(note.holder, "engine");
            const cb_halt_note seen[] = {note_of(observer), note_of(cb_gate_handle_observer(halting_gate)),
                                         note_of(cb_lane_observer(halting_lane))};
            for (size_t at = 0; at < 3; at++) CHECK(memcmp(&seen[at], &note, sizeof note) == 0);
            cb_resume(halted);
            entries++;
            CHECK(cb_allow(halted));
            CHECK(!cb_get_halt_note(halted, &note)); /* nobody holds a halt */
        }
    }
    cb_halt(halted); /* gives none */
    CHECK_TEXT(note_of(observer).reason, "");
    cb_lane_resume(halting_lane, NULL, NULL);
    cb_poll(halted);
    CHECK(!cb_is_halted(halted));
    cb_halt_with(halted, "the latest", NULL);
    check_sizes(get_note, 248, true);
    cb_observer_close(observer);
    cb_gate_handle_close(halting_gate);
    cb_lane_close(halting_lane);
    cb_destroy(halted);
}

static void each_gate_handle_gives_the_same_byte(void) {
    cb_breaker *breaker = create(NULL);
    cb_gate_handle *first = gate_of(breaker), *second = gate_of(breaker);
    CHECK(cb_gate_handle_gate(first) == cb_gate_of(breaker) && cb_gate_handle_gate(second) == cb_gate_of(breaker));
    CHECK(cb_gate_handle_observer(first) != cb_gate_handle_observer(second));
    cb_gate_handle_close(first);
    CHECK(cb_gate_closed(cb_gate_handle_gate(second)) && cb_gate_handle_allow(second));
    cb_gate_handle_close(second);
    cb_destroy(breaker);
}

static void observers_are_of_private_breakers_too(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    cb_gate_handle *handle = gate_of(breaker);
    cb_observer *observer = observer_of(breaker);
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    cb_owner owner = CB_OWNER_INIT;
    CHECK(!cb_observer_get_snapshot(observer, &snapshot)); /* nothing was done yet */
    open_at(breaker, 7);
    const cb_observer *const EACH[] = {observer, cb_gate_handle_observer(handle)};
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(cb_observer_get_state(EACH[i]), CB_STATE_OPEN);
        CHECK(!cb_observer_is_halted(EACH[i]));
        CHECK(cb_observer_get_snapshot(EACH[i], &snapshot));
        CHECK_EQ(snapshot.state, CB_STATE_OPEN);
        CHECK_EQ(cb_observer_quantile_ns(EACH[i], 500000), 0); /* only pages in files tell */
        CHECK(!cb_observer_get_owner(EACH[i], &owner));
        cb_events *events = NULL;
        cb_event event = CB_EVENT_INIT;
        CHECK_EQ(cb_observer_events_open(EACH[i], &events), CB_STATUS_OK);
        CHECK(cb_events_next(events, &event) && event.reason == CB_REASON_SPIKE);
        cb_events_close(events);
    }
    cb_observer_close(observer);
    cb_gate_handle_close(handle);
    cb_destroy(breaker);
}

static void handles_outlive_their_breaker(void) {
    cb_breaker *breaker = create(NULL);
    cb_gate_handle *handle = gate_of(breaker);
    cb_observer *observer = observer_of(breaker);
    cb_poll(breaker);
    cb_halt_with(breaker, "the last", NULL);
    cb_destroy(breaker);
    CHECK(!cb_gate_closed(cb_gate_handle_gate(handle)) && !cb_gate_handle_allow(handle));
    cb_gate_handle_release(handle);
    cb_resume_result resumed = CB_RESUME_DONE;
    cb_gate_handle_resume(handle, NULL, &resumed);
    CHECK_EQ(resumed, CB_RESUME_ENDED);
    CHECK(!cb_gate_handle_allow(handle)); /* for ever */
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    CHECK_TEXT(note_of(observer).reason, "the last");
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    CHECK(cb_observer_get_snapshot(observer, &snapshot));
    cb_observer_close(observer);
    cb_halt_result halt = CB_HALT_DONE;
    cb_gate_handle_halt(handle, "heard by nobody", &halt);
    CHECK_EQ(halt, CB_HALT_ENDED);
    CHECK_TEXT(note_of(cb_gate_handle_observer(handle)).reason, "the last");
    cb_gate_handle_close(handle);
}

/* Threads. */

enum { ASKERS = 4, ROUNDS = 2000, TRIALS_IN_FLIGHT = 2 };

static cb_gate_handle *shared_gate;
static unsigned trials_out, granted;

static void add(unsigned *count, unsigned much) {
    lock();
    *count += much;
    unlock();
}

/* By a handle of its own, or by one that is shared. Each trial goes back at once. */
static void *asks(void *own) {
    cb_gate_handle *handle = own == NULL ? shared_gate : (cb_gate_handle *)own;
    for (int i = 0; i < ROUNDS; i++) {
        if (cb_gate_handle_allow(handle)) {
            lock();
            trials_out++;
            granted++;
            CHECK(trials_out <= TRIALS_IN_FLIGHT);
            unlock();
            sched_yield();
            add(&trials_out, UINT_MAX); /* one less */
            cb_gate_handle_release(handle);
        }
        CHECK(!cb_gate_closed(cb_gate_handle_gate(handle)));
        sched_yield();
    }
    return done();
}

static void trials_go_to_threads_no_more_than_there_are(void) {
    cb_config config = default_config();
    config.probes = 100;
    config.trials_in_flight = TRIALS_IN_FLIGHT;
    config.probe_timeout_ns = 1000 * SECOND; /* no pause of this machine's is a lost trial */
    cb_breaker *breaker = half_open(config);
    cb_gate_handle *own[ASKERS];
    pthread_t askers[ASKERS];
    shared_gate = gate_of(breaker);
    at_work = ASKERS;
    for (int i = 0; i < ASKERS; i++) {
        own[i] = i < 2 ? NULL : gate_of(breaker);
        CHECK_EQ((uint64_t)pthread_create(&askers[i], NULL, asks, own[i]), 0);
    }
    while (anybody_at_work()) {
        cb_poll_at(breaker, SECOND);
        sched_yield();
    }
    for (int i = 0; i < ASKERS; i++) CHECK_EQ((uint64_t)pthread_join(askers[i], NULL), 0);
    CHECK(granted > 0);
    cb_poll_at(breaker, SECOND);
    CHECK_EQ(snapshot_of(breaker).trials_out, 0); /* all came back */
    CHECK_EQ(snapshot_of(breaker).state, CB_STATE_HALF_OPEN);
    for (int i = 0; i < ASKERS; i++) cb_gate_handle_close(own[i]);
    cb_gate_handle_close(shared_gate);
    cb_destroy(breaker);
}

static void *halts_for_a_reason(void *of) {
    char reason[201];
    memset(reason, *(const char *)of, 200);
    reason[200] = 0;
    for (int i = 0; i < ROUNDS; i++) {
        cb_gate_handle_halt(shared_gate, reason, NULL);
        sched_yield();
        cb_gate_handle_resume(shared_gate, reason, NULL);
    }
    return done();
}

/* Each note is one thread's, and whole. */
static void *reads_notes(void *of) {
    for (unsigned read = 0; anybody_at_work() || read == 0;) {
        cb_halt_note note = CB_HALT_NOTE_INIT;
        if (!cb_observer_get_halt_note((const cb_observer *)of, &note) || note.entry == 0) {
            sched_yield();
            if (!anybody_at_work()) break;
            continue;
        }
        CHECK(note.reason[0] >= 'a' && note.reason[0] <= 'c');
        CHECK_EQ(strlen(note.reason), 200);
        for (int i = 1; i < 200; i++) CHECK(note.reason[i] == note.reason[0]);
        read++;
    }
    return NULL;
}

static void many_halt_at_once(void) {
    static const char REASONS[] = "abc";
    cb_breaker *breaker = create(NULL);
    shared_gate = gate_of(breaker);
    cb_observer *observer = observer_of(breaker);
    pthread_t halters[3], reader;
    at_work = 3;
    for (int i = 0; i < 3; i++)
        CHECK_EQ((uint64_t)pthread_create(&halters[i], NULL, halts_for_a_reason, (void *)(uintptr_t)&REASONS[i]), 0);
    CHECK_EQ((uint64_t)pthread_create(&reader, NULL, reads_notes, observer), 0);
    while (anybody_at_work()) {
        cb_poll(breaker);
        sched_yield();
    }
    for (int i = 0; i < 3; i++) CHECK_EQ((uint64_t)pthread_join(halters[i], NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(reader, NULL), 0);
    cb_poll(breaker);
    CHECK(!cb_is_halted(breaker) && cb_gate_handle_allow(shared_gate));
    cb_observer_close(observer);
    cb_gate_handle_close(shared_gate);
    cb_destroy(breaker);
}

/* While another owns the breaker. */
static void a_supervisor_gives_them(void) {
    cb_breaker *breaker = create(NULL);
    cb_supervisor *supervisor = NULL;
    cb_gate_handle *handle = (cb_gate_handle *)(uintptr_t)8;
    cb_observer *observer = (cb_observer *)(uintptr_t)8;
    CHECK_EQ(cb_supervisor_create(MS, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", breaker), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_gate_handle(NULL, "node", &handle), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "supervisor is NULL");
    CHECK(handle == NULL);
    CHECK_EQ(cb_supervisor_gate_handle(supervisor, NULL, &handle), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_gate_handle(supervisor, "node", NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_gate_handle(supervisor, "another", &handle), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_gate_handle(supervisor, "node", &handle), CB_STATUS_NOT_NOW);
    CHECK(strstr(cb_error_text(), "cb_gate_handle_of") != NULL);
    CHECK_EQ(cb_supervisor_observer(NULL, "node", &observer), CB_STATUS_NULL_POINTER);
    CHECK(observer == NULL);
    CHECK_EQ(cb_supervisor_observer(supervisor, NULL, &observer), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_observer(supervisor, "node", NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_observer(supervisor, "another", &observer), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_observer(supervisor, "node", &observer), CB_STATUS_NOT_NOW);
    CHECK(strstr(cb_error_text(), "cb_observer_of") != NULL);

    cb_observer *own = observer_of(breaker);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_gate_handle(supervisor, "node", &handle), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_observer(supervisor, "node", &observer), CB_STATUS_OK);
    CHECK(cb_gate_handle_gate(handle) == cb_gate_of(breaker) && cb_gate_handle_allow(handle));
    cb_halt_with(breaker, "by the breaker", NULL); /* any thread's, whoever owns it */
    CHECK(!cb_gate_handle_allow(handle) && cb_observer_is_halted(observer));
    CHECK_TEXT(note_of(observer).reason, "by the breaker");
    cb_gate_handle_halt(handle, "by the gate", NULL);
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_get_halt_note(breaker, &note));
    CHECK_TEXT(note.reason, "by the gate");
    CHECK_TEXT(note_of(own).reason, "by the gate");
    cb_gate_handle_resume(handle, NULL, NULL);
    while (!cb_gate_handle_allow(handle)) sched_yield(); /* the supervisor polls */
    cb_observer *second = observer_of(breaker); /* any thread's, too */
    CHECK_EQ(cb_observer_get_state(second), CB_STATE_CLOSED);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(snapshot_of(breaker).misused, 0);
    CHECK(cb_allow(breaker) && cb_gate_handle_allow(handle)); /* they are as any others */
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
    CHECK(!cb_gate_handle_allow(handle));
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    cb_gate_handle_close(handle);
    cb_observer_close(observer);
    cb_observer_close(own);
    cb_observer_close(second);
}

int main(void) {
    arguments();
    every_halt_leaves_a_note();
    each_gate_handle_gives_the_same_byte();
    observers_are_of_private_breakers_too();
    handles_outlive_their_breaker();
    trials_go_to_threads_no_more_than_there_are();
    many_halt_at_once();
    a_supervisor_gives_them();
    return 0;
}
