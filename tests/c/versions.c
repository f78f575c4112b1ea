/* Programs compiled with older and newer headers: structs that are shorter and longer than the library's. Each lies at
 * the end of a heap block, so that sanitizers and valgrind see an access beyond it. */
#include "check.h"

static char path[1024]; /* a file for settings */

static void *block(size_t size, int fill) {
    void *memory = malloc(size);
    CHECK(memory != NULL);
    memset(memory, fill, size);
    return memory;
}

static void tell_size(void *of_struct, size_t size) {
    const uint32_t told = (uint32_t)size;
    memcpy(of_struct, &told, sizeof told);
}

/* What cb_create makes of the first `size` bytes of a configuration that say `told` of themselves. Zeros follow what
 * this header knows, and in `last` the last byte. */
static cb_status try_create(const cb_config *config, size_t size, uint32_t told, char last, cb_breaker **out) {
    char *copy = (char *)block(size, 0);
    memcpy(copy, config, size < sizeof *config ? size : sizeof *config);
    if (size > sizeof *config) copy[size - 1] = last;
    tell_size(copy, told);
    *out = NULL;
    const cb_status status = cb_create((const cb_config *)(void *)copy, out);
    CHECK((*out != NULL) == (status == CB_STATUS_OK));
    free(copy);
    return status;
}

/* Differs from the defaults in every field, and each prefix is legal with the rest at its defaults. */
static cb_config all_changed(void) {
    cb_config config = {0};
    config.struct_size = sizeof config;
    config.quantile_ppm = 500000;
    config.threshold_ns = 7000;
    config.window_age_ns = 8000;
    config.window_len = 200;
    config.sample_every = 2;
    config.min_samples = 3;
    config.confirm_verdicts = 4;
    config.failure_rate_ppm = 5;
    config.consecutive_failures = 6;
    config.spike_limit_ns = 7;
    config.spike_count = 8;
    config.max_in_flight = 9;
    config.stall_limit_ns = 10000;
    config.recover_threshold_ns = 11;
    config.recovery = CB_RECOVERY_HEALTH_CHECKS;
    config.probes = 20;
    config.trials_in_flight = 10;
    config.backoff_multiplier = 3;
    config.probe_timeout_ns = 14;
    config.backoff_base_ns = 15;
    config.backoff_max_ns = 16;
    config.jitter_ppm = 17;
    config.start = CB_START_HALF_OPEN;
    config.jitter_seed = 18;
    config.stable_after_ns = 19;
    config.shadow = 1;
    config.latch_after = 20;
    config.owner_timeout_ns = 21000000;
    config.min_slow = 22;
    config.debt_limit = 23;
    config.tap_len = 24;
    return config;
}

/* Offsets within 64-bit fields, where no version ends: their second halves. */
static bool cuts_a_field(size_t size) {
    static const size_t WIDE[] = {offsetof(cb_config, threshold_ns),     offsetof(cb_config, window_age_ns),
                                  offsetof(cb_config, spike_limit_ns),   offsetof(cb_config, stall_limit_ns),
                                  offsetof(cb_config, recover_threshold_ns), offsetof(cb_config, probe_timeout_ns),
                                  offsetof(cb_config, backoff_base_ns),  offsetof(cb_config, backoff_max_ns),
                                  offsetof(cb_config, jitter_seed),      offsetof(cb_config, stable_after_ns),
                                  offsetof(cb_config, owner_timeout_ns)};
    for (size_t i = 0; i < sizeof WIDE / sizeof *WIDE; i++)
        if (size > WIDE[i] && size < WIDE[i] + 8) return true;
    return size % 4 != 0;
}

/* A pointer's size, which sizeof tells by mistake, is no version's. */
static const size_t SHORTEST = offsetof(cb_config, threshold_ns) + 8;

static void older_configurations_leave_the_rest_at_its_defaults(void) {
    const cb_config changed = all_changed();
    cb_config defaults;
    cb_config_init(&defaults, sizeof defaults);
    for (size_t size = 4; size <= sizeof changed; size++) {
        cb_breaker *breaker;
        const cb_status status = try_create(&changed, size, (uint32_t)size, 0, &breaker);
        if (size < SHORTEST || cuts_a_field(size)) {
            CHECK_EQ(status, CB_STATUS_STRUCT_SIZE);
            char text[256];
            snprintf(text, sizeof text, "struct_size of the configuration is %zu, and %zu in this version; "
                     "set it by cb_config_init", size, sizeof changed);
            CHECK_TEXT(cb_error_text(), text);
            continue;
        }
        CHECK_EQ(status, CB_STATUS_OK);
        cb_config expected = defaults;
        memcpy(&expected, &changed, size);
        expected.struct_size = sizeof expected;
        cb_config read = {0};
        read.struct_size = sizeof read;
        cb_get_config(breaker, &read);
        CHECK(memcmp(&read, &expected, sizeof read) == 0);
        cb_destroy(breaker);
    }
}

