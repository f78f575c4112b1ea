/*
 * trip99: gates the orders of a QuickFIX session. Header-only, C++14, optional: it needs QuickFIX (tried with 1.15.1).
 *
 *     MyApplication mine;                                   // your FIX::Application
 *     trip99::Breaker breaker(config);                      // one for each session
 *     trip99::quickfix::Application gated(mine);
 *     trip99::quickfix::SessionGate &gate = gated.guard(session_id, breaker);
 *     FIX::SocketInitiator initiator(gated, ...);           // gated in place of mine
 *     initiator.start();
 *     for (;;) {
 *         gate.poll();                                      // the owner of the breaker, in each turn of its loop
 *         if (... wants to send ...) {
 *             bool sent = gate.send(order);                 // false: refused, see gate.why()
 *         }
 *     }
 *
 * Nothing else changes in the engine. QuickFIX shows each message to its application just before it is sent, and there the gate asks
 * the breaker. So an order can't get round the gate, whoever sends it and by whichever function. What happens to which message:
 *
 * - New orders (35=D) and replaces (35=G) are asked for, and have a ticket under their ClOrdID (11). A refused one throws
 *   FIX::DoNotSend within QuickFIX, and so FIX::Session::sendToTarget returns false.
 *   The gate reads the ClOrdID again after the engine's own toApp, which may change it. An order that has none before isn't measured.
 * - Cancels (35=F) are never asked for, and are measured likewise. Options::adds_risk says which orders don't add risk: these pass as
 *   cancels do.
 * - Orders of other kinds (lists, crosses, multi-leg orders: 35=E, s, t, AB, AC), orders with 97=Y, and orders whose ClOrdID is open or
 *   missing can't be measured by their first answer. They pass while the breaker is closed, and at no other time.
 * - All other messages pass untouched, and quotes (35=S, i) are among them.
 * - The first message that names the call ends it: an execution report (35=8) or a cancel reject (35=9) by its ClOrdID, a reject
 *   (35=3) by RefSeqNum (45), a business reject (35=j) by RefSeqNum or BusinessRejectRefID (379). A reject is an answer. Only
 *   "application not available" (35=j with 380=4) fails the call. Later reports of an order count for nothing.
 * - While the session is logged out nothing is asked, and no order that adds risk is sent. (QuickFIX would store it, and send it after the
 *   next logon, if the venue asks for a resend.)
 * - At a resend QuickFIX would send old orders again (43=Y), even while trading is paused. Those that add risk are replaced by a gap fill.
 * - A session that is lost trips the breaker, and fails the calls that are open. A logout that was planned is a loss, too. A logon that
 *   the venue refuses is none. Trading comes back through trials, after the next logon.
 * - A call that nothing answers within Options::give_up has failed. So there is a bound to what the gate remembers.
 *
 * In shadow the gate refuses, stops and holds back nothing, unless trading is halted.
 *
 * `trip99 replay --from fix` reads QuickFIX's own log, and pairs orders and answers by the same rules.
 *
 * Threads: QuickFIX may call the gate on any of its threads, and the engine may send on any of its own. poll() is for the thread that owns
 * the breaker. QuickFIX holds its session's lock in toApp and onLogout, and none in fromApp, fromAdmin and onLogon. The gate has a lock of
 * its own, and calls neither QuickFIX nor the engine while it holds that.
 *
 * QuickFIX 1.15 itself compiles as C++14 at most, as it has exception specifications that C++17 took away.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_QUICKFIX_HPP
#define TRIP99_QUICKFIX_HPP

#include "trip99.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <quickfix/Application.h>
#include <quickfix/Exceptions.h>
#include <quickfix/Message.h>
#include <quickfix/Session.h>
#include <quickfix/SessionID.h>

// An override may not throw more than what it overrides. C++17 knows exception specifications no more.
#if __cplusplus >= 201703L
#define TRIP99_THROWS(...) noexcept(false)
#else
#define TRIP99_THROWS(...) throw(__VA_ARGS__)
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated"
#endif
#endif

namespace trip99 {
namespace quickfix {

/** Tells that an order, a replace or an order of another kind adds risk. */
using AddsRisk = std::function<bool(const FIX::Message &)>;

