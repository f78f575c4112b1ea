/*
 * The least that a C engine does with a breaker. Here the venue is simulated: it answers after 0.1 ms, but from 100 ms
 * on, for 100 ms, after 8 ms. Runs for half a second.
 */
#include <inttypes.h>
#include <stdio.h>
#include <trip99.h>

#define MS UINT64_C(1000000)

/* A request to the venue: an order, or a cancel. */
typedef struct request {
    cb_call call;
    uint64_t answered_at_ns;
    bool is_out;
} request;

static void send_to_venue(request *what, uint64_t since_start_ns) {
    const bool is_slow = since_start_ns >= 100 * MS && since_start_ns < 200 * MS;
    what->answered_at_ns = what->call.start_ns + (is_slow ? 8 * MS : MS / 10);
    what->is_out = true;
}

int main(void) {
    cb_config config;
    cb_config_init(&config, sizeof config); /* the defaults, and then what differs */
    config.threshold_ns = 4 * MS;
    config.backoff_base_ns = 50 * MS;
    config.backoff_max_ns = 100 * MS;

    cb_breaker *breaker;
    cb_events *events;
    if (cb_create(&config, &breaker) != CB_STATUS_OK || cb_events_open(breaker, &events) != CB_STATUS_OK) {
        fprintf(stderr, "minimal: %s\n", cb_error_text());
        return 1;
    }
    const cb_gate *gate = cb_gate_of(breaker);
    request order = {0}, cancel = {0};
    bool is_resting = false; /* an order rests in the venue's book */
    unsigned orders = 0, cancels = 0;
    const uint64_t start_ns = cb_now_ns(breaker);

    for (;;) {
        const uint64_t now_ns = cb_now_ns(breaker);
        if (now_ns - start_ns >= 500 * MS) {
            break;
        }
        /* An order adds risk: the gate is asked, in one inline load while all is well. */
        if (!order.is_out && !is_resting && (cb_gate_closed(gate) || cb_allow(breaker))) {
            order.call = cb_begin(breaker);
            send_to_venue(&order, now_ns - start_ns);
            orders++;
        }
        if (order.is_out && now_ns >= order.answered_at_ns) {
            cb_end(breaker, order.call);
            order.is_out = false;
            is_resting = true;
        }
        /* A cancel takes risk away: nobody is asked. Its round trip tells as much about the venue. */
        if (is_resting && !cancel.is_out) {
            cancel.call = cb_begin(breaker);
            send_to_venue(&cancel, now_ns - start_ns);
            cancels++;
        }
        if (cancel.is_out && now_ns >= cancel.answered_at_ns) {
            cb_end(breaker, cancel.call);
            cancel.is_out = false;
            is_resting = false;
        }
        cb_poll(breaker); /* timers: calls that are overdue, the end of a pause */

        cb_event event;
        event.struct_size = sizeof event;
        while (cb_events_next(events, &event)) {
            printf("%5" PRIu64 " ms  %-9s -> %-9s  %s\n", (event.t_ns - start_ns) / MS, cb_state_text(event.from),
                   cb_state_text(event.to), cb_reason_text(event.reason));
        }
    }
    printf("%u orders and %u cancels sent\n", orders, cancels);
    cb_events_close(events);
    cb_destroy(breaker);
    return 0;
}
