/* Traders on lanes beside an owner, with real threads. All by rounds: nothing is timed. */
#define _POSIX_C_SOURCE 200809L
#include "workers.h"
#include <sched.h>

enum { TRADERS = 3, ROUNDS = 4000 };

static bool has_passed; /* some trader was let pass since it was last false */

/* One thread's lane, and what it did. Read by others when it is joined. */
struct trader {
    pthread_t thread;
    cb_lane *lane;
    uint64_t allowed, refused, released, ended, failed, abandoned, recorded, misused, dropped;
};

static void finish(struct trader *trader) {
    trader->dropped = cb_lane_dropped(trader->lane);
    done();
}

static void open_lanes(struct trader *traders, cb_breaker *breaker, uint32_t capacity) {
    memset(traders, 0, TRADERS * sizeof *traders);
    at_work = TRADERS;
    for (int i = 0; i < TRADERS; i++) CHECK_EQ(cb_lane_open(breaker, capacity, &traders[i].lane), CB_STATUS_OK);
}

static void start(struct trader *traders, void *(*work)(void *)) {
    for (int i = 0; i < TRADERS; i++)
        CHECK_EQ((uint64_t)pthread_create(&traders[i].thread, NULL, work, &traders[i]), 0);
}

/* Joins them, and sums up what they did. */
static struct trader sum_of(struct trader *traders) {
    struct trader sum;
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < TRADERS; i++) {
        const struct trader *trader = &traders[i];
        CHECK_EQ((uint64_t)pthread_join(trader->thread, NULL), 0);
        sum.allowed += trader->allowed;
        sum.refused += trader->refused;
        sum.released += trader->released;
        sum.ended += trader->ended;
        sum.failed += trader->failed;
        sum.abandoned += trader->abandoned;
        sum.recorded += trader->recorded;
        sum.misused += trader->misused;
        sum.dropped += trader->dropped;
    }
    return sum;
}

static void close_lanes(struct trader *traders) {
    for (int i = 0; i < TRADERS; i++) cb_lane_close(traders[i].lane);
}

/* Nothing trips it by itself, however slow the machine is. */
static cb_config patient(void) {
    cb_config config = quantile_only();
    be_patient(&config);
    return config;
}

/* Every kind of end, in turns. */
static void *trades(void *argument) {
    struct trader *trader = (struct trader *)argument;
    cb_lane *lane = trader->lane;
    const cb_gate *gate = cb_lane_gate_of(lane);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(cb_gate_closed(gate)); /* whatever room the lane has */
        if (cb_lane_allow(lane)) trader->allowed++; else trader->refused++; /* cancels, then */
        const cb_call order = cb_lane_begin(lane), cancel = cb_lane_begin(lane);
        CHECK(cb_lane_now_ns(lane) > 0);
        switch (i % 4) {
        case 0: cb_lane_fail(lane, order); trader->failed++; break;
        case 1: cb_lane_abandon(lane, order); trader->abandoned++; break;
        default: cb_lane_end(lane, order); trader->ended++; break;
        }
        cb_lane_end(lane, cancel); /* in another order than they began, at times */
        trader->ended++;
        if (i % 16 == 0) { cb_lane_end(lane, cancel); trader->misused++; }
        if (i % 8 == 0) { cb_lane_record(lane, 1); trader->recorded++; }
        if (i % 8 == 4) { cb_lane_record_failure(lane, 1); trader->recorded++; }
        if (i % 32 == 0) sched_yield();
    }
    finish(trader);
    return NULL;
}

/* Returns how many were dropped. */
static uint64_t whatever_lanes_say_is_taken_or_counted_as_dropped(uint32_t capacity) {
    const cb_config config = patient();
    cb_breaker *breaker = create(&config);
    struct trader traders[TRADERS];
    open_lanes(traders, breaker, capacity);
    start(traders, trades);
    uint64_t own = 0;
    while (anybody_at_work()) {
        const cb_call call = cb_begin(breaker); /* the owner trades, too */
        cb_end(breaker, call);
        own++;
        cb_poll(breaker);
        sched_yield();
    }
    const struct trader sum = sum_of(traders);
    cb_poll(breaker);
    const cb_snapshot snapshot = snapshot_of(breaker);
    const uint64_t told = own + sum.ended + sum.failed + sum.recorded;
    CHECK_EQ(sum.allowed + sum.refused, TRADERS * ROUNDS);
    CHECK_EQ(snapshot.dropped, sum.dropped);
    CHECK(sum.allowed > 0 && snapshot.recorded > own);
    CHECK(sum.refused == 0 || sum.dropped > 0); /* who is refused finds no room for what he sends all the same */
    CHECK_EQ(snapshot.misused, sum.misused);
    /* A call that found its lane full is dropped as it begins, and maybe once more as it ends; unless it is abandoned. */
    CHECK(snapshot.recorded <= told && snapshot.recorded + snapshot.dropped >= told);
    if (snapshot.dropped == 0) CHECK_EQ(snapshot.recorded, told);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.stale, 0);
    CHECK_EQ(snapshot.refused, sum.refused);
    CHECK_EQ(snapshot.events, 0);
    close_lanes(traders);
    cb_destroy(breaker);
    return snapshot.dropped;
}

