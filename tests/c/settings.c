/* Settings of a threshold and of a file, what is unwise about settings, and what events tell of them. Its arguments: a directory
 * for files, and thresholds, each with the hash of the settings that Rust makes of it. */
#include "check.h"

static const char *directory;
static char path[1024];

/* A file of settings with this text, at `path`. */
static void write_file(const char *text) {
    CHECK(snprintf(path, sizeof path, "%s/node.toml", directory) < (int)sizeof path);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static cb_config for_threshold(uint64_t threshold_ns) {
    cb_config config;
    memset(&config, 0x5a, sizeof config);
    cb_config_init_for(&config, sizeof config, threshold_ns);
    return config;
}

static void others_follow_the_threshold(void) {
    const cb_config slow = for_threshold(5 * SECOND);
    cb_config expected;
    cb_config_init(&expected, sizeof expected);
    expected.threshold_ns = 5 * SECOND;
    cb_breaker *breaker = NULL;
    CHECK_EQ(cb_create(&expected, &breaker), CB_STATUS_OUT_OF_RANGE); /* what has to be longer isn't */
    expected.stall_limit_ns = 25 * SECOND;
    expected.probe_timeout_ns = 50 * SECOND;
    CHECK(memcmp(&slow, &expected, sizeof slow) == 0);
    cb_destroy(create(&slow));

    /* Never below the defaults, and no product overflows. */
    cb_config defaults;
    cb_config_init(&defaults, sizeof defaults);
    const cb_config same = for_threshold(THRESHOLD);
    CHECK(memcmp(&same, &defaults, sizeof same) == 0);
    cb_config fast = for_threshold(1);
    CHECK_EQ(fast.threshold_ns, 1);
    fast.threshold_ns = THRESHOLD;
    CHECK(memcmp(&fast, &defaults, sizeof fast) == 0);
    CHECK_EQ(for_threshold(7 * SECOND).window_age_ns, 70 * SECOND);
    const cb_config longest = for_threshold(INT64_MAX);
    CHECK_EQ(longest.stall_limit_ns, NEVER);
    cb_destroy(create(&longest));

    /* Its range is checked by whoever takes the settings. */
    const cb_config none = for_threshold(0), too_long = for_threshold(NEVER);
    CHECK_EQ(cb_create(&none, &breaker), CB_STATUS_OUT_OF_RANGE);
    CHECK_EQ(cb_create(&too_long, &breaker), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), "threshold_ns is 18446744073709551615; legal: 1 to 9223372036854775807");
    cb_config_init_for(NULL, sizeof none, SECOND);
}

static void rust_says_the_same(int count, char **arguments) {
    CHECK(count > 0 && count % 2 == 0);
    for (int i = 0; i < count; i += 2) {
        const cb_config config = for_threshold(strtoull(arguments[i], NULL, 10));
        CHECK_EQ(cb_config_hash(&config), strtoull(arguments[i + 1], NULL, 10));
    }
}

/* A struct that nothing was written to. */
static cb_config untouched(void) {
    cb_config config;
    memset(&config, 0x5a, sizeof config);
    return config;
}

static cb_config load(const char *text) {
    cb_config config = untouched();
    write_file(text);
    const cb_status status = cb_config_load(path, &config, sizeof config);
    CHECK_TEXT(status == CB_STATUS_OK ? "" : cb_error_text(), "");
    return config;
}

static void a_file_has_what_differs(void) {
    cb_config read = load(""), expected;
    cb_config_init(&expected, sizeof expected);
    CHECK(memcmp(&read, &expected, sizeof read) == 0);

    read = load("# of the venue's slow gateway\n"
                "threshold = \"5s\"\n"
                "quantile = 0.999\n"
                "min-slow = 3\n"
                "debt_limit = 7\n"
                "spike_limit = 6_000_000_000\n"
                "recovery = \"health-checks\"\n"
                "shadow = true\n");
    expected = for_threshold(5 * SECOND);
    expected.quantile_ppm = 999000;
    expected.min_slow = 3;
    expected.debt_limit = 7;
    expected.spike_limit_ns = 6 * SECOND;
    expected.recovery = CB_RECOVERY_HEALTH_CHECKS;
    expected.shadow = 1;
    CHECK(memcmp(&read, &expected, sizeof read) == 0);
    cb_destroy(create(&read));

    /* How the tool reads a log is none of the breaker's business. */
    read = load("threshold = \"5s\"\n\n[columns]\nstart = \"timeStamp:ms\"\nprobes = 0\nwhere = { label = \"order\" }\n");
    expected = for_threshold(5 * SECOND);
    CHECK(memcmp(&read, &expected, sizeof read) == 0);
}

