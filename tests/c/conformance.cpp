/*
 * The C++ runner of tests/conformance, on the wrapper: does what a stream of operations on standard input says, one a line
 * (a verb and integers), and prints what each observed, after its verb. tests/conformance.rs compares that.
 */
#include "trip99.hpp"

#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using std::chrono::nanoseconds;
using trip99::Breaker;
using trip99::Lane;

static std::string verb;
static std::vector<std::uint64_t> arg;

static trip99::Config config;
static std::vector<std::unique_ptr<Breaker>> breakers;
static std::vector<std::unique_ptr<Lane>> lanes;
static std::vector<std::unique_ptr<trip99::Gate>> gates;
static std::vector<std::unique_ptr<trip99::Observer>> observers;
static std::vector<std::unique_ptr<trip99::Events>> readers;
static std::vector<trip99::Call> tickets;

static bool read_operation() {
    std::string line;
    if (!std::getline(std::cin, line)) {
        return false;
    }
    std::istringstream words(line);
    words >> verb;
    arg.clear();
    std::uint64_t number = 0;
    while (words >> number) {
        arg.push_back(number);
    }
    return true;
}

/* Whether the line is this operation, with so many integers. */
static bool is(const char *name, std::size_t count) { return verb == name && arg.size() == count; }

/* What the first integer names, if it was made and not ended. */
template <typename T> static T &chosen(std::vector<std::unique_ptr<T>> &from) {
    T *const found = from.at(arg[0]).get();
    if (found == nullptr) {
        throw std::out_of_range(verb + ": it has ended");
    }
    return *found;
}

static Breaker &breaker() { return chosen(breakers); }
static Lane &lane() { return chosen(lanes); }
static trip99::Gate &gate() { return chosen(gates); }

static trip99::Call &ticket(std::uint64_t slot) {
    if (slot >= tickets.size()) {
        tickets.resize(slot + 1);
    }
    return tickets[slot];
}

static std::uint32_t narrow(std::uint64_t number) { return static_cast<std::uint32_t>(number); }

/* A latency; what has no duration, as it is too long, is negative: endless to the wrapper. */
static nanoseconds latency(std::uint64_t ns) { return nanoseconds(static_cast<std::int64_t>(ns)); }

/* In settings and in what is read the longest duration stands for never. */
static nanoseconds setting(std::uint64_t ns) { return ns == UINT64_MAX ? nanoseconds::max() : latency(ns); }
static std::uint64_t ns(nanoseconds duration) {
    return duration == nanoseconds::max() ? UINT64_MAX : static_cast<std::uint64_t>(duration.count());
}

template <typename T> static void print(const T &value) { std::cout << verb << ' ' << value << '\n'; }

#define PRINT(of, field) std::cout << " " #field "=" << (of).field

static void print_snapshot(const trip99::Snapshot &found, trip99::State state, bool halted) {
    std::cout << verb << " state=" << to_string(state) << " halted=" << halted;
    std::cout << " snapshot_state=" << to_string(found.automatic_state()) << " snapshot_halted=" << found.halted;
    PRINT(found, shadow);
    PRINT(found, armed);
    PRINT(found, now_ns);
    PRINT(found, epoch_ns);
    PRINT(found, retry_at_ns);
    PRINT(found, attempt);
    PRINT(found, samples);
    PRINT(found, slow);
    PRINT(found, failures);
    PRINT(found, overdue);
    PRINT(found, in_flight);
    PRINT(found, trials_granted);
    PRINT(found, trials_out);
    PRINT(found, trials_good);
    PRINT(found, recorded);
    PRINT(found, stale);
    PRINT(found, untracked);
    PRINT(found, refused);
    PRINT(found, refused_in_shadow);
    PRINT(found, misused);
    PRINT(found, dropped);
    PRINT(found, events);
    PRINT(found, debt_ppm);
    PRINT(found, oldest_start_ns);
}

/* A reason is a number here. */
static std::string reason(std::uint64_t number) { return std::to_string(number); }

static std::string text_of(bool found, const trip99::HaltNote &note) {
    return !found ? "none" : note.reason.empty() ? "empty" : note.reason;
}

/* A part of the engine, whose name is a number here; or the latch. */
static std::string part(std::uint64_t number) {
    return number == UINT64_MAX ? "latch" : "engine." + std::to_string(number);
}

