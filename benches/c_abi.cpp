/*
 * What the C ABI and the C++ wrapper cost, beside a bare call and a relaxed load. Interleaved: each round times every
 * line once, so that whatever else the machine does falls on all alike. Prints medians over the rounds.
 */
#include <trip99.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

static const int ROUNDS = 301;
static const int CALLS = 20000;

/* The compiler may neither drop a value nor move work across. */
template <typename T> static inline void use(T &&value) { asm volatile("" : : "r,m"(value) : "memory"); }

/* The floor of whatever is not inline. */
extern "C" __attribute__((noinline)) bool bare_call(void *argument) {
    asm volatile("" : : "r"(argument) : "memory");
    return true;
}

struct Line {
    std::string name;
    /* Does the operation CALLS times. */
    std::function<void()> run;
    std::vector<double> ns{};

    double median() {
        std::nth_element(ns.begin(), ns.begin() + ROUNDS / 2, ns.end());
        return ns[ROUNDS / 2];
    }
};

int main() {
    /* Latencies of 1 us under a threshold of 200 ms: the breaker stays closed. */
    trip99::Breaker breaker;
    cb_breaker *c = breaker.c_handle();
    const cb_gate *gate = cb_gate_of(c);
    const trip99::Gate wrapped_gate = breaker.gate();
    const std::chrono::microseconds latency(1);
    std::uint64_t now_ns = 0; // to be kept behind the clock, which some lines read

    auto each = [](auto operation) {
        return [operation]() mutable {
            for (int i = 0; i < CALLS; i++) {
                operation();
            }
        };
    };
    std::vector<Line> lines;
    lines.push_back({"relaxed load and branch", each([&] { use(__atomic_load_n(&gate->bits, __ATOMIC_RELAXED) == 0); })});
    lines.push_back({"cb_gate_closed", each([&] { use(cb_gate_closed(gate)); })});
    lines.push_back({"Gate::closed", each([&] { use(wrapped_gate.closed()); })});
    lines.push_back({"Breaker::allow", each([&] { use(breaker.allow()); })});
    lines.push_back({"a bare call", each([&] { use(bare_call(c)); })});
    lines.push_back({"cb_allow", each([&] { use(cb_allow(c)); })});
    lines.push_back({"cb_record_at", each([&] { cb_record_at(c, now_ns += 10, 1000); })});
    lines.push_back({"Breaker::record_at", each([&] { breaker.record_at(now_ns += 10, latency); })});
    lines.push_back({"cb_begin_at + cb_end_at", each([&] {
                         const cb_call call = cb_begin_at(c, now_ns);
                         cb_end_at(c, now_ns += 10, call);
                     })});
    lines.push_back({"Breaker::begin_at + end_at", each([&] {
                         const trip99::Call call = breaker.begin_at(now_ns);
                         breaker.end_at(now_ns += 10, call);
                     })});
    lines.push_back({"cb_begin + cb_end", each([&] { cb_end(c, cb_begin(c)); })});
    lines.push_back({"ScopedCall", each([&] { const trip99::ScopedCall call(breaker); })});
    lines.push_back({"cb_poll_at", each([&] { cb_poll_at(c, now_ns += 10); })});
    lines.push_back({"Breaker::poll_at", each([&] { breaker.poll_at(now_ns += 10); })});

    for (int round = 0; round < ROUNDS; round++) {
        for (Line &line : lines) {
            now_ns = breaker.now_ns();
            const auto begin = std::chrono::steady_clock::now();
            line.run();
            const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
            line.ns.push_back(took.count() / CALLS);
        }
    }
    for (Line &line : lines) {
        const double median = line.median();
        const double least = *std::min_element(line.ns.begin(), line.ns.end());
        std::printf("  %-28s %6.2f ns   least %6.2f ns\n", line.name.c_str(), median, least);
    }
    return breaker.state() == trip99::State::Closed ? 0 : 1;
}
