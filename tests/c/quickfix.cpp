// SessionGate by itself: which message is asked for, begun and ended how. It has no network: the program plays QuickFIX's part.

#include <trip99_quickfix.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

using trip99::State;
using trip99::quickfix::Options;
using trip99::quickfix::SessionGate;

void require(bool holds, const char *what, int line) {
    if (!holds) {
        std::fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
        std::exit(1);
    }
}
#define REQUIRE(condition) require((condition), #condition, __LINE__)

FIX::Message message(const std::string &type, const std::string &id, int sequence) {
    FIX::Message made;
    made.getHeader().setField(35, type);
    made.getHeader().setField(34, std::to_string(sequence));
    if (!id.empty()) {
        made.setField(11, id);
    }
    return made;
}

FIX::Message with(FIX::Message made, int tag, const std::string &value) {
    made.setField(tag, value);
    return made;
}

FIX::Message with_header(FIX::Message made, int tag, const std::string &value) {
    made.getHeader().setField(tag, value);
    return made;
}

trip99::Config config() {
    trip99::Config made;
    made.probes = 2;
    made.backoff_base = std::chrono::milliseconds(20);
    made.backoff_max = std::chrono::milliseconds(20);
    made.jitter_ppm = 0;
    made.consecutive_failures = 3;
    return made;
}

struct Session {
    explicit Session(const Options &options = Options(), const trip99::Config &settings = config())
        : breaker(settings), gate(FIX::SessionID("FIX.4.4", "US", "THEM"), breaker, options) {
        gate.on_logon();
    }

    bool sends(const FIX::Message &made) {
        try {
            gate.to_app(made, [] {});
            return true;
        } catch (const FIX::DoNotSend &) {
            return false;
        }
    }

