/* What the hot loop in docs/cpp.md takes for granted, round the loop itself: it must compile as it stands there. */
#include <trip99.hpp>

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

int main() {
    Orders orders;
    Venue venue;
    std::vector<Order> resting;
#include "hot_loop.inc"
}