struct Options {
    /**
     * A call that nothing has answered after so long has failed. 60 s, as in `trip99 replay --from fix`. Legal: above 0; the longest
     * duration is never.
     */
    std::chrono::nanoseconds give_up = std::chrono::seconds(60);
    /** So many calls may be open at one time; 0 = 4096, at most 1048576. Beyond it orders are refused, and cancels aren't measured. */
    std::uint32_t capacity = 0;
    /**
     * False for an order that only reduces risk, such as one that closes a position: it is sent in any state. Empty: every order
     * adds risk. It is not asked about cancels (35=F). It is called on the thread that sends. If it throws, the order adds risk.
     */
    AddsRisk adds_risk = AddsRisk();
};

/** What a gate has done so far. */
struct Counts {
    /** Orders that the breaker refused. */
    std::uint64_t refused = 0;
    /** Orders that were not sent, because the session was logged out. */
    std::uint64_t logged_out = 0;
    /** Orders that QuickFIX would have sent again. */
    std::uint64_t resends_stopped = 0;
    /** Calls that nothing answered in time. */
    std::uint64_t given_up = 0;
    /** Times that the session was lost. */
    std::uint64_t lost_sessions = 0;
};

/** Gates one session by one breaker. It is made by Application::guard. */
class SessionGate {
  public:
    /**
     * Opens a lane of the breaker. Throws Error. The breaker must outlive the gate, and stay where it is. The owner's thread may destroy
     * the gate when the initiator has stopped.
     */
    SessionGate(FIX::SessionID session, Breaker &breaker, Options options)
        : session_(std::move(session)), adds_risk_(std::move(options.adds_risk)), give_up_ns_(give_up_of(options)),
          capacity_(capacity_of(options)), was_in_shadow_(breaker.snapshot().shadow), breaker_(breaker),
          begin_(breaker.lane(capacity_)), end_(begin_.split()) {
        open_.reserve(capacity_);
        lost_.reserve(capacity_);
    }
    SessionGate(const SessionGate &) = delete;
    SessionGate &operator=(const SessionGate &) = delete;

    /**
     * Sends a message to the session. True: QuickFIX has taken it. False: it is not sent, because the breaker refuses (see why()),
     * because the session is logged out, or because QuickFIX could not store it. Throws what QuickFIX throws. Any thread.
     */
    bool send(FIX::Message &message) {
        bool sent = false;
        try {
            sent = FIX::Session::sendToTarget(message, session_);
        } catch (...) {
            not_sent(message);
            throw;
        }
        if (!sent) {
            not_sent(message);
        }
        return sent;
    }

    /**
     * Polls the breaker, in place of Breaker::poll: trips it if the session was lost, hears the lanes, fires timers, and gives up
     * calls that are too old. The thread that owns the breaker calls this in each turn of its loop.
     */
    void poll() {
        const std::uint64_t losses = losses_.load(std::memory_order_acquire);
        if (losses != tripped_.load(std::memory_order_relaxed)) {
            breaker_.trip();
            fail_lost(); // after the trip: the loss is the reason, and these failures are what it did
            tripped_.store(losses, std::memory_order_release);
        }
        breaker_.poll();
        const std::uint64_t now_ns = breaker_.now_ns();
        if (now_ns >= next_sweep_ns_) {
            next_sweep_ns_ = now_ns + std::min(give_up_ns_ / 16, std::uint64_t(LONGEST_SWEEP_NS));
            give_up(now_ns);
        }
    }

    /** Tells whether the session is logged on. Any thread. */
    bool is_logged_on() const noexcept { return is_up_.load(std::memory_order_acquire); }

    /** Why an order is refused now, as one line: "passes" if none is. Any thread. */
    std::string why() const {
        if (!is_trading() && !only_watches()) {
            return is_logged_on() ? "refused: the session was lost, and the owner has not polled since"
                                  : "refused: the session is logged out";
        }
        Turn turn(*this);
        const std::string why = begin_.why();
        return why == "passes" && open_.size() >= capacity_ && !only_watches() ? "refused: too many calls are open" : why;
    }

