/* What the snippets of C in docs/cpp.md take for granted, round the snippets themselves: they must compile as they stand there. */
#include <stdio.h>
#include <stdlib.h>
#include <trip99.h>

static void send_order(cb_call call) { (void)call; }

static void trade(void) {}

static void on_event(void *context, const char *name, const cb_event *event, uint64_t missed) {
    (void)context, (void)name, (void)event, (void)missed;
}

static void asks(cb_breaker *breaker) {
#include "gate.inc"
}

static void loads(void) {
#include "settings.inc"
}

static void looks(cb_breaker *breaker) {
#include "snapshot.inc"
}

static void reject_order(const char *why) { puts(why); }

static void halts(cb_breaker *breaker) {
#include "halts.inc"
}

static void shares(void) {
#include "shared.inc"
    cb_destroy(shared);
}

static void lends(cb_breaker *breaker) {
    int context = 0;
#include "supervisor.inc"
}

int main(void) {
    cb_breaker *breaker;
    if (cb_create(NULL, &breaker) != CB_STATUS_OK) return 1;
    asks(breaker);
    loads();
    looks(breaker);
    halts(breaker);
    shares();
    lends(breaker);
    cb_destroy(breaker);
    return 0;
}
