/*
 * The C runner of tests/conformance: does what a stream of operations on standard input says, one a line (a verb and
 * integers), and prints what each observed, after its verb. tests/conformance.rs compares that.
 */
#include "check.h"

#define MOST 16 /* breakers, lanes or readers of one scenario */
#define MOST_TICKETS 4096

static char verb[64];
static uint64_t arg[4];
static int args;

static cb_config config;
static cb_breaker *breakers[MOST];
static cb_lane *lanes[MOST];
static cb_gate_handle *gates[MOST];
static cb_observer *observers[MOST];
static cb_events *readers[MOST];
static int breakers_made, lanes_made, gates_made, observers_made, readers_made;
static cb_call tickets[MOST_TICKETS];

static bool read_operation(void) {
    char line[256];
    if (fgets(line, sizeof line, stdin) == NULL) return false;
    char *word = strtok(line, " \n");
    CHECK(word != NULL && strlen(word) < sizeof verb);
    strcpy(verb, word);
    for (args = 0; (word = strtok(NULL, " \n")) != NULL; args++) {
        CHECK(args < 4);
        arg[args] = strtoull(word, NULL, 10);
    }
    return true;
}

/* Whether the line is this operation, with so many integers. */
static bool is(const char *name, int count) { return strcmp(verb, name) == 0 && args == count; }

static cb_breaker *breaker(void) {
    CHECK(arg[0] < MOST && breakers[arg[0]] != NULL);
    return breakers[arg[0]];
}

static cb_lane *lane(void) {
    CHECK(arg[0] < MOST && lanes[arg[0]] != NULL);
    return lanes[arg[0]];
}

static cb_gate_handle *gate(void) {
    CHECK(arg[0] < MOST && gates[arg[0]] != NULL);
    return gates[arg[0]];
}

static cb_observer *observer(void) {
    CHECK(arg[0] < MOST && observers[arg[0]] != NULL);
    return observers[arg[0]];
}

static cb_events *reader(void) {
    CHECK(arg[0] < MOST && readers[arg[0]] != NULL);
    return readers[arg[0]];
}

static cb_call *ticket(uint64_t slot) {
    CHECK(slot < MOST_TICKETS);
    return &tickets[slot];
}

static void print_flag(bool flag) { printf("%s %d\n", verb, flag); }

static void print_number(uint64_t number) { printf("%s %" PRIu64 "\n", verb, number); }

static void print_status(cb_status status) {
    if (status == CB_STATUS_OK) printf("%s ok\n", verb);
    else printf("%s refused: %s\n", verb, cb_error_text());
}

#define PRINT(of, field) printf(" " #field "=%" PRIu64, (uint64_t)(of).field)

static void print_snapshot(const cb_snapshot *found, cb_state state, bool halted) {
    printf("%s state=%s halted=%d", verb, cb_state_text(state), halted);
    printf(" snapshot_state=%s snapshot_halted=%d", cb_state_text(found->state), found->halted);
    PRINT(*found, shadow);
    PRINT(*found, armed);
    PRINT(*found, now_ns);
    PRINT(*found, epoch_ns);
    PRINT(*found, retry_at_ns);
    PRINT(*found, attempt);
    PRINT(*found, samples);
    PRINT(*found, slow);
    PRINT(*found, failures);
    PRINT(*found, overdue);
    PRINT(*found, in_flight);
    PRINT(*found, trials_granted);
    PRINT(*found, trials_out);
    PRINT(*found, trials_good);
    PRINT(*found, recorded);
    PRINT(*found, stale);
    PRINT(*found, untracked);
    PRINT(*found, refused);
    PRINT(*found, refused_in_shadow);
    PRINT(*found, misused);
    PRINT(*found, dropped);
    PRINT(*found, events);
    PRINT(*found, debt_ppm);
    PRINT(*found, oldest_start_ns);
}

/* A reason is a number here. */
static const char *reason_of(uint64_t number) {
    static char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return text;
}

static const char *note_of(bool found, const cb_halt_note *note) {
    if (!found) return "none";
    return note->reason[0] == 0 ? "empty" : note->reason;
}

/* A part of the engine, whose name is a number here; or the latch. */
static const char *part(uint64_t number) {
    static char name[40];
    if (number == UINT64_MAX) return "latch";
    snprintf(name, sizeof name, "engine.%" PRIu64, number);
    return name;
}

static void print_resumed(cb_resume_result result) {
    static const char *const NAMES[] = {"done", "still_held", "not_held", "changed", "no_owner", "ended"};
    CHECK(result < sizeof NAMES / sizeof *NAMES);
    printf("%s %s\n", verb, NAMES[result]);
}

