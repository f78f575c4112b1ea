/* A supervisor with checks and listeners in C, on the real clock. What is waited for comes at once; the bound on waiting only
   tells a test that hangs from one that doesn't. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, PATIENCE_S = 120 };

/* What the callbacks leave for the main thread. */
static struct {
    pthread_mutex_t mutex;
    bool node_is_well;
    unsigned checks;
    uint64_t timeout_ns;
    unsigned events;
    cb_reason reasons[EVENTS];
    uint64_t sequences[EVENTS];
    uint64_t missed;
    bool running; /* a callback may run */
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void lock(void) { CHECK_EQ((uint64_t)pthread_mutex_lock(&seen.mutex), 0); }
static void unlock(void) { CHECK_EQ((uint64_t)pthread_mutex_unlock(&seen.mutex), 0); }

static void begin(bool node_is_well) {
    lock();
    seen.node_is_well = node_is_well;
    seen.checks = seen.events = 0;
    seen.missed = 0;
    seen.running = true;
    unlock();
}

/* After the stop: whatever is called now is called too late. */
static void end(void) {
    lock();
    seen.running = false;
    unlock();
}

static void nap(void) {
    const struct timespec ms = {0, 1000000};
    nanosleep(&ms, NULL);
}

static time_t give_up_at;

static void await_begins(void) { give_up_at = time(NULL) + PATIENCE_S; }

static void await_goes_on(void) {
    CHECK(time(NULL) < give_up_at);
    nap();
}

#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        await_begins();                                                                                                \
        while (!(condition)) await_goes_on();                                                                          \
    } while (0)

static unsigned events_seen(void) {
    lock();
    const unsigned events = seen.events;
    unlock();
    return events;
}

static unsigned checks_seen(void) {
    lock();
    const unsigned checks = seen.checks;
    unlock();
    return checks;
}

static bool check_node(void *context, uint64_t timeout_ns) {
    lock();
    CHECK(context == &seen && seen.running);
    seen.checks++;
    seen.timeout_ns = timeout_ns;
    const bool well = seen.node_is_well;
    unlock();
    return well;
}

static void listen_to_node(void *context, const char *name, const cb_event *event, uint64_t missed) {
    lock();
    CHECK(context == &seen && seen.running);
    CHECK_TEXT(name, "node");
    CHECK((event == NULL) == (missed > 0));
    if (event == NULL) {
        seen.missed += missed;
    } else {
        CHECK(seen.events < EVENTS);
        CHECK(event->struct_size >= sizeof *event);
        seen.reasons[seen.events] = event->reason;
        seen.sequences[seen.events++] = event->sequence;
    }
    unlock();
}

static cb_supervisor *supervise(const char *name, cb_breaker *breaker) {
    cb_supervisor *supervisor = NULL;
    CHECK_EQ(cb_supervisor_create(100000, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, name, breaker), CB_STATUS_OK);
    return supervisor;
}

/* Pauses for a millisecond, recovers by two checks, opens at the first very slow sample. */
static cb_config checked(void) {
    cb_config config = default_config();
    config.recovery = CB_RECOVERY_HEALTH_CHECKS;
    config.spike_count = 1;
    config.probes = 2;
    config.backoff_base_ns = MS;
    config.backoff_multiplier = 1;
    be_patient(&config);
    config.threshold_ns = 100 * SECOND;
    config.probe_timeout_ns = 100 * SECOND;
    return config;
}