/* The text of an error has the path for each @. */
static void refused_as(cb_status expected, const char *at, size_t size, const char *text) {
    cb_config config = untouched();
    const cb_config before = config;
    char told[2048];
    size_t len = 0;
    for (const char *c = text; *c != '\0'; c++) {
        const char one[2] = {*c, '\0'};
        len += (size_t)snprintf(told + len, sizeof told - len, "%s", *c == '@' ? at : one);
        CHECK(len < sizeof told);
    }
    CHECK_EQ(cb_config_load(at, &config, size), expected);
    CHECK_TEXT(cb_error_text(), told);
    CHECK(memcmp(&config, &before, sizeof config) == 0); /* left as it was */
}

static void bad(const char *file, const char *text) {
    write_file(file);
    refused_as(CB_STATUS_BAD_SETTINGS, path, sizeof(cb_config), text);
}

static void mistakes_are_told_with_file_line_and_key(void) {
    bad("threshold = \"5ms\"\n\nmin_sample = 7\n",
        "@: line 3: min_sample is not a setting; legal: quantile, threshold, window_len, window_age, sample_every, "
        "min_samples, min_slow, debt_limit, confirm_verdicts, failure_rate, consecutive_failures, spike_limit, "
        "spike_count, stall_limit, max_in_flight, recover_threshold, recovery, probes, trials_in_flight, "
        "probe_timeout, backoff_base, backoff_multiplier, backoff_max, jitter, jitter_seed, stable_after, "
        "latch_after, owner_timeout, start, tap_len, shadow");
    bad("\nthreshold = \"soon\"\n",
        "@: line 2: threshold is \"soon\"; legal: a duration like 200ms, 1.5s or 1m, or a number of nanoseconds, "
        "from 1ns to 9223372036854775807ns");
    bad("quantile = 99",
        "@: line 1: quantile is \"99\"; legal: a fraction like 0.99, with at most six decimals, "
        "from 0.000001 to 0.999999");
    bad("min_slow = -1", "@: line 1: min_slow is \"-1\"; legal: a whole number, from 0 to 1048576");
    bad("shadow = [true]", "@: line 1: shadow is of type array; legal: a string, a decimal number, true or false");
    bad("min_slow = 1\nmin-slow = 2", "@: line 2: min-slow is set twice; legal: once");
    bad("probes = 0", "@: line 1: probes is 0; legal: 1 to 65535");
}

/* Whatever wasn't given is called so. */
static void ranges_hang_on_what_was_given(void) {
    bad("threshold = \"5s\"\nstall_limit = \"2s\"\n",
        "@: line 2: stall_limit is 2s; legal: 0 or above 5s, as @: line 1: threshold is 5s");
    bad("stall_limit = \"100ms\"\n",
        "@: line 1: stall_limit is 100ms; legal: 0 or above 200ms, as threshold (by default) is 200ms");
    bad("window_len = 10\n", "min_samples (by default) is 20; legal: 1 to 10, as @: line 1: window_len is 10");
    bad("probe_timeout = \"4s\"\nthreshold = \"5s\"\n",
        "@: line 1: probe_timeout is 4s; legal: above 4s, as recover_threshold (by default) is 4s");
}

static void what_is_no_file_of_settings(void) {
    const size_t size = sizeof(cb_config);
    char elsewhere[1024];
    snprintf(elsewhere, sizeof elsewhere, "%s/missing.toml", directory);
    refused_as(CB_STATUS_IO, elsewhere, size, "@: No such file or directory (os error 2); legal: a readable TOML file");
    refused_as(CB_STATUS_IO, directory, size, "@: Is a directory (os error 21); legal: a readable TOML file");
    refused_as(CB_STATUS_BAD_NAME, "caf\xe9.toml", size, "path is not UTF-8");

    cb_config config = untouched();
    const cb_config before = config;
    CHECK_EQ(cb_config_load(NULL, &config, size), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "path is NULL");
    CHECK(memcmp(&config, &before, sizeof config) == 0);
    write_file("threshold = \"5s\"\n");
    CHECK_EQ(cb_config_load(path, NULL, size), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "config is NULL");
}

