/* Halts by holders, the notes of all that hold one, the operators' log, and why calls are refused. By a breaker, a gate handle and a
 * lane. */
#include "check.h"
#include <limits.h>

static cb_breaker *breaker;
static cb_gate_handle *handle;
static cb_lane *lane;
static cb_observer *observer;

static void open_all(void) {
    cb_config config = default_config();
    config.spike_count = 1;
    breaker = create(&config);
    CHECK_EQ(cb_gate_handle_of(breaker, &handle), CB_STATUS_OK);
    CHECK_EQ(cb_lane_open(breaker, 4, &lane), CB_STATUS_OK);
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
}

static void close_all(void) {
    cb_destroy(breaker);
    cb_gate_handle_close(handle);
    cb_lane_close(lane);
    cb_observer_close(observer);
}

/* The same by each handle. */
enum { BREAKER, AT, GATE, LANE, WAYS };

static cb_status halt_as(int way, const char *holder, const char *reason, cb_halt_result *result) {
    switch (way) {
    case BREAKER: return cb_halt_as(breaker, holder, reason, result);
    case AT: return cb_halt_as_at(breaker, 1, holder, reason, result);
    case GATE: return cb_gate_handle_halt_as(handle, holder, reason, result);
    default: return cb_lane_halt_as(lane, holder, reason, result);
    }
}

static cb_status resume_as(int way, const char *holder, const char *reason, cb_resume_result *result) {
    switch (way) {
    case BREAKER: return cb_resume_as(breaker, holder, reason, result);
    case AT: return cb_resume_as_at(breaker, 1, holder, reason, result);
    case GATE: return cb_gate_handle_resume_as(handle, holder, reason, result);
    default: return cb_lane_resume_as(lane, holder, reason, result);
    }
}

static void halt(int way, const char *reason, cb_halt_result *result) {
    switch (way) {
    case BREAKER: cb_halt_with(breaker, reason, result); break;
    case AT: cb_halt_with_at(breaker, 1, reason, result); break;
    case GATE: cb_gate_handle_halt(handle, reason, result); break;
    default: cb_lane_halt(lane, reason, result); break;
    }
}

static void resume(int way, const char *reason, cb_resume_result *result) {
    switch (way) {
    case BREAKER: cb_resume_with(breaker, reason, result); break;
    case AT: cb_resume_with_at(breaker, 1, reason, result); break;
    case GATE: cb_gate_handle_resume(handle, reason, result); break;
    default: cb_lane_resume(lane, reason, result); break;
    }
}

static cb_resume_result resumed_as(int way, const char *holder) {
    cb_resume_result result = UINT32_MAX;
    CHECK_EQ(resume_as(way, holder, NULL, &result), CB_STATUS_OK);
    return result;
}

/* The holders' names, with a comma after each. */
static const char *names(void) {
    static char all[1024];
    cb_halt_note notes[24];
    const size_t count = cb_get_holders(breaker, notes, 24, sizeof *notes);
    all[0] = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(notes[i].struct_size, sizeof *notes);
        strcat(strcat(all, notes[i].holder), ",");
    }
    return all;
}

static void a_resume_lifts_one_holders_halt_and_the_owner_opens(void) {
    open_all();
    for (int way = 0; way < WAYS; way++) {
        cb_halt_result halted = UINT32_MAX;
        cb_resume_result resumed = UINT32_MAX;
        halt(way, "session lost", &halted);
        CHECK_EQ(halted, CB_HALT_DONE);
        CHECK_EQ(halt_as(way, "engine.risk", "position limit", &halted), CB_STATUS_OK);
        CHECK_EQ(halted, CB_HALT_DONE);
        CHECK_EQ(halt_as((way + 1) % WAYS, "ann@desk-7", NULL, NULL), CB_STATUS_OK);
        CHECK_TEXT(names(), "engine,engine.risk,ann@desk-7,");
        CHECK_EQ(resumed_as(way, "bob"), CB_RESUME_NOT_HELD);
        resume(way, "it is back", &resumed);
        CHECK_EQ(resumed, CB_RESUME_STILL_HELD);
        resume(way, NULL, &resumed);
        CHECK_EQ(resumed, CB_RESUME_NOT_HELD);
        CHECK_EQ(resumed_as(way, "engine.risk"), CB_RESUME_STILL_HELD);
        cb_poll_at(breaker, 1);
        CHECK(cb_is_halted(breaker) && !cb_lane_allow(lane));
        CHECK_EQ(resumed_as((way + 2) % WAYS, "ann@desk-7"), CB_RESUME_DONE);
        cb_poll_at(breaker, 1);
        CHECK(!cb_is_halted(breaker) && cb_lane_allow(lane) && cb_gate_handle_allow(handle));
        /* The plain forms are for the engine alone, too. */
        cb_halt(breaker);
        CHECK_EQ(halt_as(way, "engine", "the same", NULL), CB_STATUS_OK);
        CHECK_TEXT(names(), "engine,");
        cb_resume(breaker);
        CHECK(cb_is_halted(breaker)); /* until the owner's poll */
        cb_poll_at(breaker, 1);
        CHECK(!cb_is_halted(breaker));
        cb_halt_at(breaker, 1);
        cb_resume_at(breaker, 1);
        CHECK(!cb_is_halted(breaker)); /* by the owner: at once */
    }
    close_all();
}

