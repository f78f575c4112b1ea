/* The settings. Part of trip99.hpp. */
#ifndef TRIP99_CONFIG_HPP
#define TRIP99_CONFIG_HPP

#include "duration.hpp"
#include "error.hpp"
#include "values.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace trip99 {

/**
 * The settings: those of cb_config, which tells their meanings, defaults and legal ranges. A new one has the defaults.
 * std::chrono::nanoseconds::max() is never.
 */
struct Config {
    std::uint32_t quantile_ppm;
    std::chrono::nanoseconds threshold;
    std::chrono::nanoseconds window_age;
    std::uint32_t window_len;
    std::uint32_t sample_every;
    std::uint32_t min_samples;
    std::uint32_t confirm_verdicts;
    std::uint32_t failure_rate_ppm;
    std::uint32_t consecutive_failures;
    std::chrono::nanoseconds spike_limit;
    std::uint32_t spike_count;
    std::uint32_t max_in_flight;
    std::chrono::nanoseconds stall_limit;
    std::chrono::nanoseconds recover_threshold;
    Recovery recovery;
    std::uint32_t probes;
    std::uint32_t trials_in_flight;
    std::uint32_t backoff_multiplier;
    std::chrono::nanoseconds probe_timeout;
    std::chrono::nanoseconds backoff_base;
    std::chrono::nanoseconds backoff_max;
    std::uint32_t jitter_ppm;
    Start start;
    std::uint64_t jitter_seed;
    std::chrono::nanoseconds stable_after;
    bool shadow;
    std::uint32_t latch_after;
    std::chrono::nanoseconds owner_timeout;
    std::uint32_t min_slow;
    std::uint32_t debt_limit;
    std::uint32_t tap_len;

    Config() noexcept : Config(defaults()) {}

    explicit Config(const cb_config &config) noexcept
        : quantile_ppm(config.quantile_ppm), threshold(detail::duration(config.threshold_ns)),
          window_age(detail::duration(config.window_age_ns)), window_len(config.window_len),
          sample_every(config.sample_every), min_samples(config.min_samples),
          confirm_verdicts(config.confirm_verdicts), failure_rate_ppm(config.failure_rate_ppm),
          consecutive_failures(config.consecutive_failures), spike_limit(detail::duration(config.spike_limit_ns)),
          spike_count(config.spike_count), max_in_flight(config.max_in_flight),
          stall_limit(detail::duration(config.stall_limit_ns)),
          recover_threshold(detail::duration(config.recover_threshold_ns)),
          recovery(static_cast<Recovery>(config.recovery)), probes(config.probes),
          trials_in_flight(config.trials_in_flight), backoff_multiplier(config.backoff_multiplier),
          probe_timeout(detail::duration(config.probe_timeout_ns)),
          backoff_base(detail::duration(config.backoff_base_ns)),
          backoff_max(detail::duration(config.backoff_max_ns)), jitter_ppm(config.jitter_ppm),
          start(static_cast<Start>(config.start)), jitter_seed(config.jitter_seed),
          stable_after(detail::duration(config.stable_after_ns)), shadow(config.shadow != 0),
          latch_after(config.latch_after), owner_timeout(detail::duration(config.owner_timeout_ns)),
          min_slow(config.min_slow), debt_limit(config.debt_limit), tap_len(config.tap_len) {}

    /** The defaults for this threshold: see cb_config_init_for. Throws Error if it is negative. */
    static Config for_threshold(std::chrono::nanoseconds threshold) {
        cb_config config;
        cb_config_init_for(&config, sizeof config, detail::limit_ns("threshold", threshold));
        return Config(config);
    }

    /** The settings of a TOML file: see cb_config_load. Throws Error, which names file, line and what is legal. */
    static Config load(const std::string &path) {
        cb_config config;
        detail::check(cb_config_load(path.c_str(), &config, sizeof config));
        return Config(config);
    }

    /** Throws Error if a duration is negative; the other ranges are checked by the breaker. */
    cb_config to_c() const {
        cb_config config = defaults();
        config.quantile_ppm = quantile_ppm;
        config.threshold_ns = detail::limit_ns("threshold", threshold);
        config.window_age_ns = detail::ns("window_age", window_age);
        config.window_len = window_len;
        config.sample_every = sample_every;
        config.min_samples = min_samples;
        config.confirm_verdicts = confirm_verdicts;
        config.failure_rate_ppm = failure_rate_ppm;
        config.consecutive_failures = consecutive_failures;
        config.spike_limit_ns = detail::ns("spike_limit", spike_limit);
        config.spike_count = spike_count;
        config.max_in_flight = max_in_flight;
        config.stall_limit_ns = detail::ns("stall_limit", stall_limit);
        config.recover_threshold_ns = detail::limit_ns("recover_threshold", recover_threshold);
        config.recovery = static_cast<cb_recovery>(recovery);
        config.probes = probes;
        config.trials_in_flight = trials_in_flight;
        config.backoff_multiplier = backoff_multiplier;
        config.probe_timeout_ns = detail::ns("probe_timeout", probe_timeout);
        config.backoff_base_ns = detail::ns("backoff_base", backoff_base);
        config.backoff_max_ns = detail::ns("backoff_max", backoff_max);
        config.jitter_ppm = jitter_ppm;
        config.start = static_cast<cb_start>(start);
        config.jitter_seed = jitter_seed;
        config.stable_after_ns = detail::ns("stable_after", stable_after);
        config.shadow = shadow ? 1 : 0;
        config.latch_after = latch_after;
        config.owner_timeout_ns = detail::ns("owner_timeout", owner_timeout);
        config.min_slow = min_slow;
        config.debt_limit = debt_limit;
        config.tap_len = tap_len;
        return config;
    }

    /** The same for the same settings on every machine: see cb_config_hash. Throws Error as to_c() does. */
    std::uint64_t hash() const {
        const cb_config config = to_c();
        return cb_config_hash(&config);
    }

    /** What is legal here, but hardly meant so: see cb_config_warning. Throws Error as to_c() does. */
    std::vector<std::string> warnings() const {
        const cb_config config = to_c();
        std::vector<std::string> texts;
        for (std::size_t length; (length = cb_config_warning(&config, texts.size(), nullptr, 0)) > 0;) {
            std::string text(length + 1, '\0');
            length = cb_config_warning(&config, texts.size(), &text[0], text.size());
            text.resize(length);
            texts.push_back(text);
        }
        return texts;
    }

  private:
    static cb_config defaults() noexcept {
        cb_config config;
        cb_config_init(&config, sizeof config);
        return config;
    }
};

} // namespace trip99

#endif // TRIP99_CONFIG_HPP
