/*
 * The least that a C engine does with a breaker. It runs for a second, against a venue that is simulated.
 *
 * Here the engine waits for each answer. One with many orders out keeps each ticket (a cb_call) beside its order, and
 * gives it to cb_end when the answer comes; cb_poll then also notices the answers that don't come.
 */
#include <inttypes.h>
#include <stdio.h>
#include <trip99.h>

#define MS UINT64_C(1000000)

/* The venue answers after 0.1 ms; but from 100 ms after the start on, for 300 ms, after 30 ms. */
static void await_answer(const cb_breaker *breaker, uint64_t start_ns) {
    const uint64_t sent_ns = cb_now_ns(breaker);
    const bool is_slow = sent_ns - start_ns >= 100 * MS && sent_ns - start_ns < 400 * MS;
    const uint64_t answer_ns = sent_ns + (is_slow ? 30 * MS : MS / 10);
    while (cb_now_ns(breaker) < answer_ns) {
    }
}

int main(void) {
    cb_config config;
    cb_config_init(&config, sizeof config); /* the defaults, and then what differs */
    config.threshold_ns = 20 * MS;
    config.backoff_base_ns = 100 * MS;

    cb_breaker *breaker;
    cb_events *events;
    if (cb_create(&config, &breaker) != CB_STATUS_OK || cb_events_open(breaker, &events) != CB_STATUS_OK) {
        fprintf(stderr, "minimal: %s\n", cb_error_text());
        return 1;
    }
    const cb_gate *gate = cb_gate_of(breaker);
    const uint64_t start_ns = cb_now_ns(breaker);
    unsigned orders = 0, cancels = 0;

    while (cb_now_ns(breaker) - start_ns < 1000 * MS) {
        /* An order adds risk, so it asks: one inline load while trading goes on. */
        if (cb_gate_closed(gate) || cb_allow(breaker)) {
            cb_call order = cb_begin(breaker);
            await_answer(breaker, start_ns);
            cb_end(breaker, order); /* or cb_fail, if the venue or the connection failed it */
            orders++;
        }
        /* A cancel takes risk away, so it doesn't ask. Its round trip tells as much about the venue. */
        if (cancels < orders) {
            cb_call cancel = cb_begin(breaker);
            await_answer(breaker, start_ns);
            cb_end(breaker, cancel);
            cancels++;
        }
        cb_poll(breaker); /* timers: once each turn of the loop */

        cb_event event = CB_EVENT_INIT;
        while (cb_events_next(events, &event)) {
            printf("%4" PRIu64 " ms  %-9s -> %-9s  %s\n", (event.t_ns - start_ns) / MS, cb_state_text(event.from),
                   cb_state_text(event.to), cb_reason_text(event.reason));
        }
    }
    printf("%u orders, %u cancels\n", orders, cancels);
    cb_events_close(events);
    cb_destroy(breaker);
    return 0;
}
