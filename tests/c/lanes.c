/*
 * Lanes: pointers, the real clock, how much room they have, and trials given back. tests/conformance/lanes.txt has the
 * rest, and traders.c has real threads.
 */
#include "check.h"

static cb_lane *open_lane(cb_breaker *breaker, uint32_t capacity) {
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, capacity, &lane), CB_STATUS_OK);
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
    cb_breaker *breaker = create(NULL);
    cb_lane *lane = open_lane(breaker, 0);
    CHECK(cb_lane_gate_of(lane) == cb_gate_of(breaker));
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
    cb_lane_release(first); /* has none any more */
    CHECK_EQ(heard(breaker, SECOND + 1).trials_out, 1);
    CHECK(cb_lane_allow(first) && !cb_lane_allow(second));
    cb_lane_release(first);
    CHECK(cb_lane_allow(second) && !cb_lane_allow(first)); /* at once */
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

static void a_full_lane_drops_and_counts_but_never_an_end(void) {
    const cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    cb_lane *lane = open_lane(breaker, 4);
    cb_call calls[6];
    CHECK(cb_lane_allow(lane));
    for (uint64_t i = 0; i < 6; i++) calls[i] = cb_lane_begin_at(lane, i); /* four fit */
    CHECK_EQ(cb_lane_dropped(lane), 2);
    CHECK(!cb_lane_allow(lane)); /* a fifth could not be told */
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
    CHECK(cb_lane_allow(lane)); /* there is room again */
    cb_lane_record_at(lane, 11, 1);
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
    static const struct { uint32_t asked; uint64_t room; } SIZES[] = {
        {0, 4096}, {1, 4}, {4, 4}, {9, 9}, {1048576, 1048576}, {UINT32_MAX, 1048576}};
    cb_breaker *breaker = create(NULL);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        cb_lane *lane = open_lane(breaker, SIZES[i].asked);
        for (uint64_t said = 0; said < SIZES[i].room; said++) cb_lane_record_at(lane, 0, 0);
        CHECK_EQ(cb_lane_dropped(lane), 0);
        cb_lane_record_at(lane, 0, 0);
        CHECK_EQ(cb_lane_dropped(lane), 1);
        for (uint64_t begun = 0; begun < SIZES[i].room; begun++) (void)cb_lane_begin_at(lane, 0);
        CHECK_EQ(cb_lane_dropped(lane), 1);
        (void)cb_lane_begin_at(lane, 0);
        CHECK_EQ(cb_lane_dropped(lane), 2);
        cb_lane_close(lane);
    }
    cb_destroy(breaker);
}

static void a_lane_has_two_halves(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *const garbage = (cb_lane *)(uintptr_t)8;
    cb_lane *begins = open_lane(breaker, 0), *ends = garbage;
    CHECK_EQ(cb_lane_split(NULL, &ends), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "lane is NULL");
    CHECK(ends == NULL);
    CHECK_EQ(cb_lane_split(begins, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "end is NULL");
    const cb_call early = cb_lane_begin_at(begins, 1);
    CHECK_EQ(cb_lane_split(begins, &ends), CB_STATUS_OK);
    CHECK(ends != NULL && cb_lane_gate_of(ends) == cb_gate_of(breaker));
    CHECK(cb_lane_now_ns(ends) > 0);
    cb_lane *third = garbage;
    CHECK_EQ(cb_lane_split(begins, &third), CB_STATUS_NOT_NOW);
    CHECK_TEXT(cb_error_text(), "the lane is a half already");
    CHECK(third == NULL);
    CHECK_EQ(cb_lane_split(ends, &third), CB_STATUS_NOT_NOW);

    CHECK(cb_lane_allow(begins));
    cb_lane_release(begins);
    const cb_call late = cb_lane_begin_at(begins, 2), failed = cb_lane_begin_at(begins, 3);
    cb_lane_end_at(ends, 5, late);
    cb_lane_end_at(ends, 5, early);
    cb_lane_fail_at(begins, 6, failed);
    cb_lane_fail_at(ends, 6, failed); /* too late */
    const cb_call abandoned = cb_lane_begin_at(begins, 7);
    cb_lane_abandon_at(ends, 8, abandoned);
    cb_lane_record_at(ends, 8, 1);
    cb_lane_record_failure_at(begins, 8, 1);
    cb_snapshot snapshot = heard(breaker, 10);
    CHECK_EQ(snapshot.samples, 5);
    CHECK_EQ(snapshot.failed, 2);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.misused, 1);

    /* What is not a half's own is counted, and does nothing. */
    CHECK(!cb_lane_allow(ends));
    cb_lane_release(ends);
    const cb_call nothing = cb_lane_begin_at(ends, 11);
    CHECK_EQ(nothing.start_ns, 11);
    cb_lane_end_at(ends, 12, nothing);
    cb_lane_abandon_at(begins, 12, nothing);
    const cb_call call = cb_lane_begin_at(begins, 13);
    cb_lane_end_at(begins, 14, call);
    cb_lane_record_probe_at(begins, 14, 1, true);
    snapshot = heard(breaker, 20);
    CHECK_EQ(snapshot.samples, 5);
    CHECK_EQ(snapshot.in_flight, 1); /* that call */
    CHECK_EQ(snapshot.misused, 1 + 7);
    CHECK_EQ(snapshot.refused, 0);
    cb_lane_close(begins);
    cb_lane_end_at(ends, 21, call);
    CHECK_EQ(heard(breaker, 22).samples, 6);
    CHECK_EQ(cb_lane_dropped(ends), 0);
    cb_lane_hand_over(ends);
    cb_lane_hand_over(NULL);
    cb_lane_close(ends);
    cb_destroy(breaker);
}

int main(void) {
    arguments();
    a_lane_has_two_halves();
    the_plain_forms_read_the_breakers_clock();
    the_gate_is_the_breakers();
    a_lane_may_outlive_its_breaker();
    lanes_and_the_owner_share_the_trials();
    a_full_lane_drops_and_counts_but_never_an_end();
    a_lane_has_as_much_room_as_it_was_given();
    return 0;
}