/* With room for all that they say nothing is dropped, so the sums are exact. */
static void with_room_enough_every_sample_arrives(void) {
    CHECK_EQ(whatever_lanes_say_is_taken_or_counted_as_dropped(8 * ROUNDS), 0);
}

/* How many they drop is up to the scheduler. */
static void small_lanes_drop_and_tell(void) { (void)whatever_lanes_say_is_taken_or_counted_as_dropped(8); }

/* What goes from the thread that sends to the one that hears answers: a ring of one writer and one reader. */
enum { WIRE = 64 };
static struct { cb_call calls[WIRE]; int written, read; bool over; } wire;

static void *sends(void *argument) {
    struct trader *trader = (struct trader *)argument;
    while (trader->allowed < ROUNDS) {
        if (!cb_lane_allow(trader->lane)) { sched_yield(); continue; }
        const cb_call call = cb_lane_begin(trader->lane);
        trader->allowed++;
        if (trader->allowed % 16 == 0) { cb_lane_fail(trader->lane, call); trader->failed++; continue; }
        if (trader->allowed % 16 == 8) { cb_lane_abandon(trader->lane, call); trader->abandoned++; continue; }
        for (bool sent = false; !sent;) {
            lock();
            if (wire.written - wire.read < WIRE) { wire.calls[wire.written++ % WIRE] = call; sent = true; }
            unlock();
            if (!sent) sched_yield();
        }
    }
    lock();
    wire.over = true;
    unlock();
    finish(trader);
    return NULL;
}

static void *hears(void *argument) {
    struct trader *trader = (struct trader *)argument;
    for (bool over = false; !over;) {
        cb_call call = {0, 0};
        bool has_call = false;
        lock();
        if (wire.read < wire.written) { call = wire.calls[wire.read++ % WIRE]; has_call = true; }
        else over = wire.over;
        unlock();
        if (has_call) { cb_lane_end(trader->lane, call); trader->ended++; }
        else sched_yield();
    }
    finish(trader);
    return NULL;
}

/* One thread begins calls, another one ends them: nothing is misused, and whatever began is taken in. */
static void two_threads_share_a_lane(void) {
    const cb_config config = patient();
    cb_breaker *breaker = create(&config);
    struct trader sender, receiver;
    memset(&sender, 0, sizeof sender);
    memset(&receiver, 0, sizeof receiver);
    memset(&wire, 0, sizeof wire);
    at_work = 2;
    CHECK_EQ(cb_lane_open(breaker, 32, &sender.lane), CB_STATUS_OK);
    CHECK_EQ(cb_lane_split(sender.lane, &receiver.lane), CB_STATUS_OK);
    CHECK_EQ((uint64_t)pthread_create(&sender.thread, NULL, sends, &sender), 0);
    CHECK_EQ((uint64_t)pthread_create(&receiver.thread, NULL, hears, &receiver), 0);
    while (anybody_at_work()) {
        cb_poll(breaker);
        sched_yield();
    }
    CHECK_EQ((uint64_t)pthread_join(sender.thread, NULL), 0);
    CHECK_EQ((uint64_t)pthread_join(receiver.thread, NULL), 0);
    cb_poll(breaker);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(receiver.ended + sender.failed + sender.abandoned, ROUNDS);
    CHECK_EQ(snapshot.recorded, receiver.ended + sender.failed);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(snapshot.misused, 0);
    CHECK_EQ(snapshot.dropped, 0);
    CHECK_EQ(snapshot.events, 0);
    cb_lane_close(receiver.lane);
    cb_lane_close(sender.lane);
    cb_destroy(breaker);
}

/* Trades for so many rounds in which it is let pass, through trips, pauses and trials. */
static void *trades_through_pauses(void *argument) {
    struct trader *trader = (struct trader *)argument;
    cb_lane *lane = trader->lane;
    const cb_gate *gate = cb_lane_gate_of(lane);
    while (trader->allowed < ROUNDS / 4) {
        if (cb_gate_closed(gate) || cb_lane_allow(lane)) {
            trader->allowed++;
            lock();
            has_passed = true;
            unlock();
            if (trader->allowed % 8 == 7) {
                cb_lane_release(lane);
                trader->released++;
            } else if (trader->allowed % 8 == 3) {
                cb_lane_abandon(lane, cb_lane_begin(lane));
                trader->abandoned++;
            } else {
                cb_lane_end(lane, cb_lane_begin(lane));
                trader->ended++;
            }
        } else {
            trader->refused++;
        }
        sched_yield();
    }
    finish(trader);
    return NULL;
}

