/*
 * Settings of a threshold and of a file, and what is unwise about settings, through the C++ wrapper. Its arguments: a directory for
 * files, and thresholds, each with the hash of the settings that Rust makes of it. What it has in common with C is in settings.c.
 */
#include "trip99.hpp"
#include "check.hpp"

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using trip99::Breaker;
using trip99::Config;

/* What an Error says that this throws, and its status. */
template <typename F> static std::string thrown(F call, cb_status status) {
    try {
        call();
    } catch (const trip99::Error &error) {
        CHECK(error.status() == status);
        return error.what();
    }
    CHECK(false);
    return "";
}

static void others_follow_the_threshold() {
    const Config slow = Config::for_threshold(seconds(5));
    CHECK(slow.threshold == seconds(5) && slow.stall_limit == seconds(25) && slow.probe_timeout == seconds(50));
    CHECK(slow.window_age == seconds(60) && slow.min_samples == 20 && slow.min_slow == 6 && slow.debt_limit == 0);
    CHECK(Breaker(slow).allow());
    CHECK(Config::for_threshold(milliseconds(200)).hash() == Config().hash());
    const std::string text = thrown([] { Config::for_threshold(nanoseconds(-1)); }, CB_STATUS_OUT_OF_RANGE);
    CHECK(text == "threshold is -1 ns; legal: not negative");
    const Config none = Config::for_threshold(nanoseconds(0));
    const std::string zero = thrown([&] { const Breaker breaker(none); }, CB_STATUS_OUT_OF_RANGE);
    CHECK(zero == "threshold_ns is 0; legal: 1 to 9223372036854775807");
}

static void rust_says_the_same(const std::vector<std::string> &arguments) {
    CHECK(!arguments.empty() && arguments.size() % 2 == 0);
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
        CHECK(Config::for_threshold(nanoseconds(std::stoll(arguments[i]))).hash() == std::stoull(arguments[i + 1]));
    }
}

/* The longest duration is never, for a limit of latencies as for anything else. */
static void never_is_legal() {
    Config config = Config::for_threshold(nanoseconds::max());
    config.recover_threshold = nanoseconds::max();
    config.spike_limit = nanoseconds::max();
    const Breaker breaker(config);
    CHECK(breaker.config().hash() == config.hash() && breaker.config().threshold == nanoseconds::max());
    const cb_config in_c = config.to_c();
    CHECK(in_c.threshold_ns == INT64_MAX && in_c.recover_threshold_ns == INT64_MAX);
    CHECK(in_c.stall_limit_ns == UINT64_MAX);

    /* As it came from C it is as legal as before. */
    cb_config longest;
    cb_config_init_for(&longest, sizeof longest, INT64_MAX);
    const cb_config back = Config(longest).to_c();
    CHECK(std::memcmp(&back, &longest, sizeof back) == 0);
}

static void files(const std::string &path) {
    const auto load = [&path](const char *text) {
        std::ofstream(path) << text;
        return Config::load(path);
    };
    CHECK(load("").hash() == Config().hash());
    const Config config = load("threshold = \"5s\"\nmin_slow = 3\ndebt_limit = 7\nrecovery = \"health-checks\"\n");
    CHECK(config.threshold == seconds(5) && config.stall_limit == seconds(25) && config.min_slow == 3);
    CHECK(config.debt_limit == 7 && config.recovery == trip99::Recovery::HealthChecks);
    CHECK(Breaker(config).config().hash() == config.hash());

    std::string text = thrown([&] { load("\nprobes = \"many\"\n"); }, CB_STATUS_BAD_SETTINGS);
    CHECK(text == path + ": line 2: probes is \"many\"; legal: a whole number, from 1 to 65535");
    text = thrown([&] { load("threshold = \"5s\"\nstall_limit = \"2s\""); }, CB_STATUS_BAD_SETTINGS);
    CHECK(text == path + ": line 2: stall_limit is 2s; legal: 0 or above 5s, as " + path + ": line 1: threshold is 5s");
    text = thrown([&] { Config::load(path + ".missing"); }, CB_STATUS_IO);
    CHECK(text.find(path + ".missing: No such file or directory") == 0);
}

static void what_is_unwise() {
    CHECK(Config().warnings().empty());
    Config config;
    config.threshold = nanoseconds(200);
    config.quantile_ppm = 999999;
    const std::vector<std::string> warnings = config.warnings();
    CHECK(warnings.size() == 2 && warnings[0].find("quantile_ppm is 999999 and window_len is 1024: ") == 0);
    CHECK(warnings[1] == "threshold_ns is 200: less than a microsecond; is it in another unit?");
    config.probes = 0; /* an error, not a warning */
    CHECK(config.warnings().empty());
    config.window_age = nanoseconds(-1);
    CHECK(thrown([&] { config.warnings(); }, CB_STATUS_OUT_OF_RANGE) == "window_age is -1 ns; legal: not negative");
}

static void a_change_is_an_event_with_both_hashes() {
    const Config before;
    Config after;
    after.min_slow = 1;
    Breaker breaker(before);
    trip99::Events events = breaker.events();
    breaker.reconfigure(after);
    trip99::Event event;
    CHECK(events.next(event) && event.reason == trip99::Reason::Reconfigured);
    CHECK(event.settings_before == before.hash() && event.settings_after == after.hash());
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    others_follow_the_threshold();
    rust_says_the_same(std::vector<std::string>(argv + 2, argv + argc));
    never_is_legal();
    files(std::string(argv[1]) + "/node.toml");
    what_is_unwise();
    a_change_is_an_event_with_both_hashes();
    return 0;
}
