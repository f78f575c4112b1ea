/* What isn't allowed, and must be clean and told all the same: an owner's functions while a supervisor owns the breaker,
 * breakers destroyed before their supervisor, and structs whose size was never set. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "sizes.h"
#include <pthread.h>
#include <time.h>

enum { PATIENCE_S = 120 };

static time_t give_up_at;

static void await_goes_on(void) {
    const struct timespec ms = {0, 1000000};
    CHECK(time(NULL) < give_up_at);
    nanosleep(&ms, NULL);
}

/* It comes at once; the bound only tells a test that hangs. */
#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        give_up_at = time(NULL) + PATIENCE_S;                                                                          \
        while (!(condition)) await_goes_on();                                                                          \
    } while (0)

static cb_supervisor *supervise(cb_breaker *breaker) {
    cb_supervisor *supervisor = NULL;
    CHECK_EQ(cb_supervisor_create(MS, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", breaker), CB_STATUS_OK);
    return supervisor;
}

static cb_supervisor *start(cb_breaker *breaker) {
    cb_supervisor *supervisor = supervise(breaker);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    return supervisor;
}

static cb_snapshot published(const cb_breaker *breaker) {
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    CHECK(cb_get_published(breaker, &snapshot));
    return snapshot;
}

/* The breaker is as good as ever, and this thread's. */
static void works(cb_breaker *breaker) {
    const uint64_t recorded = snapshot_of(breaker).recorded;
    CHECK(cb_allow(breaker));
    cb_end(breaker, cb_begin(breaker));
    cb_poll(breaker);
    CHECK_EQ(snapshot_of(breaker).recorded, recorded + 1);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    CHECK(cb_lane_allow(lane));
    cb_lane_close(lane);
    CHECK(cb_next_deadline_ns(breaker) > 0);
    cb_config config;
    cb_config_init(&config, sizeof config);
    CHECK_EQ(cb_reconfigure(breaker, &config), CB_STATUS_OK);
}

static void hot_calls_refuse_and_are_counted(void) {
    cb_breaker *breaker = create(NULL);
    CHECK(cb_allow(breaker));
    const cb_call before = cb_begin(breaker);
    cb_supervisor *supervisor = start(breaker);
    CHECK(cb_gate_closed(cb_gate_of(breaker))); /* the breaker itself is well: lanes may pass */

    CHECK(!cb_allow(breaker));
    CHECK(!cb_allow_at(breaker, cb_now_ns(breaker)));
    const cb_call call = cb_begin(breaker), other = cb_begin_at(breaker, cb_now_ns(breaker));
    cb_end(breaker, call);
    cb_end(breaker, call);
    cb_end(breaker, before);
    cb_end_at(breaker, cb_now_ns(breaker), other);
    cb_fail(breaker, other);
    cb_fail_at(breaker, cb_now_ns(breaker), other);
    cb_abandon(breaker, cb_begin(breaker));
    cb_abandon_at(breaker, cb_now_ns(breaker), other);
    cb_record(breaker, MS);
    cb_record_at(breaker, cb_now_ns(breaker), MS);
    cb_record_failure(breaker, MS);
    cb_record_failure_at(breaker, cb_now_ns(breaker), MS);
    cb_record_probe(breaker, MS, true);
    cb_record_probe_at(breaker, cb_now_ns(breaker), MS, false);
    cb_release(breaker);
    cb_release_at(breaker, cb_now_ns(breaker));
    cb_poll(breaker);
    cb_poll_at(breaker, cb_now_ns(breaker));
    cb_hand_over(breaker);
    const unsigned counted = 24;
    AWAIT(snapshot_of(breaker).misused == counted);
    CHECK_EQ(published(breaker).misused, counted);
    CHECK_EQ(snapshot_of(breaker).refused, 2);
    CHECK_EQ(snapshot_of(breaker).recorded, 0);

    /* However many, and whatever they say. */
    for (unsigned i = 0; i < 10000; i++) {
        const cb_call forged = {i % 3 == 0 ? UINT64_MAX : i, i};
        CHECK(!cb_allow(breaker));
        if (i % 2 == 0) cb_fail(breaker, cb_begin(breaker));
        cb_end_at(breaker, i % 5 == 0 ? UINT64_MAX : i, forged);
        cb_record_failure(breaker, INT64_MAX);
    }
    AWAIT(snapshot_of(breaker).misused == counted + 40000);
    CHECK_EQ(snapshot_of(breaker).events, 0); /* nothing was judged */
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);

    CHECK_EQ(snapshot_of(breaker).misused, counted + 40000);
    CHECK_EQ(snapshot_of(breaker).refused, 10002);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    cb_end(breaker, before); /* its ticket is still out */
    CHECK_EQ(snapshot_of(breaker).recorded, 1);
    cb_end(breaker, call); /* of nobody's */
    CHECK_EQ(snapshot_of(breaker).misused, counted + 40001);
    works(breaker);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

enum { THREADS = 3, ROUNDS = 20000 };

static void *misuses(void *of_breaker) {
    cb_breaker *breaker = (cb_breaker *)of_breaker;
    for (unsigned i = 0; i < ROUNDS; i++) {
        CHECK(!cb_allow(breaker));
        const cb_call call = cb_begin(breaker);
        cb_record(breaker, MS);
        cb_poll(breaker);
        if (i % 2 == 0) cb_end(breaker, call);
        cb_lane *lane = NULL;
        if (i % 100 == 0) CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_NOT_NOW);
        if (i % 100 == 1) (void)snapshot_of(breaker);
    }
    return NULL;
}

/* As threads would whose lanes were forgotten. */
static void many_threads_misuse_it_at_once(void) {
    cb_breaker *breaker = create(NULL);
    cb_supervisor *supervisor = start(breaker);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ((uint64_t)pthread_create(&threads[i], NULL, misuses, breaker), 0);
    for (int i = 0; i < THREADS; i++) CHECK_EQ((uint64_t)pthread_join(threads[i], NULL), 0);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(snapshot_of(breaker).misused, THREADS * (4 * ROUNDS + ROUNDS / 2));
    CHECK_EQ(snapshot_of(breaker).refused, THREADS * ROUNDS);
    CHECK_EQ(snapshot_of(breaker).recorded, 0);
    works(breaker);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

/* "Do this first", as in the text. */
#define CHECK_NOT_NOW(call)                                                                                            \
    do {                                                                                                               \
        CHECK_EQ((call), CB_STATUS_NOT_NOW);                                                                           \
        CHECK(strstr(cb_error_text(), "cb_supervisor_stop") != NULL);                                                  \
    } while (0)

static void what_returns_a_status_says_not_now(void) {
    cb_breaker *breaker = create(NULL);
    cb_config config = default_config();
    cb_supervisor *supervisor = start(breaker), *second = NULL;
    CHECK_NOT_NOW(cb_reconfigure(breaker, &config));
    CHECK_NOT_NOW(cb_reconfigure_at(breaker, cb_now_ns(breaker), &config));
    cb_lane *lane = (cb_lane *)(uintptr_t)8;
    CHECK_NOT_NOW(cb_lane_open(breaker, 0, &lane));
    CHECK(strstr(cb_error_text(), "cb_supervisor_lane") != NULL);
    CHECK(lane == NULL);
    cb_gate_handle *handle = (cb_gate_handle *)(uintptr_t)8;
    CHECK_NOT_NOW(cb_gate_handle_of(breaker, &handle));
    CHECK(strstr(cb_error_text(), "cb_supervisor_gate_handle") != NULL);
    CHECK(handle == NULL);
    CHECK_EQ(cb_supervisor_create(MS, &second), CB_STATUS_OK);
    CHECK_NOT_NOW(cb_supervisor_add(second, "node", breaker));
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_NOT_NOW); /* it has none */
    cb_supervisor_destroy(second);

    /* What is any thread's goes on. */
    cb_events *events = NULL;
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    cb_events_close(events);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    works(breaker);
    cb_supervisor_destroy(supervisor);
    works(breaker);
    cb_destroy(breaker);
}

static void questions_have_no_answer(void) {
    cb_breaker *breaker = create(NULL);
    cb_record(breaker, MS);
    cb_supervisor *supervisor = start(breaker);
    cb_config config, untouched;
    memset(&config, 0x5a, sizeof config);
    config.struct_size = sizeof config;
    untouched = config;
    cb_get_config(breaker, &config);
    CHECK(memcmp(&config, &untouched, sizeof config) == 0);
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER);
    CHECK_EQ(cb_quantile_ns(breaker, 990000), 0);
    CHECK_EQ(cb_quantile_ns_at(breaker, cb_now_ns(breaker), 990000), 0);
    AWAIT(snapshot_of(breaker).misused == 4);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    cb_get_config(breaker, &config);
    CHECK_EQ(config.threshold_ns, THRESHOLD);
    CHECK_EQ(cb_quantile_ns(breaker, 990000), MS);
    works(breaker);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

static void a_halt_is_never_lost(void) {
    cb_breaker *breaker = create(NULL);
    cb_supervisor *supervisor = start(breaker);
    cb_halt_at(breaker, cb_now_ns(breaker));
    CHECK(cb_is_halted(breaker) && !cb_gate_closed(cb_gate_of(breaker)));
    AWAIT(snapshot_of(breaker).events == 1); /* the supervisor adds it */
    cb_resume_at(breaker, cb_now_ns(breaker));
    AWAIT(snapshot_of(breaker).events == 2 && !cb_is_halted(breaker));
    cb_resume_result result = CB_RESUME_DONE;
    cb_resume_with_at(breaker, cb_now_ns(breaker), NULL, &result);
    CHECK_EQ(result, CB_RESUME_NOT_HELD);
    cb_halt_at(breaker, cb_now_ns(breaker));
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK(cb_is_halted(breaker) && !cb_allow(breaker));
    CHECK_EQ(last_reason(breaker), CB_REASON_HALT);
    cb_resume_at(breaker, cb_now_ns(breaker));
    works(breaker);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

/* While a supervisor runs: the breaker lives on with it, and ends with it. */
static void destroyed_while_supervised(void) {
    cb_breaker *breaker = create(NULL), *other = create(NULL);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    cb_supervisor *supervisor = supervise(breaker);
    CHECK_EQ(cb_supervisor_add(supervisor, "other", other), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    cb_destroy_unclean(breaker);
    CHECK(cb_lane_allow(lane));
    cb_lane_end(lane, cb_lane_begin(lane));
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK(!cb_lane_allow(lane)); /* nobody judges any more */
    works(other);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW);
    CHECK_TEXT(cb_error_text(), "node was destroyed: make a supervisor without it");
    works(other);
    cb_supervisor_destroy(supervisor);
    cb_lane_close(lane);
    works(other);
    cb_destroy(other);

    /* And with the supervisor destroyed at once. */
    breaker = create(NULL);
    supervisor = start(breaker);
    cb_destroy(breaker);
    cb_supervisor_destroy(supervisor);
}

/* Not while it runs: the breaker ends right there. */
static void destroyed_before_the_start(void) {
    cb_breaker *breaker = create(NULL), *other = create(NULL);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    cb_supervisor *supervisor = supervise(other);
    CHECK_EQ(cb_supervisor_add(supervisor, "gone", breaker), CB_STATUS_OK);
    cb_destroy(breaker);
    CHECK(!cb_lane_allow(lane));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW);
        CHECK_TEXT(cb_error_text(), "gone was destroyed: make a supervisor without it");
        works(other); /* it is this thread's */
    }
    cb_supervisor_destroy(supervisor);
    cb_lane_close(lane);
    cb_destroy(other);

    /* After the stop, and before the supervisor. */
    breaker = create(NULL);
    supervisor = start(breaker);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    cb_destroy(breaker);
    cb_supervisor_destroy(supervisor);

    /* Two supervisors have it, and neither runs. */
    cb_supervisor *second;
    breaker = create(NULL);
    supervisor = supervise(breaker), second = supervise(breaker);
    cb_destroy(breaker);
    cb_supervisor_destroy(supervisor);
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_NOT_NOW);
    cb_supervisor_destroy(second);
}