/* Trips again and again; trading goes on each time, and in the end every count adds up. */
static void trading_goes_on_after_each_trip(void) {
    cb_config config = patient();
    config.consecutive_failures = 1;
    config.recover_threshold_ns = config.threshold_ns;
    config.probes = 5;
    config.trials_in_flight = 2;
    config.backoff_base_ns = 1000;
    config.backoff_max_ns = 1000;
    cb_breaker *breaker = create(&config);
    struct trader traders[TRADERS];
    open_lanes(traders, breaker, 0);
    start(traders, trades_through_pauses);
    uint64_t trips = 0;
    while (anybody_at_work()) {
        cb_poll(breaker);
        lock();
        const bool again = has_passed;
        has_passed = false;
        unlock();
        if (again && cb_get_state(breaker) == CB_STATE_CLOSED) {
            cb_record_failure(breaker, 0);
            CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
            trips++;
        }
        sched_yield();
    }
    const struct trader sum = sum_of(traders);
    cb_poll(breaker);
    const cb_snapshot snapshot = snapshot_of(breaker);
    CHECK_EQ(sum.allowed, sum.ended + sum.abandoned + sum.released);
    CHECK_EQ(snapshot.recorded + snapshot.stale + sum.dropped, sum.ended + trips);
    CHECK_EQ(snapshot.refused, sum.refused);
    CHECK_EQ(snapshot.misused, 0);
    CHECK_EQ(snapshot.in_flight, 0);
    CHECK_EQ(sum.dropped, 0);
    CHECK(trips > 0);
    close_lanes(traders);
    cb_destroy(breaker);
}

/* Each trader's owner-side end is drained while the trader closes its lane; the next lane takes its place. */
static void *trades_once_and_goes(void *argument) {
    struct trader *trader = (struct trader *)argument;
    for (int i = 0; i < 10; i++) {
        cb_lane_end(trader->lane, cb_lane_begin(trader->lane));
        trader->ended++;
    }
    cb_lane *lane = trader->lane;
    finish(trader);
    cb_lane_close(lane);
    return NULL;
}

static void lanes_come_and_go(void) {
    const cb_config config = patient();
    cb_breaker *breaker = create(&config);
    uint64_t ended = 0;
    for (int i = 0; i < ROUNDS / 40; i++) {
        struct trader traders[TRADERS];
        open_lanes(traders, breaker, 32);
        start(traders, trades_once_and_goes);
        while (anybody_at_work()) {
            cb_poll(breaker);
            sched_yield();
        }
        cb_poll(breaker); /* while they close their lanes */
        ended += sum_of(traders).ended;
    }
    cb_poll(breaker);
    CHECK_EQ(snapshot_of(breaker).recorded, ended);
    CHECK_EQ(snapshot_of(breaker).dropped, 0);
    CHECK_EQ(snapshot_of(breaker).in_flight, 0);
    cb_destroy(breaker);
}

static cb_breaker *shared;

static void *halts(void *unused) {
    (void)unused;
    cb_halt(shared);
    return NULL;
}

static void a_halt_that_happened_before_is_obeyed_by_lanes(void) {
    shared = create(NULL);
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(shared, 0, &lane), CB_STATUS_OK);
    for (int i = 0; i < 20; i++) {
        CHECK(cb_lane_allow(lane));
        pthread_t thread;
        CHECK_EQ((uint64_t)pthread_create(&thread, NULL, halts, NULL), 0);
        CHECK_EQ((uint64_t)pthread_join(thread, NULL), 0);
        CHECK(!cb_gate_closed(cb_lane_gate_of(lane)) && !cb_lane_allow(lane));
        cb_resume(shared);
        CHECK(!cb_lane_allow(lane)); /* the owner alone opens */
        cb_poll(shared);
    }
    cb_destroy(shared);
    CHECK(!cb_gate_closed(cb_lane_gate_of(lane)) && !cb_lane_allow(lane)); /* for ever */
    cb_lane_close(lane);
}

int main(void) {
    with_room_enough_every_sample_arrives();
    two_threads_share_a_lane();
    small_lanes_drop_and_tell();
    trading_goes_on_after_each_trip();
    lanes_come_and_go();
    a_halt_that_happened_before_is_obeyed_by_lanes();
    return 0;
}