static void print_resumed(trip99::ResumeResult result) {
    switch (result) {
    case trip99::ResumeResult::Done: return print("done");
    case trip99::ResumeResult::StillHeld: return print("still_held");
    case trip99::ResumeResult::NotHeld: return print("not_held");
    case trip99::ResumeResult::Ended: return print("ended");
    default: return print(to_string(result));
    }
}

static void print_view(const trip99::View &view) {
    trip99::HaltNote note;
    const bool found = view.halt_note(note);
    std::cout << verb << " state=" << to_string(view.state()) << " halted=" << view.is_halted();
    std::cout << " note=" << text_of(found, note) << " holders=" << view.holders().size();
}

static void print_event(bool found, const trip99::Event &event) {
    if (!found) {
        print("none");
        return;
    }
    std::cout << verb << " from=" << to_string(event.from) << " to=" << to_string(event.to);
    std::cout << " reason=" << to_string(event.reason) << " quantile_ns=" << ns(event.quantile);
    std::cout << " owner_gap_ns=" << ns(event.owner_gap);
    PRINT(event, sequence);
    PRINT(event, t_ns);
    PRINT(event, retry_at_ns);
    PRINT(event, samples);
    PRINT(event, slow);
    PRINT(event, overdue);
    PRINT(event, failures);
    PRINT(event, attempt);
    PRINT(event, observed);
    PRINT(event, limit);
    PRINT(event, by_debt);
    PRINT(event, entry);
    std::cout << '\n';
}

static void end_scenario() {
    lanes.clear();
    gates.clear();
    observers.clear();
    readers.clear();
    breakers.clear();
    tickets.clear();
}

#define SETTING(name, value)                                                                                           \
    if (is("set_" name, 1)) {                                                                                          \
        value;                                                                                                         \
        return true;                                                                                                   \
    }

static bool set() {
    SETTING("quantile_ppm", config.quantile_ppm = narrow(arg[0]))
    SETTING("threshold_ns", config.threshold = setting(arg[0]))
    SETTING("window_age_ns", config.window_age = setting(arg[0]))
    SETTING("window_len", config.window_len = narrow(arg[0]))
    SETTING("sample_every", config.sample_every = narrow(arg[0]))
    SETTING("min_samples", config.min_samples = narrow(arg[0]))
    SETTING("confirm_verdicts", config.confirm_verdicts = narrow(arg[0]))
    SETTING("failure_rate_ppm", config.failure_rate_ppm = narrow(arg[0]))
    SETTING("consecutive_failures", config.consecutive_failures = narrow(arg[0]))
    SETTING("spike_limit_ns", config.spike_limit = setting(arg[0]))
    SETTING("spike_count", config.spike_count = narrow(arg[0]))
    SETTING("max_in_flight", config.max_in_flight = narrow(arg[0]))
    SETTING("stall_limit_ns", config.stall_limit = setting(arg[0]))
    SETTING("recover_threshold_ns", config.recover_threshold = setting(arg[0]))
    SETTING("recovery", config.recovery = static_cast<trip99::Recovery>(arg[0]))
    SETTING("probes", config.probes = narrow(arg[0]))
    SETTING("trials_in_flight", config.trials_in_flight = narrow(arg[0]))
    SETTING("backoff_multiplier", config.backoff_multiplier = narrow(arg[0]))
    SETTING("probe_timeout_ns", config.probe_timeout = setting(arg[0]))
    SETTING("backoff_base_ns", config.backoff_base = setting(arg[0]))
    SETTING("backoff_max_ns", config.backoff_max = setting(arg[0]))
    SETTING("jitter_ppm", config.jitter_ppm = narrow(arg[0]))
    SETTING("start", config.start = static_cast<trip99::Start>(arg[0]))
    SETTING("jitter_seed", config.jitter_seed = arg[0])
    SETTING("stable_after_ns", config.stable_after = setting(arg[0]))
    SETTING("shadow", config.shadow = arg[0] != 0)
    SETTING("latch_after", config.latch_after = narrow(arg[0]))
    SETTING("owner_timeout_ns", config.owner_timeout = setting(arg[0]))
    SETTING("min_slow", config.min_slow = narrow(arg[0]))
    SETTING("debt_limit", config.debt_limit = narrow(arg[0]))
    SETTING("tap_len", config.tap_len = narrow(arg[0]))
    return false;
}

static void reconfigure() {
    try {
        if (arg.size() == 1) {
            breaker().reconfigure(config);
        } else {
            breaker().reconfigure_at(arg[1], config);
        }
        print("ok");
    } catch (const trip99::Error &error) {
        print(std::string("refused: ") + error.what());
    }
}

