/* Halts, shadow, settings, tickets, and the edges of time. In virtual time, but for the plain forms. */
#include "check.h"

static void a_halt_refuses_whatever_the_state(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    config.probes = 1;
    cb_breaker *breaker = create(&config);
    const cb_gate *gate = cb_gate_of(breaker);
    CHECK(cb_allow_at(breaker, 1) && cb_gate_closed(gate) && !cb_is_halted(breaker));
    cb_halt_at(breaker, 2);
    CHECK(!cb_gate_closed(gate) && cb_is_halted(breaker) && !cb_allow_at(breaker, 3));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_HALT);
    CHECK_EQ(event.from, CB_STATE_CLOSED);
    CHECK_EQ(event.to, CB_STATE_CLOSED);
    CHECK_EQ(event.t_ns, 2);
    cb_halt_at(breaker, 4); /* halted already: no event */
    CHECK_EQ(snapshot_of(breaker).events, 1);

    open_at(breaker, 5); /* the automatic state goes on underneath */
    cb_poll_at(breaker, 5 + SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    CHECK(!cb_allow_at(breaker, 5 + SECOND)); /* no trials while halted */
    CHECK_EQ(snapshot_of(breaker).trials_granted, 0);
    CHECK(snapshot_of(breaker).halted);
    cb_resume_at(breaker, 6 + SECOND);
    event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_RESUME);
    CHECK_EQ(event.from, CB_STATE_HALF_OPEN);
    CHECK_EQ(event.to, CB_STATE_HALF_OPEN);
    CHECK_EQ(event.t_ns, 6 + SECOND);
    cb_resume_at(breaker, 7 + SECOND);
    CHECK_EQ(snapshot_of(breaker).events, 4);
    CHECK(cb_allow_at(breaker, 7 + SECOND)); /* a trial */
    cb_halt_at(breaker, 8 + SECOND);
    cb_record_at(breaker, 9 + SECOND, 1); /* the trial that is out may close */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK(!cb_gate_closed(gate) && !cb_allow_at(breaker, 10 + SECOND));
    cb_resume_at(breaker, 11 + SECOND);
    CHECK(cb_gate_closed(gate));
    CHECK_EQ(snapshot_of(breaker).refused, 3);
    cb_destroy(breaker);
}

/* The forms for any thread shut the gate at once; the owner adds the event when it next looks. */
static void a_halt_from_elsewhere_is_seen_at_once(void) {
    cb_config config = default_config();
    cb_breaker *breaker = create(&config);
    const cb_gate *gate = cb_gate_of(breaker);
    cb_poll_at(breaker, 1);
    cb_halt(breaker);
    CHECK(!cb_gate_closed(gate) && cb_is_halted(breaker));
    CHECK_EQ(snapshot_of(breaker).events, 0);
    cb_poll_at(breaker, 20);
    CHECK_EQ(last_reason(breaker), CB_REASON_HALT);
    CHECK_EQ(last_event(breaker).t_ns, 20);
    CHECK(!cb_allow_at(breaker, 21));
    cb_resume(breaker);
    CHECK(cb_gate_closed(gate) && !cb_is_halted(breaker) && cb_allow_at(breaker, 22));
    cb_poll_at(breaker, 30);
    CHECK_EQ(last_reason(breaker), CB_REASON_RESUME);
    cb_halt(breaker);
    CHECK(!cb_allow_at(breaker, 40)); /* a refused ask adds it, too */
    CHECK_EQ(last_reason(breaker), CB_REASON_HALT);
    CHECK_EQ(last_event(breaker).t_ns, 40);
    CHECK_EQ(snapshot_of(breaker).events, 3);
    cb_destroy(breaker);
}

