/*
 * What the C++ wrapper adds to C: durations, enums, exceptions, moves, scoped calls, and the real clock. Prints what is
 * wrong, and fails. What it has in common with C is in tests/conformance.
 */
#include "trip99.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <vector>

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using trip99::Breaker;
using trip99::Config;
using trip99::Reason;
using trip99::State;

#define FAIL(what)                                                                                                     \
    do {                                                                                                               \
        std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what);                                                 \
        std::exit(1);                                                                                                  \
    } while (false)

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            FAIL("not so: " #what);                                                                                    \
        }                                                                                                              \
    } while (false)

static const std::uint64_t MS = 1000000;
static const std::uint64_t SECOND = 1000 * MS;

static_assert(!std::is_copy_constructible<Breaker>::value && !std::is_copy_assignable<Breaker>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<Breaker>::value, "moves");
static_assert(std::is_nothrow_move_assignable<Breaker>::value, "moves");
static_assert(!std::is_copy_constructible<trip99::Events>::value, "move-only");
static_assert(std::is_nothrow_move_constructible<trip99::Events>::value, "moves");
static_assert(!std::is_copy_constructible<trip99::ScopedCall>::value, "move-only");
static_assert(noexcept(std::declval<Breaker &>().allow()), "hot calls don't throw");
static_assert(noexcept(std::declval<Breaker &>().end(trip99::Call())), "hot calls don't throw");

/* Trips at the first slow sample, pauses for one second, recovers by one trial. */
static Config quick() {
    Config config;
    config.spike_count = 1;
    config.probes = 1;
    config.jitter_ppm = 0;
    return config;
}

static std::vector<Reason> reasons(trip99::Events &events) {
    std::vector<Reason> reasons;
    for (const trip99::Event &event : events) {
        reasons.push_back(event.reason);
    }
    return reasons;
}

static void settings() {
    const Config defaults;
    CHECK(defaults.quantile_ppm == 990000 && defaults.threshold == milliseconds(200) && defaults.window_len == 1024);
    CHECK(defaults.window_age == seconds(60) && defaults.recovery == trip99::Recovery::Trials && !defaults.shadow);

    /* Every field survives the way to the breaker and back, and each goes to its own place. */
    cb_config distinct;
    cb_config_init(&distinct, sizeof distinct);
    distinct.quantile_ppm = 500001;
    distinct.threshold_ns = 100001;
    distinct.window_age_ns = 100002;
    distinct.window_len = 103;
    distinct.sample_every = 104;
    distinct.min_samples = 52;
    distinct.confirm_verdicts = 105;
    distinct.failure_rate_ppm = 106;
    distinct.consecutive_failures = 107;
    distinct.spike_limit_ns = 100003;
    distinct.spike_count = 108;
    distinct.max_in_flight = 109;
    distinct.stall_limit_ns = 100004;
    distinct.recover_threshold_ns = 99999;
    distinct.recovery = CB_RECOVERY_HEALTH_CHECKS;
    distinct.probes = 110;
    distinct.trials_in_flight = 111 - 2;
    distinct.backoff_multiplier = 7;
    distinct.probe_timeout_ns = 100005;
    distinct.backoff_base_ns = 100006;
    distinct.backoff_max_ns = UINT64_MAX;
    distinct.jitter_ppm = 112;
    distinct.start = CB_START_HALF_OPEN;
    distinct.jitter_seed = 113;
    distinct.stable_after_ns = 100007;
    distinct.shadow = 1;
    distinct.latch_after = 114;
    distinct.owner_timeout_ns = 10000001;
    distinct.min_slow = 115;
    distinct.debt_limit = 116;
    distinct.tap_len = 117;
    const Breaker breaker(distinct);
    const cb_config back = Breaker(breaker.config()).config().to_c();
    CHECK(std::memcmp(&back, &distinct, sizeof back) == 0);
    CHECK(breaker.config().backoff_max == nanoseconds::max());
}

