/* Lanes, every function of them, in virtual time on one thread. (traders.c has real ones.) */
#include "check.h"

static cb_lane *open_lane(cb_breaker *breaker, uint32_t messages) {
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, messages, &lane), CB_STATUS_OK);
    CHECK(lane != NULL);
    return lane;
}

/* What the owner makes of all that lanes have said by now. */
static cb_snapshot heard(cb_breaker *breaker, uint64_t now_ns) {
    cb_poll_at(breaker, now_ns);
    return snapshot_of(breaker);
}

static void arguments(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *const garbage = (cb_lane *)(uintptr_t)8;
    cb_lane *lane = garbage;
    CHECK_EQ(cb_lane_open(NULL, 0, &lane), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK(lane == NULL);
    CHECK_EQ(cb_lane_open(breaker, 0, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "out is NULL");
    cb_lane_close(NULL);
    CHECK(cb_lane_gate_of(NULL) == NULL);
    CHECK_EQ(cb_lane_dropped(NULL), 0);
    cb_destroy(breaker);
}

static void calls_and_records_reach_the_owner_when_it_polls(void) {
    const cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 0);
    const cb_call ended = cb_lane_begin_at(lane, 10), failed = cb_lane_begin_at(lane, 20);
    const cb_call abandoned = cb_lane_begin_at(lane, 30);
    CHECK_EQ(ended.start_ns, 10);
    cb_lane_end_at(lane, 15, ended);
    CHECK_EQ(snapshot_of(breaker).samples, 0);
    CHECK_EQ(heard(breaker, 20).samples, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 2);
    cb_lane_fail_at(lane, 27, failed);
    cb_lane_abandon_at(lane, 31, abandoned);
    cb_lane_record_at(lane, 40, 3);
    cb_lane_record_failure_at(lane, 40, 4);
    const cb_snapshot snapshot = heard(breaker, 40);
    CHECK_EQ(snapshot.samples, 4);
    CHECK_EQ(snapshot.failed, 2);
    CHECK_EQ(snapshot.recorded, 4);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.misused, 0);
    CHECK_EQ(snapshot.dropped, 0);
    CHECK_EQ(cb_quantile_ns(breaker, 0), 3);
    CHECK_EQ(cb_quantile_ns(breaker, 750000), 5);
    CHECK_EQ(cb_quantile_ns(breaker, 1000000), 7);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

static void the_plain_forms_read_the_breakers_clock(void) {
    cb_config config = quantile_only();
    config.threshold_ns = NEVER; /* no local pause is a trip */
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 0);
    const uint64_t before_ns = cb_now_ns(breaker);
    const cb_call ended = cb_lane_begin(lane), failed = cb_lane_begin(lane), abandoned = cb_lane_begin(lane);
    /* Between CPUs the clock may go back a little. */
    CHECK(ended.start_ns + MS > before_ns && cb_lane_now_ns(lane) + MS > ended.start_ns);
    CHECK(cb_lane_now_ns(lane) - before_ns < 100 * SECOND);
    cb_lane_end(lane, ended);
    cb_lane_fail(lane, failed);
    cb_lane_abandon(lane, abandoned);
    cb_lane_record(lane, 1);
    cb_lane_record_failure(lane, 2);
    cb_lane_record_probe(lane, 3, true); /* stale */
    cb_poll(breaker);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.samples, 4);
    CHECK_EQ(snapshot.failed, 2);
    CHECK_EQ(snapshot.stale, 1);
    CHECK_EQ(snapshot.in_flight, 0);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

static void the_gate_is_the_breakers(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 0);
    const cb_gate *gate = cb_lane_gate_of(lane);
    CHECK(gate == cb_gate_of(breaker));
    CHECK(cb_gate_closed(gate) && cb_lane_allow(lane));
    cb_halt(breaker);
    CHECK(!cb_gate_closed(gate) && !cb_lane_allow(lane));
    cb_resume(breaker);
    CHECK(cb_gate_closed(gate) && cb_lane_allow(lane));
    cb_lane_record_at(lane, 1, NEVER);
    CHECK(cb_lane_allow(lane)); /* the owner hasn't heard of it */
    CHECK_EQ(heard(breaker, 2).state, CB_STATE_OPEN);
    CHECK(!cb_gate_closed(gate) && !cb_lane_allow(lane));
    CHECK_EQ(snapshot_of(breaker).refused, 2);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

static void a_lane_may_outlive_its_breaker(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *lane = open_lane(breaker, 4);
    const cb_gate *gate = cb_lane_gate_of(lane);
    CHECK(cb_gate_closed(gate) && cb_lane_allow(lane));
    cb_destroy(breaker);
    CHECK(!cb_gate_closed(gate) && !cb_lane_allow(lane)); /* nobody watches */
    for (uint64_t i = 0; i < 10; i++) cb_lane_end_at(lane, i, cb_lane_begin_at(lane, i));
    CHECK(cb_lane_dropped(lane) > 0); /* nobody hears */
    CHECK(cb_lane_now_ns(lane) > 0);
    cb_lane_close(lane);
}