    /** How many calls await their first answer. Any thread. */
    std::size_t open_calls() const {
        std::lock_guard<std::mutex> lock(mutex_);
        return open_.size();
    }

    /** What the gate has done so far. Any thread. */
    Counts counts() const {
        std::lock_guard<std::mutex> lock(mutex_);
        Counts counts = counts_;
        counts.lost_sessions = losses_.load(std::memory_order_relaxed);
        return counts;
    }

    /**
     * What follows is what Application tells the gate. An engine with a dispatcher of its own calls these in place of an Application, to_app
     * and on_logout where QuickFIX does: one at a time.
     */
    void on_logon() {
        Turn turn(*this);
        // A second logon without a logout starts the numbers again (141=Y).
        forget_sequences();
        is_up_.store(true, std::memory_order_release);
    }

    /** QuickFIX also calls onLogout for a logon that was refused. Then no session is lost. */
    void on_logout() {
        Turn turn(*this);
        if (!is_up_.exchange(false)) {
            return;
        }
        const std::uint64_t now_ns = end_.now_ns();
        for (const auto &call : open_) {
            if (lost_.size() < capacity_) {
                lost_.push_back(Lost{call.second.ticket, now_ns});
            } else {
                end_.fail(call.second.ticket);
            }
        }
        open_.clear();
        losses_.fetch_add(1, std::memory_order_release);
    }

    /** A message is about to be sent. `forward` is the engine's own toApp. Throws FIX::DoNotSend, and what `forward` throws. */
    template <typename Forward> void to_app(const FIX::Message &message, Forward forward) {
        const Kind kind = kind_of(message);
        if (kind == Kind::Other) {
            return forward();
        }
        const bool asks = kind != Kind::Cancel && adds_risk(message);
        if (is_set(message.getHeader(), POSS_DUP_FLAG)) {
            if (asks && !only_watches()) {
                stop(&Counts::resends_stopped);
            }
            return forward();
        }
        const Way way = way_of(message, kind);
        if (asks) {
            ask(way);
        }
        try {
            forward();
        } catch (...) {
            if (asks && way == Way::Measured) {
                give_back();
            }
            throw;
        }
        if (way == Way::Measured) {
            begin(field(message, CL_ORD_ID), sequence_of(message.getHeader(), MSG_SEQ_NUM), asks);
        }
    }

    /** A message of the venue's business came. */
    void from_app(const FIX::Message &message) {
        const std::string type = field(message.getHeader(), MSG_TYPE);
        if (type == "8" || type == "9") {
            end(field(message, CL_ORD_ID), true);
        } else if (type == "j") {
            const bool ok = field(message, BUSINESS_REJECT_REASON) != "4";
            if (!end_sequence(message, ok)) {
                end(field(message, BUSINESS_REJECT_REF_ID), ok);
            }
        }
    }

    /** A message of the session came. */
    void from_admin(const FIX::Message &message) {
        if (field(message.getHeader(), MSG_TYPE) == "3") {
            end_sequence(message, true);
        }
    }

  private:
    enum class Kind { Order, Cancel, OtherOrder, Other };

    /** How a message is sent: as a call that is measured, as one that can't be, or beyond what the gate has room for. */
    enum class Way { Measured, Unmeasured, Full };

    struct Open {
        Call ticket;
        /** MsgSeqNum. */
        std::int64_t sequence;
    };

    /** A call that went with its session. */
    struct Lost {
        Call ticket;
        std::uint64_t lost_ns;
    };

    /** Holds the mutex, and so may use both ends of the lane. Any thread may be the next one, which a checked build is told. */
    class Turn {
      public:
        explicit Turn(const SessionGate &gate) : lock_(gate.mutex_), gate_(gate) {}
        Turn(const Turn &) = delete;
        Turn &operator=(const Turn &) = delete;
        ~Turn() {
            cb_lane_hand_over(gate_.begin_.c_handle());
            cb_lane_hand_over(gate_.end_.c_handle());
        }

