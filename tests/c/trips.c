/* What opens a closed breaker, at which sample or nanosecond, and with which figures. In virtual time. */
#include "check.h"

/* P99 of 100 is the 99th smallest: over the threshold with two slow samples, not with one. */
static void latency_trips_at_the_very_sample(void) {
    cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    const cb_gate *gate = cb_gate_of(breaker);
    for (uint64_t i = 0; i < 97; i++) cb_record_at(breaker, 10 + i, 1 * MS);
    cb_record_at(breaker, 200, 270 * MS);
    cb_record_at(breaker, 300, 250 * MS);
    CHECK(cb_gate_closed(gate));
    CHECK(!snapshot_of(breaker).armed); /* 99 samples, two of them slow: P99 would be over, but min_samples is 100 */
    cb_record_at(breaker, 1000, 260 * MS);
    CHECK(!cb_gate_closed(gate));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK(!cb_allow_at(breaker, 1001));

    const cb_event event = last_event(breaker);
    CHECK_EQ(event.sequence, 0);
    CHECK_EQ(event.from, CB_STATE_CLOSED);
    CHECK_EQ(event.to, CB_STATE_OPEN);
    CHECK_EQ(event.reason, CB_REASON_LATENCY);
    CHECK_EQ(event.t_ns, 1000);
    CHECK_EQ(event.samples, 100);
    CHECK_EQ(event.slow, 3);
    CHECK_EQ(event.overdue, 0);
    CHECK_EQ(event.failures, 0);
    CHECK_EQ(event.quantile_ns, 260 * MS);
    CHECK_EQ(event.attempt, 0);
    CHECK_EQ(event.retry_at_ns, 1000 + SECOND);
    CHECK_EQ(event.owner_gap_ns, 700);
    cb_destroy(breaker);
}

/* At the threshold is not slow. Of 200 two may be slow, of 201 (the 199th is judged) two as well. */
static void the_quantile_is_nearest_rank_and_strictly_above(void) {
    cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 0, THRESHOLD + 1);
    for (uint64_t i = 1; i < 199; i++) cb_record_at(breaker, i, THRESHOLD);
    cb_record_at(breaker, 199, THRESHOLD + 1);
    CHECK_EQ(snapshot_of(breaker).samples, 200);
    CHECK_EQ(snapshot_of(breaker).slow, 2);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_record_at(breaker, 200, THRESHOLD + 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_LATENCY);
    CHECK_EQ(last_event(breaker).quantile_ns, THRESHOLD + 1);
    cb_destroy(breaker);
}

static void the_oldest_sample_leaves_a_full_window(void) {
    cb_config config = quantile_only();
    config.window_len = 100;
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 0, SECOND);
    for (uint64_t i = 1; i < 100; i++) cb_record_at(breaker, i, 1);
    cb_record_at(breaker, 100, SECOND); /* the first slow one has left */
    CHECK_EQ(snapshot_of(breaker).slow, 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_record_at(breaker, 101, SECOND);
    CHECK_EQ(last_reason(breaker), CB_REASON_LATENCY);
    cb_destroy(breaker);
}

/* A sample leaves when now - end >= window_age. */
static void samples_expire_at_the_very_nanosecond(void) {
    for (uint64_t age_ns = SECOND - 1; age_ns <= SECOND; age_ns++) {
        cb_config config = quantile_only();
        config.window_age_ns = SECOND;
        config.min_samples = 2;
        cb_breaker *breaker = create(&config);
        cb_record_at(breaker, SECOND, THRESHOLD + 1);
        cb_record_at(breaker, SECOND + age_ns, THRESHOLD + 1);
        CHECK_EQ(cb_get_state(breaker), age_ns < SECOND ? CB_STATE_OPEN : CB_STATE_CLOSED);
        CHECK_EQ(snapshot_of(breaker).samples, age_ns < SECOND ? 2 : 1);
        cb_destroy(breaker);
    }
}

static void failure_rate_trips_above_the_share(void) {
    cb_config config = quantile_only();
    config.failure_rate_ppm = 500000;
    config.window_len = 4;
    config.min_samples = 4;
    cb_breaker *breaker = create(&config);
    cb_record_failure_at(breaker, 0, 1);
    cb_record_failure_at(breaker, 1, 1);
    cb_record_failure_at(breaker, 2, 1); /* all failed, but not armed */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_destroy(breaker);
    breaker = create(&config);
    cb_record_failure_at(breaker, 0, 1);
    cb_record_failure_at(breaker, 1, 1);
    cb_record_at(breaker, 2, 1);
    cb_record_at(breaker, 3, 1);
    cb_record_failure_at(breaker, 4, 1);
    cb_record_failure_at(breaker, 5, 1); /* ok ok failed failed: half, not more */
    CHECK_EQ(snapshot_of(breaker).failed, 2);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_record_failure_at(breaker, 6, 1);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_FAILURE_RATE);
    CHECK_EQ(event.failures, 3);
    CHECK_EQ(event.samples, 4);
    cb_destroy(breaker);
}