static void what_a_closed_lane_said_is_heard(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *lane = open_lane(breaker, 0);
    cb_lane_end_at(lane, 2, cb_lane_begin_at(lane, 1));
    const cb_call left = cb_lane_begin_at(lane, 3);
    CHECK_EQ(left.start_ns, 3);
    cb_lane_close(lane);
    CHECK_EQ(heard(breaker, 3).samples, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    CHECK_EQ(heard(breaker, 3 + SECOND).state, CB_STATE_OPEN);
    CHECK_EQ(last_reason(breaker), CB_REASON_STALL);
    cb_destroy(breaker);
}

static void lanes_and_the_owner_share_the_trials(void) {
    cb_config config = default_config();
    config.probes = 3;
    config.trials_in_flight = 2;
    cb_breaker *breaker = half_open(config);
    cb_lane *first = open_lane(breaker, 0), *second = open_lane(breaker, 0);
    CHECK(cb_lane_allow(first) && cb_allow_at(breaker, SECOND));
    CHECK(!cb_lane_allow(second) && !cb_lane_allow(first) && !cb_allow_at(breaker, SECOND));
    cb_lane_release(second); /* has none */
    CHECK_EQ(heard(breaker, SECOND).trials_granted, 2);
    CHECK_EQ(snapshot_of(breaker).trials_out, 2);
    cb_lane_release(first);
    cb_lane_release(first);
    CHECK(!cb_lane_allow(second)); /* the owner hasn't polled */
    CHECK_EQ(heard(breaker, SECOND + 1).trials_out, 1);
    CHECK(cb_lane_allow(second) && !cb_lane_allow(first));
    cb_end_at(breaker, SECOND + 3, cb_begin_at(breaker, SECOND + 2));
    cb_lane_end_at(second, SECOND + 4, cb_lane_begin_at(second, SECOND + 2));
    CHECK_EQ(heard(breaker, SECOND + 4).trials_good, 2);
    CHECK(cb_lane_allow(first)); /* sent, and taken back */
    cb_lane_abandon_at(first, SECOND + 6, cb_lane_begin_at(first, SECOND + 5));
    CHECK_EQ(heard(breaker, SECOND + 6).trials_granted, 2);
    CHECK(cb_lane_allow(first));
    cb_lane_end_at(first, SECOND + 8, cb_lane_begin_at(first, SECOND + 7));
    CHECK_EQ(heard(breaker, SECOND + 8).state, CB_STATE_CLOSED);
    CHECK_EQ(last_reason(breaker), CB_REASON_RECOVERED);
    CHECK_EQ(snapshot_of(breaker).misused, 0);
    cb_lane_close(first);
    cb_lane_close(second);
    cb_destroy(breaker);
}

static void a_bad_or_late_trial_of_a_lane_reopens(void) {
    cb_config config = default_config();
    config.probes = 1;
    for (int how = 0; how < 3; how++) {
        cb_breaker *breaker = half_open(config);
        cb_lane *lane = open_lane(breaker, 0);
        CHECK(cb_lane_allow(lane));
        const cb_call call = cb_lane_begin_at(lane, SECOND + 1);
        if (how == 0) cb_lane_fail_at(lane, SECOND + 2, call);
        if (how == 1) cb_lane_end_at(lane, SECOND + 2 + RECOVER, call);
        cb_poll_at(breaker, SECOND + 2 + RECOVER);
        CHECK_EQ(last_reason(breaker), how == 0 ? CB_REASON_PROBE_FAILED : CB_REASON_PROBE_SLOW);
        cb_lane_close(lane);
        cb_destroy(breaker);
    }
}

static void health_checks_on_a_lane(void) {
    cb_config config = default_config();
    config.recovery = CB_RECOVERY_HEALTH_CHECKS;
    config.probes = 2;
    cb_breaker *breaker = half_open(config);
    cb_lane *lane = open_lane(breaker, 0);
    CHECK(!cb_lane_allow(lane));
    cb_lane_record_probe_at(lane, SECOND + 10, 5, true);
    CHECK_EQ(heard(breaker, SECOND + 10).trials_good, 1);
    cb_lane_record_probe_at(lane, SECOND + 20, 5, true);
    CHECK_EQ(heard(breaker, SECOND + 20).state, CB_STATE_CLOSED);
    cb_lane_record_probe_at(lane, SECOND + 21, 5, true);
    CHECK_EQ(heard(breaker, SECOND + 21).stale, 1);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

static void a_full_lane_drops_and_counts_but_never_an_end(void) {
    const cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 8);
    cb_call calls[6];
    for (uint64_t i = 0; i < 6; i++) calls[i] = cb_lane_begin_at(lane, i); /* four fit, with their ends */
    CHECK_EQ(cb_lane_dropped(lane), 2);
    cb_lane_record_at(lane, 6, 1);
    cb_lane_record_probe_at(lane, 6, 1, true);
    CHECK_EQ(cb_lane_dropped(lane), 4);
    for (int i = 0; i < 6; i++) cb_lane_end_at(lane, 10, calls[i]);
    CHECK_EQ(cb_lane_dropped(lane), 6);
    cb_snapshot snapshot = heard(breaker, 10);
    CHECK_EQ(snapshot.recorded, 4);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.dropped, 6);
    CHECK_EQ(snapshot.misused, 0);
    cb_lane_record_at(lane, 11, 1); /* there is room again */
    cb_lane_close(lane);
    snapshot = heard(breaker, 11);
    CHECK_EQ(snapshot.recorded, 5);
    CHECK_EQ(snapshot.dropped, 6);
    CHECK(cb_get_published(breaker, &snapshot));
    cb_poll_at(breaker, SECOND); /* publishes what was */
    CHECK(cb_get_published(breaker, &snapshot));
    CHECK_EQ(snapshot.dropped, 6);
    cb_destroy(breaker);
}