static void a_start_that_is_refused_gives_back_all(void) {
    cb_breaker *taken = create(NULL), *free_one = create(NULL);
    cb_supervisor *second = supervise(free_one);
    CHECK_EQ(cb_supervisor_add(second, "taken", taken), CB_STATUS_OK);
    cb_supervisor *first = start(taken);
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_NOT_NOW);
    CHECK_TEXT(cb_error_text(), "taken is with another supervisor");
    works(free_one);
    CHECK(!cb_allow(taken));
    CHECK_EQ(cb_supervisor_stop(first), CB_STATUS_OK);
    works(taken);
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_OK);
    CHECK(!cb_allow(taken) && !cb_allow(free_one));
    cb_supervisor_destroy(second);
    works(taken);
    works(free_one);
    cb_supervisor_destroy(first);
    cb_destroy(taken);
    cb_destroy(free_one);
}

/* Sizes. */

static cb_breaker *source;

static bool get_config(void *out) {
    cb_get_config(source, (cb_config *)out);
    return true;
}

static bool get_snapshot(void *out) {
    cb_get_snapshot(source, (cb_snapshot *)out);
    return true;
}

static bool get_published(void *out) { return cb_get_published(source, (cb_snapshot *)out); }

static bool next_event(void *out) {
    cb_events *events = NULL;
    cb_event event = CB_EVENT_INIT;
    CHECK_EQ(cb_events_open(source, &events), CB_STATUS_OK);
    const bool read = cb_events_next(events, (cb_event *)out);
    CHECK(read || cb_events_next(events, &event)); /* what wasn't read is still there */
    cb_events_close(events);
    return read;
}

