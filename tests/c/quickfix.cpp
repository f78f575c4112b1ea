// SessionGate: which message is asked for, begun and ended how. It has no network: the program plays QuickFIX's part, but for the sending.

#include <trip99_quickfix.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <quickfix/DataDictionaryProvider.h>
#include <quickfix/MessageStore.h>
#include <quickfix/TimeRange.h>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using trip99::State;
using trip99::quickfix::Application;
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

// Fills the gate with eight calls, which is all it has room for.
void fill(Session &session) {
    for (int i = 0; i < 8; ++i) {
        REQUIRE(session.sends(message("D", "O" + std::to_string(i), i + 1)));
    }
}

Options room_for_eight() {
    Options options;
    options.capacity = 8;
    return options;
}

void a_full_gate_refuses_orders_and_lets_cancels_pass() {
    Session session(room_for_eight());
    fill(session);
    REQUIRE(!session.sends(message("D", "O8", 9)) && session.gate.counts().refused == 1);
    REQUIRE(session.gate.why() == "refused: the lane is full");
    REQUIRE(session.sends(message("F", "C1", 9)) && session.gate.open_calls() == 8);
    session.gate.from_app(message("8", "O0", 1));
    session.gate.poll();
    REQUIRE(session.gate.why() == "passes" && session.sends(message("D", "O8", 10)) && session.gate.open_calls() == 8);
}

// A lane has room for four calls at least.
void a_gate_may_have_less_room_than_its_lane() {
    Options options;
    options.capacity = 1;
    Session session(options);
    REQUIRE(session.sends(message("D", "O1", 1)) && !session.sends(message("D", "O2", 2)));
    REQUIRE(session.gate.why() == "refused: too many calls are open" && session.gate.open_calls() == 1);
}

void in_shadow_nothing_is_refused_but_by_a_halt() {
    trip99::Config settings = config();
    settings.shadow = true;
    Session session(room_for_eight(), settings);
    fill(session);
    REQUIRE(session.sends(message("D", "O8", 9)));                               // there is no room
    REQUIRE(session.sends(message("E", "L1", 10)));                              // it can't be measured
    REQUIRE(session.sends(with_header(message("D", "O8", 9), 43, "Y")));         // a resend
    session.gate.on_logout();
    REQUIRE(session.sends(message("D", "O9", 11)) && session.gate.open_calls() == 0); // QuickFIX stores it
    session.gate.on_logon();
    REQUIRE(session.sends(message("D", "O10", 12)));                             // the owner hasn't tripped the breaker yet
    session.gate.poll();
    REQUIRE(session.breaker.state() == State::Open && session.sends(message("D", "O11", 13)));
    session.breaker.halt();
    REQUIRE(!session.sends(message("D", "O12", 14)) && !session.sends(message("E", "L2", 14)));
    REQUIRE(!session.sends(with_header(message("D", "O8", 9), 43, "Y")));
    session.gate.on_logout();
    REQUIRE(!session.sends(message("D", "O13", 14)));
}

void a_loss_is_told_before_the_failures_that_it_makes() {
    Session session; // it trips by three failures
    for (int sequence = 1; sequence <= 3; ++sequence) {
        REQUIRE(session.sends(message("D", "O" + std::to_string(sequence), sequence)));
    }
    trip99::Events events = session.breaker.events();
    session.gate.on_logout();
    session.breaker.poll(); // as if the loss came in the middle of the gate's own poll
    REQUIRE(session.breaker.state() == State::Closed && session.gate.open_calls() == 0);
    session.gate.poll();
    trip99::Event event;
    REQUIRE(events.next(event) && event.to == State::Open && event.reason == trip99::Reason::Tripped);
    REQUIRE(session.failures() == 3);
}

void why_tells_what_the_breaker_cannot_know() {
    Session session;
    REQUIRE(session.gate.why() == "passes");
    session.gate.on_logout();
    REQUIRE(session.gate.why() == "refused: the session is logged out");
    session.gate.on_logon();
    REQUIRE(session.gate.why() == "refused: the session was lost, and the owner has not polled since");
    session.gate.poll();
    REQUIRE(session.gate.why().find("refused: open since") == 0);
}

