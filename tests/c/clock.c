/* The real clock, which the plain forms read. */
#include "check.h"

static void the_plain_forms_read_the_clock(void) {
    cb_config config = default_config();
    config.backoff_base_ns = 1; /* pauses are over by the next call */
    config.backoff_max_ns = 1;
    cb_breaker *breaker = create(&config);
    const uint64_t before_ns = cb_now_ns(breaker);
    CHECK(cb_allow(breaker));
    const cb_call ended = cb_begin(breaker), failed = cb_begin(breaker), abandoned = cb_begin(breaker);
    CHECK(ended.start_ns >= before_ns && ended.start_ns <= failed.start_ns);
    cb_end(breaker, ended);
    cb_fail(breaker, failed);
    cb_abandon(breaker, abandoned);
    cb_record(breaker, 7);
    cb_record_failure(breaker, 7);
    cb_record_probe(breaker, 7, true); /* stale: closed */
    cb_release(breaker);
    cb_poll(breaker);
    CHECK_EQ(snapshot_of(breaker).recorded, 4);
    CHECK_EQ(snapshot_of(breaker).stale, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 0);
    CHECK(cb_quantile_ns(breaker, 1000000) >= 7);
    config.spike_count = 1;
    CHECK_EQ(cb_reconfigure(breaker, &config), CB_STATUS_OK);
    cb_record(breaker, INT64_MAX);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    while (cb_now_ns(breaker) <= cb_next_deadline_ns(breaker)) {}
    CHECK(cb_allow(breaker)); /* a trial */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    const uint64_t after_ns = cb_now_ns(breaker);
    CHECK(snapshot_of(breaker).now_ns >= before_ns && snapshot_of(breaker).now_ns <= after_ns);
    CHECK(snapshot_of(breaker).clock == CB_CLOCK_TSC || snapshot_of(breaker).clock == CB_CLOCK_MONOTONIC);
    cb_destroy(breaker);
}

static void one_clock_serves_all_breakers(void) {
    cb_breaker *first = create(NULL), *second = create(NULL);
    const uint64_t times_ns[3] = {cb_now_ns(first), cb_now_ns(second), cb_now_ns(first)};
    CHECK(times_ns[0] <= times_ns[1] && times_ns[1] <= times_ns[2]);
    cb_destroy(first);
    cb_destroy(second);
}

int main(void) {
    the_plain_forms_read_the_clock();
    one_clock_serves_all_breakers();
    return 0;
}