static void each_halt_by_the_owner_has_one_event_at_once(void) {
    open_all();
    cb_events *events = NULL;
    cb_event event = CB_EVENT_INIT;
    CHECK_EQ(cb_events_open(breaker, &events), CB_STATUS_OK);
    for (uint64_t at = 10; at < 16; at++) {
        cb_halt_result halted = UINT32_MAX;
        cb_resume_result resumed = UINT32_MAX;
        switch (at) {
        case 10: cb_halt_at(breaker, at); break;
        case 11: cb_halt_with_at(breaker, at, "twice", &halted); break;
        case 12: CHECK_EQ(cb_halt_as_at(breaker, at, "engine.risk", NULL, &halted), CB_STATUS_OK); break;
        case 13: CHECK_EQ(cb_resume_as_at(breaker, at, "engine.risk", NULL, &resumed), CB_STATUS_OK); break;
        case 14: cb_resume_with_at(breaker, at, "over", &resumed); break;
        default: cb_resume_at(breaker, at); break; /* there is none: no event */
        }
        CHECK_EQ(halted, at == 11 || at == 12 ? CB_HALT_DONE : UINT32_MAX);
        CHECK_EQ(resumed, at == 13 ? CB_RESUME_STILL_HELD : at == 14 ? CB_RESUME_DONE : UINT32_MAX);
        CHECK(cb_events_next(events, &event) == (at < 15));
        if (at < 15) {
            CHECK_EQ(event.t_ns, at);
            CHECK_EQ(event.reason, at < 13 ? CB_REASON_HALT : CB_REASON_RESUME);
            CHECK(!cb_events_next(events, &event));
        }
    }
    cb_events_close(events);
    close_all();
}

static void names_that_nobody_may_have(void) {
    static const char *const ILLEGAL[] = {"", " ", "no spaces", "a/b", "\xff", "n\n", "a-name-of-more-than-32-characters"};
    static const char *const OWN[] = {"start", "latch", "damage", "drill", "fleet", "fleet-lease", "others"};
    open_all();
    for (int way = 0; way < WAYS; way++) {
        for (size_t i = 0; i < sizeof ILLEGAL / sizeof *ILLEGAL; i++) {
            cb_halt_result halted = CB_HALT_DONE;
            cb_resume_result resumed = CB_RESUME_DONE;
            CHECK_EQ(halt_as(way, ILLEGAL[i], NULL, &halted), CB_STATUS_BAD_NAME);
            CHECK_EQ(halted, CB_HALT_ENDED);
            CHECK(strncmp(cb_error_text(), "holder is ", 10) == 0);
            CHECK_EQ(resume_as(way, ILLEGAL[i], NULL, &resumed), CB_STATUS_BAD_NAME);
            CHECK_EQ(resumed, CB_RESUME_ENDED);
            CHECK_EQ(halt_as(way, ILLEGAL[i], NULL, NULL), CB_STATUS_BAD_NAME);
        }
        for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++) {
            char text[128];
            cb_halt_result halted = CB_HALT_DONE;
            snprintf(text, sizeof text,
                     "holder %s is a name of trip99's own; legal: engine.NAME, or a name of your own", OWN[i]);
            CHECK_EQ(halt_as(way, OWN[i], NULL, &halted), CB_STATUS_BAD_NAME);
            CHECK_EQ(halted, CB_HALT_ENDED);
            CHECK_TEXT(cb_error_text(), text);
            CHECK_EQ(resumed_as(way, OWN[i]), CB_RESUME_NOT_HELD); /* but lift it he may */
        }
        CHECK_EQ(halt_as(way, NULL, NULL, NULL), CB_STATUS_NULL_POINTER);
        CHECK_TEXT(cb_error_text(), "holder is NULL");
        CHECK_EQ(resume_as(way, NULL, NULL, NULL), CB_STATUS_NULL_POINTER);
        CHECK_TEXT(cb_error_text(), "holder is NULL");
        CHECK(!cb_is_halted(breaker) && cb_lane_allow(lane));
    }
    CHECK_EQ(halt_as(LANE, "a-name-of-32-characters.12345678", NULL, NULL), CB_STATUS_OK);
    close_all();
}