void sequence_numbers_that_begin_again_name_new_messages() {
    Session session;
    REQUIRE(session.sends(message("D", "O1", 5)) && session.sends(message("D", "O2", 6)));
    session.gate.on_logon(); // a logon with 141=Y in the midst of a session: there is no logout
    session.gate.from_admin(with(message("3", "", 2), 45, "6")); // of a message that isn't measured
    REQUIRE(session.gate.open_calls() == 2);
    REQUIRE(session.sends(message("D", "O3", 2)));
    session.gate.from_admin(with(message("3", "", 2), 45, "5"));
    REQUIRE(session.gate.open_calls() == 3);
    for (int sequence = 3; sequence <= 6; ++sequence) {
        REQUIRE(session.sends(message("D", "N" + std::to_string(sequence), sequence)));
    }
    session.gate.from_admin(with(message("3", "", 3), 45, "5"));
    session.gate.from_admin(with(message("3", "", 4), 45, "6"));
    session.gate.from_admin(with(message("3", "", 5), 45, "2"));
    session.gate.from_app(message("8", "N5", 6)); // has ended
    REQUIRE(session.gate.open_calls() == 4);
    for (const char *id : {"O1", "O2", "N3", "N4"}) {
        session.gate.from_app(message("8", id, 7));
    }
    REQUIRE(session.recorded() == 7 && session.failures() == 0 && session.gate.open_calls() == 0);
    // FIX::Session::setNextSenderMsgSeqNum tells nobody.
    Session set_back;
    REQUIRE(set_back.sends(message("D", "O1", 5)) && set_back.sends(message("D", "O2", 2)));
    set_back.gate.from_admin(with(message("3", "", 2), 45, "5"));
    REQUIRE(set_back.gate.open_calls() == 2);
    set_back.gate.from_admin(with(message("3", "", 3), 45, "2"));
    REQUIRE(set_back.gate.open_calls() == 1);
}

void answers_after_a_loss_are_no_answers() {
    trip99::Config settings = config();
    settings.consecutive_failures = 0;
    Session session(Options(), settings);
    REQUIRE(session.sends(message("D", "O1", 1)));
    session.gate.on_logout();
    session.gate.on_logon();
    session.gate.from_app(message("8", "O1", 2)); // the venue sends it again
    session.gate.poll();
    REQUIRE(session.recorded() == 1 && session.failures() == 1);
}

void reports_end_the_call_that_they_name_first() {
    Session session;
    REQUIRE(session.sends(message("D", "O1", 1)) && session.sends(with(message("G", "R1", 2), 41, "O1")) &&
            session.sends(with(message("F", "C1", 3), 41, "R1")));
    session.gate.from_app(with(message("8", "R1", 1), 41, "O1"));
    REQUIRE(session.gate.open_calls() == 2);
    session.gate.from_app(with_header(message("8", "O1", 2), 43, "Y")); // it comes late, from the venue's store
    session.gate.from_app(with(message("9", "C1", 3), 41, "R1"));
    REQUIRE(session.gate.open_calls() == 0 && session.recorded() == 3);
}

void an_exception_of_adds_risk_is_a_yes() {
    Options options;
    options.adds_risk = [](const FIX::Message &made) { return made.getField(77) == "O"; }; // throws without it
    Session session(options);
    REQUIRE(session.sends(message("D", "O1", 1)));
    session.breaker.halt();
    REQUIRE(!session.sends(message("D", "O2", 2)));
    REQUIRE(session.sends(with(message("D", "O3", 2), 77, "C")));
}

void the_engine_may_name_its_orders_in_to_app() {
    Session session;
    FIX::Message order = message("D", "draft", 1);
    session.gate.to_app(order, [&] { order.setField(11, "O1"); });
    session.gate.from_app(message("8", "O1", 1));
    REQUIRE(session.recorded() == 1 && session.gate.open_calls() == 0);
    // A name that is gone, or taken, makes no sample.
    session.gate.to_app(message("F", "O2", 2), [] {});
    order = message("D", "draft", 3);
    session.gate.to_app(order, [&] { order.removeField(11); });
    order = message("D", "draft", 4);
    session.gate.to_app(order, [&] { order.setField(11, "O2"); });
    REQUIRE(session.gate.open_calls() == 1 && session.in_flight() == 1);
}