/* The sizes of the versions so far, each with the settings that it has no field for. */
static const struct {
    size_t size;
    const char *missing[3];
} VERSIONS[] = {
    {offsetof(cb_config, owner_timeout_ns), {"owner_timeout", "min_slow", "debt_limit"}},
    {offsetof(cb_config, min_slow), {"min_slow", "debt_limit", NULL}},
    {offsetof(cb_config, debt_limit), {"debt_limit", NULL, NULL}},
    {sizeof(cb_config), {NULL, NULL, NULL}},
};

/* What cb_config_load makes of a file with this text, for a struct of this size that lies at the end of a block. */
static cb_status try_load(const char *text, size_t size, cb_config *out) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    char *copy = (char *)block(size, 0x5a);
    const cb_status status = cb_config_load(path, (cb_config *)(void *)copy, size);
    memset(out, 0x5a, sizeof *out);
    memcpy(out, copy, size < sizeof *out ? size : sizeof *out);
    for (size_t i = sizeof *out; i < size; i++) CHECK_EQ((unsigned char)copy[i], status == CB_STATUS_OK ? 0 : 0x5a);
    free(copy);
    return status;
}

static void older_configurations_are_loaded_as_far_as_they_go(void) {
    cb_config expected, read, untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    CHECK_EQ(VERSIONS[0].size, 152);
    for (size_t i = 0; i < sizeof VERSIONS / sizeof *VERSIONS; i++) {
        const size_t size = VERSIONS[i].size;
        CHECK_EQ(try_load("threshold = \"5s\"\nlatch_after = 3\n", size, &read), CB_STATUS_OK);
        memset(&expected, 0x5a, sizeof expected);
        cb_config_init_for(&expected, size, 5 * SECOND);
        expected.latch_after = 3;
        CHECK(memcmp(&read, &expected, sizeof read) == 0);
        CHECK_EQ(read.struct_size, size);

        /* What it has no field for is refused: it would be lost. */
        for (size_t other = 0; other < 3; other++) {
            const char *name = VERSIONS[0].missing[other];
            bool is_missing = false;
            for (size_t at = 0; at < 3; at++)
                is_missing |= VERSIONS[i].missing[at] != NULL && strcmp(VERSIONS[i].missing[at], name) == 0;
            char text[128], told[1280];
            snprintf(text, sizeof text, "%s = 20000000\n", name);
            if (strcmp(name, "owner_timeout") != 0) snprintf(text, sizeof text, "%s = 7\n", name);
            const cb_status status = try_load(text, size, &read);
            CHECK_EQ(status, is_missing ? CB_STATUS_UNKNOWN_SETTING : CB_STATUS_OK);
            if (!is_missing) continue;
            snprintf(told, sizeof told, "%s: %s is a setting from after the caller's header", path, name);
            CHECK_TEXT(cb_error_text(), told);
            CHECK(memcmp(&read, &untouched, sizeof read) == 0);
        }
        /* At its default nothing is lost. */
        CHECK_EQ(try_load("owner_timeout = \"1s\"\nmin_slow = 6\ndebt_limit = 0\n", size, &read), CB_STATUS_OK);
    }
    CHECK_EQ(try_load("debt_limit = 7\n", sizeof read + 64, &read), CB_STATUS_OK); /* a newer header's */
    CHECK_EQ(read.debt_limit, 7);
}

static void no_version_is_loaded(void) {
    cb_config config, untouched;
    memset(&config, 0x5a, sizeof config);
    untouched = config;
    for (size_t size = 0; size <= 4200; size++) {
        const bool is_version = size >= 152 && size <= 4096 && !cuts_a_field(size);
        if (is_version || (size > sizeof config && size < 4090)) continue; /* above */
        char text[128];
        snprintf(text, sizeof text, "size is %zu, and %zu in this version; pass sizeof *config", size, sizeof config);
        CHECK_EQ(cb_config_load(path, &config, size), CB_STATUS_STRUCT_SIZE);
        CHECK_TEXT(cb_error_text(), text);
        CHECK(memcmp(&config, &untouched, sizeof config) == 0);
    }
    CHECK_EQ(cb_config_load(path, &config, SIZE_MAX), CB_STATUS_STRUCT_SIZE);
    CHECK(memcmp(&config, &untouched, sizeof config) == 0);
}

static void newer_configurations_pass_while_what_they_add_is_0(void) {
    const cb_config config = default_config();
    cb_breaker *breaker;
    for (uint32_t more = 4; more <= 64; more += 4) {
        const uint32_t size = (uint32_t)sizeof config + more;
        CHECK_EQ(try_create(&config, size, size, 0, &breaker), CB_STATUS_OK);
        cb_destroy(breaker);
        CHECK_EQ(try_create(&config, size, size, 1, &breaker), CB_STATUS_UNKNOWN_SETTING);
        CHECK(strstr(cb_error_text(), cb_version_text()) != NULL);
    }
    breaker = create(NULL);
    char *newer = (char *)block(sizeof config + 8, 0);
    memcpy(newer, &config, sizeof config);
    tell_size(newer, sizeof config + 8);
    CHECK_EQ(cb_reconfigure_at(breaker, 1, (const cb_config *)(void *)newer), CB_STATUS_OK);
    newer[sizeof config] = 1;
    CHECK_EQ(cb_reconfigure_at(breaker, 1, (const cb_config *)(void *)newer), CB_STATUS_UNKNOWN_SETTING);
    free(newer);
    cb_destroy(breaker);
}