static bool operate_settings() {
    if (is("config", 0)) {
        config = trip99::Config();
    } else if (is("config_of", 1)) {
        config = breaker().config();
    } else if (is("create", 0)) {
        breakers.push_back(std::make_unique<Breaker>(config));
    } else if (is("destroy", 1)) {
        breakers.at(arg[0]).reset();
    } else if (is("reconfigure", 1) || is("reconfigure_at", 2)) {
        reconfigure();
    } else {
        return set();
    }
    return true;
}

static bool operate_breaker() {
    if (is("allow_at", 2)) {
        print(breaker().allow_at(arg[1]));
    } else if (is("begin_at", 3)) {
        ticket(arg[2]) = breaker().begin_at(arg[1]);
    } else if (is("end_at", 3)) {
        breaker().end_at(arg[1], ticket(arg[2]));
    } else if (is("fail_at", 3)) {
        breaker().fail_at(arg[1], ticket(arg[2]));
    } else if (is("abandon_at", 3)) {
        breaker().abandon_at(arg[1], ticket(arg[2]));
    } else if (is("abandon", 2)) {
        breaker().abandon(ticket(arg[1]));
    } else if (is("record_at", 3)) {
        breaker().record_at(arg[1], latency(arg[2]));
    } else if (is("record_failure_at", 3)) {
        breaker().record_failure_at(arg[1], latency(arg[2]));
    } else if (is("record_probe_at", 4)) {
        breaker().record_probe_at(arg[1], latency(arg[2]), arg[3] != 0);
    } else if (is("release_at", 2)) {
        breaker().release_at(arg[1]);
    } else if (is("release", 1)) {
        breaker().release();
    } else if (is("poll_at", 2)) {
        breaker().poll_at(arg[1]);
    } else if (is("halt_at", 2)) {
        breaker().halt_at(arg[1]);
    } else if (is("halt", 1)) {
        breaker().halt();
    } else if (is("halt_with", 2)) {
        breaker().halt(reason(arg[1]).c_str());
    } else if (is("halt_as", 3)) {
        breaker().halt_as(part(arg[1]), reason(arg[2]).c_str());
    } else if (is("resume_as", 2)) {
        print_resumed(breaker().resume_as(part(arg[1])));
    } else if (is("trip_at", 2)) {
        breaker().trip_at(arg[1]);
    } else if (is("trip", 1)) {
        breaker().trip();
    } else if (is("resume_at", 2)) {
        breaker().resume_at(arg[1]);
    } else if (is("resume", 1)) {
        breaker().resume();
    } else if (is("quantile_ns", 2)) {
        print(ns(breaker().quantile(narrow(arg[1]))));
    } else if (is("quantile_ns_at", 3)) {
        print(ns(breaker().quantile_at(arg[1], narrow(arg[2]))));
    } else {
        return false;
    }
    return true;
}

static bool operate_lane() {
    if (is("lane_open", 2)) {
        lanes.push_back(std::make_unique<Lane>(breaker().lane(narrow(arg[1]))));
    } else if (is("lane_split", 1)) {
        lanes.push_back(std::make_unique<Lane>(lane().split()));
    } else if (is("lane_close", 1)) {
        lanes.at(arg[0]).reset();
    } else if (is("lane_observe", 1)) {
        print_view(lane());
        std::cout << " passes=" << lane().closed() << " dropped=" << lane().dropped() << '\n';
    } else if (is("lane_halt", 1)) {
        lane().halt();
    } else if (is("lane_halt", 2)) {
        lane().halt(reason(arg[1]).c_str());
    } else if (is("lane_resume", 1)) {
        lane().resume();
    } else if (is("lane_allow", 1)) {
        print(lane().allow());
    } else if (is("lane_release", 1)) {
        lane().release();
    } else if (is("lane_begin_at", 3)) {
        ticket(arg[2]) = lane().begin_at(arg[1]);
    } else if (is("lane_end_at", 3)) {
        lane().end_at(arg[1], ticket(arg[2]));
    } else if (is("lane_fail_at", 3)) {
        lane().fail_at(arg[1], ticket(arg[2]));
    } else if (is("lane_abandon_at", 3)) {
        lane().abandon_at(arg[1], ticket(arg[2]));
    } else if (is("lane_record_at", 3)) {
        lane().record_at(arg[1], latency(arg[2]));
    } else if (is("lane_record_failure_at", 3)) {
        lane().record_failure_at(arg[1], latency(arg[2]));
    } else if (is("lane_record_probe_at", 4)) {
        lane().record_probe_at(arg[1], latency(arg[2]), arg[3] != 0);
    } else {
        return false;
    }
    return true;
}

