/* What the C programs share: checks that say where they failed, and shorthands for one-line questions. */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trip99.h>

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define THRESHOLD (200 * MS) /* the default */
#define NEVER UINT64_MAX

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(actual, expected) check_eq((actual), (expected), #actual " == " #expected, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), __FILE__, __LINE__)

static inline void check(bool holds, const char *what, const char *file, int line) {
    if (!holds) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
        exit(1);
    }
}

static inline void check_eq(uint64_t actual, uint64_t expected, const char *what, const char *file, int line) {
    if (actual != expected) {
        fprintf(stderr, "%s:%d: %s: it is %" PRIu64 ", not %" PRIu64 "\n", file, line, what, actual, expected);
        exit(1);
    }
}

static inline void check_text(const char *actual, const char *expected, const char *file, int line) {
    if (strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s:%d: it is \"%s\", not \"%s\"\n", file, line, actual, expected);
        exit(1);
    }
}

/* The defaults, without jitter: deadlines can be written down. */
static inline cb_config default_config(void) {
    cb_config config;
    cb_config_init(&config, sizeof config);
    config.jitter_ppm = 0;
    return config;
}

/* Every rule off but the quantile's: a scenario turns on what it is about. */
static inline cb_config quantile_only(void) {
    cb_config config = default_config();
    config.consecutive_failures = 0;
    config.spike_count = 0;
    config.stall_limit_ns = 0;
    config.failure_rate_ppm = 1000000;
    return config;
}

/* No pause of this machine's is slow, stalls or loses a trial: the longest threshold, and what has to be above it. */
static inline void be_patient(cb_config *config) {
    config->threshold_ns = INT64_MAX;
    config->window_age_ns = 0;
    config->stall_limit_ns = 0;
    config->probe_timeout_ns = NEVER;
}

static inline cb_breaker *create(const cb_config *config) {
    cb_breaker *breaker = NULL;
    if (cb_create(config, &breaker) != CB_STATUS_OK) {
        fprintf(stderr, "cb_create: %s\n", cb_error_text());
        exit(1);
    }
    CHECK(breaker != NULL);
    return breaker;
}

static inline cb_snapshot snapshot_of(const cb_breaker *breaker) {
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    cb_get_snapshot(breaker, &snapshot);
    return snapshot;
}

/* The event with this sequence number, which the journal must still have. */
static inline cb_event event_at(const cb_breaker *breaker, uint64_t sequence) {
    cb_events *events = NULL;
    cb_event event = CB_EVENT_INIT;
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    do {
        CHECK(cb_events_next(events, &event));
    } while (event.sequence != sequence);
    cb_events_close(events);
    return event;
}

static inline cb_event last_event(const cb_breaker *breaker) {
    const uint64_t events = snapshot_of(breaker).events;
    CHECK(events > 0);
    return event_at(breaker, events - 1);
}

/* Why the breaker last changed its state; 0 if it never did. */
static inline cb_reason last_reason(const cb_breaker *breaker) {
    return snapshot_of(breaker).events == 0 ? 0 : last_event(breaker).reason;
}

/* Opens a breaker whose spike_count is 1. */
static inline void open_at(cb_breaker *breaker, uint64_t now_ns) {
    cb_record_at(breaker, now_ns, INT64_MAX);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
}

/* A breaker that entered its first half-open epoch at 1 s. */
static inline cb_breaker *half_open(cb_config config) {
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    open_at(breaker, 0);
    cb_poll_at(breaker, SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    return breaker;
}

#endif
