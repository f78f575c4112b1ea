/* Bad arguments: each status and its text. */
#include "check.h"
#include <pthread.h>

/* What cb_create says of a configuration; a breaker that it makes is destroyed. */
static cb_status try_create(const void *config) {
    cb_breaker *const garbage = (cb_breaker *)(uintptr_t)8;
    cb_breaker *breaker = garbage;
    const cb_status status = cb_create((const cb_config *)config, &breaker);
    CHECK(breaker != garbage && (breaker != NULL) == (status == CB_STATUS_OK));
    cb_destroy(breaker);
    return status;
}

/* A field, the least and greatest legal values beside the others' defaults, and the text of its range. NULL: beyond them another
 * field is illegal, too, or in its place. */
struct range {
    const char *field;
    size_t offset, size;
    uint64_t least, greatest;
    const char *legal;
};
#define RANGE(field, least, greatest, legal) \
    {#field, offsetof(cb_config, field), sizeof(((cb_config *)0)->field), least, greatest, legal}

static const struct range RANGES[] = {
    RANGE(quantile_ppm, 1, 999999, "1 to 999999"),
    RANGE(threshold_ns, 1, SECOND - 1, NULL),
    RANGE(window_age_ns, THRESHOLD + 1, UINT64_MAX, "0 or above 200000000, as threshold_ns is 200000000"),
    RANGE(window_len, 20, 1048576, NULL),
    RANGE(sample_every, 1, 1048576, "1 to 1048576"),
    RANGE(min_samples, 1, 1024, "1 to 1024, as window_len is 1024"),
    RANGE(confirm_verdicts, 1, 1048576, "1 to 1048576"),
    RANGE(failure_rate_ppm, 0, 1000000, "0 to 1000000"),
    RANGE(consecutive_failures, 0, UINT32_MAX, ""),
    RANGE(spike_limit_ns, 0, UINT64_MAX, ""),
    RANGE(spike_count, 0, UINT32_MAX, ""),
    RANGE(max_in_flight, 1, 1048576, "1 to 1048576"),
    RANGE(stall_limit_ns, THRESHOLD + 1, UINT64_MAX, "0 or above 200000000, as threshold_ns is 200000000"),
    RANGE(recover_threshold_ns, 0, THRESHOLD, "0 to 200000000, as threshold_ns is 200000000"),
    RANGE(recovery, 0, 1, "0 (trials) or 1 (health checks)"),
    RANGE(probes, 1, 65535, "1 to 65535"),
    RANGE(trials_in_flight, 1, 10, "1 to 10, as probes is 10"),
    RANGE(backoff_multiplier, 1, 16, "1 to 16"),
    RANGE(probe_timeout_ns, 160 * MS + 1, UINT64_MAX, "above 160000000, as recover_threshold_ns is 160000000"),
    RANGE(backoff_base_ns, 1, 60 * SECOND, NULL),
    RANGE(backoff_max_ns, SECOND, UINT64_MAX, "at least 1000000000, as backoff_base_ns is 1000000000"),
    RANGE(jitter_ppm, 0, 1000000, "0 to 1000000"),
    RANGE(start, 2, 3, "0 (closed), 2 (half-open) or 3 (halted)"),
    RANGE(jitter_seed, 0, UINT64_MAX, ""),
    RANGE(stable_after_ns, 1, UINT64_MAX, "at least 1"),
    RANGE(shadow, 0, 1, "0 or 1"),
    RANGE(latch_after, 0, 1048576, "0 to 1048576"),
    RANGE(owner_timeout_ns, 10000000, UINT64_MAX, "0 or at least 10000000"),
    RANGE(min_slow, 0, 1048576, "0 to 1048576"),
    RANGE(debt_limit, 0, 1048576, "0 to 1048576"),
    RANGE(tap_len, 0, 1048576, "0 to 1048576"),
    RANGE(reserved, 0, 0, "0"),
};

static cb_config with(const struct range *range, uint64_t value) {
    cb_config config = default_config();
    const uint32_t narrow = (uint32_t)value;
    memcpy((char *)&config + range->offset, range->size == 4 ? (const void *)&narrow : (const void *)&value, range->size);
    return config;
}

static void legal(const struct range *range, uint64_t value) {
    const cb_config config = with(range, value);
    CHECK_TEXT(try_create(&config) == CB_STATUS_OK ? "" : cb_error_text(), "");
}

static void illegal(const struct range *range, uint64_t value) {
    const cb_config config = with(range, value);
    char text[256];
    snprintf(text, sizeof text, "%s is %" PRIu64 "; legal: %s", range->field, value, range->legal);
    CHECK_EQ(try_create(&config), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), text);
    cb_breaker *breaker = create(NULL);
    (void)try_create(NULL); /* success leaves the text alone */
    CHECK_TEXT(cb_error_text(), text);
    CHECK_EQ(cb_reconfigure_at(breaker, 1, &config), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), text);
    cb_destroy(breaker);
}