      private:
        std::lock_guard<std::mutex> lock_;
        const SessionGate &gate_;
    };

    // Tags by number, as versions of QuickFIX have their field classes in different headers.
    enum Tag : int {
        CL_ORD_ID = 11,
        MSG_SEQ_NUM = 34,
        MSG_TYPE = 35,
        POSS_DUP_FLAG = 43,
        REF_SEQ_NUM = 45,
        POSS_RESEND = 97,
        BUSINESS_REJECT_REF_ID = 379,
        BUSINESS_REJECT_REASON = 380,
    };

    static constexpr std::uint32_t DEFAULT_CAPACITY = 4096;
    /** A lane has no more. */
    static constexpr std::uint32_t MAX_CAPACITY = 1048576;
    static constexpr std::uint64_t LONGEST_SWEEP_NS = 1000000000;
    static constexpr std::int64_t NO_SEQUENCE = -1;

    static std::uint32_t capacity_of(const Options &options) {
        return options.capacity == 0 ? std::uint32_t(DEFAULT_CAPACITY) : std::min(options.capacity, std::uint32_t(MAX_CAPACITY));
    }

    static std::uint64_t give_up_of(const Options &options) {
        if (options.give_up.count() <= 0) {
            detail::raise(CB_STATUS_OUT_OF_RANGE,
                          "give_up is " + std::to_string(options.give_up.count()) + " ns; legal: above 0");
        }
        return detail::ns("give_up", options.give_up);
    }

    /** The field's text. A missing field is empty, as none has an empty value. */
    static std::string field(const FIX::FieldMap &fields, Tag tag) {
        return fields.isSetField(tag) ? fields.getField(tag) : std::string();
    }

    static bool is_set(const FIX::FieldMap &fields, Tag tag) { return field(fields, tag) == "Y"; }

    static std::int64_t sequence_of(const FIX::FieldMap &fields, Tag tag) {
        const std::string text = field(fields, tag);
        std::int64_t value = 0;
        for (const char digit : text) {
            if (digit < '0' || digit > '9' || value > INT64_MAX / 10 - 1) {
                return NO_SEQUENCE;
            }
            value = value * 10 + (digit - '0');
        }
        return text.empty() ? std::int64_t(NO_SEQUENCE) : value;
    }

    static Kind kind_of(const FIX::Message &message) {
        const std::string type = field(message.getHeader(), MSG_TYPE);
        if (type == "D" || type == "G") {
            return Kind::Order;
        }
        if (type == "F") {
            return Kind::Cancel;
        }
        const bool is_order = type == "E" || type == "s" || type == "t" || type == "AB" || type == "AC";
        return is_order ? Kind::OtherOrder : Kind::Other;
    }

    /** An engine whose function throws, as for a missing field, gets the careful answer. (QuickFIX would end the process.) */
    bool adds_risk(const FIX::Message &message) const {
        try {
            return !adds_risk_ || adds_risk_(message);
        } catch (...) {
            return true;
        }
    }

    /** In shadow nothing refuses but a halt. */
    bool only_watches() const {
        Snapshot snapshot;
        const bool is_in_shadow = begin_.snapshot(snapshot) ? snapshot.shadow : was_in_shadow_;
        return is_in_shadow && !begin_.is_halted();
    }

    /** Logged on, and the breaker was tripped for each session that was lost before. */
    bool is_trading() const {
        return is_logged_on() && losses_.load(std::memory_order_acquire) == tripped_.load(std::memory_order_acquire);
    }

    Way way_of(const FIX::Message &message, Kind kind) const {
        const std::string id = field(message, CL_ORD_ID);
        if (kind == Kind::OtherOrder || id.empty() || is_set(message.getHeader(), POSS_RESEND)) {
            return Way::Unmeasured;
        }
        std::lock_guard<std::mutex> lock(mutex_);
        if (open_.find(id) != open_.end()) {
            return Way::Unmeasured;
        }
        return open_.size() < capacity_ ? Way::Measured : Way::Full;
    }