static void consecutive_failures_trip_at_the_fifth(void) {
    cb_config config = default_config();
    cb_breaker *breaker = create(&config);
    for (uint64_t i = 0; i < 4; i++) cb_record_failure_at(breaker, i, 3);
    cb_record_at(breaker, 4, 3);
    for (uint64_t i = 5; i < 9; i++) cb_record_failure_at(breaker, i, 3);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    const cb_call call = cb_begin_at(breaker, 9);
    cb_fail_at(breaker, 16, call);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_CONSECUTIVE_FAILURES);
    CHECK_EQ(event.failures, 9);
    CHECK_EQ(event.samples, 10);
    CHECK_EQ(event.quantile_ns, 7);
    cb_destroy(breaker);
}

static void spikes_trip_in_a_row_above_the_limit(void) {
    cb_config config = quantile_only();
    config.spike_limit_ns = 50 * MS;
    config.spike_count = 3;
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 0, 50 * MS + 1);
    cb_record_at(breaker, 1, 50 * MS + 1);
    cb_record_at(breaker, 2, 50 * MS); /* not above: ends the row */
    cb_record_at(breaker, 3, 50 * MS + 1);
    cb_record_failure_at(breaker, 4, 50 * MS + 1); /* failed calls count with their latency */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_record_at(breaker, 5, 50 * MS + 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_SPIKE);
    CHECK_EQ(last_event(breaker).slow, 0);
    cb_destroy(breaker);
}

static void the_first_rule_that_holds_is_the_reason(void) {
    static const cb_reason REASONS[] = {CB_REASON_LATENCY, CB_REASON_FAILURE_RATE, CB_REASON_CONSECUTIVE_FAILURES,
                                        CB_REASON_SPIKE};
    for (unsigned off = 0; off < 4; off++) {
        cb_config config = quantile_only();
        config.min_samples = 1;
        config.threshold_ns = off > 0 ? 10 : 9;
        config.failure_rate_ppm = off > 1 ? 1000000 : 999999;
        config.consecutive_failures = off > 2 ? 0 : 1;
        config.spike_count = 1;
        config.spike_limit_ns = 9;
        cb_breaker *breaker = create(&config);
        cb_record_failure_at(breaker, 1, 10);
        CHECK_EQ(last_reason(breaker), REASONS[off]);
        cb_destroy(breaker);
    }
}

static void a_stall_trips_at_its_limit(void) {
    cb_config config = default_config();
    cb_breaker *breaker = create(&config);
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER);
    (void)cb_begin_at(breaker, 5);
    CHECK_EQ(cb_next_deadline_ns(breaker), 5 + THRESHOLD + 1); /* overdue */
    cb_poll_at(breaker, 5 + THRESHOLD + 1);
    CHECK_EQ(cb_next_deadline_ns(breaker), 5 + SECOND);
    cb_poll_at(breaker, 5 + SECOND - 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_poll_at(breaker, 5 + SECOND);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_STALL);
    CHECK_EQ(event.t_ns, 5 + SECOND);
    CHECK_EQ(event.samples, 1);
    CHECK_EQ(event.slow, 1);
    CHECK_EQ(event.overdue, 1);
    CHECK_EQ(event.quantile_ns, SECOND); /* its age so far */
    CHECK_EQ(event.owner_gap_ns, 1);
    CHECK_EQ(cb_next_deadline_ns(breaker), 5 + 2 * SECOND);
    cb_destroy(breaker);

    breaker = create(&config);
    const cb_call call = cb_begin_at(breaker, 0);
    cb_end_at(breaker, SECOND, call); /* exactly at the deadline is late */
    CHECK_EQ(last_reason(breaker), CB_REASON_STALL);
    cb_destroy(breaker);
}

static void a_call_is_judged_before_it_comes_back(void) {
    cb_config config = quantile_only();
    config.min_samples = 2;
    cb_breaker *breaker = create(&config);
    const cb_call first = cb_begin_at(breaker, 10);
    const cb_call second = cb_begin_at(breaker, 20);
    cb_poll_at(breaker, 10 + THRESHOLD);
    CHECK_EQ(snapshot_of(breaker).overdue, 0);
    cb_poll_at(breaker, 10 + THRESHOLD + 1);
    CHECK_EQ(snapshot_of(breaker).overdue, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 2);
    cb_abandon_at(breaker, 11 + THRESHOLD, first); /* no longer counts */
    CHECK_EQ(snapshot_of(breaker).overdue, 0);
    cb_poll_at(breaker, 20 + THRESHOLD + 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK_EQ(cb_quantile_ns_at(breaker, 20 + 2 * THRESHOLD, 990000), 2 * THRESHOLD); /* of one: its age */
    (void)cb_begin_at(breaker, 30 + 2 * THRESHOLD);
    CHECK_EQ(cb_next_deadline_ns(breaker), 30 + 3 * THRESHOLD + 1);
    cb_poll_at(breaker, 30 + 3 * THRESHOLD + 1);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_LATENCY);
    CHECK_EQ(event.overdue, 2);
    CHECK_EQ(event.slow, 2);
    CHECK_EQ(event.samples, 2);
    CHECK_EQ(event.quantile_ns, 3 * THRESHOLD + 11); /* P99 of two is the greatest */
    cb_end_at(breaker, 4 * THRESHOLD, second);
    CHECK_EQ(snapshot_of(breaker).samples, 1); /* samples still enter */
    CHECK_EQ(snapshot_of(breaker).slow, 1);
    cb_destroy(breaker);
}