static void print_observer(const cb_observer *of) {
    cb_halt_note note = CB_HALT_NOTE_INIT;
    const bool found = cb_observer_get_halt_note(of, &note);
    printf("%s state=%s halted=%d note=%s", verb, cb_state_text(cb_observer_get_state(of)), cb_observer_is_halted(of),
           note_of(found, &note));
    printf(" holders=%zu", cb_observer_get_holders(of, NULL, 0, sizeof note));
}

static void print_event(bool found, const cb_event *event) {
    if (!found) {
        printf("%s none\n", verb);
        return;
    }
    printf("%s from=%s to=%s reason=%s", verb, cb_state_text(event->from), cb_state_text(event->to),
           cb_reason_text(event->reason));
    PRINT(*event, sequence);
    PRINT(*event, t_ns);
    PRINT(*event, quantile_ns);
    PRINT(*event, retry_at_ns);
    PRINT(*event, owner_gap_ns);
    PRINT(*event, samples);
    PRINT(*event, slow);
    PRINT(*event, overdue);
    PRINT(*event, failures);
    PRINT(*event, attempt);
    PRINT(*event, observed);
    PRINT(*event, limit);
    PRINT(*event, by_debt);
    PRINT(*event, entry);
    printf("\n");
}

static void end_scenario(void) {
    for (int i = 0; i < MOST; i++) {
        cb_lane_close(lanes[i]);
        cb_gate_handle_close(gates[i]);
        cb_observer_close(observers[i]);
        cb_events_close(readers[i]);
        cb_destroy(breakers[i]);
        lanes[i] = NULL;
        gates[i] = NULL;
        observers[i] = NULL;
        readers[i] = NULL;
        breakers[i] = NULL;
    }
    breakers_made = lanes_made = gates_made = observers_made = readers_made = 0;
}