    [[noreturn]] void stop(std::uint64_t Counts::*count) {
        std::lock_guard<std::mutex> lock(mutex_);
        ++(counts_.*count);
        throw FIX::DoNotSend();
    }

    /** Throws FIX::DoNotSend if the order may not be sent now. */
    void ask(Way way) {
        if (!is_trading() && !only_watches()) {
            stop(&Counts::logged_out);
        }
        if (!passes(way)) {
            stop(&Counts::refused);
        }
    }

    bool passes(Way way) {
        if (way == Way::Measured) {
            Turn turn(*this);
            return begin_.allow();
        }
        return (way == Way::Unmeasured && begin_.closed()) || only_watches();
    }

    void give_back() {
        Turn turn(*this);
        begin_.release();
    }

    /** Takes the time, and remembers the call before it is sent, as its answer may come at once. */
    void begin(const std::string &id, std::int64_t sequence, bool was_asked) {
        Turn turn(*this);
        if (!is_logged_on()) {
            if (was_asked) { // the session went after the grant
                begin_.release();
                if (!only_watches()) {
                    ++counts_.logged_out;
                    throw FIX::DoNotSend();
                }
            }
            return; // QuickFIX stores it
        }
        if (sequence != NO_SEQUENCE && sequence <= latest_sequence_) {
            forget_sequences(); // the engine has set the numbers back
        }
        latest_sequence_ = sequence;
        const Call ticket = begin_.begin();
        // The engine's toApp may have changed the name, to one that nothing can answer, or that is open.
        if (id.empty() || !open_.emplace(id, Open{ticket, sequence}).second) {
            begin_.abandon(ticket);
        }
    }

    /** What was sent before had other numbers: a reject by RefSeqNum means none of it. */
    void forget_sequences() {
        for (auto &call : open_) {
            call.second.sequence = NO_SEQUENCE;
        }
        latest_sequence_ = NO_SEQUENCE;
    }

    void not_sent(const FIX::Message &message) {
        Turn turn(*this);
        const auto call = open_.find(field(message, CL_ORD_ID));
        const std::int64_t sequence = sequence_of(message.getHeader(), MSG_SEQ_NUM);
        // Another message with this name may be open.
        if (call != open_.end() && sequence != NO_SEQUENCE && call->second.sequence == sequence) {
            begin_.abandon(call->second.ticket);
            open_.erase(call);
            latest_sequence_ = std::min(latest_sequence_, sequence - 1); // QuickFIX gives its number to the next one
        }
    }

    void end(const std::string &id, bool ok) {
        Turn turn(*this);
        const auto call = open_.find(id);
        if (call != open_.end()) {
            settle(call->second.ticket, ok);
            open_.erase(call);
        }
    }

    /** Ends the call whose message had the RefSeqNum of this one. Rejects are rare, so this may look at each call. */
    bool end_sequence(const FIX::Message &message, bool ok) {
        const std::int64_t sequence = sequence_of(message, REF_SEQ_NUM);
        if (sequence == NO_SEQUENCE) {
            return false;
        }
        Turn turn(*this);
        for (auto call = open_.begin(); call != open_.end(); ++call) {
            if (call->second.sequence == sequence) {
                settle(call->second.ticket, ok);
                open_.erase(call);
                return true;
            }
        }
        return false;
    }

    void settle(Call ticket, bool ok) {
        if (ok) {
            end_.end(ticket);
        } else {
            end_.fail(ticket);
        }
    }

    /** As of the loss, not as of now. */
    void fail_lost() {
        Turn turn(*this);
        for (const Lost &call : lost_) {
            end_.fail_at(call.lost_ns, call.ticket);
        }
        lost_.clear();
    }

    void give_up(std::uint64_t now_ns) {
        Turn turn(*this);
        for (auto call = open_.begin(); call != open_.end();) {
            const std::uint64_t start_ns = call->second.ticket.start_ns;
            if (now_ns > start_ns && now_ns - start_ns > give_up_ns_) {
                end_.fail(call->second.ticket);
                ++counts_.given_up;
                call = open_.erase(call);
            } else {
                ++call;
            }
        }
    }

