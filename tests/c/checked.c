/* Against a library that is built as a checked one: argv[1] names what is done. It aborts with a message, but for "legal". */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

static cb_breaker *breaker;

static void *asks(void *unused) {
    (void)unused;
    CHECK(cb_allow(breaker));
    return NULL;
}

static void *ends(void *unused) {
    (void)unused;
    cb_destroy_unclean(breaker);
    return NULL;
}

static void *hands_over(void *unused) {
    (void)unused;
    cb_hand_over(breaker);
    return NULL;
}

static void *makes_a_gate(void *unused) {
    (void)unused;
    cb_gate_handle *handle = NULL;
    CHECK_EQ(cb_gate_handle_of(breaker, &handle), CB_STATUS_OK);
    return NULL;
}

/* All that any thread may do. */
static void *watches(void *lane) {
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    if (cb_get_published(breaker, &snapshot)) CHECK_EQ(snapshot.state, CB_STATE_CLOSED);
    (void)cb_get_state(breaker);
    (void)cb_gate_closed(cb_gate_of(breaker));
    cb_halt(breaker);
    cb_halt_with(breaker, "by any thread", NULL);
    CHECK_EQ(cb_halt_as(breaker, "engine.risk", NULL, NULL), CB_STATUS_OK);
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_get_halt_note(breaker, &note) && cb_get_holders(breaker, NULL, 0, 0) == 2);
    CHECK_EQ(cb_resume_as(breaker, "engine.risk", NULL, NULL), CB_STATUS_OK);
    cb_resume(breaker);
    CHECK(cb_why(breaker, NULL, 0) > 0);
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    cb_observer_close(observer);
    cb_lane_halt((cb_lane *)lane, NULL, NULL);
    cb_lane_resume((cb_lane *)lane, NULL, NULL);
    CHECK(!cb_lane_allow((cb_lane *)lane)); /* until the owner's poll */
    cb_lane_end((cb_lane *)lane, cb_lane_begin((cb_lane *)lane));
    cb_lane_hand_over((cb_lane *)lane);
    return NULL;
}

static void *trades_and_hands_over(void *unused) {
    (void)unused;
    CHECK(cb_allow(breaker));
    cb_end(breaker, cb_begin(breaker));
    cb_set_resting(breaker, 1);
    cb_poll(breaker);
    cb_hand_over(breaker);
    return NULL;
}

static void *stops(void *supervisor) {
    CHECK_EQ(cb_supervisor_stop((cb_supervisor *)supervisor), CB_STATUS_OK);
    CHECK(cb_allow(breaker)); /* who stops is the owner */
    cb_hand_over(breaker);
    return NULL;
}

static void *starts(void *supervisor) {
    CHECK_EQ(cb_supervisor_start((cb_supervisor *)supervisor), CB_STATUS_OK);
    return NULL;
}

static void on_another_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    CHECK_EQ((uint64_t)pthread_create(&thread, NULL, run, argument), 0);
    CHECK_EQ((uint64_t)pthread_join(thread, NULL), 0);
}

static cb_supervisor *supervise(void) {
    cb_supervisor *supervisor = NULL;
    CHECK_EQ(cb_supervisor_create(MS, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", breaker), CB_STATUS_OK);
    return supervisor;
}

static void legal(void) {
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    on_another_thread(watches, lane);
    cb_hand_over(breaker);
    on_another_thread(trades_and_hands_over, NULL);
    CHECK(cb_allow(breaker));
    cb_supervisor *supervisor = supervise();
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    on_another_thread(watches, lane);
    on_another_thread(stops, supervisor);
    CHECK(cb_allow(breaker));
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_stop(supervisor), CB_STATUS_OK);
    CHECK(cb_allow(breaker));
    cb_lane_close(lane);
    cb_supervisor_destroy(supervisor);
    cb_hand_over(breaker);
    on_another_thread(ends, NULL);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    breaker = create(NULL);
    if (strcmp(argv[1], "fresh") == 0) { /* nobody has used it so far: it is any thread's */
        on_another_thread(ends, NULL);
        return 0;
    }
    CHECK(cb_allow(breaker)); /* from here on it is this thread's */
    const char *wrong = argv[1];
    cb_config config = default_config();
    if (strcmp(wrong, "legal") == 0) {
        legal();
        return 0;
    }
    if (strcmp(wrong, "thread") == 0) on_another_thread(asks, NULL);
    if (strcmp(wrong, "destroy") == 0) on_another_thread(ends, NULL);
    if (strcmp(wrong, "hand_over") == 0) on_another_thread(hands_over, NULL);
    cb_gate_handle *handle = NULL;
    if (strcmp(wrong, "gate") == 0) on_another_thread(makes_a_gate, NULL);
    if (strcmp(wrong, "start") == 0) on_another_thread(starts, supervise());
    cb_supervisor *supervisor = supervise();
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    if (strcmp(wrong, "lent_poll") == 0) cb_poll(breaker);
    if (strcmp(wrong, "lent_abandon") == 0) cb_abandon(breaker, (cb_call){0, 0});
    if (strcmp(wrong, "lent_reconfigure") == 0) CHECK_EQ(cb_reconfigure(breaker, &config), CB_STATUS_OK);
    if (strcmp(wrong, "lent_gate") == 0) CHECK_EQ(cb_gate_handle_of(breaker, &handle), CB_STATUS_OK);
    if (strcmp(wrong, "lent_config") == 0) cb_get_config(breaker, &config);
    if (strcmp(wrong, "lent_snapshot") == 0) (void)snapshot_of(breaker);
    if (strcmp(wrong, "lent_halt_at") == 0) cb_halt_at(breaker, 1);
    if (strcmp(wrong, "lent_destroy") == 0) cb_destroy(breaker);
    fprintf(stderr, "%s did not abort\n", wrong);
    return 1;
}