static void an_overdue_call_counts_until_it_expires(void) {
    cb_config config = quantile_only();
    config.window_age_ns = SECOND;
    cb_breaker *breaker = create(&config);
    (void)cb_begin_at(breaker, 7);
    cb_poll_at(breaker, 7 + SECOND - 1);
    CHECK_EQ(snapshot_of(breaker).overdue, 1);
    cb_poll_at(breaker, 7 + SECOND);
    CHECK_EQ(snapshot_of(breaker).overdue, 0);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    CHECK_EQ(cb_quantile_ns_at(breaker, 7 + SECOND, 990000), 0); /* of nothing */
    cb_destroy(breaker);
}

static void verdicts_are_confirmed_in_a_row(void) {
    cb_config config = quantile_only();
    config.window_len = 1;
    config.min_samples = 1;
    config.confirm_verdicts = 2;
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 0, SECOND);
    cb_record_at(breaker, 1, 1); /* ends the row */
    cb_record_at(breaker, 2, SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_record_at(breaker, 3, SECOND);
    CHECK_EQ(last_reason(breaker), CB_REASON_LATENCY);
    cb_destroy(breaker);
}

static void sampling_lets_the_first_of_each_so_many_in(void) {
    cb_config config = quantile_only();
    config.sample_every = 3;
    config.min_samples = 1;
    cb_breaker *breaker = create(&config);
    for (uint64_t i = 0; i < 7; i++) cb_record_at(breaker, i, 10 + i); /* 10, 13 and 16 enter */
    CHECK_EQ(snapshot_of(breaker).samples, 3);
    CHECK_EQ(snapshot_of(breaker).recorded, 7);
    CHECK_EQ(cb_quantile_ns_at(breaker, 7, 333333), 10); /* ceil(0.999999) = 1 */
    CHECK_EQ(cb_quantile_ns_at(breaker, 7, 333334), 13); /* ceil(1.000002) = 2 */
    CHECK_EQ(cb_quantile_ns_at(breaker, 7, 0), 10);
    CHECK_EQ(cb_quantile_ns_at(breaker, 7, 1000000), 16);
    CHECK_EQ(cb_quantile_ns_at(breaker, 7, UINT32_MAX), 16);
    (void)cb_begin_at(breaker, 8);
    cb_poll_at(breaker, SECOND); /* overdue calls don't count when sampled */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK_EQ(snapshot_of(breaker).overdue, 0);
    cb_destroy(breaker);
}

static void calls_beyond_max_in_flight_are_counted_and_still_give_samples(void) {
    cb_config config = quantile_only();
    config.max_in_flight = 1;
    cb_breaker *breaker = create(&config);
    const cb_call tracked = cb_begin_at(breaker, 1);
    const cb_call untracked = cb_begin_at(breaker, 2);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    CHECK_EQ(snapshot_of(breaker).untracked, 1);
    CHECK_EQ(cb_next_deadline_ns(breaker), 1 + THRESHOLD + 1);
    cb_end_at(breaker, 10, untracked);
    cb_end_at(breaker, 10, tracked);
    CHECK_EQ(snapshot_of(breaker).samples, 2);
    CHECK_EQ(cb_quantile_ns_at(breaker, 10, 1), 8);
    CHECK_EQ(cb_quantile_ns_at(breaker, 10, 999999), 9);
    CHECK_EQ(snapshot_of(breaker).misused, 0);
    cb_destroy(breaker);
}

int main(void) {
    latency_trips_at_the_very_sample();
    the_quantile_is_nearest_rank_and_strictly_above();
    the_oldest_sample_leaves_a_full_window();
    samples_expire_at_the_very_nanosecond();
    failure_rate_trips_above_the_share();
    consecutive_failures_trip_at_the_fifth();
    spikes_trip_in_a_row_above_the_limit();
    the_first_rule_that_holds_is_the_reason();
    a_stall_trips_at_its_limit();
    a_call_is_judged_before_it_comes_back();
    an_overdue_call_counts_until_it_expires();
    verdicts_are_confirmed_in_a_row();
    sampling_lets_the_first_of_each_so_many_in();
    calls_beyond_max_in_flight_are_counted_and_still_give_samples();
    return 0;
}
