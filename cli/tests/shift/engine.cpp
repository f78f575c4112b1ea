// An engine of the scripted shift: engine PAGE STATE_DIR. It trades until its standard input ends. A line there, `slow` or `well`, tells
// how the node does from then on.
#include <poll.h>
#include <trip99.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

namespace {

// Trips at the first slow sample, and recovers by one trial. The owner may be held up for long on a busy machine.
trip99::Config settings() {
    trip99::Config config;
    config.jitter_ppm = 0;
    config.spike_count = 1;
    config.probes = 1;
    config.stall_limit = 0s;
    config.owner_timeout = 60s;
    config.backoff_base = 5s;
    config.backoff_max = 5s;
    return config;
}

// Hears how the node does. False once the input has ended.
bool listen(std::chrono::milliseconds &latency) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) <= 0) {
        return true;
    }
    char line[64];
    const ssize_t length = read(STDIN_FILENO, line, sizeof line);
    if (length > 0) {
        latency = line[0] == 's' ? 300ms : 1ms;
    }
    return length > 0;
}

void trade(trip99::Breaker breaker) {
    std::chrono::milliseconds latency = 1ms;
    while (listen(latency)) {
        const bool is_sent = breaker.allow();
        std::this_thread::sleep_for(is_sent ? latency : 1ms);
        if (is_sent) {
            breaker.record(latency);
        }
        // What rests is cancelled when trading stops.
        breaker.set_resting(breaker.closed() ? 3 : 0);
        breaker.poll();
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    try {
        trip99::SharedOptions options;
        options.state_dir = argv[2];
        trade(trip99::Breaker::create_shared(argv[1], settings(), trip99::Start::Closed, options));
    } catch (const trip99::Error &error) {
        std::fprintf(stderr, "engine: %s\n", error.what());
        return 1;
    }
    return 0;
}
