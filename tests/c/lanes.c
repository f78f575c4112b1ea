/*
 * Lanes: pointers, the real clock, and how much room they have at least and at most. lanes.txt and halves.txt in
 * tests/conformance have the rest, and traders.c has real threads.
 */
#include "check.h"

static cb_lane *open_lane(cb_breaker *breaker, uint32_t capacity) {
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, capacity, &lane), CB_STATUS_OK);
    CHECK(lane != NULL);
    return lane;
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
    be_patient(&config);
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
    CHECK_EQ(snapshot.failures, 2);
    CHECK_EQ(snapshot.stale, 1);
    CHECK_EQ(snapshot.in_flight, 0);
    cb_destroy(breaker);
    CHECK(cb_lane_now_ns(lane) + MS > ended.start_ns); /* the clock goes on without it */
    cb_lane_close(lane);
}

static void the_gate_is_the_breakers(void) {
    cb_breaker *breaker = create(NULL);
    cb_lane *lane = open_lane(breaker, 0);
    CHECK(cb_lane_gate_of(lane) == cb_gate_of(breaker));
    cb_lane_close(lane);
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
        for (uint64_t begun = 0; begun < SIZES[i].room; begun++) CHECK_EQ(cb_lane_begin_at(lane, 0).start_ns, 0);
        CHECK_EQ(cb_lane_dropped(lane), 1);
        CHECK_EQ(cb_lane_begin_at(lane, 0).start_ns, 0);
        CHECK_EQ(cb_lane_dropped(lane), 2);
        cb_lane_close(lane);
    }
    cb_destroy(breaker);
}

static void a_lane_has_two_halves(void) {
    cb_config config = quantile_only();
    be_patient(&config);
    cb_breaker *breaker = create(&config);
    cb_lane *const garbage = (cb_lane *)(uintptr_t)8;
    cb_lane *begins = open_lane(breaker, 0), *ends = garbage;
    CHECK_EQ(cb_lane_split(NULL, &ends), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "lane is NULL");
    CHECK(ends == NULL);
    CHECK_EQ(cb_lane_split(begins, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "end is NULL");
    const cb_call early = cb_lane_begin(begins);
    CHECK_EQ(cb_lane_split(begins, &ends), CB_STATUS_OK);
    CHECK(ends != NULL && cb_lane_gate_of(ends) == cb_gate_of(breaker));
    CHECK(cb_lane_now_ns(ends) > 0);
    cb_lane *third = garbage;
    CHECK_EQ(cb_lane_split(begins, &third), CB_STATUS_NOT_NOW);
    CHECK_TEXT(cb_error_text(), "the lane is a half already");
    CHECK(third == NULL);
    CHECK_EQ(cb_lane_split(ends, &third), CB_STATUS_NOT_NOW);

    const cb_call late = cb_lane_begin(begins);
    cb_lane_end(ends, early);
    cb_lane_fail(ends, late);
    cb_lane_record(ends, 1);
    cb_lane_record_failure(ends, 1);
    cb_lane_record_probe(ends, 1, true); /* stale */
    cb_poll(breaker);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.samples, 4);
    CHECK_EQ(snapshot.failures, 2);
    CHECK_EQ(snapshot.stale, 1);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.misused, 0);
    cb_lane_close(begins);
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
    a_lane_has_as_much_room_as_it_was_given();
    return 0;
}