static void shadow_reports_but_refuses_nothing_except_halts(void) {
    cb_config config = default_config();
    config.shadow = 1;
    config.spike_count = 1;
    cb_breaker *breaker = create(&config);
    CHECK(!cb_gate_closed(cb_gate_of(breaker)) && cb_allow_at(breaker, 0));
    open_at(breaker, 1);
    CHECK(cb_allow_at(breaker, 2));
    CHECK(snapshot_of(breaker).shadow);
    CHECK_EQ(snapshot_of(breaker).refused, 0);
    CHECK_EQ(snapshot_of(breaker).refused_in_shadow, 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_SPIKE);
    cb_halt_at(breaker, 3);
    CHECK(!cb_allow_at(breaker, 4));
    CHECK_EQ(snapshot_of(breaker).refused, 1);
    cb_destroy(breaker);
}

static void settings_change_in_place(void) {
    cb_config config = quantile_only();
    cb_breaker *breaker = create(&config);
    for (uint64_t i = 0; i < 100; i++) cb_record_at(breaker, i, i);
    (void)cb_begin_at(breaker, 100);
    CHECK_EQ(cb_next_deadline_ns(breaker), 100 + THRESHOLD + 1);
    cb_config read = {0};
    read.struct_size = sizeof read;
    cb_get_config(breaker, &read);
    CHECK(memcmp(&read, &config, sizeof read) == 0);
    read.threshold_ns = 89;
    CHECK_EQ(cb_reconfigure_at(breaker, 100, &read), CB_STATUS_OK);
    CHECK_EQ(snapshot_of(breaker).slow, 10); /* 90 to 99 */
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK_EQ(cb_next_deadline_ns(breaker), 100 + 89 + 1);
    cb_record_at(breaker, 101, 1);
    CHECK_EQ(last_reason(breaker), CB_REASON_LATENCY);
    CHECK_EQ(last_event(breaker).slow, 10);

    cb_get_config(breaker, &read);
    read.backoff_base_ns = 5 * SECOND;
    CHECK_EQ(cb_reconfigure_at(breaker, 102, &read), CB_STATUS_OK);
    CHECK_EQ(cb_next_deadline_ns(breaker), 101 + SECOND); /* a pause under way keeps its deadline */
    read.window_len++;
    CHECK_EQ(cb_reconfigure_at(breaker, 103, &read), CB_STATUS_FIXED_SETTING);
    CHECK_TEXT(cb_error_text(), "window_len is 1025; legal: 1024, as it is fixed at construction");
    cb_config same = {0};
    same.struct_size = sizeof same;
    cb_get_config(breaker, &same);
    read.window_len--;
    CHECK(memcmp(&same, &read, sizeof same) == 0); /* nothing was changed */
    cb_destroy(breaker);
}

static void tickets_count_once(void) {
    cb_config config = default_config();
    cb_breaker *breaker = create(&config);
    cb_breaker *other = create(&config);
    const cb_call call = cb_begin_at(breaker, 10);
    CHECK_EQ(call.start_ns, 10);
    const cb_call copy = call;
    cb_end_at(breaker, 20, copy);
    CHECK_EQ(snapshot_of(breaker).recorded, 1);
    cb_end_at(breaker, 21, call);
    cb_fail_at(breaker, 22, call);
    cb_abandon_at(breaker, 23, call);
    CHECK_EQ(snapshot_of(breaker).misused, 3);

    const cb_call open_call = cb_begin_at(breaker, 30);
    cb_call forged = open_call;
    forged.id ^= 1;
    cb_end_at(breaker, 40, forged);
    forged = open_call;
    forged.id ^= UINT64_C(1) << 63;
    cb_fail_at(breaker, 40, forged);
    forged = open_call;
    forged.start_ns--;
    cb_end_at(breaker, 40, forged);
    forged.start_ns = UINT64_MAX;
    forged.id = UINT64_MAX;
    cb_abandon_at(breaker, 40, forged);
    memset(&forged, 0, sizeof forged);
    cb_end_at(breaker, 40, forged);
    CHECK_EQ(snapshot_of(breaker).misused, 8);
    CHECK_EQ(snapshot_of(breaker).in_flight, 1);
    CHECK_EQ(snapshot_of(breaker).recorded, 1);
    cb_end_at(other, 40, open_call); /* it never gave that out */
    CHECK_EQ(snapshot_of(other).misused, 1);
    CHECK_EQ(snapshot_of(other).recorded, 0);
    cb_end_at(breaker, 41, open_call); /* and the true one still counts */
    CHECK_EQ(snapshot_of(breaker).recorded, 2);
    CHECK_EQ(snapshot_of(breaker).in_flight, 0);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_destroy(other);
    cb_destroy(breaker);
}