static void every_field_has_its_range(void) {
    size_t covered = sizeof(uint32_t); /* struct_size */
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        const struct range *range = &RANGES[i];
        const uint64_t type_max = range->size == 4 ? UINT32_MAX : UINT64_MAX;
        covered += range->size;
        legal(range, range->least);
        legal(range, range->greatest);
        if (range->legal == NULL) continue;
        if (strncmp(range->legal, "0 or", 4) == 0) legal(range, 0);
        if (range->least > 0) illegal(range, range->least - 1);
        if (range->greatest < type_max) {
            illegal(range, range->greatest + 1);
            illegal(range, type_max);
        }
    }
    CHECK_EQ(covered, sizeof(cb_config)); /* every field is in the table */
}

/* Beside the defaults. */
static void refused(const char *text, size_t offset, size_t size, uint64_t value) {
    const struct range range = {NULL, offset, size, 0, 0, NULL};
    const cb_config config = with(&range, value);
    CHECK_EQ(try_create(&config), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), text);
}
#define REFUSED(field, value, text) \
    refused(text, offsetof(cb_config, field), sizeof(((cb_config *)0)->field), value)

/* Those without a text in the table. */
static void a_range_may_hang_on_another_field(void) {
    REFUSED(threshold_ns, 0, "threshold_ns is 0; legal: 1 to 9223372036854775807");
    REFUSED(threshold_ns, UINT64_C(1) << 63, "threshold_ns is 9223372036854775808; legal: 1 to 9223372036854775807");
    REFUSED(threshold_ns, UINT64_MAX, "threshold_ns is 18446744073709551615; legal: 1 to 9223372036854775807");
    REFUSED(threshold_ns, SECOND, "stall_limit_ns is 1000000000; legal: 0 or above 1000000000, as threshold_ns is 1000000000");
    REFUSED(threshold_ns, 60 * SECOND,
            "window_age_ns is 60000000000; legal: 0 or above 60000000000, as threshold_ns is 60000000000");
    REFUSED(window_len, 0, "window_len is 0; legal: 1 to 1048576");
    REFUSED(window_len, 1048577, "window_len is 1048577; legal: 1 to 1048576");
    REFUSED(window_len, 19, "min_samples is 20; legal: 1 to 19, as window_len is 19");
    REFUSED(backoff_base_ns, 0, "backoff_base_ns is 0; legal: at least 1");
    REFUSED(backoff_base_ns, 60 * SECOND + 1,
            "backoff_max_ns is 60000000000; legal: at least 60000000001, as backoff_base_ns is 60000000001");

    /* The longest threshold, and what is above it. */
    cb_config config = default_config();
    be_patient(&config);
    config.window_age_ns = config.stall_limit_ns = UINT64_C(1) << 63;
    config.recover_threshold_ns = INT64_MAX;
    config.probe_timeout_ns = UINT64_C(1) << 63;
    CHECK_TEXT(try_create(&config) == CB_STATUS_OK ? "" : cb_error_text(), "");
    config.probe_timeout_ns--;
    CHECK_EQ(try_create(&config), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), "probe_timeout_ns is 9223372036854775807; legal: above 9223372036854775807, "
                                "as recover_threshold_ns is 9223372036854775807");
}

static void what_is_fixed_at_creation_stays(void) {
    cb_breaker *breaker = create(NULL);
    cb_config config = default_config();
    config.window_len = 2048;
    CHECK_EQ(cb_reconfigure_at(breaker, 1, &config), CB_STATUS_FIXED_SETTING);
    CHECK_TEXT(cb_error_text(), "window_len is 2048; legal: 1024, as it is fixed at construction");
    config = default_config();
    config.max_in_flight = 1;
    CHECK_EQ(cb_reconfigure(breaker, &config), CB_STATUS_FIXED_SETTING);
    CHECK_TEXT(cb_error_text(), "max_in_flight is 1; legal: 1024, as it is fixed at construction");
    config = default_config();
    config.start = CB_START_HALF_OPEN;
    CHECK_EQ(cb_reconfigure_at(breaker, 1, &config), CB_STATUS_FIXED_SETTING);
    cb_destroy(breaker);
}