static void errors() {
    Config config;
    config.quantile_ppm = 0;
    try {
        const Breaker breaker(config);
        FAIL("an illegal setting is taken");
    } catch (const trip99::Error &error) {
        CHECK(error.status() == CB_STATUS_OUT_OF_RANGE);
        CHECK(std::strcmp(error.what(), "quantile_ppm is 0; legal: 1 to 999999") == 0);
    }
    config = Config();
    config.stall_limit = nanoseconds(-1);
    try {
        const Breaker breaker(config);
        FAIL("an illegal setting is taken");
    } catch (const std::runtime_error &error) {
        CHECK(std::strcmp(error.what(), "stall_limit is -1 ns; legal: not negative") == 0);
    }
    Breaker breaker;
    config = Config();
    config.window_len = 1000;
    for (int at = 0; at < 2; at++) {
        try {
            at ? breaker.reconfigure_at(1, config) : breaker.reconfigure(config);
            FAIL("an illegal setting is taken");
        } catch (const trip99::Error &error) {
            CHECK(error.status() == CB_STATUS_FIXED_SETTING);
        }
    }
    CHECK(breaker.config().window_len == 1024);
}

static void forms_of_the_wrappers_own() {
    Breaker breaker(quick());
    trip99::Events events = breaker.events();
    CHECK(breaker.closed() && breaker.allow_at(SECOND));
    breaker.record_at(SECOND + 3, nanoseconds(200 * static_cast<std::int64_t>(MS) + 1));
    CHECK(!breaker.closed() && breaker.state() == State::Open && breaker.snapshot().automatic_state() == State::Open);
    CHECK(breaker.quantile(1000000) == nanoseconds(200000001));

    trip99::Event event;
    CHECK(events.next(event) && !events.next(event));
    CHECK(event.from == State::Closed && event.to == State::Open && event.reason == Reason::Spike);
    CHECK(event.quantile == nanoseconds(200000001) && event.pause() == seconds(1) && event.wall_ns != 0);
    CHECK(std::strcmp(to_string(event.reason), "spike") == 0 && std::strcmp(to_string(State::HalfOpen), "half_open") == 0);
    breaker.poll_at(2 * SECOND + 3);
    CHECK(events.next(event) && event.to == State::HalfOpen && event.pause() == nanoseconds(0));
    CHECK(breaker.allow_at(2 * SECOND + 8));
    breaker.record_at(2 * SECOND + 9, nanoseconds(1));
    CHECK((reasons(events) == std::vector<Reason>{Reason::Recovered}));
    CHECK(events.begin() == events.end() && events.missed() == 0);

    /* A negative latency is none: it is counted, and nothing else. */
    Breaker endless(quick());
    endless.record_at(3 * SECOND, nanoseconds(-1));
    endless.record_failure_at(3 * SECOND, nanoseconds::min());
    CHECK(endless.state() == State::Closed && endless.snapshot().misused == 2 && endless.snapshot().recorded == 0);
    endless.record_at(3 * SECOND, nanoseconds::max());
    CHECK(endless.state() == State::Open);
}

static void new_settings() {
    Config config = quick();
    Breaker breaker(config);
    config.threshold = milliseconds(1);
    breaker.reconfigure(config);
    CHECK(breaker.config().threshold == milliseconds(1));
    config.threshold = milliseconds(2);
    breaker.reconfigure_at(SECOND + 9, config);
    CHECK(breaker.config().threshold == milliseconds(2));
}

/* The plain forms: only what holds however long each step takes. */
static void real_time() {
    Breaker breaker(Config::for_threshold(std::chrono::hours(1)));
    const std::uint64_t before_ns = breaker.now_ns();
    CHECK(breaker.allow());
    const trip99::Call call = breaker.begin();
    breaker.end(call);
    breaker.fail(breaker.begin());
    breaker.abandon(breaker.begin());
    breaker.record(nanoseconds(7));
    breaker.record_failure(nanoseconds(8));
    breaker.record_probe(nanoseconds(9), true); /* not asked for: stale */
    breaker.poll();
    const trip99::Snapshot snapshot = breaker.snapshot();
    CHECK(call.start_ns >= before_ns && snapshot.now_ns >= call.start_ns && breaker.now_ns() >= snapshot.now_ns);
    CHECK(snapshot.recorded == 4 && snapshot.failures == 2 && snapshot.stale == 1 && snapshot.in_flight == 0);
    CHECK(snapshot.time_source() == trip99::Clock::Tsc || snapshot.time_source() == trip99::Clock::Monotonic);
}

