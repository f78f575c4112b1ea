// What people read: the timeline as it happens, then a summary. Fits 80 columns.
#pragma once

#include "show.hpp"
#include "verdict.hpp"

#include <cinttypes>
#include <cstdio>
#include <string>

inline std::string show(std::chrono::nanoseconds duration) {
    return show_ns(static_cast<std::uint64_t>(duration.count()));
}

// The quantile that is judged, as in P99.9.
inline std::string show_quantile(const trip99::Config &config) {
    char text[32];
    std::snprintf(text, sizeof text, "P%g", config.quantile_ppm / 1e4);
    return text;
}

inline void show_header(int pid, unsigned port, const trip99::Config &config, std::size_t threads) {
    std::printf("trip99 engine, with version %s of the library\n\n", trip99::version());
    std::printf("  node      process %d on 127.0.0.1:%u\n", pid, port);
    if (threads > 0) {
        std::printf("  threads   %zu trade, each on a lane; one more owns breaker and connection\n", threads);
    }
    if (config.debt_limit > 0) {
        std::printf("  latency   a debt of %" PRIu32 " calls over %s\n", config.debt_limit,
                    show(config.threshold).c_str());
    } else {
        std::printf("  latency   %s over %s, once there are %" PRIu32 " samples\n",
                    show_quantile(config).c_str(), show(config.threshold).c_str(), config.min_samples);
    }
    std::printf("  failures  %" PRIu32 " in a row\n", config.consecutive_failures);
    std::printf("  stall     a call in flight for %s\n", show(config.stall_limit).c_str());
    std::printf("  recovery  %" PRIu32 " good trials; pauses of %s, x%" PRIu32 " each time, up to %s\n\n",
                config.probes, show(config.backoff_base).c_str(), config.backoff_multiplier,
                show(config.backoff_max).c_str());
    std::printf("%10s  %-22s  %-20s  %8s  %8s\n", "time", "change", "reason", show_quantile(config).c_str(), "pause");
}

inline void show_time(std::uint64_t ns) { std::printf("%8.3f s  ", static_cast<double>(ns) / 1e9); }

inline void show_phase(Phase phase, std::uint64_t since_first_ns) {
    show_time(since_first_ns);
    std::printf("node: %s: %s\n", title(phase), describe(phase));
}

/* What the verdict rests on: a line of its own, for the reasons that have figures. */
inline void show_evidence(const trip99::Event &event) {
    const std::string observed = show_ns(event.observed), limit = show_ns(event.limit);
    const auto line = [](const std::string &text) { std::printf("%12s%s\n", "", text.c_str()); };
    switch (event.reason) {
    case trip99::Reason::Latency:
        if (event.by_debt) {
            const auto calls = [](std::uint64_t ppm) { return std::to_string(static_cast<double>(ppm) / 1e6); };
            return line("debt " + calls(event.observed) + " calls, limit " + calls(event.limit));
        }
        return line("the quantile was " + observed + ", limit " + limit);
    case trip99::Reason::Spike:
        return line("a call took " + observed + ", limit " + limit);
    case trip99::Reason::Stall:
        return line("a call has been out for " + observed + ", limit " + limit);
    case trip99::Reason::ProbeFailed:
        return line("a trial failed after " + observed);
    case trip99::Reason::ProbeSlow:
        return line("a trial took " + observed + ", limit " + limit);
    case trip99::Reason::ProbeLost:
        return line("no result for " + observed + ", limit " + limit);
    case trip99::Reason::FailureRate:
    case trip99::Reason::ConsecutiveFailures:
        return line(std::to_string(event.observed) +
                    (event.reason == trip99::Reason::FailureRate ? " ppm failed, limit " : " failed in a row, limit ") +
                    std::to_string(event.limit));
    default:
        return;
    }
}

inline void show_event(const trip99::Event &event, std::uint64_t since_first_ns) {
    show_time(since_first_ns);
    std::printf("%-9s -> %-9s  %-20s  %8s", to_string(event.from), to_string(event.to), to_string(event.reason),
                event.samples == 0 ? "-" : show(event.quantile).c_str());
    if (event.to == trip99::State::Open) {
        std::printf("  %8s", show_ns(static_cast<std::uint64_t>(event.pause().count())).c_str());
    }
    std::printf("\n");
    show_evidence(event);
}

inline void show_summary(const Record &record, const std::vector<Episode> &episodes) {
    std::printf("\n  %-15s %10s  %-20s  %10s  %16s\n", "trouble", "noticed in", "by rule", "paused for",
                "resumed after it");
    for (const Episode &episode : episodes) {
        const bool tripped = episode.tripped_ns != 0;
        const bool resumed = episode.resumed_ns != 0;
        std::printf("  %-15s %10s  %-20s  %10s  %16s\n", title(episode.trouble->phase),
                    tripped ? show_ns(episode.noticed_in_ns()).c_str() : "never",
                    tripped ? to_string(episode.reason) : "",
                    resumed ? show_ns(episode.resumed_ns - episode.tripped_ns).c_str() : "",
                    resumed ? show_ns(episode.resumed_in_ns()).c_str() : "never");
    }
    const Tally &tally = record.tally;
    std::printf("\n  orders    %" PRIu64 " sent: %" PRIu64 " answered, %" PRIu64 " failed, %" PRIu64 " given up\n",
                tally.sent, tally.answered, tally.failed, tally.given_up);
    std::printf("  refused   %" PRIu64 " orders, while trading was paused\n", tally.refused);
    std::printf("  cancels   %" PRIu64 " sent, %" PRIu64 " of them in pauses: none refused; %" PRIu64 " sent again\n",
                tally.cancels, tally.cancels_in_pauses, tally.cancels_again);
}

// As `trip99 replay` reads it: an order asks, a cancel doesn't. What never came back has neither latency nor result.
inline bool write_trace(std::FILE *file, const Record &record) {
    std::fputs("start_ns,latency_ns,ok,kind\n", file);
    for (const Row &row : record.rows) {
        std::fprintf(file, "%" PRIu64 ",", row.start_ns - record.rows.front().start_ns);
        if (row.how != How::GivenUp) {
            std::fprintf(file, "%" PRIu64 ",%d", row.latency_ns, row.how == How::Answered ? 1 : 0);
        } else {
            std::fputs(",", file);
        }
        std::fputs(row.is_order ? ",ask\n" : ",free\n", file);
    }
    return std::fflush(file) == 0 && std::ferror(file) == 0;
}
