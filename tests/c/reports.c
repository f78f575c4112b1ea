/* Snapshots, events and texts. In virtual time. */
#include "check.h"

static void a_snapshot_tells_everything(void) {
    cb_config config = quantile_only();
    config.min_samples = 4;
    config.max_in_flight = 2;
    cb_breaker *breaker = create(&config);
    cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.struct_size, sizeof snapshot);
    CHECK_EQ(snapshot.now_ns, 0);
    CHECK_EQ(snapshot.retry_at_ns, NEVER);
    CHECK_EQ(snapshot.events, 0);
    (void)cb_begin_at(breaker, 1);
    const cb_call twice = cb_begin_at(breaker, 2);
    (void)cb_begin_at(breaker, 3); /* untracked */
    cb_record_at(breaker, 4, 5);
    cb_record_failure_at(breaker, 5, 5);
    cb_end_at(breaker, 6, twice);
    cb_end_at(breaker, 7, twice); /* misused */
    cb_record_probe_at(breaker, 8, 1, true); /* stale */
    CHECK(!snapshot_of(breaker).armed);
    cb_poll_at(breaker, 2 + THRESHOLD); /* one is overdue: with three samples that makes four, and P99 is over */
    snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.state, CB_STATE_OPEN);
    CHECK_EQ(snapshot.now_ns, 2 + THRESHOLD);
    CHECK_EQ(snapshot.epoch_ns, 0);
    CHECK_EQ(snapshot.retry_at_ns, 2 + THRESHOLD + SECOND);
    CHECK_EQ(snapshot.attempt, 0);
    CHECK_EQ(snapshot.samples, 3);
    CHECK_EQ(snapshot.slow, 0);
    CHECK_EQ(snapshot.failed, 1);
    CHECK_EQ(snapshot.in_flight, 1);
    CHECK_EQ(snapshot.recorded, 3);
    CHECK_EQ(snapshot.stale, 1);
    CHECK_EQ(snapshot.untracked, 1);
    CHECK_EQ(snapshot.misused, 1);
    CHECK_EQ(snapshot.dropped, 0);
    CHECK_EQ(snapshot.refused, 0);
    CHECK_EQ(snapshot.refused_in_shadow, 0);
    CHECK_EQ(snapshot.events, 1);
    CHECK_EQ(snapshot.trials_granted, 0);
    CHECK_EQ(snapshot.trials_out, 0);
    CHECK_EQ(snapshot.trials_good, 0);
    CHECK_EQ(snapshot.reserved, 0);
    CHECK_EQ(snapshot.reserved2, 0);
    CHECK(!snapshot.halted && !snapshot.shadow);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.samples, 4);
    CHECK_EQ(event.slow, 1);
    CHECK_EQ(event.overdue, 1);
    CHECK_EQ(event.failures, 1);
    CHECK_EQ(event.reserved, 0);
    cb_destroy(breaker);
}

static void armed_counts_overdue_calls(void) {
    cb_config config = quantile_only();
    config.min_samples = 2;
    config.confirm_verdicts = 2;
    cb_breaker *breaker = create(&config);
    (void)cb_begin_at(breaker, 0);
    cb_record_at(breaker, 1, 1);
    CHECK(!snapshot_of(breaker).armed);
    cb_poll_at(breaker, THRESHOLD + 1);
    CHECK(snapshot_of(breaker).armed);
    CHECK_EQ(snapshot_of(breaker).overdue, 1);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED); /* one verdict of two */
    cb_destroy(breaker);
}

static void transitions_are_published_at_once_and_the_rest_each_millisecond(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    cb_snapshot published = {0};
    published.struct_size = sizeof published;
    CHECK(!cb_get_published(breaker, &published)); /* not before the first operation */
    cb_record_at(breaker, 5 * MS, 1);
    CHECK(cb_get_published(breaker, &published));
    CHECK_EQ(published.struct_size, sizeof published);
    CHECK_EQ(published.now_ns, 5 * MS);
    cb_record_at(breaker, 6 * MS - 1, 1);
    CHECK(cb_get_published(breaker, &published));
    CHECK_EQ(published.now_ns, 5 * MS);
    cb_poll_at(breaker, 6 * MS);
    CHECK(cb_get_published(breaker, &published));
    CHECK_EQ(published.now_ns, 6 * MS);
    CHECK_EQ(published.recorded, 2);
    open_at(breaker, 6 * MS + 1);
    CHECK(cb_get_published(breaker, &published));
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK(memcmp(&published, &snapshot, sizeof snapshot) == 0);
    CHECK_EQ(published.state, CB_STATE_OPEN);
    cb_halt_at(breaker, 6 * MS + 2);
    CHECK(cb_get_published(breaker, &published));
    CHECK(published.halted);
    cb_destroy(breaker);
}