static void a_lane_has_as_much_room_as_it_was_given(void) {
    static const struct { uint32_t asked; uint64_t messages; } SIZES[] = {
        {0, 4096}, {1, 4}, {4, 4}, {9, 9}, {1048576, 1048576}, {UINT32_MAX, 1048576}};
    cb_breaker *breaker = create(NULL);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        cb_lane *lane = open_lane(breaker, SIZES[i].asked);
        for (uint64_t said = 0; said < SIZES[i].messages; said++) cb_lane_record_at(lane, 0, 0);
        CHECK_EQ(cb_lane_dropped(lane), 0);
        cb_lane_record_at(lane, 0, 0);
        CHECK_EQ(cb_lane_dropped(lane), 1);
        cb_lane_close(lane);
    }
    cb_destroy(breaker);
}

static void tickets_that_come_back_twice_or_elsewhere_are_counted(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *first = open_lane(breaker, 0), *second = open_lane(breaker, 0);
    const cb_call own = cb_begin_at(breaker, 1), call = cb_lane_begin_at(first, 1), garbage = {1, UINT64_MAX - 1};
    cb_lane_end_at(second, 2, call);
    cb_lane_end_at(second, 2, own);
    cb_lane_fail_at(second, 2, garbage);
    CHECK_EQ(heard(breaker, 2).misused, 3);
    cb_lane_end_at(first, 2, call);
    cb_lane_end_at(first, 2, call);
    cb_lane_fail_at(first, 2, call);
    cb_lane_abandon_at(first, 2, call);
    cb_end_at(breaker, 3, call);
    CHECK_EQ(heard(breaker, 3).misused, 7);
    CHECK_EQ(snapshot_of(breaker).samples, 1);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    cb_lane_close(first);
    cb_lane_close(second);
    CHECK_EQ(heard(breaker, 4).misused, 7);
    cb_destroy(breaker);
}

static void stamps_of_an_earlier_epoch_are_stale(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 0);
    const cb_call before = cb_lane_begin_at(lane, 0);
    open_at(breaker, 0);
    CHECK_EQ(heard(breaker, SECOND).state, CB_STATE_HALF_OPEN);
    cb_lane_fail_at(lane, SECOND + 1, before);
    cb_lane_record_failure_at(lane, SECOND + 1, 2);
    CHECK_EQ(heard(breaker, SECOND + 1).state, CB_STATE_HALF_OPEN);
    CHECK_EQ(snapshot_of(breaker).stale, 2);
    CHECK_EQ(snapshot_of(breaker).misused, 0);
    cb_lane_record_failure_at(lane, SECOND + 1, 1); /* sent in the epoch */
    CHECK_EQ(heard(breaker, SECOND + 1).state, CB_STATE_OPEN);
    cb_lane_close(lane);
    cb_destroy(breaker);
}

int main(void) {
    arguments();
    calls_and_records_reach_the_owner_when_it_polls();
    the_plain_forms_read_the_breakers_clock();
    the_gate_is_the_breakers();
    a_lane_may_outlive_its_breaker();
    what_a_closed_lane_said_is_heard();
    lanes_and_the_owner_share_the_trials();
    a_bad_or_late_trial_of_a_lane_reopens();
    health_checks_on_a_lane();
    a_full_lane_drops_and_counts_but_never_an_end();
    a_lane_has_as_much_room_as_it_was_given();
    tickets_that_come_back_twice_or_elsewhere_are_counted();
    stamps_of_an_earlier_epoch_are_stale();
    return 0;
}
