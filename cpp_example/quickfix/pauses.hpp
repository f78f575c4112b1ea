// The pauses of a run, what they should have been, and what a replay of the FIX log says.
#pragma once

#include "script.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

constexpr std::uint64_t MS = 1000 * 1000;

// Times are nanoseconds of UTC. A pause that goes on ends never.
struct Pause {
    std::uint64_t from_ns;
    std::uint64_t to_ns;
    std::string reason;
};

inline void note(std::vector<Pause> &pauses, std::uint64_t at_ns, const std::string &from, const std::string &to,
                 const std::string &reason) {
    if (from == "closed" && to == "open") {
        pauses.push_back({at_ns, UINT64_MAX, reason});
    } else if (to == "closed" && !pauses.empty()) {
        pauses.back().to_ns = at_ns;
    }
}

// Whether each trouble but the rejects paused trading in time, nothing else did, and trading went on after it. Prints what it finds.
inline bool fits_script(const std::vector<Pause> &pauses, std::uint64_t first_logon_ns) {
    constexpr std::uint64_t NOTICED_MS = 1000, RESUMED_MS = 4500;
    bool fits = true;
    std::size_t next = 0;
    std::uint64_t begins_ns = first_logon_ns;
    std::printf("\n  trouble                                     noticed in  by rule               resumed after it\n");
    for (std::size_t act = 0; act < ACTS; ++act) {
        const std::uint64_t ends_ns = begins_ns + std::uint64_t(SCRIPT[act].lasts.count()) * MS;
        const bool pauses_here = SCRIPT[act].phase != Phase::Calm && SCRIPT[act].phase != Phase::Reject;
        // The two processes know of the first logon some milliseconds apart.
        const auto is_here = [&](const Pause &pause) { return pause.from_ns + 50 * MS >= begins_ns && pause.from_ns < ends_ns; };
        if (next < pauses.size() && is_here(pauses[next])) {
            const Pause &pause = pauses[next++];
            const double noticed_ms = (double(pause.from_ns) - double(begins_ns)) / 1e6;
            const double resumed_ms = (double(pause.to_ns) - double(ends_ns)) / 1e6;
            std::printf("  %-44s %7.0f ms  %-20s  %13.0f ms\n", text(SCRIPT[act].phase), noticed_ms, pause.reason.c_str(), resumed_ms);
            if (!pauses_here || noticed_ms > double(NOTICED_MS) || resumed_ms > double(RESUMED_MS) || resumed_ms < 0) {
                std::printf("  wrong: legal is %s\n", pauses_here ? "noticed within 1 s, resumed 0 to 4.5 s after it" : "no pause");
                fits = false;
            }
        } else if (SCRIPT[act].phase != Phase::Calm) {
            std::printf("  %-44s          -\n", text(SCRIPT[act].phase));
            if (pauses_here) {
                std::printf("  wrong: legal is a pause\n");
                fits = false;
            }
        }
        begins_ns = ends_ns;
    }
    if (next != pauses.size()) {
        std::printf("  wrong: %zu pauses that no trouble made\n", pauses.size() - next);
    }
    return fits && next == pauses.size();
}

// The text of a key of an object of JSON in one line.
inline std::string value(const std::string &line, const std::string &key) {
    const std::string name = "\"" + key + "\":";
    const std::size_t begin = line.find(name);
    if (begin == std::string::npos) {
        return std::string();
    }
    std::string text = line.substr(begin + name.size());
    text.resize(text.find_first_of(",}"));
    return text[0] == '"' ? text.substr(1, text.size() - 2) : text;
}

// What `trip99 replay` says of the trader's own log.
inline std::vector<Pause> replayed(const std::string &trip99, const std::string &log, const std::string &config) {
    const std::string command =
        trip99 + " replay --from fix --format json --config '" + config + "' '" + log + "' 2>/dev/null";
    std::FILE *pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) {
        throw std::runtime_error(command + " can't be started");
    }
    std::vector<Pause> pauses;
    std::string line;
    for (int byte; (byte = std::fgetc(pipe)) != EOF;) {
        if (byte != '\n') {
            line += char(byte);
            continue;
        }
        const std::string at = value(line, "t_ns");
        if (!at.empty()) {
            note(pauses, std::strtoull(at.c_str(), nullptr, 10), value(line, "from"), value(line, "to"), value(line, "reason"));
        }
        line.clear();
    }
    if (::pclose(pipe) != 0) {
        throw std::runtime_error(command + " fails");
    }
    return pauses;
}

// Whether a replay comes to the same pauses, but for the time between a thread's stamp and the log's.
inline bool same(const std::vector<Pause> &live, const std::vector<Pause> &replay) {
    bool fits = live.size() == replay.size();
    std::printf("\n  pauses in UTC, live and by a replay of the FIX log: %zu and %zu\n", live.size(), replay.size());
    for (std::size_t i = 0; i < live.size() && i < replay.size(); ++i) {
        const double begins_ms = (double(replay[i].from_ns) - double(live[i].from_ns)) / 1e6;
        const double ends_ms = (double(replay[i].to_ns) - double(live[i].to_ns)) / 1e6;
        std::printf("  %-20s %-20s begins %+7.1f ms, ends %+7.1f ms\n", live[i].reason.c_str(), replay[i].reason.c_str(), begins_ms,
                    ends_ms);
        fits = fits && begins_ms > -100 && begins_ms < 100 && ends_ms > -300 && ends_ms < 300;
    }
    return fits;
}