static void checks_reopen_and_close(void) {
    const cb_config config = checked();
    cb_breaker *breaker = create(&config);
    cb_supervisor *supervisor = supervise("node", breaker);
    CHECK_EQ(cb_supervisor_check(supervisor, "node", MS, check_node, &seen), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_listen(supervisor, listen_to_node, &seen), CB_STATUS_OK);
    begin(false);
    cb_record(breaker, INT64_MAX); /* still the owner: a trip */
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);

    /* What any thread may do goes on. */
    const cb_gate *gate = cb_gate_of(breaker);
    CHECK(cb_now_ns(breaker) > 0);
    AWAIT(checks_seen() >= 3); /* each opens it again */
    CHECK(!cb_gate_closed(gate));
    lock();
    CHECK_EQ(seen.timeout_ns, config.probe_timeout_ns);
    seen.node_is_well = true;
    unlock();
    AWAIT(cb_gate_closed(gate));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_halt(breaker);
    CHECK(!cb_gate_closed(gate) && cb_is_halted(breaker));
    const unsigned before_halt = events_seen();
    AWAIT(events_seen() > before_halt);
    cb_resume(breaker);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    end();

    /* The owner is this thread again, and everything was told, in order. */
    const unsigned events = events_seen();
    CHECK_EQ(events, snapshot_of(breaker).events);
    CHECK_EQ(seen.missed, 0);
    for (unsigned i = 0; i < events; i++) {
        CHECK_EQ(seen.sequences[i], i);
        CHECK_EQ(seen.reasons[i], event_at(breaker, i).reason);
    }
    CHECK(events >= 2 + 3 * 2 + 2);
    CHECK_EQ(seen.reasons[0], CB_REASON_SPIKE);
    CHECK_EQ(seen.reasons[1], CB_REASON_RETRY);
    CHECK_EQ(seen.reasons[2], CB_REASON_PROBE_FAILED);
    CHECK_EQ(seen.reasons[events - 3], CB_REASON_RECOVERED);
    CHECK_EQ(seen.reasons[events - 2], CB_REASON_HALT);
    CHECK_EQ(seen.reasons[events - 1], CB_REASON_RESUME);
    CHECK(cb_gate_of(breaker) == gate && cb_allow(breaker));

    /* Once more: the listener begins with the oldest event again. */
    begin(true);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    AWAIT(events_seen() == events);
    cb_supervisor_destroy(supervisor); /* stops it */
    end();
    cb_record(breaker, MS);
    CHECK_EQ(snapshot_of(breaker).state, CB_STATE_CLOSED);
    cb_destroy(breaker);
}

static bool let_go;

/* Is busy with the first event until it is let go; by then the journal has run over. */
static void busy_listener(void *context, const char *name, const cb_event *event, uint64_t missed) {
    (void)name;
    uint64_t *counts = (uint64_t *)context; /* told, missed */
    lock();
    if (event != NULL) counts[0]++;
    counts[1] += missed;
    seen.events++;
    while (!let_go) {
        unlock();
        nap();
        lock();
    }
    unlock();
}

static void events_that_a_busy_listener_missed_are_counted(void) {
    cb_breaker *breaker = create(NULL);
    cb_supervisor *supervisor = supervise("node", breaker);
    uint64_t counts[2] = {0, 0};
    CHECK_EQ(cb_supervisor_listen(supervisor, busy_listener, counts), CB_STATUS_OK);
    begin(true);
    cb_halt_at(breaker, cb_now_ns(breaker));
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    AWAIT(events_seen() == 1);
    cb_snapshot published = CB_SNAPSHOT_INIT;
    do { /* it delays nobody but itself */
        cb_resume(breaker);
        nap();
        cb_halt(breaker);
        nap();
        CHECK(cb_get_published(breaker, &published));
    } while (published.events < 400);
    lock();
    let_go = true;
    unlock();
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    end();
    CHECK(counts[1] > 0);
    CHECK_EQ(counts[0] + counts[1], snapshot_of(breaker).events);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

/* A check that takes its time: stopping waits for it. */
static bool slow_check(void *context, uint64_t timeout_ns) {
    (void)timeout_ns;
    lock();
    seen.checks++;
    unlock();
    for (int i = 0; i < 50; i++) nap();
    *(bool *)context = true;
    return true;
}

static void stopping_waits_for_a_check_under_way(void) {
    cb_config config = checked();
    config.start = CB_STATE_HALF_OPEN;
    cb_breaker *breaker = create(&config);
    cb_supervisor *supervisor = supervise("node", breaker);
    bool *finished = (bool *)calloc(1, sizeof *finished); /* a callback that is late writes to freed memory */
    CHECK(finished != NULL);
    CHECK_EQ(cb_supervisor_check(supervisor, "node", 0, slow_check, finished), CB_STATUS_OK);
    begin(true);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    AWAIT(checks_seen() == 1);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    end();
    CHECK(*finished);
    free(finished);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
}

static void tcp_connections_are_checks(void) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    CHECK(listener >= 0 && bind(listener, (const struct sockaddr *)&address, len) == 0 && listen(listener, 64) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(address.sin_port));

    cb_config config = checked();
    config.start = CB_STATE_HALF_OPEN;
    cb_breaker *breaker = create(&config);
    cb_supervisor *supervisor = supervise("node", breaker);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, "node", MS, text), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    AWAIT(cb_get_state(breaker) == CB_STATE_CLOSED);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
    CHECK_EQ((uint64_t)close(listener), 0);
}