void settings_have_ranges() {
    for (const std::chrono::nanoseconds give_up : {std::chrono::nanoseconds(-1), std::chrono::nanoseconds(0)}) {
        Options options;
        options.give_up = give_up;
        bool is_refused = false;
        try {
            Session session(options);
        } catch (const trip99::Error &error) {
            is_refused = error.status() == CB_STATUS_OUT_OF_RANGE && std::string(error.what()).find("give_up") == 0;
        }
        REQUIRE(is_refused);
    }
    Options options;
    options.give_up = std::chrono::nanoseconds::max(); // never
    options.capacity = UINT32_MAX;
    Session session(options);
    REQUIRE(session.sends(message("D", "O1", 1)));
    session.gate.poll();
    REQUIRE(session.gate.open_calls() == 1 && session.gate.counts().given_up == 0);
}

// Sends on one thread, hears on a second, and polls on a third. A checked build of the library ends the process if
// a lane isn't handed over.
void each_thread_may_use_the_gate() {
    Session session;
    constexpr int ORDERS = 2000;
    std::atomic<int> sent{0};
    std::thread sender([&] {
        for (int i = 1; i <= ORDERS; ++i) {
            REQUIRE(session.sends(message("D", "O" + std::to_string(i), i)));
            sent = i;
            REQUIRE(!session.gate.why().empty());
        }
    });
    std::thread hearer([&] {
        for (int i = 1; i <= ORDERS; ++i) {
            while (sent < i) {
                std::this_thread::yield();
            }
            session.gate.from_app(message("8", "O" + std::to_string(i), i));
        }
    });
    while (session.recorded() < ORDERS) {
        REQUIRE(session.gate.open_calls() <= ORDERS && session.gate.why() == "passes");
    }
    sender.join();
    hearer.join();
    REQUIRE(session.failures() == 0 && session.breaker.snapshot().misused == 0 && session.gate.open_calls() == 0);
}

// The engine's own application, which notes what it is told.
class Mine : public FIX::Application {
  public:
    void onCreate(const FIX::SessionID &) override { calls.push_back("create"); }
    void onLogon(const FIX::SessionID &) override { calls.push_back("logon"); }
    void onLogout(const FIX::SessionID &) override { calls.push_back("logout"); }
    void toAdmin(FIX::Message &, const FIX::SessionID &) override { calls.push_back("to admin"); }
    void toApp(FIX::Message &, const FIX::SessionID &) throw(FIX::DoNotSend) override { calls.push_back("to app"); }
    void fromAdmin(const FIX::Message &, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                      FIX::IncorrectTagValue, FIX::RejectLogon) override {
        calls.push_back("from admin");
    }
    void fromApp(const FIX::Message &, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                    FIX::IncorrectTagValue,
                                                                    FIX::UnsupportedMessageType) override {
        calls.push_back("from app");
        throw FIX::UnsupportedMessageType();
    }

    std::vector<std::string> calls{};
};

// A store that can be full.
class Store : public FIX::MemoryStore {
  public:
    bool set(int sequence, const std::string &text) throw(FIX::IOException) override {
        if (is_full) {
            throw FIX::IOException("no space left");
        }
        return FIX::MemoryStore::set(sequence, text);
    }

    bool is_full = false;
};

class Stores : public FIX::MessageStoreFactory {
  public:
    FIX::MessageStore *create(const FIX::SessionID &) override { return &store; }
    void destroy(FIX::MessageStore *) override {}

    Store store{};
};

