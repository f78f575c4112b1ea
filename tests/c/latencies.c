/* Latencies that are no times: 2^63 ns or more, as an engine makes them whose clock is behind the venue's. They are counted as
 * misused, and nothing else comes of them. */
#include "check.h"

static const uint64_t NO_TIME = UINT64_C(1) << 63;

/* A feed whose delay is the time of receipt less the venue's stamp. Of 20 messages one was stamped by a clock that is 2 ms ahead. */
static void feed_is_well(cb_breaker *breaker, uint64_t from_ns) {
    const cb_snapshot before = snapshot_of(breaker);
    for (uint64_t i = 0; i < 200; i++) {
        const int64_t delay_ns = i % 20 == 0 ? -2000000 : 5000000;
        cb_record_at(breaker, from_ns + i * MS, (uint64_t)delay_ns);
    }
    const cb_snapshot after = snapshot_of(breaker);
    CHECK_EQ(after.state, CB_STATE_CLOSED);
    CHECK_EQ(after.slow, 0);
    CHECK_EQ(after.stale, 0);
    CHECK_EQ(after.failures, 0);
    CHECK_EQ(after.misused - before.misused, 10);
    CHECK_EQ(after.recorded - before.recorded, 190);
    CHECK_EQ(after.events, before.events);
    CHECK(cb_allow_at(breaker, from_ns + 200 * MS));
}

static void negative_delays_trip_nothing(void) {
    cb_config config = default_config();
    config.probes = 1;
    cb_breaker *breaker = create(&config);
    feed_is_well(breaker, 100 * SECOND);
    CHECK_EQ(snapshot_of(breaker).epoch_ns, 0);

    /* In an epoch they would be of a call from long before it. */
    cb_trip_at(breaker, 200 * SECOND);
    cb_poll_at(breaker, 201 * SECOND);
    CHECK(cb_allow_at(breaker, 201 * SECOND));
    cb_end_at(breaker, 201 * SECOND + 1, cb_begin_at(breaker, 201 * SECOND));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK(snapshot_of(breaker).epoch_ns > 0);
    feed_is_well(breaker, 202 * SECOND);
    cb_destroy(breaker);
}

/* Good or bad, with or without a ticket, before the limit and from it on. */
static void the_limit_is_2_to_the_63(void) {
    cb_config config = quantile_only();
    be_patient(&config);
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 1, NO_TIME);
    cb_record_at(breaker, 1, UINT64_MAX);
    cb_record_failure_at(breaker, 1, NO_TIME);
    cb_record_failure_at(breaker, 1, UINT64_MAX);
    cb_record_probe_at(breaker, 1, NO_TIME, false);
    CHECK_EQ(snapshot_of(breaker).misused, 5);
    CHECK_EQ(snapshot_of(breaker).recorded, 0);
    CHECK_EQ(snapshot_of(breaker).stale, 0);
    cb_record_at(breaker, 1, NO_TIME - 1);
    cb_record_failure_at(breaker, 1, NO_TIME - 1);
    CHECK_EQ(snapshot_of(breaker).misused, 5);
    CHECK_EQ(snapshot_of(breaker).recorded, 2);
    CHECK_EQ(snapshot_of(breaker).failures, 1);
    cb_record_probe_at(breaker, 1, NO_TIME - 1, false); /* none is due */
    CHECK_EQ(snapshot_of(breaker).stale, 1);
    cb_destroy(breaker);
}

static void lanes_tell_them_too(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    for (int i = 0; i < 200; i++) cb_lane_record_at(lane, SECOND, (uint64_t)INT64_C(-2000000));
    cb_lane_record_failure_at(lane, SECOND, NO_TIME);
    cb_lane_record_probe_at(lane, SECOND, NO_TIME, true);
    cb_lane_record_at(lane, SECOND, MS);
    cb_poll_at(breaker, 2 * SECOND);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.state, CB_STATE_CLOSED);
    CHECK_EQ(snapshot.misused, 202);
    CHECK_EQ(snapshot.recorded, 1);
    CHECK_EQ(snapshot.stale, 0);
    CHECK_EQ(snapshot.dropped, 0);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

/* A stamp that was 0, by which the call would have taken 292 years. */
static void a_call_may_take_no_such_time(void) {
    const cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    const cb_call call = cb_begin_at(breaker, 0);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    cb_end_at(breaker, NO_TIME, call);
    cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.in_flight, 0); /* the ticket is redeemed */
    CHECK_EQ(snapshot.misused, 1);
    CHECK_EQ(snapshot.recorded, 0);
    CHECK_EQ(snapshot.samples, 0);
    CHECK_EQ(snapshot.stale, 0);
    CHECK_EQ(snapshot.state, CB_STATE_CLOSED);
    cb_end_at(breaker, NO_TIME, call); /* and twice is twice */
    CHECK_EQ(snapshot_of(breaker).misused, 2);

    cb_fail_at(breaker, NO_TIME + NO_TIME / 2, cb_begin_at(breaker, NO_TIME)); /* an ordinary latency, however late */
    snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.recorded, 1);
    CHECK_EQ(snapshot.failures, 1);
    cb_destroy(breaker);
}

/* Half-open, and a trial granted; one trial closes it. */
static cb_breaker *with_a_trial(void) {
    cb_config config = default_config();
    config.probes = 1;
    cb_breaker *breaker = half_open(config);
    CHECK(cb_allow_at(breaker, SECOND));
    return breaker;
}

/* It has no result, so it reopens when the result is overdue. */
static void a_trial_is_lost_by_one(void) {
    cb_breaker *breaker = with_a_trial();
    cb_record_at(breaker, SECOND + MS, NO_TIME);
    cb_record_failure_at(breaker, SECOND + MS, UINT64_MAX);
    CHECK_EQ(snapshot_of(breaker).misused, 2);
    CHECK_EQ(snapshot_of(breaker).trials_out, 1);
    CHECK(!cb_allow_at(breaker, SECOND + MS));
    cb_poll_at(breaker, 3 * SECOND - 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_poll_at(breaker, 3 * SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_LOST);
    cb_destroy(breaker);

    /* With a ticket, too. The time of such an end is so late that the trial was too slow before. */
    breaker = with_a_trial();
    const cb_call trial = cb_begin_at(breaker, SECOND);
    cb_end_at(breaker, SECOND + NO_TIME, trial);
    CHECK_EQ(snapshot_of(breaker).misused, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 0);
    CHECK_EQ(snapshot_of(breaker).trials_good, 0);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_SLOW);
    cb_destroy(breaker);

    /* A lane's stamps don't move the owner's time. */
    breaker = with_a_trial();
    cb_release_at(breaker, SECOND);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    CHECK(cb_lane_allow(lane));
    cb_lane_end_at(lane, SECOND + NO_TIME, cb_lane_begin_at(lane, SECOND));
    cb_poll_at(breaker, SECOND + MS);
    CHECK_EQ(snapshot_of(breaker).misused, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 0);
    CHECK_EQ(snapshot_of(breaker).trials_out, 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_poll_at(breaker, 3 * SECOND + MS);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_LOST);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

int main(void) {
    negative_delays_trip_nothing();
    the_limit_is_2_to_the_63();
    lanes_tell_them_too();
    a_call_may_take_no_such_time();
    a_trial_is_lost_by_one();
    return 0;
}