static void no_handle_at_all(void) {
    cb_halt_result halted[6];
    cb_resume_result resumed[6];
    memset(halted, 0, sizeof halted);
    memset(resumed, 0, sizeof resumed);
    cb_halt_with(NULL, "x", &halted[0]);
    cb_halt_with_at(NULL, 1, "x", &halted[1]);
    cb_gate_handle_halt(NULL, "x", &halted[2]);
    cb_lane_halt(NULL, "x", &halted[3]);
    CHECK_EQ(cb_halt_as(NULL, "ann", "x", &halted[4]), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "breaker is NULL");
    CHECK_EQ(cb_halt_as_at(NULL, 1, "ann", "x", &halted[5]), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_gate_handle_halt_as(NULL, "ann", "x", NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "handle is NULL");
    CHECK_EQ(cb_lane_halt_as(NULL, "ann", "x", NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "lane is NULL");
    cb_resume_with(NULL, "x", &resumed[0]);
    cb_resume_with_at(NULL, 1, "x", &resumed[1]);
    cb_gate_handle_resume(NULL, "x", &resumed[2]);
    cb_lane_resume(NULL, "x", &resumed[3]);
    CHECK_EQ(cb_resume_as(NULL, "ann", "x", &resumed[4]), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_resume_as_at(NULL, 1, "ann", "x", &resumed[5]), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_gate_handle_resume_as(NULL, "ann", "x", NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_lane_resume_as(NULL, "ann", "x", NULL), CB_STATUS_NULL_POINTER);
    for (int i = 0; i < 6; i++) CHECK(halted[i] == CB_HALT_ENDED && resumed[i] == CB_RESUME_ENDED);
    cb_halt_note note = {0};
    bool is_halt = true;
    CHECK(cb_get_holders(NULL, &note, 1, sizeof note) == 0 && cb_observer_get_holders(NULL, &note, 1, sizeof note) == 0);
    CHECK(!cb_log_entry(NULL, 1, &note, &is_halt) && is_halt && note.struct_size == 0);
    CHECK_EQ(cb_observer_get_resting(NULL), NEVER);
    char why[4][64];
    CHECK_EQ(cb_why(NULL, why[0], 64), strlen("refused: the breaker has ended"));
    CHECK(cb_observer_why(NULL, why[1], 64) > 0 && cb_gate_handle_why(NULL, why[2], 64) > 0);
    CHECK(cb_lane_why(NULL, why[3], 64) > 0);
    for (int i = 0; i < 4; i++) CHECK_TEXT(why[i], "refused: the breaker has ended");
}

/* As far as there is room, in any version's size, and not a byte beyond. */
static void holders_go_into_an_array(void) {
    open_all();
    CHECK_EQ(halt_as(GATE, "ann", "first", NULL), CB_STATUS_OK);
    CHECK_EQ(halt_as(GATE, "bob", "second", NULL), CB_STATUS_OK);
    CHECK_EQ(halt_as(GATE, "cid", "third", NULL), CB_STATUS_OK);
    cb_halt_note whole[3];
    CHECK_EQ(cb_observer_get_holders(observer, whole, 3, sizeof *whole), 3);
    CHECK_EQ(cb_get_holders(breaker, NULL, 3, sizeof *whole), 3);
    for (uint64_t i = 0; i < 3; i++) CHECK_EQ(whole[i].entry, i + 1);
    CHECK_TEXT(whole[1].reason, "second");
    static const size_t SIZES[] = {248, 256, 296, sizeof(cb_halt_note), sizeof(cb_halt_note) + 8, 4096};
    for (size_t of = 0; of < sizeof SIZES / sizeof *SIZES; of++) {
        const size_t size = SIZES[of];
        for (size_t capacity = 0; capacity <= 4; capacity++) {
            const size_t room = capacity * size, written = (capacity < 3 ? capacity : 3) * size;
            unsigned char *out = (unsigned char *)malloc(room + 8);
            memset(out, 0x5a, room + 8);
            CHECK_EQ(cb_get_holders(breaker, (cb_halt_note *)(void *)out, capacity, size), 3);
            for (size_t at = 0; at < room + 8; at++) {
                const size_t in = at % size;
                const unsigned char *note = (const unsigned char *)&whole[at < written ? at / size : 0];
                uint32_t told = (uint32_t)size;
                unsigned char expected = 0;
                if (at >= written) expected = 0x5a;
                else if (in < sizeof told) memcpy(&expected, (const unsigned char *)&told + in, 1);
                else if (in < sizeof *whole) expected = note[in];
                CHECK_EQ(out[at], expected);
            }
            free(out);
        }
    }
    static const size_t NO_VERSIONS[] = {0, 1, 4, 247, 249, 252, 337, 4097, 4104, SIZE_MAX, SIZE_MAX - 7};
    for (size_t of = 0; of < sizeof NO_VERSIONS / sizeof *NO_VERSIONS; of++) {
        unsigned char out[512];
        memset(out, 0x5a, sizeof out);
        CHECK_EQ(cb_get_holders(breaker, (cb_halt_note *)(void *)out, 1, NO_VERSIONS[of]), 3); /* counted only */
        for (size_t at = 0; at < sizeof out; at++) CHECK_EQ(out[at], 0x5a);
    }
    close_all();
}

static void the_log_tells_who_halted_and_resumed(void) {
    open_all();
    cb_halt_note note = CB_HALT_NOTE_INIT;
    bool is_halt = false;
    CHECK(!cb_log_entry(observer, 0, &note, &is_halt) && !cb_log_entry(observer, 1, &note, &is_halt));
    CHECK_EQ(halt_as(LANE, "ann", "prices look wrong", NULL), CB_STATUS_OK);
    CHECK_EQ(cb_resume_as(breaker, "ann", "they are fine", NULL), CB_STATUS_OK);
    CHECK(cb_log_entry(observer, 1, &note, &is_halt) && is_halt);
    CHECK_EQ(note.entry, 1);
    CHECK_TEXT(note.holder, "ann");
    CHECK_TEXT(note.reason, "prices look wrong");
    CHECK(cb_log_entry(cb_lane_observer(lane), 2, &note, &is_halt) && !is_halt);
    CHECK_TEXT(note.reason, "they are fine");
    CHECK(cb_log_entry(cb_gate_handle_observer(handle), 2, &note, NULL));
    is_halt = true;
    CHECK(!cb_log_entry(observer, 2, NULL, &is_halt) && !cb_log_entry(observer, 3, &note, &is_halt));
    CHECK(!cb_log_entry(observer, UINT64_MAX, &note, &is_halt));
    note.struct_size = 247;
    memset(note.reason, 'x', 3);
    CHECK(!cb_log_entry(observer, 2, &note, &is_halt) && is_halt && note.reason[0] == 'x'); /* no version's */
    note.struct_size = 248;
    note.entry = 99;
    CHECK(cb_log_entry(observer, 2, &note, &is_halt) && !is_halt && note.entry == 99);
    for (int i = 0; i < 20; i++) cb_halt(breaker);
    note.struct_size = sizeof note;
    CHECK(!cb_log_entry(observer, 2, &note, NULL)); /* the latest 16 are kept */
    CHECK(cb_log_entry(observer, 22, &note, NULL) && cb_log_entry(observer, 7, &note, NULL));
    close_all();
}

static void why_is_one_line(void) {
    open_all();
    char text[512];
    CHECK_EQ(cb_why(breaker, text, sizeof text), 6);
    CHECK_TEXT(text, "passes");
    cb_halt_with(breaker, "two\nlines \xe2\x80\xae \xe2\x80\x93", NULL);
    static const char EXPECTED[] = "refused: halted by engine (two lines   \xe2\x80\x93)"; /* ends in a dash of 3 bytes */
    const size_t len = sizeof EXPECTED - 1;
    CHECK_EQ(cb_why(breaker, text, sizeof text), len);
    CHECK_TEXT(text, EXPECTED);
    CHECK(cb_observer_why(observer, text, sizeof text) == len && strcmp(text, EXPECTED) == 0);
    CHECK(cb_gate_handle_why(handle, text, sizeof text) == len && strcmp(text, EXPECTED) == 0);
    CHECK(cb_lane_why(lane, text, sizeof text) == len && strcmp(text, EXPECTED) == 0);
    CHECK_EQ(cb_why(breaker, NULL, 0), len);
    CHECK_EQ(cb_why(breaker, NULL, sizeof text), len);
    for (size_t capacity = 0; capacity <= len + 2; capacity++) {
        char *room = (char *)malloc(capacity + 1);
        memset(room, 0x5a, capacity + 1);
        CHECK_EQ(cb_why(breaker, room, capacity), len);
        CHECK_EQ((unsigned char)room[capacity], 0x5a);
        if (capacity > 0) {
            size_t fits = capacity - 1 < len ? capacity - 1 : len;
            while ((EXPECTED[fits] & 0xc0) == 0x80) fits--; /* between characters */
            CHECK_EQ(strlen(room), fits);
            CHECK(memcmp(room, EXPECTED, fits) == 0);
        }
        free(room);
    }
    cb_resume_at(breaker, 1);
    open_at(breaker, 2);
    CHECK(cb_why(breaker, text, sizeof text) > 0);
    CHECK(strncmp(text, "refused: open since ", 20) == 0 && strcmp(text + 32, " UTC: spike") == 0);
    close_all();

    open_all();
    while (cb_lane_allow(lane)) (void)!cb_lane_begin(lane).start_ns;
    CHECK(cb_lane_why(lane, text, sizeof text) > 0);
    CHECK_TEXT(text, "refused: the lane is full");
    cb_lane *end = NULL;
    CHECK_EQ(cb_lane_split(lane, &end), CB_STATUS_OK);
    CHECK(cb_lane_why(lane, text, sizeof text) > 0);
    CHECK_TEXT(text, "refused: the lane is full");
    CHECK(cb_lane_why(end, text, sizeof text) > 0); /* the other half knows nothing of that */
    CHECK_TEXT(text, "passes");
    cb_lane_close(end);
    close_all();
}

static void resting_orders_are_told(void) {
    open_all();
    CHECK_EQ(cb_observer_get_resting(observer), NEVER);
    cb_set_resting(breaker, 0);
    CHECK_EQ(cb_observer_get_resting(observer), 0);
    cb_set_resting(breaker, 12);
    CHECK_EQ(cb_observer_get_resting(cb_lane_observer(lane)), 12);
    cb_observer *after = NULL;
    CHECK_EQ(cb_observer_of(breaker, &after), CB_STATUS_OK);
    close_all();
    CHECK_EQ(cb_observer_get_resting(after), NEVER);
    cb_observer_close(after);
}

static void results_have_texts(void) {
    for (cb_halt_result result = 0; result <= CB_HALT_ENDED; result++) {
        CHECK(strlen(cb_halt_result_text(result)) > 0);
        CHECK(strcmp(cb_halt_result_text(result), cb_halt_result_text(UINT32_MAX)) != 0);
    }
    for (cb_resume_result result = 0; result <= CB_RESUME_ENDED; result++) {
        CHECK(strlen(cb_resume_result_text(result)) > 0);
        CHECK(strcmp(cb_resume_result_text(result), cb_resume_result_text(UINT32_MAX)) != 0);
    }
    CHECK_TEXT(cb_halt_result_text(CB_HALT_ENDED + 1), cb_halt_result_text(UINT32_MAX));
    CHECK_TEXT(cb_resume_result_text(CB_RESUME_ENDED + 1), cb_resume_result_text(UINT32_MAX));
    CHECK_TEXT(cb_halt_result_text(CB_HALT_DONE), "halted");
    CHECK_TEXT(cb_resume_result_text(CB_RESUME_STILL_HELD), "resumed; others still hold a halt");
}

int main(void) {
    a_resume_lifts_one_holders_halt_and_the_owner_opens();
    each_halt_by_the_owner_has_one_event_at_once();
    names_that_nobody_may_have();
    no_handle_at_all();
    holders_go_into_an_array();
    the_log_tells_who_halted_and_resumed();
    why_is_one_line();
    resting_orders_are_told();
    results_have_texts();
    return 0;
}
