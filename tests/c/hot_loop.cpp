/* What the loops in docs/cpp.md take for granted, round the loops themselves: they must compile as they stand there. */
#include <trip99.hpp>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

struct Order {
    void cancel(trip99::Call) {}
};

struct Orders {
    void send(trip99::Call) {}
};

struct Ack {
    trip99::Call call;
    bool is_session_loss;
};

struct Venue {
    std::vector<Ack> acks() { return {}; }
};

static bool wants_to_send() { return true; }

static void log(const char *, const char *, const char *) {}

static void hot_loop() {
    Orders orders;
    Venue venue;
    std::vector<Order> resting;
#include "hot_loop.inc"
}

static void settings() {
#include "settings.inc"
}

/* A trader's. */
struct Session {
    void send(trip99::Call) {}
    std::vector<Ack> acks() { return {}; }
};

static void traders(trip99::Breaker &breaker, std::vector<Session> &sessions, std::atomic<bool> &trading) {
#include "traders.inc"
}

int main() {
    hot_loop();
    settings();
    trip99::Breaker breaker;
    std::vector<Session> sessions;
    std::atomic<bool> trading(false);
    traders(breaker, sessions, trading);
}