static bool operate_gate() {
    if (is("gate_handle_of", 1)) {
        gates.push_back(std::make_unique<trip99::Gate>(breaker().gate()));
    } else if (is("gate_handle_close", 1)) {
        gates.at(arg[0]).reset();
    } else if (is("gate_handle_observe", 1)) {
        print_view(gate());
        std::cout << " passes=" << gate().closed() << '\n';
    } else if (is("gate_handle_allow", 1)) {
        print(gate().allow());
    } else if (is("gate_handle_release", 1)) {
        gate().release();
    } else if (is("gate_handle_halt", 1)) {
        gate().halt();
    } else if (is("gate_handle_halt", 2)) {
        gate().halt(reason(arg[1]).c_str());
    } else if (is("gate_handle_halt_as", 3)) {
        gate().halt_as(part(arg[1]), reason(arg[2]).c_str());
    } else if (is("gate_handle_resume_as", 2)) {
        print_resumed(gate().resume_as(part(arg[1])));
    } else if (is("gate_handle_resume", 1)) {
        gate().resume();
    } else {
        return false;
    }
    return true;
}

static bool observe() {
    if (is("observe", 1)) {
        print_snapshot(breaker().snapshot(), breaker().state(), breaker().is_halted());
        trip99::HaltNote note;
        const bool found = breaker().halt_note(note);
        std::cout << " note=" << text_of(found, note) << " holders=" << breaker().holders().size();
        std::cout << " passes=" << breaker().closed() << " deadline=" << breaker().next_deadline_ns() << '\n';
    } else if (is("observer_of", 1)) {
        observers.push_back(std::make_unique<trip99::Observer>(breaker().observer()));
    } else if (is("observer_observe", 1)) {
        print_view(chosen(observers));
        std::cout << '\n';
    } else if (is("published", 1)) {
        trip99::Snapshot published;
        if (breaker().published(published)) {
            print_snapshot(published, published.automatic_state(), published.halted);
            std::cout << '\n';
        } else {
            print("none");
        }
    } else if (is("published_is_latest", 1)) {
        const trip99::Snapshot snapshot = breaker().snapshot();
        trip99::Snapshot published;
        print(breaker().published(published) && std::memcmp(&published, &snapshot, sizeof snapshot) == 0);
    } else if (is("last_event", 1)) {
        trip99::Events events = breaker().events();
        trip99::Event last;
        bool found = false;
        while (events.next(last)) {
            found = true;
        }
        print_event(found, last);
    } else if (is("reasons", 1)) {
        std::cout << verb;
        trip99::Events events = breaker().events();
        for (const trip99::Event &event : events) {
            std::cout << ' ' << to_string(event.reason);
        }
        std::cout << '\n';
    } else if (is("events_open", 1)) {
        readers.push_back(std::make_unique<trip99::Events>(breaker().events()));
    } else if (is("events_next", 1)) {
        trip99::Event event;
        const bool found = chosen(readers).next(event);
        print_event(found, event);
    } else if (is("events_missed", 1)) {
        print(chosen(readers).missed());
    } else {
        return false;
    }
    return true;
}

static bool operate_tickets() {
    if (is("start_of", 1)) {
        std::cout << verb << " start_ns=" << ticket(arg[0]).start_ns << '\n';
    } else if (is("ticket", 3)) {
        ticket(arg[0]).start_ns = arg[1];
        ticket(arg[0]).id = arg[2];
    } else if (is("forge", 4)) {
        const trip99::Call of = ticket(arg[1]);
        ticket(arg[0]).start_ns = of.start_ns ^ arg[2];
        ticket(arg[0]).id = of.id ^ arg[3];
    } else {
        return false;
    }
    return true;
}

int main() {
    std::cout << std::unitbuf; // what was printed before a crash tells where it was
    while (read_operation()) {
        if (is("scenario", 1)) {
            end_scenario();
            print(arg[0]);
        } else if (!operate_settings() && !operate_breaker() && !operate_lane() && !operate_gate() && !observe() &&
                   !operate_tickets()) {
            std::cerr << "conformance.cpp doesn't know " << verb << " with " << arg.size() << " integers\n";
            return 1;
        }
    }
    end_scenario();
    return 0;
}
