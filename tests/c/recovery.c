/* From open through half-open to closed: deadlines, trials, health checks, epochs, attempts. In virtual time. */
#include "check.h"

static void open_refuses_until_the_very_deadline(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    open_at(breaker, 10);
    CHECK_EQ(cb_next_deadline_ns(breaker), 10 + SECOND);
    cb_record_failure_at(breaker, 20, 5); /* samples enter, nothing is judged */
    CHECK_EQ(snapshot_of(breaker).samples, 2);
    CHECK_EQ(snapshot_of(breaker).retry_at_ns, 10 + SECOND);
    CHECK(!cb_allow_at(breaker, 10 + SECOND - 1));
    CHECK_EQ(snapshot_of(breaker).refused, 1);
    CHECK(cb_allow_at(breaker, 10 + SECOND));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_RETRY);
    CHECK_EQ(event.from, CB_STATE_OPEN);
    CHECK_EQ(event.to, CB_STATE_HALF_OPEN);
    CHECK_EQ(event.t_ns, 10 + SECOND);
    CHECK_EQ(event.samples, 2); /* before the epoch clears them */
    CHECK_EQ(event.slow, 1);
    CHECK_EQ(event.failures, 1);
    CHECK_EQ(event.retry_at_ns, NEVER);
    CHECK_EQ(event.owner_gap_ns, 1);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.samples, 0);
    CHECK_EQ(snapshot.epoch_ns, 10 + SECOND);
    CHECK_EQ(snapshot.retry_at_ns, NEVER);
    CHECK_EQ(snapshot.trials_granted, 1);
    cb_destroy(breaker);
}

static void poll_alone_reaches_half_open(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    open_at(breaker, 0);
    cb_poll_at(breaker, SECOND - 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    cb_poll_at(breaker, SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER); /* it waits for trials as long as it takes */
    cb_destroy(breaker);
}

static void all_good_trials_close(void) {
    cb_config config = default_config();
    config.probes = 3;
    config.trials_in_flight = 2;
    cb_breaker *breaker = half_open(config);
    CHECK(cb_allow_at(breaker, SECOND));
    CHECK(cb_allow_at(breaker, SECOND));
    CHECK(!cb_allow_at(breaker, SECOND)); /* trials_in_flight */
    const cb_call first = cb_begin_at(breaker, SECOND);
    const cb_call second = cb_begin_at(breaker, SECOND);
    cb_end_at(breaker, SECOND + 1, first);
    CHECK_EQ(snapshot_of(breaker).trials_granted, 2);
    CHECK_EQ(snapshot_of(breaker).trials_out, 1);
    CHECK_EQ(snapshot_of(breaker).trials_good, 1);
    CHECK(cb_allow_at(breaker, SECOND + 1));
    CHECK(!cb_allow_at(breaker, SECOND + 1));
    cb_end_at(breaker, SECOND + 2, second);
    CHECK(!cb_allow_at(breaker, SECOND + 2)); /* probes */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_record_at(breaker, SECOND + 3, 1); /* without a ticket: the third grant's result */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK(cb_gate_closed(cb_gate_of(breaker)));
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_RECOVERED);
    CHECK_EQ(event.from, CB_STATE_HALF_OPEN);
    CHECK_EQ(event.to, CB_STATE_CLOSED);
    CHECK_EQ(event.retry_at_ns, NEVER);
    CHECK_EQ(event.samples, 3);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.samples, 3); /* the window that they filled is kept */
    CHECK_EQ(snapshot.trials_granted, 0);
    CHECK_EQ(snapshot.trials_good, 0);
    CHECK_EQ(snapshot.refused, 3);
    cb_destroy(breaker);
}

