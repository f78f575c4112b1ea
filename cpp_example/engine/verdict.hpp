// Whether engine and breaker behaved, by the record of the run.
#pragma once

#include "record.hpp"
#include "show.hpp"

#include <string>
#include <vector>

// A trouble, and the pause that it led to. 0: it didn't.
struct Episode {
    const Trouble *trouble;
    Span span;
    std::uint64_t tripped_ns = 0;
    trip99::Reason reason{};
    // When trading went on for good, after the trouble.
    std::uint64_t resumed_ns = 0;

    std::uint64_t noticed_in_ns() const { return tripped_ns - span.start_ns; }
    // After the trouble; or at its end, if the breaker closed before.
    std::uint64_t resumed_in_ns() const { return resumed_ns > span.end_ns ? resumed_ns - span.end_ns : 0; }
};

// Of each trouble the first trip, and the last closing before the next trouble.
inline std::vector<Episode> episodes(const Record &record) {
    std::vector<Episode> episodes;
    for (std::size_t i = 0; i < TROUBLE_COUNT && record.troubles[i].start_ns != 0; ++i) {
        const bool is_last = i + 1 == TROUBLE_COUNT || record.troubles[i + 1].start_ns == 0;
        const std::uint64_t until_ns = is_last ? UINT64_MAX : record.troubles[i + 1].start_ns;
        Episode episode{&TROUBLES[i], record.troubles[i]};
        for (const trip99::Event &event : record.events) {
            if (event.t_ns < episode.span.start_ns || event.t_ns >= until_ns) {
                continue;
            }
            if (episode.tripped_ns == 0 && event.from == trip99::State::Closed && event.to == trip99::State::Open) {
                episode.tripped_ns = event.t_ns;
                episode.reason = event.reason;
            }
            episode.resumed_ns = episode.tripped_ns != 0 && event.to == trip99::State::Closed ? event.t_ns : 0;
        }
        episodes.push_back(episode);
    }
    return episodes;
}

// How many orders were asked for, and begun, while the breaker was open, by its own events. One that was let pass in the
// very moment of a change is none.
inline std::uint64_t sent_while_open(const Record &record) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < record.events.size(); ++i) {
        if (record.events[i].to == trip99::State::Open) {
            const std::uint64_t until_ns = i + 1 < record.events.size() ? record.events[i + 1].t_ns : UINT64_MAX;
            for (const Row &row : record.rows) {
                count += row.is_order && row.asked_ns > record.in_force_ns[i] && row.start_ns < until_ns;
            }
        }
    }
    return count;
}

inline void judge(const Episode &episode, std::vector<std::string> &wrong) {
    const Trouble &trouble = *episode.trouble;
    const std::string what = std::string("\"") + title(trouble.phase) + "\"";
    if (episode.tripped_ns == 0) {
        wrong.push_back(what + " did not pause trading");
        return;
    }
    if (episode.noticed_in_ns() > trouble.notice_within_ns) {
        wrong.push_back(what + " was noticed after " + show_ns(episode.noticed_in_ns()) + ", later than " +
                        show_ns(trouble.notice_within_ns));
    }
    if (episode.reason != trouble.reasons[0] && episode.reason != trouble.reasons[1]) {
        wrong.push_back(what + " was noticed by " + to_string(episode.reason) + ", not by " +
                        to_string(trouble.reasons[0]) + " or " + to_string(trouble.reasons[1]));
    }
    if (episode.resumed_ns == 0) {
        wrong.push_back("trading did not resume after " + what);
    } else if (episode.resumed_in_ns() > RESUME_WITHIN_NS) {
        wrong.push_back("trading resumed " + show_ns(episode.resumed_in_ns()) + " after " + what + ", later than " +
                        show_ns(RESUME_WITHIN_NS));
    }
}

// What went wrong, a sentence each. Empty: all is well.
inline std::vector<std::string> judge(const Record &record, const std::vector<Episode> &episodes) {
    std::vector<std::string> wrong;
    for (const Episode &episode : episodes) {
        judge(episode, wrong);
    }
    for (std::size_t i = episodes.size(); i < TROUBLE_COUNT; ++i) {
        wrong.push_back(std::string("the script did not get as far as \"") + title(TROUBLES[i].phase) + "\"");
    }
    const Tally &tally = record.tally;
    const auto want = [&wrong](bool holds, const char *what, std::uint64_t count) {
        if (!holds) {
            wrong.push_back(what + std::string(": ") + std::to_string(count));
        }
    };
    // A cancel that asked would show here, as the engine counts the refusals of orders alone.
    want(record.snapshot.refused == tally.refused, "the breaker refused something else than orders",
         record.snapshot.refused - tally.refused);
    want(tally.cancels_in_pauses > 0, "no resting order was cancelled in a pause; cancels", tally.cancels);
    const std::uint64_t in_open = sent_while_open(record);
    want(in_open == 0, "orders were sent while the breaker was open", in_open);
    const std::uint64_t ended = tally.answered + tally.failed + tally.given_up;
    want(tally.sent == ended, "orders were lost sight of", tally.sent - ended);
    want(record.snapshot.misused == 0, "tickets came back twice", record.snapshot.misused);
    want(record.snapshot.dropped == 0, "lanes were full and dropped what they were told", record.snapshot.dropped);
    want(record.missed_events == 0, "events were missed", record.missed_events);
    return wrong;
}