static void sizes_that_were_never_set(void) {
    source = create(NULL);
    cb_record_at(source, 1, 7);
    cb_halt_at(source, 2);
    check_sizes(get_config, 152, false);
    check_sizes(get_snapshot, 144, false);
    check_sizes(get_published, 144, true);
    check_sizes(next_event, 88, true);
    cb_destroy(source);

    /* cb_config_init and cb_config_init_for tell the size alone, so that cb_create refuses it. */
    static const size_t NO_VERSIONS[] = {4, 8, 16, 151, 4097, 5000, UINT32_MAX};
    for (size_t i = 0; i < sizeof NO_VERSIONS / sizeof *NO_VERSIONS; i++) {
        unsigned char *config = (unsigned char *)malloc(152);
        memset(config, 0x5a, 152);
        for (int is_for = 0; is_for < 2; is_for++) {
            uint32_t told = 0;
            memcpy(config, &told, sizeof told);
            if (is_for) cb_config_init_for((cb_config *)(void *)config, NO_VERSIONS[i], SECOND);
            else cb_config_init((cb_config *)(void *)config, NO_VERSIONS[i]);
            memcpy(&told, config, sizeof told);
            CHECK_EQ(told, NO_VERSIONS[i]);
            for (size_t at = 4; at < 152; at++) CHECK_EQ(config[at], 0x5a);
        }
        free(config);
    }
}

int main(void) {
    hot_calls_refuse_and_are_counted();
    many_threads_misuse_it_at_once();
    what_returns_a_status_says_not_now();
    questions_have_no_answer();
    a_halt_is_never_lost();
    destroyed_while_supervised();
    destroyed_before_the_start();
    a_start_that_is_refused_gives_back_all();
    sizes_that_were_never_set();
    return 0;
}