static void what_is_not_sent_counts_neither_way(void) {
    cb_config config = default_config();
    config.probes = 1;
    cb_breaker *breaker = half_open(config);
    cb_release_at(breaker, SECOND); /* nothing is granted: does nothing */
    for (int i = 0; i < 3; i++) {
        CHECK(cb_allow_at(breaker, SECOND));
        CHECK(!cb_allow_at(breaker, SECOND));
        cb_release_at(breaker, SECOND);
        CHECK(cb_allow_at(breaker, SECOND));
        const cb_call call = cb_begin_at(breaker, SECOND);
        CHECK(!cb_allow_at(breaker, SECOND));
        cb_abandon_at(breaker, SECOND + 1, call);
        CHECK_EQ(snapshot_of(breaker).trials_out, 0);
        CHECK_EQ(snapshot_of(breaker).trials_granted, 0);
        CHECK_EQ(snapshot_of(breaker).in_flight, 0);
        CHECK_EQ(cb_next_deadline_ns(breaker), NEVER);
    }
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    good_trial(breaker, SECOND + 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    cb_destroy(breaker);
}

static void slow_failed_late_and_lost_trials_reopen(void) {
    cb_config config = default_config();
    config.probes = 1;
    cb_breaker *breaker = half_open(config);
    CHECK(cb_allow_at(breaker, SECOND + RECOVER));
    cb_record_at(breaker, SECOND + RECOVER, RECOVER); /* at the limit is good */
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    cb_destroy(breaker);

    breaker = half_open(config);
    CHECK(cb_allow_at(breaker, SECOND + RECOVER + 1));
    cb_record_at(breaker, SECOND + RECOVER + 1, RECOVER + 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_SLOW);
    CHECK_EQ(last_event(breaker).attempt, 1);
    CHECK_EQ(last_event(breaker).retry_at_ns, SECOND + RECOVER + 1 + 2 * SECOND);
    cb_destroy(breaker);

    breaker = half_open(config); /* whoever's it is: here a cancel's */
    const cb_call cancel = cb_begin_at(breaker, SECOND);
    cb_fail_at(breaker, SECOND + RECOVER + 1, cancel); /* failed is tried before slow */
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_FAILED);
    CHECK_EQ(last_event(breaker).failures, 1);
    cb_destroy(breaker);

    breaker = half_open(config);
    (void)cb_begin_at(breaker, SECOND); /* a cancel has no such deadline */
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER);
    CHECK(cb_allow_at(breaker, SECOND + 5));
    (void)cb_begin_at(breaker, SECOND + 5);
    CHECK_EQ(cb_next_deadline_ns(breaker), SECOND + 5 + RECOVER + 1);
    cb_poll_at(breaker, SECOND + 5 + RECOVER);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_poll_at(breaker, SECOND + 5 + RECOVER + 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_SLOW);
    cb_destroy(breaker);

    breaker = half_open(config); /* a grant of which nothing is heard: probe_timeout is 2 s */
    CHECK(cb_allow_at(breaker, SECOND + 7));
    CHECK_EQ(cb_next_deadline_ns(breaker), SECOND + 7 + 2 * SECOND);
    cb_poll_at(breaker, SECOND + 7 + 2 * SECOND - 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_poll_at(breaker, SECOND + 7 + 2 * SECOND);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_LOST);
    cb_destroy(breaker);
}

static void calls_from_before_the_epoch_are_stale(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    config.probes = 1;
    cb_breaker *breaker = create(&config);
    const cb_call ended = cb_begin_at(breaker, 0);
    const cb_call failed = cb_begin_at(breaker, 0);
    const cb_call abandoned = cb_begin_at(breaker, 0);
    open_at(breaker, 0);
    cb_poll_at(breaker, SECOND);
    CHECK(cb_allow_at(breaker, SECOND));
    cb_end_at(breaker, SECOND + 1, ended);
    cb_fail_at(breaker, SECOND + 1, failed);
    cb_record_at(breaker, SECOND + 1, 2);
    cb_record_failure_at(breaker, SECOND + 1, SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    CHECK_EQ(snapshot_of(breaker).stale, 4);
    CHECK_EQ(snapshot_of(breaker).samples, 0);
    cb_abandon_at(breaker, SECOND + 1, abandoned);
    CHECK_EQ(snapshot_of(breaker).trials_out, 1); /* not that call's */
    cb_record_at(breaker, SECOND + 1, 1); /* began with the epoch */
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    cb_destroy(breaker);
}

static void health_checks_recover_without_trials(void) {
    cb_config config = default_config();
    config.recovery = CB_RECOVERY_HEALTH_CHECKS;
    config.probes = 2;
    cb_breaker *breaker = create(&config);
    cb_record_probe_at(breaker, 0, 1, true); /* stale: closed */
    CHECK_EQ(snapshot_of(breaker).stale, 1);
    cb_destroy(breaker);

    breaker = half_open(config);
    CHECK(!cb_allow_at(breaker, SECOND));
    CHECK_EQ(cb_next_deadline_ns(breaker), 3 * SECOND); /* since half-open began */
    cb_record_probe_at(breaker, 2 * SECOND, RECOVER, true);
    CHECK_EQ(snapshot_of(breaker).trials_good, 1);
    CHECK_EQ(snapshot_of(breaker).samples, 0); /* checks enter no window */
    CHECK_EQ(cb_next_deadline_ns(breaker), 4 * SECOND); /* since the last result */
    cb_record_at(breaker, 2 * SECOND, SECOND); /* only checks count */
    cb_record_failure_at(breaker, 2 * SECOND, 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_record_probe_at(breaker, 2 * SECOND + 1, 1, true);
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    cb_destroy(breaker);

    breaker = half_open(config);
    cb_record_probe_at(breaker, 2 * SECOND, RECOVER + 1, true);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_SLOW);
    cb_record_probe_at(breaker, 2 * SECOND, 1, true); /* stale: open */
    CHECK_EQ(snapshot_of(breaker).stale, 1);
    cb_destroy(breaker);

    breaker = half_open(config);
    cb_record_probe_at(breaker, 2 * SECOND, RECOVER + 1, false);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_FAILED);
    cb_destroy(breaker);

    breaker = half_open(config);
    cb_record_probe_at(breaker, SECOND + 1, 2, true); /* began before the epoch */
    CHECK_EQ(snapshot_of(breaker).stale, 1);
    cb_poll_at(breaker, 3 * SECOND - 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_poll_at(breaker, 3 * SECOND);
    CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_LOST);
    cb_destroy(breaker);
}