    FIX::SessionID session_;
    AddsRisk adds_risk_;
    std::uint64_t give_up_ns_;
    std::uint32_t capacity_;
    /** For the time before the owner's first poll. */
    bool was_in_shadow_;
    Breaker &breaker_;
    /** Guards what follows, both ends of the lane too. Nobody holds it while QuickFIX or the engine is called. */
    mutable std::mutex mutex_{};
    Lane begin_;
    Lane end_;
    /** By ClOrdID. */
    std::unordered_map<std::string, Open> open_{};
    /** Their failures wait for the trip. */
    std::vector<Lost> lost_{};
    /** MsgSeqNum of the call that began last. */
    std::int64_t latest_sequence_ = NO_SEQUENCE;
    Counts counts_{};
    std::atomic<bool> is_up_{false};
    /** How often the session was lost, and for how many of these the breaker was tripped. */
    std::atomic<std::uint64_t> losses_{0};
    std::atomic<std::uint64_t> tripped_{0};
    std::uint64_t next_sweep_ns_ = 0;
};

/** A FIX application that gates the sessions that it guards, and hands everything on to the engine's own. */
class Application : public FIX::Application {
  public:
    /** `inner` must outlive this object. */
    explicit Application(FIX::Application &inner) : inner_(inner) {}
    Application(const Application &) = delete;
    Application &operator=(const Application &) = delete;

    /**
     * Gates a session. Call it before the initiator starts, and on the breaker's thread. The breaker must outlive this object, and stay
     * where it is. Throws Error, with CB_STATUS_NOT_NOW if the session has a gate already.
     */
    SessionGate &guard(const FIX::SessionID &session, Breaker &breaker, Options options = Options()) {
        if (gate_of(session) != nullptr) {
            detail::raise(CB_STATUS_NOT_NOW, "session " + session.toString() + " has a gate already");
        }
        std::unique_ptr<SessionGate> gate(new SessionGate(session, breaker, std::move(options)));
        return *gates_.emplace(session, std::move(gate)).first->second;
    }

    void onCreate(const FIX::SessionID &session) override { inner_.onCreate(session); }

    void onLogon(const FIX::SessionID &session) override {
        if (SessionGate *gate = gate_of(session)) {
            gate->on_logon();
        }
        inner_.onLogon(session);
    }

    void onLogout(const FIX::SessionID &session) override {
        if (SessionGate *gate = gate_of(session)) {
            gate->on_logout();
        }
        inner_.onLogout(session);
    }

    void toAdmin(FIX::Message &message, const FIX::SessionID &session) override { inner_.toAdmin(message, session); }

    void toApp(FIX::Message &message, const FIX::SessionID &session) TRIP99_THROWS(FIX::DoNotSend) override {
        if (SessionGate *gate = gate_of(session)) {
            gate->to_app(message, [&] { inner_.toApp(message, session); });
        } else {
            inner_.toApp(message, session);
        }
    }

    void fromAdmin(const FIX::Message &message, const FIX::SessionID &session)
        TRIP99_THROWS(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::RejectLogon) override {
        if (SessionGate *gate = gate_of(session)) {
            gate->from_admin(message);
        }
        inner_.fromAdmin(message, session);
    }

    void fromApp(const FIX::Message &message, const FIX::SessionID &session)
        TRIP99_THROWS(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue, FIX::UnsupportedMessageType) override {
        if (SessionGate *gate = gate_of(session)) {
            gate->from_app(message); // the call ends before the engine works on its answer
        }
        inner_.fromApp(message, session);
    }

  private:
    SessionGate *gate_of(const FIX::SessionID &session) const {
        const auto found = gates_.find(session);
        return found == gates_.end() ? nullptr : found->second.get();
    }

    FIX::Application &inner_;
    std::map<FIX::SessionID, std::unique_ptr<SessionGate>> gates_{};
};

} // namespace quickfix
} // namespace trip99

#if __cplusplus < 201703L && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#undef TRIP99_THROWS

#endif // TRIP99_QUICKFIX_HPP