static void settings_are_read_as_they_were_given(void) {
    const cb_config given = quantile_only();
    cb_breaker *breaker = create(&given);
    cb_config read = {0};
    read.struct_size = sizeof read;
    cb_get_config(breaker, &read);
    CHECK(memcmp(&read, &given, sizeof read) == 0);
    read.backoff_base_ns = 5 * SECOND;
    CHECK_EQ(cb_reconfigure_at(breaker, 1, &read), CB_STATUS_OK);
    cb_config changed = read;
    changed.window_len++;
    CHECK_EQ(cb_reconfigure_at(breaker, 2, &changed), CB_STATUS_FIXED_SETTING);
    cb_get_config(breaker, &changed);
    CHECK(memcmp(&changed, &read, sizeof read) == 0); /* a refusal changes nothing */
    cb_destroy(breaker);
}

static void null_pointers(void) {
    cb_breaker *breaker = create(NULL);
    cb_events *events = (cb_events *)(uintptr_t)8;
    const cb_config config = default_config();
    CHECK_EQ(cb_create(&config, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    CHECK_EQ(cb_reconfigure(NULL, &config), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK_EQ(cb_reconfigure_at(NULL, 0, &config), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_reconfigure(breaker, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "config is NULL");
    CHECK_EQ(cb_reconfigure_at(breaker, 0, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_events_open(breaker, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    CHECK_EQ(cb_events_open(NULL, &events), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK(events == NULL);

    /* Where the header says that NULL is fine. */
    cb_snapshot snapshot = {0};
    cb_event event = {0};
    cb_config out = {0};
    cb_config_init(NULL, sizeof out);
    cb_destroy(NULL);
    cb_get_config(NULL, &out);
    cb_get_config(breaker, NULL);
    cb_get_snapshot(NULL, &snapshot);
    cb_get_snapshot(breaker, NULL);
    CHECK_EQ(cb_next_deadline_ns(NULL), NEVER);
    CHECK(cb_gate_of(NULL) == NULL);
    CHECK_EQ(cb_get_state(NULL), CB_STATE_OPEN);
    CHECK(cb_is_halted(NULL));
    cb_halt(NULL);
    cb_resume(NULL);
    cb_halt_at(NULL, 1);
    cb_resume_at(NULL, 1);
    cb_destroy_unclean(NULL);
    CHECK(!cb_get_published(NULL, &snapshot));
    cb_poll_at(breaker, 1);
    CHECK(!cb_get_published(breaker, NULL));
    CHECK_EQ(cb_quantile_ns(NULL, 990000), 0);
    CHECK_EQ(cb_quantile_ns_at(NULL, 1, 990000), 0);
    CHECK(!cb_events_next(NULL, &event));
    CHECK_EQ(cb_events_missed(NULL), 0);
    cb_events_close(NULL);
    CHECK_EQ(out.struct_size + snapshot.struct_size + event.struct_size, 0); /* nothing was written */

    cb_halt_at(breaker, 2);
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    CHECK(!cb_events_next(events, NULL)); /* and nothing is read */
    event.struct_size = sizeof event;
    CHECK(cb_events_next(events, &event));
    CHECK_EQ(event.reason, CB_REASON_HALT);
    cb_events_close(events);
    cb_destroy(breaker);
}

static void *another_thread(void *unused) {
    (void)unused;
    CHECK_TEXT(cb_error_text(), ""); /* there was none here */
    CHECK_EQ(cb_create(NULL, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    return NULL;
}

static void each_thread_has_its_own_text(void) {
    pthread_t thread;
    CHECK_EQ(cb_reconfigure(NULL, NULL), CB_STATUS_NULL_POINTER);
    const char *text = cb_error_text();
    CHECK_EQ((uint64_t)pthread_create(&thread, NULL, another_thread, NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(thread, NULL), 0);
    CHECK_TEXT(text, "breaker is NULL");
}

int main(void) {
    CHECK_TEXT(cb_error_text(), "");
    every_field_has_its_range();
    a_range_may_hang_on_another_field();
    what_is_fixed_at_creation_stays();
    settings_are_read_as_they_were_given();
    null_pointers();
    each_thread_has_its_own_text();
    return 0;
}
