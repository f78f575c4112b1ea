/*
 * What the C ABI and the C++ wrapper cost, beside a bare call and a relaxed load; and the value of the P99, beside what
 * C++ has for it. Interleaved: each round times every line once, so that whatever else the machine does falls on all
 * alike.
 *
 * usage: c_abi [ROUNDS]
 *
 * Without an argument: medians and quartiles of 301 rounds, for people. With one: a line of tab-separated values for
 * each operation, its name and its nanoseconds in each round, for programs.
 */
#include "floyd_rivest.hpp"

#include <trip99.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

static const int CALLS = 20000;
/* Of what takes microseconds. */
static const int QUANTILES = 250;
static const std::size_t WINDOW = 1024;
static const std::size_t SLIDE = 16;
static const std::uint32_t P99_PPM = 990000;
static const std::size_t P99_INDEX = (WINDOW * 99 + 99) / 100 - 1; /* the nearest rank, from 0 */
/* Virtual time from one call to the next. */
static const std::uint64_t STEP_NS = 100;
/* More than a window, so that the sample that enters isn't the one that leaves. */
static const std::size_t LATENCIES = 2 * WINDOW;

/* The compiler may neither drop a value nor move work across. */
template <typename T> static inline void use(T &&value) { asm volatile("" : : "r,m"(value) : "memory"); }

/* The floor of whatever is not inline. */
extern "C" __attribute__((noinline)) bool bare_call(void *argument) {
    asm volatile("" : : "r"(argument) : "memory");
    return true;
}

/* What a breaker with a clock reads: the time stamp counter, or what the system has where there is none. */
static inline std::uint64_t read_clock() {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/* None above the threshold of 200 ms: the breakers stay closed. */
static std::vector<std::uint64_t> good_latencies() {
    std::mt19937_64 random(99);
    std::lognormal_distribution<double> latency_ms(std::log(20.0), 0.8);
    std::vector<std::uint64_t> latencies(LATENCIES);
    for (std::uint64_t &latency : latencies) {
        latency = static_cast<std::uint64_t>(std::min(latency_ms(random), 200.0) * 1e6);
    }
    return latencies;
}

/* A breaker in virtual time, and its load. */
struct Timed {
    trip99::Breaker breaker{};
    std::vector<std::uint64_t> latencies = good_latencies();
    std::uint64_t now_ns = 0;
    std::size_t next = 0;

    void slide() {
        for (std::size_t i = 0; i < SLIDE; i++) {
            cb_record_at(breaker.c_handle(), now_ns += STEP_NS, latencies[next + i]);
        }
        next = (next + SLIDE) % LATENCIES;
    }

    std::uint64_t quantile() { return cb_quantile_ns_at(breaker.c_handle(), now_ns, P99_PPM); }
};

static std::uint64_t nth_element(std::vector<std::uint64_t> &values, std::size_t index) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
    return values[index];
}

static std::uint64_t select(std::vector<std::uint64_t> &values, std::size_t index) {
    floyd_rivest(values.data(), 0, static_cast<std::ptrdiff_t>(values.size()) - 1, static_cast<std::ptrdiff_t>(index));
    return values[index];
}

/* A ring of latencies, and a copy of it to select in: what an engine without a library has. */
struct Ring {
    std::uint64_t (*find)(std::vector<std::uint64_t> &, std::size_t);
    std::vector<std::uint64_t> latencies = good_latencies();
    std::vector<std::uint64_t> ring = std::vector<std::uint64_t>(WINDOW);
    std::vector<std::uint64_t> copy = std::vector<std::uint64_t>(WINDOW);
    std::size_t next = 0;

    void slide() {
        std::copy_n(&latencies[next], SLIDE, &ring[next % WINDOW]);
        next = (next + SLIDE) % LATENCIES;
    }

    std::uint64_t quantile() {
        std::copy(ring.begin(), ring.end(), copy.begin());
        return find(copy, P99_INDEX);
    }
};