/* Of what is legal, but hardly meant so. */
static void check_warning(const cb_config *config, size_t index, const char *text) {
    const size_t len = strlen(text);
    char buffer[512];
    CHECK(len + 1 < sizeof buffer);
    CHECK_EQ(cb_config_warning(config, index, NULL, 0), len);
    CHECK_EQ(cb_config_warning(config, index, NULL, sizeof buffer), len);
    memset(buffer, 0x5a, sizeof buffer);
    CHECK_EQ(cb_config_warning(config, index, buffer, 0), len);
    CHECK(buffer[0] == 0x5a);
    /* Never cut: one byte for the zero, one too few, just enough. */
    const size_t capacities[] = {1, len, len + 1};
    for (size_t i = 0; i < 3; i++) {
        memset(buffer, 0x5a, sizeof buffer);
        CHECK_EQ(cb_config_warning(config, index, buffer, capacities[i]), len);
        CHECK_TEXT(buffer, capacities[i] > len ? text : "");
        for (size_t at = capacities[i]; at < sizeof buffer; at++) CHECK(buffer[at] == 0x5a);
    }
}

static void check_no_warning(const cb_config *config, size_t index) {
    char buffer[16];
    memset(buffer, 0x5a, sizeof buffer);
    CHECK_EQ(cb_config_warning(config, index, NULL, 0), 0);
    CHECK_EQ(cb_config_warning(config, index, buffer, sizeof buffer), 0);
    CHECK_TEXT(buffer, "");
}

static void what_is_unwise_is_told_one_by_one(void) {
    cb_config config = default_config();
    check_no_warning(NULL, 0);
    check_no_warning(&config, 0);

    config.threshold_ns = 200;
    config.quantile_ppm = 999999;
    check_warning(&config, 0, "quantile_ppm is 999999 and window_len is 1024: one slow call of a full window is over; "
                              "a longer window, a lower quantile or a debt limit asks for more");
    check_warning(&config, 1, "threshold_ns is 200: less than a microsecond; is it in another unit?");
    check_no_warning(&config, 2);
    check_no_warning(&config, SIZE_MAX);
    cb_destroy(create(&config)); /* it is legal */

    /* What isn't legal has errors for that. */
    config.probes = 0;
    check_no_warning(&config, 0);
    config = default_config();
    config.threshold_ns = 200;
    config.recovery = 7;
    check_no_warning(&config, 0);
    config = default_config();
    config.threshold_ns = 200;
    config.struct_size = 8;
    check_no_warning(&config, 0);
}

static void a_change_is_an_event_with_both_hashes(void) {
    cb_config before = default_config(), after = before;
    cb_breaker *breaker = create(&before);
    cb_halt_at(breaker, 1);
    CHECK_EQ(last_event(breaker).settings_before, 0); /* any other event has none */
    CHECK_EQ(last_event(breaker).settings_after, 0);
    after.min_slow = 1;
    after.min_samples = 100;
    CHECK_EQ(cb_reconfigure_at(breaker, 2, &after), CB_STATUS_OK);
    cb_event event = last_event(breaker);
    CHECK_EQ(event.reason, CB_REASON_RECONFIGURED);
    CHECK_EQ(event.settings_before, cb_config_hash(&before));
    CHECK_EQ(event.settings_after, cb_config_hash(&after));
    CHECK(event.settings_before != event.settings_after);
    CHECK_EQ(cb_reconfigure_at(breaker, 3, &after), CB_STATUS_OK);
    event = last_event(breaker);
    CHECK_EQ(event.settings_before, cb_config_hash(&after));
    CHECK_EQ(event.settings_after, cb_config_hash(&after));
    cb_destroy(breaker);
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    directory = argv[1];
    others_follow_the_threshold();
    rust_says_the_same(argc - 2, argv + 2);
    a_file_has_what_differs();
    mistakes_are_told_with_file_line_and_key();
    ranges_hang_on_what_was_given();
    what_is_no_file_of_settings();
    what_is_unwise_is_told_one_by_one();
    a_change_is_an_event_with_both_hashes();
    return 0;
}