static void scoped_calls() {
    Breaker breaker;
    { const trip99::ScopedCall call(breaker); }
    CHECK(breaker.snapshot().samples == 1 && breaker.snapshot().failures == 0);
    try {
        const trip99::ScopedCall call = breaker.scoped_call();
        throw std::runtime_error("the venue is gone");
    } catch (const std::runtime_error &) {
    }
    CHECK(breaker.snapshot().samples == 2 && breaker.snapshot().failures == 1);
    {
        trip99::ScopedCall call = breaker.scoped_call();
        call.abandon();
    }
    CHECK(breaker.snapshot().samples == 2 && breaker.snapshot().in_flight == 0);
    {
        trip99::ScopedCall call = breaker.scoped_call();
        call.fail();
        call.end();
    }
    {
        trip99::ScopedCall first = breaker.scoped_call();
        const trip99::ScopedCall second = std::move(first);
        CHECK(second.start_ns() == first.start_ns());
    }
    CHECK(breaker.snapshot().samples == 4 && breaker.snapshot().failures == 2 && breaker.snapshot().misused == 0);
    trip99::Call handed_over;
    {
        trip99::ScopedCall call = breaker.scoped_call();
        handed_over = call.detach();
    }
    CHECK(breaker.snapshot().in_flight == 1);
    breaker.end(handed_over);
    CHECK(breaker.snapshot().in_flight == 0 && breaker.snapshot().samples == 5);
    {
        trip99::ScopedCall call = breaker.scoped_call();
        call.end();
        CHECK(breaker.snapshot().samples == 6);
    }
    CHECK(breaker.snapshot().samples == 6 && breaker.snapshot().misused == 0);
}

static void moves_and_handles() {
    Breaker first(quick());
    first.record_at(1, seconds(1));
    trip99::Events events = first.events();
    Breaker second = std::move(first);
    CHECK(second.state() == State::Open && first.c_handle() == nullptr);
    first = Breaker();
    CHECK(first.state() == State::Closed && first.allow());
    std::swap(first, second);
    CHECK(first.state() == State::Open && !first.closed() && second.closed());

    cb_breaker *raw = first.detach();
    CHECK(first.c_handle() == nullptr && cb_get_state(raw) == CB_STATE_OPEN);
    {
        const Breaker adopted = Breaker::adopt(raw);
        CHECK(adopted.c_handle() == raw && adopted.state() == State::Open);
    }
    /* The reader outlives its breaker. */
    trip99::Events moved = std::move(events);
    events = std::move(moved);
    CHECK((reasons(events) == std::vector<Reason>{Reason::Spike}));
    try {
        const trip99::Events none(nullptr);
        FAIL("a reader of nothing is opened");
    } catch (const trip99::Error &error) {
        CHECK(error.status() == CB_STATUS_NULL_POINTER);
    }
}

static void taps() {
    Config config;
    try {
        const trip99::Tap none = Breaker(config).tap();
        FAIL("a tap is there that nobody asked for");
    } catch (const trip99::Error &error) {
        CHECK(error.status() == CB_STATUS_NOT_NOW);
    }
    config.tap_len = 100;
    Breaker breaker(config);
    trip99::Tap tap = breaker.tap();
    trip99::TapRow row;
    CHECK(!tap.next(row));
    breaker.record_at(7, nanoseconds(5));
    breaker.record_failure_at(8, nanoseconds(5));
    trip99::Tap moved = std::move(tap);
    CHECK(moved.next(row) && row.kind == trip99::TapKind::Ask && row.start_ns == 2 && row.returned);
    CHECK(row.latency == nanoseconds(5) && row.ok);
    CHECK(moved.next(row) && row.start_ns == 3 && !row.ok);
    CHECK(!moved.next(row) && moved.missed() == 0 && !moved.has_moved());
}

int main() {
    taps();
    CHECK(trip99::abi_version() == CB_ABI_VERSION && std::strchr(trip99::version(), '.') != nullptr);
    settings();
    errors();
    forms_of_the_wrappers_own();
    new_settings();
    real_time();
    scoped_calls();
    moves_and_handles();
    return 0;
}