/* Both selections find what sorting finds. */
static bool selections_are_right() {
    std::mt19937_64 random(1);
    for (int round = 0; round < 400; round++) {
        std::vector<std::uint64_t> values(1 + random() % 3000);
        const std::uint64_t distinct = round % 3 == 0 ? 1 + random() % 4 : UINT64_MAX;
        for (std::uint64_t &value : values) {
            value = random() % distinct;
        }
        std::vector<std::uint64_t> sorted = values;
        std::sort(sorted.begin(), sorted.end());
        if (round % 5 == 0) {
            values = sorted;
        }
        for (const std::size_t index : {std::size_t(0), values.size() / 2, values.size() * 99 / 100, values.size() - 1}) {
            std::vector<std::uint64_t> one = values, other = values;
            if (select(one, index) != sorted[index] || nth_element(other, index) != sorted[index]) {
                return false;
            }
        }
    }
    return true;
}

struct Line {
    std::string name;
    int calls;
    /* Does the operation so many times. */
    std::function<void()> run;
    /* The line whose time is part of this one's, and is subtracted; -1 = none. */
    int part = -1;
    std::vector<double> ns{};

    double at(double share) {
        std::sort(ns.begin(), ns.end());
        return ns[static_cast<std::size_t>(share * static_cast<double>(ns.size() - 1))];
    }
};

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 301;
    if (argc > 2 || rounds < 1) {
        std::fprintf(stderr, "usage: c_abi [ROUNDS]\n");
        return 2;
    }
    if (!selections_are_right()) {
        std::fprintf(stderr, "c_abi: a selection is wrong\n");
        return 1;
    }

    /* One in virtual time, and one whose lines read the clock. */
    Timed timed;
    cb_breaker *c = timed.breaker.c_handle();
    trip99::Breaker live;
    const cb_gate *gate = cb_gate_of(c);
    const cb_gate *live_gate = cb_gate_of(live.c_handle());
    trip99::Breaker shared; /* apart, as a breaker with gates looks after their trials, too */
    const trip99::Gate wrapped_gate = shared.gate();

    auto each = [](auto operation) {
        return [operation]() mutable {
            for (int i = 0; i < CALLS; i++) {
                operation();
            }
        };
    };
    /* With a time and a latency. */
    auto each_at = [&timed](auto operation) {
        return [&timed, operation]() mutable {
            const std::uint64_t *latencies = timed.latencies.data();
            std::uint64_t now_ns = timed.now_ns;
            for (std::size_t i = 0; i < CALLS; i++) {
                operation(now_ns += STEP_NS, latencies[i % LATENCIES]);
            }
            timed.now_ns = now_ns;
        };
    };
    std::vector<Line> lines;
    auto add = [&](const char *name, std::function<void()> run) { lines.push_back({name, CALLS, std::move(run)}); };
    add("a relaxed load and a branch", each([&] { use(__atomic_load_n(&gate->bits, __ATOMIC_RELAXED) == 0); }));
    add("cb_gate_closed", each([&] { use(cb_gate_closed(gate)); }));
    add("Gate::closed (C++)", each([&] { use(wrapped_gate.closed()); }));
    add("Breaker::allow (C++)", each([&] { use(timed.breaker.allow()); }));
    add("a bare call", each([&] { use(bare_call(c)); }));
    add("cb_allow", each([&] { use(cb_allow(c)); }));
    add("cb_record_at", each_at([c](auto now_ns, auto latency_ns) { cb_record_at(c, now_ns, latency_ns); }));
    add("cb_gate_closed + cb_record_at", each_at([c, gate](auto now_ns, auto latency_ns) {
            if (cb_gate_closed(gate) || cb_allow_at(c, now_ns)) {
                cb_record_at(c, now_ns, latency_ns);
            }
        }));
    add("Breaker::record_at (C++)", each_at([&timed](auto now_ns, auto latency_ns) {
            timed.breaker.record_at(now_ns, std::chrono::nanoseconds(latency_ns));
        }));
    add("cb_begin_at + cb_end_at", each_at([c](auto now_ns, auto) {
            const cb_call call = cb_begin_at(c, now_ns);
            cb_end_at(c, now_ns + 50, call);
        }));
    add("Breaker::begin_at + end_at (C++)", each_at([&timed](auto now_ns, auto) {
            const trip99::Call call = timed.breaker.begin_at(now_ns);
            timed.breaker.end_at(now_ns + 50, call);
        }));
    add("two rdtsc", each([] {
            use(read_clock());
            use(read_clock());
        }));
    add("cb_gate_closed + cb_begin + cb_end", each([&live, live_gate] {
            if (cb_gate_closed(live_gate) || cb_allow(live.c_handle())) {
                cb_end(live.c_handle(), cb_begin(live.c_handle()));
            }
        }));
    add("cb_begin + cb_end", each([&] { cb_end(live.c_handle(), cb_begin(live.c_handle())); }));
    add("ScopedCall (C++)", each([&] { const trip99::ScopedCall call(live); }));
    add("cb_poll_at", each_at([c](auto now_ns, auto) { cb_poll_at(c, now_ns); }));
    add("Breaker::poll_at (C++)", each_at([&timed](auto now_ns, auto) { timed.breaker.poll_at(now_ns); }));

    /* The P99 of 1024, 16 of them new. */
    Timed asked, alone;
    Ring by_nth_element{nth_element}, by_floyd_rivest{select};
    for (std::size_t filled = 0; filled < WINDOW; filled += SLIDE) {
        asked.slide(), alone.slide(), by_nth_element.slide(), by_floyd_rivest.slide();
    }
    auto each_quantile = [](auto &window) {
        return [&window] {
            for (int i = 0; i < QUANTILES; i++) {
                window.slide();
                use(window.quantile());
            }
        };
    };
    const int slides = static_cast<int>(lines.size());
    lines.push_back({"16 x cb_record_at", QUANTILES, [&] {
                         for (int i = 0; i < QUANTILES; i++) {
                             alone.slide();
                         }
                     }});
    lines.push_back({"cb_quantile_ns_at, after 16 more", QUANTILES, each_quantile(asked), slides});
    lines.push_back({"copy + std::nth_element", QUANTILES, each_quantile(by_nth_element)});
    lines.push_back({"copy + Floyd-Rivest", QUANTILES, each_quantile(by_floyd_rivest)});

    /* The first round warms up. */
    for (int round = 0; round <= rounds; round++) {
        for (Line &line : lines) {
            const auto begin = std::chrono::steady_clock::now();
            line.run();
            const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
            const double part_ns = line.part < 0 || round == 0 ? 0 : lines[static_cast<std::size_t>(line.part)].ns.back();
            if (round > 0) {
                line.ns.push_back(took.count() / line.calls - part_ns);
            }
        }
        const std::uint64_t p99 = asked.quantile();
        if (p99 != by_nth_element.quantile() || p99 != by_floyd_rivest.quantile()) {
            std::fprintf(stderr, "c_abi: the three don't find the same P99\n");
            return 1;
        }
    }
    for (Line &line : lines) {
        if (argc > 1) {
            std::printf("%s", line.name.c_str());
            for (const double ns : line.ns) {
                std::printf("\t%.4f", ns);
            }
            std::printf("\n");
        } else {
            const double low = line.at(0.25), median = line.at(0.5), high = line.at(0.75);
            std::printf("  %-34s %8.2f ns   (%.2f to %.2f)\n", line.name.c_str(), median, low, high);
        }
    }
    const bool closed = timed.breaker.state() == trip99::State::Closed && live.state() == trip99::State::Closed;
    if (!closed) {
        std::fprintf(stderr, "c_abi: a breaker didn't stay closed\n");
    }
    return closed ? 0 : 1;
}