static void readers_have_places_of_their_own_and_count_what_they_missed(void) {
    cb_breaker *breaker = create(NULL);
    cb_events *early = NULL, *late = NULL;
    cb_event event = {0};
    event.struct_size = sizeof event;
    CHECK_EQ(cb_events_open(breaker, &early), CB_STATUS_OK);
    CHECK(!cb_events_next(early, &event));
    for (uint64_t t = 0; t < 300; t++) { /* 300 events */
        if (t % 2 == 0) cb_halt_at(breaker, t);
        else cb_resume_at(breaker, t);
        if (t == 1) {
            CHECK(cb_events_next(early, &event));
            CHECK_EQ(event.sequence, 0);
            CHECK_EQ(event.reason, CB_REASON_HALT);
            CHECK_EQ(event.struct_size, sizeof event);
        }
    }
    CHECK_EQ(cb_events_open(breaker, &late), CB_STATUS_OK);
    for (uint64_t sequence = 300 - 256; sequence < 300; sequence++) { /* the journal keeps 256 */
        CHECK(cb_events_next(early, &event));
        CHECK_EQ(event.sequence, sequence);
        CHECK(cb_events_next(late, &event));
        CHECK_EQ(event.sequence, sequence);
        CHECK_EQ(event.t_ns, sequence);
        CHECK_EQ(event.reason, sequence % 2 == 0 ? CB_REASON_HALT : CB_REASON_RESUME);
    }
    CHECK(!cb_events_next(early, &event) && !cb_events_next(late, &event));
    CHECK_EQ(cb_events_missed(early), 300 - 256 - 1);
    CHECK_EQ(cb_events_missed(late), 0); /* it began with the oldest */
    CHECK_EQ(event.sequence, 299); /* left alone when there is none */
    cb_halt_at(breaker, 1000);
    cb_destroy(breaker); /* readers go on with what it left */
    CHECK(cb_events_next(early, &event));
    CHECK_EQ(event.sequence, 300);
    CHECK_EQ(event.t_ns, 1000);
    CHECK(!cb_events_next(early, &event));
    cb_events_close(early);
    CHECK(cb_events_next(late, &event));
    cb_events_close(late);
}

static void events_carry_wall_time(void) {
    cb_breaker *breaker = create(NULL);
    const uint64_t now_ns = cb_now_ns(breaker);
    cb_poll_at(breaker, now_ns);
    cb_halt_at(breaker, now_ns);
    cb_resume_at(breaker, now_ns + 5 * SECOND);
    const cb_event first = event_at(breaker, 0), second = event_at(breaker, 1);
    CHECK(first.wall_ns > UINT64_C(1700000000) * SECOND); /* after November 2023 */
    CHECK_EQ(second.wall_ns - first.wall_ns, 5 * SECOND);
    CHECK_EQ(first.owner_gap_ns, 0);
    CHECK_EQ(second.owner_gap_ns, 5 * SECOND);
    cb_destroy(breaker);
}

static void values_have_names(void) {
    static const char *const REASONS[] = {
        "unknown", "latency",      "failure_rate", "consecutive_failures", "spike", "stall", "retry", "probe_failed",
        "probe_slow", "probe_lost", "recovered",    "halt",                 "resume", "restart", "unknown"};
    for (cb_reason reason = 0; reason < sizeof REASONS / sizeof *REASONS; reason++)
        CHECK_TEXT(cb_reason_text(reason), REASONS[reason]);
    CHECK_TEXT(cb_reason_text(UINT32_MAX), "unknown");
    CHECK_TEXT(cb_state_text(CB_STATE_CLOSED), "closed");
    CHECK_TEXT(cb_state_text(CB_STATE_OPEN), "open");
    CHECK_TEXT(cb_state_text(CB_STATE_HALF_OPEN), "half_open");
    CHECK_TEXT(cb_state_text(3), "unknown");
    CHECK_TEXT(cb_state_text(UINT32_MAX), "unknown");
    for (cb_status status = CB_STATUS_OK; status <= CB_STATUS_NOT_NOW; status++) {
        CHECK(strlen(cb_status_text(status)) > 0);
        CHECK(strcmp(cb_status_text(status), cb_status_text(UINT32_MAX)) != 0);
    }
    CHECK_TEXT(cb_status_text(CB_STATUS_NOT_NOW + 1), cb_status_text(UINT32_MAX));
    CHECK_EQ(cb_abi_version(), CB_ABI_VERSION);
    CHECK(strchr(cb_version_text(), '.') != NULL);
}

int main(void) {
    a_snapshot_tells_everything();
    armed_counts_overdue_calls();
    transitions_are_published_at_once_and_the_rest_each_millisecond();
    readers_have_places_of_their_own_and_count_what_they_missed();
    events_carry_wall_time();
    values_have_names();
    return 0;
}