static void time_never_runs_backwards(void) {
    cb_config config = quantile_only();
    config.window_age_ns = 100;
    cb_breaker *breaker = create(&config);
    cb_record_at(breaker, 1000, 1);
    cb_record_at(breaker, 500, 1); /* enters at 1000 */
    cb_poll_at(breaker, 1099);
    cb_poll_at(breaker, 1);
    CHECK_EQ(snapshot_of(breaker).samples, 2);
    CHECK_EQ(snapshot_of(breaker).now_ns, 1099);
    cb_poll_at(breaker, 1100);
    CHECK_EQ(snapshot_of(breaker).samples, 0);
    const cb_call call = cb_begin_at(breaker, 400);
    CHECK_EQ(call.start_ns, 400);
    CHECK_EQ(cb_next_deadline_ns(breaker), 1100 + THRESHOLD + 1);
    cb_end_at(breaker, 300, call); /* ended before it began: took no time */
    CHECK_EQ(cb_quantile_ns_at(breaker, 1100, 990000), 0);
    CHECK_EQ(snapshot_of(breaker).samples, 1);
    cb_destroy(breaker);
}

static void the_end_of_time_is_defined(void) {
    cb_config config = quantile_only();
    config.min_samples = 1;
    config.stall_limit_ns = SECOND;
    cb_breaker *breaker = create(&config);
    const cb_call call = cb_begin_at(breaker, UINT64_MAX - 10);
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER); /* saturated */
    cb_poll_at(breaker, UINT64_MAX);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_end_at(breaker, UINT64_MAX, call);
    CHECK_EQ(cb_quantile_ns_at(breaker, UINT64_MAX, 990000), 10);
    cb_record_at(breaker, UINT64_MAX, UINT64_MAX);
    CHECK_EQ(last_reason(breaker), CB_REASON_LATENCY);
    CHECK_EQ(last_event(breaker).quantile_ns, UINT64_MAX);
    CHECK_EQ(last_event(breaker).retry_at_ns, NEVER);
    CHECK_EQ(cb_next_deadline_ns(breaker), NEVER);
    cb_poll_at(breaker, UINT64_MAX);
    CHECK(!cb_allow_at(breaker, UINT64_MAX));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN); /* a pause that ends never */
    cb_destroy(breaker);

    config = quantile_only();
    config.threshold_ns = UINT64_MAX; /* nothing is strictly above it */
    config.min_samples = 1;
    breaker = create(&config);
    (void)cb_begin_at(breaker, 0);
    cb_record_at(breaker, 1, UINT64_MAX);
    cb_poll_at(breaker, UINT64_MAX);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_destroy(breaker);
}

static void release_and_abandon_fire_no_timers(void) {
    cb_config config = default_config();
    cb_breaker *breaker = half_open(config);
    CHECK(cb_allow_at(breaker, SECOND));
    cb_release_at(breaker, 3 * SECOND); /* the lease was up, but nobody has looked */
    cb_poll_at(breaker, 3 * SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN);
    cb_destroy(breaker);
    breaker = create(&config);
    const cb_call call = cb_begin_at(breaker, 0);
    CHECK(cb_allow_at(breaker, 10 * SECOND)); /* nor does a closed ask */
    cb_abandon_at(breaker, 10 * SECOND, call);
    cb_poll_at(breaker, 10 * SECOND);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    cb_destroy(breaker);
}

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
    cb_record(breaker, UINT64_MAX);
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
    a_halt_refuses_whatever_the_state();
    a_halt_from_elsewhere_is_seen_at_once();
    shadow_reports_but_refuses_nothing_except_halts();
    settings_change_in_place();
    tickets_count_once();
    time_never_runs_backwards();
    the_end_of_time_is_defined();
    release_and_abandon_fire_no_timers();
    the_plain_forms_read_the_clock();
    one_clock_serves_all_breakers();
    return 0;
}