/* Two breakers of one busy supervisor; only one trips. */
static void one_supervisor_for_many(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    config.backoff_base_ns = MS;
    cb_breaker *tripped = create(&config), *quiet = create(&config);
    cb_supervisor *supervisor = NULL;
    CHECK_EQ(cb_supervisor_create(0, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "a", tripped), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "b", quiet), CB_STATUS_OK);
    cb_record(tripped, INT64_MAX);
    cb_lane *lane = NULL; /* opened by the owner, before it is another */
    CHECK_EQ(cb_lane_open(quiet, 0, &lane), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    CHECK(cb_lane_allow(lane));
    cb_lane_end(lane, cb_lane_begin(lane));
    AWAIT(cb_get_state(tripped) == CB_STATE_HALF_OPEN); /* by its timer: nobody asks */
    CHECK_EQ(cb_get_state(quiet), CB_STATE_CLOSED);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(snapshot_of(quiet).events, 0);
    CHECK_EQ(snapshot_of(quiet).recorded, 1); /* what lanes said before the stop is taken in */
    cb_supervisor_destroy(supervisor);
    CHECK(cb_lane_allow(lane)); /* the breaker is still there */
    cb_lane_close(lane);
    cb_destroy(tripped);
    cb_destroy(quiet);
}

static void arguments_are_checked(void) {
    cb_breaker *breaker = create(NULL), *other = create(NULL);
    CHECK_EQ(cb_supervisor_create(MS, NULL), CB_STATUS_NULL_POINTER);
    cb_supervisor *supervisor = supervise("node", breaker);
    CHECK_EQ(cb_supervisor_add(NULL, "x", other), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_add(supervisor, NULL, other), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_add(supervisor, "x", NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK_EQ(cb_supervisor_add(supervisor, "", other), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_add(supervisor, "\xff", other), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", other), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_add(supervisor, "again", breaker), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_check(NULL, "node", 0, check_node, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check(supervisor, NULL, 0, check_node, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check(supervisor, "node", 0, NULL, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check(supervisor, "nobody", 0, check_node, NULL), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_check_tcp(NULL, "node", 0, "127.0.0.1:1"), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, NULL, 0, "127.0.0.1:1"), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, "node", 0, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, "nobody", 0, "127.0.0.1:1"), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, "node", 0, "localhost:1"), CB_STATUS_BAD_NAME);
    CHECK(strstr(cb_error_text(), "localhost:1") != NULL);
    CHECK_EQ(cb_supervisor_listen(NULL, listen_to_node, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_listen(supervisor, NULL, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_start(NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_stop(NULL), CB_STATUS_NULL_POINTER);
    cb_supervisor_destroy(NULL);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK); /* it doesn't run */

    /* While one runs, nothing is added, and no other gets its breaker. */
    cb_supervisor *second = supervise("other", other);
    CHECK_EQ(cb_supervisor_add(second, "node", breaker), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_add(supervisor, "other", other), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_check(supervisor, "node", 0, check_node, NULL), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_check_tcp(supervisor, "node", 0, "127.0.0.1:1"), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_listen(supervisor, listen_to_node, NULL), CB_STATUS_NOT_NOW);
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_NOT_NOW);
    CHECK_TEXT(cb_error_text(), "node is with another supervisor");
    CHECK(cb_allow(other)); /* its owner is still this thread */
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(second), CB_STATUS_OK);
    cb_supervisor_destroy(second);
    CHECK(cb_allow(breaker) && cb_allow(other));

    /* A start that fails leaves the breakers as they were. */
    CHECK_EQ(cb_supervisor_check(supervisor, "node", 0, check_node, NULL), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OUT_OF_RANGE); /* it recovers by trials */
    cb_record(breaker, MS);
    CHECK_EQ(snapshot_of(breaker).recorded, 1);
    cb_config config = checked();
    CHECK_EQ(cb_reconfigure(breaker, &config), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_check(supervisor, "node", config.probe_timeout_ns, check_node, NULL), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OUT_OF_RANGE); /* too far apart */
    cb_supervisor_destroy(supervisor);
    CHECK_EQ(cb_supervisor_create(MS, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_NOT_NOW); /* no breaker */
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
    cb_destroy(other);
}

static void lanes_are_opened_while_it_runs(void) {
    cb_config config = default_config();
    be_patient(&config);
    config.recover_threshold_ns = config.threshold_ns;
    cb_breaker *breaker = create(&config);
    cb_supervisor *supervisor = NULL;
    cb_lane *const garbage = (cb_lane *)(uintptr_t)8;
    cb_lane *lane = garbage;
    CHECK_EQ(cb_supervisor_create(0, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", breaker), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_lane(NULL, "node", 0, &lane), CB_STATUS_NULL_POINTER);
    CHECK(lane == NULL);
    CHECK_EQ(cb_supervisor_lane(supervisor, NULL, 0, &lane), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_lane(supervisor, "node", 0, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_supervisor_lane(supervisor, "another", 0, &lane), CB_STATUS_BAD_NAME);
    CHECK_EQ(cb_supervisor_lane(supervisor, "node", 0, &lane), CB_STATUS_NOT_NOW);
    CHECK(strstr(cb_error_text(), "cb_lane_open") != NULL);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    uint64_t told = 0;
    for (int i = 0; i < 40; i++) { /* more than are linked in at a time */
        CHECK_EQ(cb_supervisor_lane(supervisor, "node", 4, &lane), CB_STATUS_OK);
        cb_lane *ends = NULL;
        CHECK_EQ(cb_lane_split(lane, &ends), CB_STATUS_OK);
        CHECK(cb_lane_allow(lane));
        cb_lane_end(ends, cb_lane_begin(lane));
        told++;
        cb_lane_close(lane);
        cb_lane_close(ends);
    }
    CHECK_EQ(cb_supervisor_lane(supervisor, "node", 0, &lane), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK_EQ(snapshot_of(breaker).recorded, told);
    CHECK_EQ(snapshot_of(breaker).misused, 0);
    cb_lane_record(lane, 1); /* it is a lane as any other */
    cb_poll(breaker);
    CHECK_EQ(snapshot_of(breaker).recorded, told + 1);
    cb_supervisor_destroy(supervisor);
    cb_destroy(breaker);
    CHECK(!cb_lane_allow(lane));
    cb_lane_close(lane);
}

int main(void) {
    lanes_are_opened_while_it_runs();
    checks_reopen_and_close();
    events_that_a_busy_listener_missed_are_counted();
    stopping_waits_for_a_check_under_way();
    tcp_connections_are_checks();
    one_supervisor_for_many();
    arguments_are_checked();
    return 0;
}
