/* An owner at work while other threads ask, halt, resume and read. All by rounds: nothing is timed. */
#define _POSIX_C_SOURCE 200809L
#include "workers.h"
#include <sched.h>

enum { OWNER_ROUNDS = 20000, ROUNDS = 2000 };

static cb_breaker *breaker;
static const cb_gate *gate;

static void *asks(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(cb_get_state(breaker) <= CB_STATE_HALF_OPEN);
        if (cb_gate_closed(gate)) CHECK(cb_gate_of(breaker) == gate);
        (void)cb_is_halted(breaker);
        CHECK(cb_now_ns(breaker) > 0);
        sched_yield();
    }
    return done();
}

static void *halts_and_resumes(void *unused) {
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        cb_halt(breaker);
        CHECK(cb_is_halted(breaker) && !cb_gate_closed(gate)); /* nobody else resumes */
        sched_yield();
        CHECK(cb_is_halted(breaker));
        cb_resume_result result = CB_RESUME_ENDED;
        cb_resume_with(breaker, NULL, &result);
        CHECK_EQ(result, CB_RESUME_DONE);
        sched_yield();
    }
    return done();
}

static void *reads_what_is_published(void *unused) {
    (void)unused;
    uint64_t recorded = 0, events = 0;
    for (int i = 0; i < ROUNDS; i++) {
        cb_snapshot snapshot = CB_SNAPSHOT_INIT;
        if (cb_get_published(breaker, &snapshot)) {
            CHECK(snapshot.recorded >= recorded && snapshot.events >= events);
            CHECK(snapshot.slow <= snapshot.samples && snapshot.failures <= snapshot.samples);
            CHECK((snapshot.retry_at_ns != NEVER) == (snapshot.state == CB_STATE_OPEN));
            recorded = snapshot.recorded;
            events = snapshot.events;
        }
        sched_yield();
    }
    return done();
}

/* As long as somebody works, and then whatever is left. */
static void *follows_the_events(void *reader) {
    cb_events *events = (cb_events *)reader;
    uint64_t expected = 0, read = 0;
    for (bool last = false;; ) {
        cb_event event = CB_EVENT_INIT;
        if (cb_events_next(events, &event)) {
            CHECK(event.sequence >= expected); /* in order, each once */
            CHECK(event.reason >= CB_REASON_LATENCY && event.reason <= CB_REASON_RESUME);
            CHECK(event.from <= CB_STATE_HALF_OPEN && event.to <= CB_STATE_HALF_OPEN);
            expected = event.sequence + 1;
            read++;
            CHECK_EQ(read + cb_events_missed(events), expected);
        } else if (last) {
            break;
        } else {
            last = !anybody_at_work();
            sched_yield();
        }
    }
    CHECK(expected > 0);
    return NULL;
}

/* Goes on for its rounds and until the others are done, and has every kind of end. */
static void *owns(void *unused) {
    (void)unused;
    for (uint64_t i = 0; i < OWNER_ROUNDS || anybody_at_work(); i++) {
        if (cb_gate_closed(gate) || cb_allow(breaker)) {
            const cb_call call = cb_begin(breaker);
            if (i % 64 == 0) cb_abandon(breaker, call);
            else if (i % 128 == 1) cb_fail(breaker, call);
            else cb_end(breaker, call);
        }
        if (i % 256 == 2) cb_record_failure(breaker, 0); /* a trip, if it is closed; each cb_fail is one, too */
        cb_poll(breaker);
    }
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK(snapshot.recorded > 0 && snapshot.events > 0);
    CHECK_EQ(snapshot.misused, 0);
    return NULL;
}

static void everybody_at_once(void) {
    static void *(*const WORK[])(void *) = {asks, halts_and_resumes, reads_what_is_published};
    cb_config config = default_config();
    config.consecutive_failures = 1;
    config.spike_count = 0;
    be_patient(&config);
    config.probes = 1;
    config.backoff_base_ns = 1000;
    config.backoff_max_ns = 1000;
    breaker = create(&config);
    gate = cb_gate_of(breaker);
    cb_events *events = NULL; /* opened now, it counts whatever it misses */
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    pthread_t workers[3], owner, reader;
    at_work = 3;
    CHECK_EQ((uint64_t)pthread_create(&owner, NULL, owns, NULL), 0); /* ownership passes by a thread's start */
    CHECK_EQ((uint64_t)pthread_create(&reader, NULL, follows_the_events, events), 0);
    for (int i = 0; i < 3; i++) CHECK_EQ((uint64_t)pthread_create(&workers[i], NULL, WORK[i], NULL), 0);
    for (int i = 0; i < 3; i++) CHECK_EQ((uint64_t)pthread_join(workers[i], NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(owner, NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(reader, NULL), 0);
    cb_poll(breaker); /* and comes back by its end */
    cb_destroy(breaker);
    cb_events_close(events);
}

static void *halts(void *unused) {
    (void)unused;
    cb_halt(breaker);
    return NULL;
}

static void *resumes(void *unused) {
    (void)unused;
    cb_resume(breaker);
    return NULL;
}

static void in_a_thread(void *(*work)(void *)) {
    pthread_t thread;
    CHECK_EQ((uint64_t)pthread_create(&thread, NULL, work, NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(thread, NULL), 0);
}

static void a_halt_that_happened_before_is_obeyed(void) {
    breaker = create(NULL);
    gate = cb_gate_of(breaker);
    for (int i = 0; i < 20; i++) {
        CHECK(cb_gate_closed(gate) && cb_allow(breaker));
        in_a_thread(halts);
        CHECK(!cb_gate_closed(gate) && !cb_allow(breaker));
        CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
        in_a_thread(resumes);
        CHECK(!cb_gate_closed(gate)); /* the owner alone opens */
        cb_poll(breaker);
        CHECK(cb_gate_closed(gate) && cb_allow(breaker));
    }
    CHECK_EQ(snapshot_of(breaker).events, 40);
    CHECK_EQ(snapshot_of(breaker).refused, 20);
    cb_destroy(breaker);
}

int main(void) {
    everybody_at_once();
    a_halt_that_happened_before_is_obeyed();
    return 0;
}