    std::uint64_t recorded() {
        gate.poll();
        return breaker.snapshot().recorded;
    }
    std::uint32_t failures() {
        gate.poll();
        return breaker.snapshot().failures;
    }
    std::uint32_t in_flight() {
        gate.poll();
        return breaker.snapshot().in_flight;
    }
    void until(State state) {
        while (breaker.state() != state) {
            gate.poll();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

    trip99::Breaker breaker;
    SessionGate gate;
};

void first_answers_end_calls() {
    Session session;
    for (const char *type : {"D", "G", "F"}) {
        REQUIRE(session.sends(message(type, type, 1)));
    }
    REQUIRE(session.in_flight() == 3 && session.gate.open_calls() == 3);
    session.gate.from_app(message("8", "D", 7));
    session.gate.from_app(message("8", "D", 8)); // a later fill
    session.gate.from_app(message("9", "F", 9));
    session.gate.from_app(message("8", "unknown", 9));
    session.gate.from_app(message("W", "G", 9)); // names it, but is no answer
    REQUIRE(session.recorded() == 2 && session.gate.open_calls() == 1 && session.failures() == 0);
}

void rejects_end_calls_by_sequence_or_name() {
    Session session;
    for (int sequence = 1; sequence <= 4; ++sequence) {
        REQUIRE(session.sends(message("D", "O" + std::to_string(sequence), sequence)));
    }
    session.gate.from_admin(with(message("3", "", 1), 45, "2"));
    session.gate.from_admin(with(message("3", "", 1), 45, "99"));       // of another message
    session.gate.from_admin(with(message("3", "", 1), 45, "2x"));       // no number
    session.gate.from_admin(message("0", "", 1));                       // a heartbeat
    session.gate.from_app(with(message("j", "", 2), 45, "3"));
    REQUIRE(session.recorded() == 2 && session.failures() == 0);
    session.gate.from_app(with(with(message("j", "", 3), 379, "O4"), 380, "4"));
    REQUIRE(session.recorded() == 3 && session.failures() == 1);
    session.gate.from_app(with(with(message("j", "", 3), 379, "O1"), 380, "3"));
    REQUIRE(session.recorded() == 4 && session.failures() == 1 && session.gate.open_calls() == 0);
}

void halted_only_what_adds_risk_waits() {
    Options options;
    options.adds_risk = [](const FIX::Message &made) { return !made.isSetField(77); }; // PositionEffect
    Session session(options);
    session.breaker.halt();
    REQUIRE(!session.sends(message("D", "O1", 1)) && !session.sends(message("G", "O2", 2)));
    REQUIRE(!session.sends(message("E", "", 3)) && !session.sends(message("AB", "O3", 3)));
    REQUIRE(session.sends(with(message("D", "O4", 3), 77, "C")));
    REQUIRE(session.sends(message("F", "C1", 4)));
    REQUIRE(session.sends(message("H", "S1", 5))); // a status request
    REQUIRE(session.gate.open_calls() == 2 && session.gate.counts().refused == 4);
    REQUIRE(session.gate.why() != "passes");
}

void what_cannot_be_measured_passes_only_while_closed() {
    Session session;
    const FIX::Message unmeasured[] = {message("E", "L1", 1), message("s", "", 2), message("AC", "O1", 3), message("D", "", 4),
                                       with_header(message("D", "O2", 5), 97, "Y")};
    for (const FIX::Message &made : unmeasured) {
        REQUIRE(session.sends(made));
    }
    REQUIRE(session.sends(message("D", "O3", 6)) && session.sends(message("D", "O3", 7))); // its name is open
    REQUIRE(session.gate.open_calls() == 1);
    session.breaker.trip();
    session.until(State::HalfOpen);
    for (const FIX::Message &made : unmeasured) {
        REQUIRE(!session.sends(made));
    }
    REQUIRE(!session.sends(message("D", "O3", 8)));
    REQUIRE(session.sends(message("D", "O4", 9)) && !session.sends(message("D", "O5", 10))); // a trial, one at a time
}

void a_message_that_is_not_sent_gives_its_trial_back() {
    Session session;
    session.breaker.trip();
    session.until(State::HalfOpen);
    const auto refuse = [] { throw FIX::DoNotSend(); };
    for (int i = 0; i < 5; ++i) { // more than there are trials
        bool is_sent = true;
        try {
            session.gate.to_app(message("D", "O1", 1), refuse);
        } catch (const FIX::DoNotSend &) {
            is_sent = false;
        }
        REQUIRE(!is_sent && session.gate.open_calls() == 0);
    }
    // The session goes after the grant.
    bool is_sent = true;
    try {
        session.gate.to_app(message("D", "O1", 1), [&] { session.gate.on_logout(); });
    } catch (const FIX::DoNotSend &) {
        is_sent = false;
    }
    REQUIRE(!is_sent && session.gate.open_calls() == 0 && session.gate.counts().logged_out == 1);
    session.gate.on_logon();
    session.gate.poll(); // trips
    REQUIRE(session.breaker.state() == State::Open);
    session.until(State::HalfOpen);
    for (const char *id : {"O2", "O3"}) {
        REQUIRE(session.sends(message("D", id, 2)));
        session.gate.from_app(message("8", id, 2));
        session.gate.poll();
    }
    REQUIRE(session.breaker.state() == State::Closed);
}

void old_orders_are_not_sent_again() {
    Session session;
    REQUIRE(!session.sends(with_header(message("D", "O1", 1), 43, "Y")));
    REQUIRE(!session.sends(with_header(message("AB", "O1", 1), 43, "Y")));
    REQUIRE(session.sends(with_header(message("F", "C1", 2), 43, "Y")));
    REQUIRE(session.sends(with_header(message("H", "S1", 3), 43, "Y")));
    REQUIRE(session.gate.open_calls() == 0 && session.gate.counts().resends_stopped == 2);
}

void a_lost_session_trips_and_a_refused_logon_does_not() {
    trip99::Config settings = config();
    settings.consecutive_failures = 0; // so that nothing else trips
    Session session(Options(), settings);
    REQUIRE(session.sends(message("D", "O1", 1)));
    session.gate.on_logout();
    REQUIRE(session.gate.open_calls() == 0 && !session.gate.is_logged_on());
    REQUIRE(!session.sends(message("D", "O2", 2)));
    REQUIRE(session.sends(message("F", "C1", 3)) && session.gate.open_calls() == 0);
    session.gate.on_logon();
    REQUIRE(!session.sends(message("D", "O2", 2))); // the owner hasn't tripped the breaker yet
    session.gate.poll();
    REQUIRE(session.breaker.state() == State::Open && session.failures() == 1);
    session.gate.on_logout();
    session.gate.poll();
    session.until(State::HalfOpen);
    for (int i = 0; i < 3; ++i) { // of refused logons
        session.gate.on_logout();
        session.gate.poll();
    }
    REQUIRE(session.breaker.state() == State::HalfOpen && session.gate.counts().lost_sessions == 2);
}

void calls_are_given_up_and_bounded() {
    Options options;
    options.give_up = std::chrono::milliseconds(30);
    options.capacity = 8;
    Session session(options);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(session.sends(message("F", "C" + std::to_string(i), i)));
    }
    REQUIRE(session.gate.open_calls() == 8);
    while (session.gate.open_calls() > 0) {
        session.gate.poll();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    session.gate.poll();
    REQUIRE(session.gate.counts().given_up == 8 && session.breaker.state() == State::Open);
    session.gate.from_app(message("8", "C1", 1)); // too late
    REQUIRE(session.recorded() == 8);
}

} // namespace

int main() {
    first_answers_end_calls();
    rejects_end_calls_by_sequence_or_name();
    halted_only_what_adds_risk_waits();
    what_cannot_be_measured_passes_only_while_closed();
    a_message_that_is_not_sent_gives_its_trial_back();
    old_orders_are_not_sent_again();
    a_lost_session_trips_and_a_refused_logon_does_not();
    calls_are_given_up_and_bounded();
    std::puts("quickfix: 8 passed");
    return 0;
}
