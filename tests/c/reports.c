/* Structs that are filled in, wall time, and texts. tests/conformance/reports.txt has what is reported. */
#include "check.h"

#include <time.h>

static void what_is_reserved_is_0_and_sizes_are_this_headers(void) {
    cb_breaker *breaker = create(NULL);
    cb_halt_at(breaker, 1);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(snapshot.struct_size, sizeof snapshot);
    CHECK_EQ(snapshot.reserved, 0);
    CHECK_EQ(snapshot.reserved2, 0);
    cb_snapshot published = CB_SNAPSHOT_INIT;
    CHECK(cb_get_published(breaker, &published));
    CHECK_EQ(published.struct_size, sizeof published);
    const cb_event event = last_event(breaker);
    CHECK_EQ(event.struct_size, sizeof event);
    CHECK_EQ(event.by_debt, 0);
    cb_destroy(breaker);
}

static void an_event_is_left_alone_when_there_is_none(void) {
    cb_breaker *breaker = create(NULL);
    cb_events *events = NULL;
    cb_event event = CB_EVENT_INIT;
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    cb_halt_at(breaker, 7);
    CHECK(cb_events_next(events, &event));
    CHECK(!cb_events_next(events, &event));
    CHECK_EQ(event.t_ns, 7);
    CHECK_EQ(event.reason, CB_REASON_HALT);
    cb_destroy(breaker);
    CHECK(!cb_events_next(events, &event));
    CHECK_EQ(event.t_ns, 7);
    cb_events_close(events);
}

static void events_carry_wall_time(void) {
    cb_breaker *breaker = create(NULL);
    const uint64_t now_ns = cb_now_ns(breaker);
    cb_poll_at(breaker, now_ns);
    /* Whatever the breaker's own time is. */
    const uint64_t before_s = (uint64_t)time(NULL);
    cb_halt_at(breaker, now_ns);
    cb_resume_at(breaker, now_ns + 5 * SECOND);
    const uint64_t after_s = (uint64_t)time(NULL);
    const cb_event first = event_at(breaker, 0), second = event_at(breaker, 1);
    CHECK(first.wall_ns / SECOND >= before_s && second.wall_ns / SECOND <= after_s + 1); /* time() may be a tick behind */
    CHECK(first.wall_ns <= second.wall_ns);
    CHECK_EQ(first.owner_gap_ns, 0);
    CHECK_EQ(second.owner_gap_ns, 5 * SECOND);
    cb_destroy(breaker);
}

static void values_have_names(void) {
    static const char *const REASONS[] = {
        "unknown", "latency",      "failure_rate", "consecutive_failures", "spike", "stall", "retry", "probe_failed",
        "probe_slow", "probe_lost", "recovered",    "halt",                 "resume", "restart", "tripped",
        "reconfigured", "owner_silent", "owner_back", "clock_jumped", "unknown", "latched", "unknown"};
    for (cb_reason reason = 0; reason < sizeof REASONS / sizeof *REASONS; reason++)
        CHECK_TEXT(cb_reason_text(reason), REASONS[reason]);
    CHECK_TEXT(cb_reason_text(UINT32_MAX), "unknown");
    CHECK_TEXT(cb_state_text(CB_STATE_CLOSED), "closed");
    CHECK_TEXT(cb_state_text(CB_STATE_OPEN), "open");
    CHECK_TEXT(cb_state_text(CB_STATE_HALF_OPEN), "half_open");
    CHECK_TEXT(cb_state_text(3), "unknown");
    CHECK_TEXT(cb_state_text(UINT32_MAX), "unknown");
    for (cb_status status = CB_STATUS_OK; status <= CB_STATUS_BAD_SETTINGS; status++) {
        CHECK(strlen(cb_status_text(status)) > 0);
        CHECK(strcmp(cb_status_text(status), cb_status_text(UINT32_MAX)) != 0);
    }
    CHECK_TEXT(cb_status_text(CB_STATUS_BAD_SETTINGS + 1), cb_status_text(UINT32_MAX));
    CHECK_EQ(cb_abi_version(), CB_ABI_VERSION);
    CHECK(strchr(cb_version_text(), '.') != NULL);
}

/* How a call that this is the row of went. */
static void next_row(cb_tap *tap, cb_tap_kind kind, uint64_t start_ns, uint64_t latency_ns, uint32_t ok) {
    cb_tap_row row = CB_TAP_ROW_INIT;
    CHECK(cb_tap_next(tap, &row));
    CHECK_EQ(row.struct_size, sizeof row);
    CHECK_EQ(row.kind, kind);
    CHECK_EQ(row.start_ns, start_ns);
    CHECK_EQ(row.latency_ns, latency_ns);
    CHECK_EQ(row.ok, ok);
    CHECK_EQ(row.reserved, 0);
}

static void a_tap_tells_how_each_call_went(void) {
    cb_config config = default_config();
    cb_breaker *breaker = create(&config);
    cb_tap *tap = (cb_tap *)1, *other = NULL;
    CHECK_EQ(cb_tap_open(breaker, &tap), CB_STATUS_NOT_NOW);
    CHECK(tap == NULL);
    CHECK_TEXT(cb_error_text(), "there is no tap: tap_len is 0");
    cb_destroy(breaker);

    config.tap_len = 64;
    config.spike_count = 1;
    breaker = create(&config);
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    CHECK_EQ(cb_tap_open(breaker, &tap), CB_STATUS_OK);
    CHECK_EQ(cb_observer_tap_open(observer, &other), CB_STATUS_OK);
    cb_observer_close(observer);
    cb_tap_row row = CB_TAP_ROW_INIT;
    CHECK(!cb_tap_next(tap, &row));
    const cb_call lost = cb_begin_at(breaker, 10), withdrawn = cb_begin_at(breaker, 20);
    (void)lost;
    cb_abandon_at(breaker, 25, withdrawn);
    cb_record_failure_at(breaker, 30, 5);
    cb_record_at(breaker, SECOND, 201 * MS);
    CHECK(!cb_allow_at(breaker, SECOND + 1));
    cb_destroy(breaker);
    cb_tap *const taps[] = {tap, other};
    for (int i = 0; i < 2; i++) {
        row.struct_size = 3;
        CHECK(!cb_tap_next(taps[i], &row)); /* it stays to be read */
        next_row(taps[i], CB_TAP_WITHDRAWN, 20, 5, 1);
        next_row(taps[i], CB_TAP_ASK, 25, 5, 0);
        next_row(taps[i], CB_TAP_ASK, 799 * MS, 201 * MS, 1);
        next_row(taps[i], CB_TAP_REFUSED, SECOND + 1, UINT64_MAX, 1);
        next_row(taps[i], CB_TAP_ASK, 10, UINT64_MAX, 1);
        row.struct_size = sizeof row;
        CHECK(!cb_tap_next(taps[i], &row));
        CHECK_EQ(cb_tap_missed(taps[i]), 0);
        CHECK(!cb_tap_has_moved(taps[i]));
        cb_tap_close(taps[i]);
    }
    CHECK(!cb_tap_next(NULL, &row) && cb_tap_missed(NULL) == 0 && !cb_tap_has_moved(NULL));
    cb_tap_close(NULL);
    CHECK_EQ(cb_tap_open(NULL, &tap), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_observer_tap_open(NULL, &tap), CB_STATUS_NULL_POINTER);
}

int main(void) {
    a_tap_tells_how_each_call_went();
    what_is_reserved_is_0_and_sizes_are_this_headers();
    an_event_is_left_alone_when_there_is_none();
    events_carry_wall_time();
    values_have_names();
    return 0;
}