static void a_breaker_may_start_half_open(void) {
    cb_config config = default_config();
    config.start = CB_STATE_HALF_OPEN;
    config.probes = 1;
    cb_breaker *breaker = create(&config);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    CHECK(!cb_gate_closed(cb_gate_of(breaker)));
    CHECK_EQ(snapshot_of(breaker).events, 0);
    CHECK(cb_allow_at(breaker, 100));
    cb_record_at(breaker, 100, 100 * MS); /* before the first epoch nothing is stale */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK_EQ(snapshot_of(breaker).stale, 0);
    cb_destroy(breaker);

    breaker = create(&config);
    cb_record_failure_at(breaker, 5, 1);
    CHECK_EQ(last_event(breaker).attempt, 0); /* the first opening of any kind */
    CHECK_EQ(last_event(breaker).retry_at_ns, 5 + SECOND);
    cb_destroy(breaker);
}

/* Pauses of 1, 2, 4 ... 32, 60, 60 s: the 6th attempt is the first of 60 s, so it stays 6. */
static void pauses_grow_to_their_greatest(void) {
    static const uint64_t PAUSES_S[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    open_at(breaker, 0);
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < 9; i++) {
        CHECK_EQ(last_event(breaker).attempt, i < 6 ? i : 6);
        CHECK_EQ(snapshot_of(breaker).attempt, i < 6 ? i : 6);
        CHECK_EQ(cb_next_deadline_ns(breaker), now_ns + PAUSES_S[i] * SECOND);
        now_ns = cb_next_deadline_ns(breaker);
        cb_poll_at(breaker, now_ns);
        CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
        now_ns += 5;
        cb_record_failure_at(breaker, now_ns, 1);
        CHECK_EQ(last_reason(breaker), CB_REASON_PROBE_FAILED);
    }
    cb_destroy(breaker);
}

/* Each 30 s closed forgive one attempt. After attempt 1 the next is 2, less what is forgiven. */
static void closed_spans_forgive_attempts(void) {
    static const struct { uint64_t closed_ns; uint32_t attempt; } CASES[] = {
        {THRESHOLD, 2}, {30 * SECOND - 1, 2}, {30 * SECOND, 1}, {60 * SECOND, 0}, {1000 * SECOND, 0}};
    for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        cb_config config = default_config();
        config.probes = 1;
        cb_breaker *breaker = half_open(config);
        cb_record_failure_at(breaker, SECOND + 1, 1); /* attempt 1: 2 s */
        cb_poll_at(breaker, 3 * SECOND + 1);
        good_trial(breaker, 3 * SECOND + 1); /* closed one nanosecond later */
        CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
        cb_record_at(breaker, 3 * SECOND + 2 + CASES[i].closed_ns, THRESHOLD + 1);
        CHECK_EQ(last_reason(breaker), CB_REASON_SPIKE);
        CHECK_EQ(last_event(breaker).attempt, CASES[i].attempt);
        cb_destroy(breaker);
    }
}

static void jitter_lengthens_a_pause_by_up_to_its_share_and_is_seeded(void) {
    uint64_t pauses_ns[2][20];
    for (int run = 0; run < 2; run++) {
        cb_config config = default_config();
        config.spike_count = 1;
        config.jitter_ppm = 500000;
        config.jitter_seed = 99;
        config.backoff_multiplier = 1;
        cb_breaker *breaker = create(&config);
        uint64_t now_ns = 0;
        open_at(breaker, 0);
        for (int i = 0; i < 20; i++) {
            const uint64_t pause_ns = cb_next_deadline_ns(breaker) - now_ns;
            CHECK(pause_ns >= SECOND && pause_ns < SECOND + SECOND / 2);
            pauses_ns[run][i] = pause_ns;
            now_ns = cb_next_deadline_ns(breaker);
            cb_poll_at(breaker, now_ns);
            cb_record_failure_at(breaker, now_ns, 0);
            CHECK_EQ(last_event(breaker).attempt, 0); /* backoff_multiplier is 1 */
        }
        cb_destroy(breaker);
    }
    CHECK(memcmp(pauses_ns[0], pauses_ns[1], sizeof pauses_ns[0]) == 0);
    CHECK(pauses_ns[0][0] != pauses_ns[0][1]);
}

int main(void) {
    open_refuses_until_the_very_deadline();
    poll_alone_reaches_half_open();
    all_good_trials_close();
    what_is_not_sent_counts_neither_way();
    slow_failed_late_and_lost_trials_reopen();
    calls_from_before_the_epoch_are_stale();
    health_checks_recover_without_trials();
    a_breaker_may_start_half_open();
    pauses_grow_to_their_greatest();
    closed_spans_forgive_attempts();
    jitter_lengthens_a_pause_by_up_to_its_share_and_is_seeded();
    return 0;
}