static void sizes_that_no_version_has(void) {
    static const uint32_t TOLD[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 4097, 4100, 65536, 0x80000000, UINT32_MAX - 3, UINT32_MAX};
    const cb_config config = default_config();
    cb_breaker *breaker, *made = create(NULL);
    for (size_t i = 0; i < sizeof TOLD / sizeof *TOLD; i++) {
        CHECK_EQ(try_create(&config, sizeof config, TOLD[i], 0, &breaker), CB_STATUS_STRUCT_SIZE);
        cb_config other = config;
        other.struct_size = TOLD[i];
        CHECK_EQ(cb_reconfigure(made, &other), CB_STATUS_STRUCT_SIZE);
    }
    cb_destroy(made);
}

/* Each fills a struct of this size (as it tells of itself), in a program compiled with another version. */
static void init(void *out, size_t size) { cb_config_init((cb_config *)out, size); }

static void init_for(void *out, size_t size) { cb_config_init_for((cb_config *)out, size, 5 * SECOND); }

static cb_breaker *source;
static void get_config(void *out, size_t size) { (void)size, cb_get_config(source, (cb_config *)out); }
static void get_snapshot(void *out, size_t size) { (void)size, cb_get_snapshot(source, (cb_snapshot *)out); }
static void get_published(void *out, size_t size) { (void)size, CHECK(cb_get_published(source, (cb_snapshot *)out)); }
static void next_event(void *out, size_t size) {
    cb_events *events;
    (void)size;
    CHECK_EQ(cb_events_open(source, &events), CB_STATUS_OK);
    CHECK(cb_events_next(events, (cb_event *)out));
    cb_events_close(events);
}

/* Whatever the caller's size, from the first version's on: the known part as ever, zeros in what is newer, and not a byte
 * beyond. */
static void check_output(void (*fill)(void *, size_t), size_t known, size_t first) {
    char *full = (char *)block(known, 0);
    tell_size(full, known);
    fill(full, known);
    CHECK(memcmp(full, &(uint32_t){(uint32_t)known}, 4) == 0);
    for (size_t size = first; size <= known + 64; size++) {
        char *out = (char *)block(size, 0x5a);
        tell_size(out, size);
        fill(out, size);
        CHECK(memcmp(out, &(uint32_t){(uint32_t)size}, 4) == 0); /* still the caller's */
        for (size_t i = 4; i < size; i++) CHECK_EQ((unsigned char)out[i], i < known ? (unsigned char)full[i] : 0);
        free(out);

        char *guarded = (char *)block(size + 64, 0x5a); /* once more without a sanitizer's help */
        tell_size(guarded, size);
        fill(guarded, size);
        for (size_t i = size; i < size + 64; i++) CHECK_EQ((unsigned char)guarded[i], 0x5a);
        free(guarded);
    }
    free(full);
}

/* A zeroed struct, whose size the caller forgot to set, is taken for the first version's. */
static void check_forgotten_size(void (*fill)(void *, size_t), size_t first) {
    char *full = (char *)block(first, 0), *zeroed = (char *)block(first, 0);
    tell_size(full, first);
    fill(full, first);
    fill(zeroed, first);
    CHECK(memcmp(full, zeroed, first) == 0);
    free(full);
    free(zeroed);
}

static void outputs_keep_to_the_callers_version(void) {
    source = create(NULL);
    cb_record_at(source, 1, 7);
    cb_halt_at(source, 2);
    check_output(init, sizeof(cb_config), 152);
    check_output(init_for, sizeof(cb_config), 152);
    check_output(get_config, sizeof(cb_config), 152);
    check_output(get_snapshot, sizeof(cb_snapshot), 144);
    check_output(get_published, sizeof(cb_snapshot), 144);
    check_output(next_event, sizeof(cb_event), 88);
    check_forgotten_size(get_config, 152);
    check_forgotten_size(get_snapshot, 144);
    check_forgotten_size(get_published, 144);
    check_forgotten_size(next_event, 88);
    cb_destroy(source);
}

static void sizes_to_config_init_that_no_version_has_change_nothing(void) {
    static const size_t SIZES[] = {0, 1, 2, 3};
    cb_config config, untouched;
    memset(&config, 0x5a, sizeof config);
    untouched = config;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        cb_config_init(&config, SIZES[i]);
        cb_config_init_for(&config, SIZES[i], SECOND);
    }
    CHECK(memcmp(&config, &untouched, sizeof config) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 2 && snprintf(path, sizeof path, "%s/node.toml", argv[1]) < (int)sizeof path);
    older_configurations_leave_the_rest_at_its_defaults();
    older_configurations_are_loaded_as_far_as_they_go();
    no_version_is_loaded();
    newer_configurations_pass_while_what_they_add_is_0();
    sizes_that_no_version_has();
    outputs_keep_to_the_callers_version();
    sizes_to_config_init_that_no_version_has_change_nothing();
    return 0;
}