// Here QuickFIX itself sends, but for the wire.
void what_quickfix_does_not_send_takes_no_call_and_no_number() {
    const FIX::SessionID id("FIX.4.4", "US", "THEM");
    trip99::Breaker breaker(config());
    Mine mine;
    Application gated(mine);
    SessionGate &gate = gated.guard(id, breaker);
    Stores stores;
    const FIX::UtcTimeOnly midnight(0, 0, 0);
    FIX::Session session(gated, stores, id, FIX::DataDictionaryProvider(), FIX::TimeRange(midnight, midnight), 30, nullptr);
    FIX::Message order = message("D", "O1", 77); // the number is QuickFIX's business
    REQUIRE(!gate.send(order) && session.getExpectedSenderNum() == 1 && gate.counts().logged_out == 1);
    gate.on_logon();
    REQUIRE(gate.send(order) && session.getExpectedSenderNum() == 2 && gate.open_calls() == 1);
    breaker.halt();
    FIX::Message second = message("D", "O2", 77);
    REQUIRE(!FIX::Session::sendToTarget(second, id) && session.getExpectedSenderNum() == 2 && gate.open_calls() == 1);
    breaker.resume();
    gate.poll();
    stores.store.is_full = true;
    REQUIRE(!gate.send(second) && session.getExpectedSenderNum() == 2 && gate.open_calls() == 1);
    FIX::Message again = message("F", "O1", 77); // its name is open, and its call is another's
    REQUIRE(!gate.send(again) && gate.open_calls() == 1);
    stores.store.is_full = false;
    REQUIRE(gate.send(second) && session.getExpectedSenderNum() == 3 && gate.open_calls() == 2);
    // The number that came twice hasn't made the gate forget the first.
    gate.from_admin(with(message("3", "", 1), 45, "1"));
    gate.poll();
    REQUIRE(gate.open_calls() == 1 && breaker.snapshot().recorded == 1 && breaker.snapshot().in_flight == 1);
    bool is_unknown = false;
    try {
        FIX::Message stray = message("D", "O2", 2);
        SessionGate other(FIX::SessionID("FIX.4.4", "US", "NOBODY"), breaker, Options());
        other.send(stray);
    } catch (const FIX::SessionNotFound &) {
        is_unknown = true;
    }
    REQUIRE(is_unknown);
}

static_assert(!std::is_copy_constructible<Application>::value && !std::is_move_constructible<Application>::value,
              "the initiator would go on with the one that has no gates any more");

void an_application_gates_the_sessions_that_it_guards() {
    const FIX::SessionID first("FIX.4.4", "US", "A"), second("FIX.4.4", "US", "B"), third("FIX.4.4", "US", "C");
    trip99::Breaker a(config()), b(config());
    Mine mine;
    Application gated(mine);
    SessionGate &gate_a = gated.guard(first, a), &gate_b = gated.guard(second, b);
    bool is_refused = false;
    try {
        gated.guard(first, b);
    } catch (const trip99::Error &error) {
        is_refused = error.status() == CB_STATUS_NOT_NOW;
    }
    REQUIRE(is_refused);
    for (const FIX::SessionID &session : {first, second, third}) {
        gated.onCreate(session);
        gated.onLogon(session);
    }
    a.halt();
    REQUIRE(gate_a.is_logged_on() && gate_b.is_logged_on() && mine.calls.size() == 6);
    int sent = 0;
    for (const FIX::SessionID &session : {first, second, third}) {
        FIX::Message order = message("D", "O1", 1);
        try {
            gated.toApp(order, session);
            ++sent;
        } catch (const FIX::DoNotSend &) {
            REQUIRE(session == first);
        }
    }
    REQUIRE(sent == 2 && gate_a.open_calls() == 0 && gate_b.open_calls() == 1 && mine.calls.size() == 8);
    try {
        gated.fromApp(message("8", "O1", 1), second);
    } catch (const FIX::UnsupportedMessageType &) {
    }
    REQUIRE(gate_b.open_calls() == 0 && mine.calls.back() == "from app"); // it ended before the engine threw
    FIX::Message heartbeat = message("0", "", 2);
    gated.toAdmin(heartbeat, second);
    gated.fromAdmin(heartbeat, third);
    gated.onLogout(second);
    REQUIRE(!gate_b.is_logged_on() && gate_a.is_logged_on() && gate_b.counts().lost_sessions == 1);
    REQUIRE(mine.calls.size() == 12 && mine.calls.back() == "logout");
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
    a_full_gate_refuses_orders_and_lets_cancels_pass();
    a_gate_may_have_less_room_than_its_lane();
    in_shadow_nothing_is_refused_but_by_a_halt();
    a_loss_is_told_before_the_failures_that_it_makes();
    why_tells_what_the_breaker_cannot_know();
    sequence_numbers_that_begin_again_name_new_messages();
    answers_after_a_loss_are_no_answers();
    reports_end_the_call_that_they_name_first();
    an_exception_of_adds_risk_is_a_yes();
    the_engine_may_name_its_orders_in_to_app();
    settings_have_ranges();
    each_thread_may_use_the_gate();
    an_application_gates_the_sessions_that_it_guards();
    what_quickfix_does_not_send_takes_no_call_and_no_number();
    std::puts("quickfix: 22 passed");
    return 0;
}