#define SETTING(field, type)                                                                                           \
    if (is("set_" #field, 1)) {                                                                                        \
        config.field = (type)arg[0];                                                                                   \
        return true;                                                                                                   \
    }

static bool set(void) {
    SETTING(quantile_ppm, uint32_t)
    SETTING(threshold_ns, uint64_t)
    SETTING(window_age_ns, uint64_t)
    SETTING(window_len, uint32_t)
    SETTING(sample_every, uint32_t)
    SETTING(min_samples, uint32_t)
    SETTING(confirm_verdicts, uint32_t)
    SETTING(failure_rate_ppm, uint32_t)
    SETTING(consecutive_failures, uint32_t)
    SETTING(spike_limit_ns, uint64_t)
    SETTING(spike_count, uint32_t)
    SETTING(max_in_flight, uint32_t)
    SETTING(stall_limit_ns, uint64_t)
    SETTING(recover_threshold_ns, uint64_t)
    SETTING(recovery, cb_recovery)
    SETTING(probes, uint32_t)
    SETTING(trials_in_flight, uint32_t)
    SETTING(backoff_multiplier, uint32_t)
    SETTING(probe_timeout_ns, uint64_t)
    SETTING(backoff_base_ns, uint64_t)
    SETTING(backoff_max_ns, uint64_t)
    SETTING(jitter_ppm, uint32_t)
    SETTING(start, cb_start)
    SETTING(jitter_seed, uint64_t)
    SETTING(stable_after_ns, uint64_t)
    SETTING(shadow, uint32_t)
    SETTING(latch_after, uint32_t)
    SETTING(owner_timeout_ns, uint64_t)
    SETTING(min_slow, uint32_t)
    SETTING(debt_limit, uint32_t)
    SETTING(tap_len, uint32_t)
    return false;
}

static void reasons(void) {
    cb_events *events = NULL;
    cb_event event = CB_EVENT_INIT;
    CHECK_EQ(cb_events_open(breaker(), &events), CB_STATUS_OK);
    printf("%s", verb);
    while (cb_events_next(events, &event)) printf(" %s", cb_reason_text(event.reason));
    printf("\n");
    cb_events_close(events);
}

static bool operate_settings(void) {
    if (is("config", 0)) {
        cb_config_init(&config, sizeof config);
    } else if (is("config_of", 1)) {
        memset(&config, 0, sizeof config);
        config.struct_size = sizeof config;
        cb_get_config(breaker(), &config);
    } else if (is("create", 0)) {
        CHECK(breakers_made < MOST);
        breakers[breakers_made++] = create(&config);
    } else if (is("destroy", 1)) {
        cb_destroy(breaker());
        breakers[arg[0]] = NULL;
    } else if (is("reconfigure", 1)) {
        print_status(cb_reconfigure(breaker(), &config));
    } else if (is("reconfigure_at", 2)) {
        print_status(cb_reconfigure_at(breaker(), arg[1], &config));
    } else {
        return set();
    }
    return true;
}

static bool operate_breaker(void) {
    cb_resume_result resumed = CB_RESUME_ENDED;
    if (is("allow_at", 2)) print_flag(cb_allow_at(breaker(), arg[1]));
    else if (is("begin_at", 3)) *ticket(arg[2]) = cb_begin_at(breaker(), arg[1]);
    else if (is("end_at", 3)) cb_end_at(breaker(), arg[1], *ticket(arg[2]));
    else if (is("fail_at", 3)) cb_fail_at(breaker(), arg[1], *ticket(arg[2]));
    else if (is("abandon_at", 3)) cb_abandon_at(breaker(), arg[1], *ticket(arg[2]));
    else if (is("abandon", 2)) cb_abandon(breaker(), *ticket(arg[1]));
    else if (is("record_at", 3)) cb_record_at(breaker(), arg[1], arg[2]);
    else if (is("record_failure_at", 3)) cb_record_failure_at(breaker(), arg[1], arg[2]);
    else if (is("record_probe_at", 4)) cb_record_probe_at(breaker(), arg[1], arg[2], arg[3] != 0);
    else if (is("release_at", 2)) cb_release_at(breaker(), arg[1]);
    else if (is("release", 1)) cb_release(breaker());
    else if (is("poll_at", 2)) cb_poll_at(breaker(), arg[1]);
    else if (is("halt_at", 2)) cb_halt_at(breaker(), arg[1]);
    else if (is("halt", 1)) cb_halt(breaker());
    else if (is("halt_with", 2)) cb_halt_with(breaker(), reason_of(arg[1]), NULL);
    else if (is("halt_as", 3)) CHECK_EQ(cb_halt_as(breaker(), part(arg[1]), reason_of(arg[2]), NULL), CB_STATUS_OK);
    else if (is("resume_as", 2)) {
        CHECK_EQ(cb_resume_as(breaker(), part(arg[1]), NULL, &resumed), CB_STATUS_OK);
        print_resumed(resumed);
    } else if (is("trip_at", 2)) cb_trip_at(breaker(), arg[1]);
    else if (is("trip", 1)) cb_trip(breaker());
    else if (is("resume_at", 2)) cb_resume_at(breaker(), arg[1]);
    else if (is("resume", 1)) cb_resume(breaker());
    else if (is("quantile_ns", 2)) print_number(cb_quantile_ns(breaker(), (uint32_t)arg[1]));
    else if (is("quantile_ns_at", 3)) print_number(cb_quantile_ns_at(breaker(), arg[1], (uint32_t)arg[2]));
    else return false;
    return true;
}

static bool operate_lane(void) {
    if (is("lane_open", 2)) {
        CHECK(lanes_made < MOST);
        CHECK_EQ(cb_lane_open(breaker(), (uint32_t)arg[1], &lanes[lanes_made++]), CB_STATUS_OK);
    } else if (is("lane_split", 1)) {
        CHECK(lanes_made < MOST);
        CHECK_EQ(cb_lane_split(lane(), &lanes[lanes_made++]), CB_STATUS_OK);
    } else if (is("lane_close", 1)) {
        cb_lane_close(lane());
        lanes[arg[0]] = NULL;
    } else if (is("lane_observe", 1)) {
        print_observer(cb_lane_observer(lane()));
        printf(" passes=%d dropped=%" PRIu64 "\n", cb_gate_closed(cb_lane_gate_of(lane())), cb_lane_dropped(lane()));
    } else if (is("lane_halt", 1)) cb_lane_halt(lane(), NULL, NULL);
    else if (is("lane_halt", 2)) cb_lane_halt(lane(), reason_of(arg[1]), NULL);
    else if (is("lane_resume", 1)) cb_lane_resume(lane(), NULL, NULL);
    else if (is("lane_allow", 1)) print_flag(cb_lane_allow(lane()));
    else if (is("lane_release", 1)) cb_lane_release(lane());
    else if (is("lane_begin_at", 3)) *ticket(arg[2]) = cb_lane_begin_at(lane(), arg[1]);
    else if (is("lane_end_at", 3)) cb_lane_end_at(lane(), arg[1], *ticket(arg[2]));
    else if (is("lane_fail_at", 3)) cb_lane_fail_at(lane(), arg[1], *ticket(arg[2]));
    else if (is("lane_abandon_at", 3)) cb_lane_abandon_at(lane(), arg[1], *ticket(arg[2]));
    else if (is("lane_record_at", 3)) cb_lane_record_at(lane(), arg[1], arg[2]);
    else if (is("lane_record_failure_at", 3)) cb_lane_record_failure_at(lane(), arg[1], arg[2]);
    else if (is("lane_record_probe_at", 4)) cb_lane_record_probe_at(lane(), arg[1], arg[2], arg[3] != 0);
    else return false;
    return true;
}

static bool operate_gate(void) {
    cb_resume_result resumed = CB_RESUME_ENDED;
    if (is("gate_handle_of", 1)) {
        CHECK(gates_made < MOST);
        CHECK_EQ(cb_gate_handle_of(breaker(), &gates[gates_made++]), CB_STATUS_OK);
    } else if (is("gate_handle_close", 1)) {
        cb_gate_handle_close(gate());
        gates[arg[0]] = NULL;
    } else if (is("gate_handle_observe", 1)) {
        print_observer(cb_gate_handle_observer(gate()));
        printf(" passes=%d\n", cb_gate_closed(cb_gate_handle_gate(gate())));
    } else if (is("gate_handle_allow", 1)) print_flag(cb_gate_handle_allow(gate()));
    else if (is("gate_handle_release", 1)) cb_gate_handle_release(gate());
    else if (is("gate_handle_halt", 1)) cb_gate_handle_halt(gate(), NULL, NULL);
    else if (is("gate_handle_halt", 2)) cb_gate_handle_halt(gate(), reason_of(arg[1]), NULL);
    else if (is("gate_handle_halt_as", 3))
        CHECK_EQ(cb_gate_handle_halt_as(gate(), part(arg[1]), reason_of(arg[2]), NULL), CB_STATUS_OK);
    else if (is("gate_handle_resume_as", 2)) {
        CHECK_EQ(cb_gate_handle_resume_as(gate(), part(arg[1]), NULL, &resumed), CB_STATUS_OK);
        print_resumed(resumed);
    } else if (is("gate_handle_resume", 1)) cb_gate_handle_resume(gate(), NULL, NULL);
    else return false;
    return true;
}

static bool observe(void) {
    cb_event event = CB_EVENT_INIT;
    if (is("observe", 1)) {
        const cb_snapshot snapshot = snapshot_of(breaker());
        print_snapshot(&snapshot, cb_get_state(breaker()), cb_is_halted(breaker()));
        cb_halt_note note = CB_HALT_NOTE_INIT;
        const bool found = cb_get_halt_note(breaker(), &note);
        printf(" note=%s passes=%d", note_of(found, &note), cb_gate_closed(cb_gate_of(breaker())));
        printf(" holders=%zu", cb_get_holders(breaker(), NULL, 0, sizeof note));
        printf(" deadline=%" PRIu64 "\n", cb_next_deadline_ns(breaker()));
    } else if (is("observer_of", 1)) {
        CHECK(observers_made < MOST);
        CHECK_EQ(cb_observer_of(breaker(), &observers[observers_made++]), CB_STATUS_OK);
    } else if (is("observer_observe", 1)) {
        print_observer(observer());
        printf("\n");
    } else if (is("published", 1)) {
        cb_snapshot published = CB_SNAPSHOT_INIT;
        if (cb_get_published(breaker(), &published)) {
            print_snapshot(&published, published.state, published.halted);
            printf("\n");
        } else {
            printf("%s none\n", verb);
        }
    } else if (is("published_is_latest", 1)) {
        const cb_snapshot snapshot = snapshot_of(breaker());
        cb_snapshot published = CB_SNAPSHOT_INIT;
        print_flag(cb_get_published(breaker(), &published) && memcmp(&published, &snapshot, sizeof snapshot) == 0);
    } else if (is("last_event", 1)) {
        const bool found = snapshot_of(breaker()).events > 0;
        if (found) event = last_event(breaker());
        print_event(found, &event);
    } else if (is("reasons", 1)) {
        reasons();
    } else if (is("events_open", 1)) {
        CHECK(readers_made < MOST);
        CHECK_EQ(cb_events_open(breaker(), &readers[readers_made++]), CB_STATUS_OK);
    } else if (is("events_next", 1)) {
        const bool found = cb_events_next(reader(), &event);
        print_event(found, &event);
    } else if (is("events_missed", 1)) {
        print_number(cb_events_missed(reader()));
    } else {
        return false;
    }
    return true;
}

static bool operate_tickets(void) {
    if (is("start_of", 1)) {
        printf("%s start_ns=%" PRIu64 "\n", verb, ticket(arg[0])->start_ns);
    } else if (is("ticket", 3)) {
        ticket(arg[0])->start_ns = arg[1];
        ticket(arg[0])->id = arg[2];
    } else if (is("forge", 4)) {
        ticket(arg[0])->start_ns = ticket(arg[1])->start_ns ^ arg[2];
        ticket(arg[0])->id = ticket(arg[1])->id ^ arg[3];
    } else {
        return false;
    }
    return true;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was printed before a crash tells where it was */
    while (read_operation()) {
        if (is("scenario", 1)) {
            end_scenario();
            print_number(arg[0]);
        } else if (!operate_settings() && !operate_breaker() && !operate_lane() && !operate_gate() && !observe() &&
                   !operate_tickets()) {
            fprintf(stderr, "conformance.c doesn't know %s with %d integers\n", verb, args);
            return 1;
        }
    }
    end_scenario();
    return 0;
}
