// A trader whose FIX session is gated by trip99. It starts the venue, trades with it through its script, and says how trading paused.
//
//     trader --venue PROGRAM [--trip99 PROGRAM] [--folder FOLDER]
//
// With --trip99 it also has the FIX log replayed, which must come to the same pauses. Exit status: 0 = all went as it should,
// 1 = it didn't, 2 = the trader could not run.
//
// Begin to read with `turn`.

#include "child.hpp"
#include "pauses.hpp"
#include "settings.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <quickfix/FileLog.h>
#include <quickfix/FileStore.h>
#include <quickfix/SocketInitiator.h>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <trip99_quickfix.hpp>
#include <vector>

namespace {

constexpr std::uint64_t ORDER_EVERY_NS = 2 * MS;
constexpr std::uint64_t CANCEL_AFTER_NS = 20 * MS;

// The same file is for the replay. The pauses are short, so that nobody waits long for the end.
const char *const SETTINGS = "threshold = \"200ms\"\n"
                             "probes = 5\n"
                             "backoff_base = \"500ms\"\n"
                             "backoff_max = \"1s\"\n"
                             "stable_after = \"500ms\"\n"
                             "jitter = 0\n";

// The engine's own application knows nothing of trip99.
class Mine : public FIX::Application {
  public:
    void onCreate(const FIX::SessionID &) override {}
    void onLogon(const FIX::SessionID &) override {}
    void onLogout(const FIX::SessionID &) override {}
    void toAdmin(FIX::Message &, const FIX::SessionID &) override {}
    void toApp(FIX::Message &, const FIX::SessionID &) throw(FIX::DoNotSend) override {}
    void fromAdmin(const FIX::Message &, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                      FIX::IncorrectTagValue, FIX::RejectLogon) override {}
    void fromApp(const FIX::Message &, const FIX::SessionID &) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                    FIX::IncorrectTagValue,
                                                                    FIX::UnsupportedMessageType) override {}
};

struct Tally {
    std::uint64_t sent = 0, refused = 0, cancels = 0, cancels_refused = 0, sent_while_paused = 0;
};

class Trader {
  public:
    Trader(trip99::Breaker &breaker, trip99::quickfix::SessionGate &gate)
        : breaker_(breaker), gate_(gate), events_(breaker.events()) {}

    // One turn of the loop: this thread owns the breaker, and sends.
    void turn() {
        gate_.poll();
        take_events();
        const std::uint64_t now_ns = breaker_.now_ns();
        if (first_logon_ns == 0) {
            if (!gate_.is_logged_on()) {
                return;
            }
            first_logon_ns = wall_ns();
        }
        if (now_ns >= next_order_ns_) {
            next_order_ns_ = now_ns + ORDER_EVERY_NS;
            order(now_ns);
        }
        // A cancel is never asked for, whatever the breaker says. Without a session it would wait in QuickFIX's store.
        while (gate_.is_logged_on() && !resting_.empty() && now_ns >= resting_.front().sent_ns + CANCEL_AFTER_NS) {
            cancel(resting_.front().number);
            resting_.pop_front();
        }
    }

    // How long the script has run.
    std::uint64_t script_ms() const { return first_logon_ns == 0 ? 0 : (wall_ns() - first_logon_ns) / MS; }

    Tally tally{};
    std::vector<Pause> pauses{};
    std::uint64_t first_logon_ns = 0;

  private:
    struct Resting {
        std::uint64_t number;
        std::uint64_t sent_ns;
    };

    static std::uint64_t wall_ns() {
        return std::uint64_t(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count());
    }

    void order(std::uint64_t now_ns) {
        const bool is_open = breaker_.state() == trip99::State::Open;
        FIX::Message message = named("D", "O", ++numbers_);
        if (gate_.send(message)) {
            ++tally.sent;
            tally.sent_while_paused += is_open;
            resting_.push_back({numbers_, now_ns});
        } else {
            ++tally.refused;
        }
    }

    void cancel(std::uint64_t number) {
        FIX::Message message = named("F", "C", number);
        message.setField(41, "O" + std::to_string(number));
        const bool is_sent = gate_.send(message);
        ++tally.cancels;
        tally.cancels_refused += !is_sent;
    }

    static FIX::Message named(const char *type, const char *prefix, std::uint64_t number) {
        FIX::Message message;
        message.getHeader().setField(35, type);
        message.setField(11, prefix + std::to_string(number));
        message.setField(55, "XYZ");
        message.setField(54, "1");
        message.setField(38, "1");
        message.setField(40, "2");
        message.setField(44, "100");
        message.setField(60, "20260101-00:00:00");
        return message;
    }

    void take_events() {
        for (const trip99::Event &event : events_) {
            if (event.from == event.to) {
                continue;
            }
            std::printf("  %8.3f s  %-9s -> %-9s  %s\n",
                        first_logon_ns == 0 ? 0.0 : (double(event.wall_ns) - double(first_logon_ns)) / 1e9,
                        cb_state_text(cb_state(event.from)), cb_state_text(cb_state(event.to)),
                        cb_reason_text(cb_reason(event.reason)));
            note(pauses, event.wall_ns, cb_state_text(cb_state(event.from)), cb_state_text(cb_state(event.to)),
                 cb_reason_text(cb_reason(event.reason)));
        }
    }

    trip99::Breaker &breaker_;
    trip99::quickfix::SessionGate &gate_;
    trip99::Events events_;
    std::deque<Resting> resting_{};
    std::uint64_t numbers_ = 0;
    std::uint64_t next_order_ns_ = 0;
};

struct Options {
    std::string venue{}, trip99{}, folder{"trader-files"};
};

Options options(int argc, char **argv) {
    Options found;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string *value = std::strcmp(argv[i], "--venue") == 0    ? &found.venue
                             : std::strcmp(argv[i], "--trip99") == 0 ? &found.trip99
                             : std::strcmp(argv[i], "--folder") == 0 ? &found.folder
                                                                     : nullptr;
        if (value == nullptr) {
            throw std::runtime_error(std::string("unknown argument ") + argv[i] + "; legal: --venue, --trip99, --folder");
        }
        *value = argv[i + 1];
    }
    if (argc % 2 == 0 || found.venue.empty()) {
        throw std::runtime_error("usage: trader --venue PROGRAM [--trip99 PROGRAM] [--folder FOLDER]");
    }
    return found;
}

bool run(const Options &options) {
    ::mkdir(options.folder.c_str(), 0755);
    std::string folder = options.folder + "/run-XXXXXX";
    if (::mkdtemp(&folder[0]) == nullptr) {
        throw std::runtime_error("no folder in " + options.folder);
    }
    const std::string config = folder + "/trader.toml";
    std::ofstream(config) << SETTINGS;
    const int port = free_port();
    std::unique_ptr<Child> venue(new Child(options.venue, port, folder + "/venue"));
    std::printf("trip99 with QuickFIX\n\n  venue     127.0.0.1:%d\n  files     %s\n\n", port, folder.c_str());

    trip99::Breaker breaker(trip99::Config::load(config));
    Mine mine;
    trip99::quickfix::Application gated(mine);
    trip99::quickfix::SessionGate &gate = gated.guard(session_id(true), breaker);
    const FIX::SessionSettings settings = session_settings(true, port, folder + "/trader");
    FIX::FileStoreFactory store(settings);
    FIX::FileLogFactory log(settings);
    FIX::SocketInitiator initiator(gated, store, settings, log);
    initiator.start();

    Trader trader(breaker, gate);
    const auto trade_until = [&](std::chrono::milliseconds script) {
        while (trader.script_ms() < std::uint64_t(script.count())) {
            trader.turn();
            std::this_thread::sleep_for(std::chrono::microseconds(200)); // an engine would spin
        }
    };
    std::chrono::milliseconds lasts(0);
    for (const Act &act : SCRIPT) {
        if (act.phase == Phase::Gone) {
            trade_until(lasts);
            venue->kill();
            trade_until(lasts + act.lasts / 2);
            const std::string refuses = std::to_string(act.lasts.count() / 2);
            venue.reset(new Child(options.venue, port, folder + "/venue", refuses.c_str()));
        }
        lasts += act.lasts;
    }
    trade_until(lasts);
    // What is open at the end would fail with the session.
    while (gate.open_calls() > 0 && trader.script_ms() < std::uint64_t(lasts.count()) + 1000) {
        gate.poll();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const trip99::quickfix::Counts counts = gate.counts();
    initiator.stop(true);
    const std::string resent = venue->end();

    bool is_right = !trader.pauses.empty() && fits_script(trader.pauses, trader.first_logon_ns);
    const Tally &tally = trader.tally;
    std::printf("\n  orders    %llu sent, %llu refused by the breaker, %llu while logged out\n"
                "  cancels   %llu sent, %llu refused\n"
                "  resends   %llu orders stopped; the venue got %s once more\n"
                "  session   lost %llu times\n",
                static_cast<unsigned long long>(tally.sent), static_cast<unsigned long long>(counts.refused),
                static_cast<unsigned long long>(counts.logged_out), static_cast<unsigned long long>(tally.cancels),
                static_cast<unsigned long long>(tally.cancels_refused),
                static_cast<unsigned long long>(counts.resends_stopped), resent.c_str(),
                static_cast<unsigned long long>(counts.lost_sessions));
    is_right = is_right && tally.cancels_refused == 0 && tally.sent_while_paused == 0 && tally.sent > 0 && tally.cancels > 0;
    is_right = is_right && counts.resends_stopped > 0 && resent == "0" && counts.lost_sessions == 1 && trader.pauses.back().reason == "tripped";
    if (!options.trip99.empty()) {
        const std::string fix_log = folder + "/trader/log/FIX.4.4-TRADER-VENUE.messages.current.log";
        is_right = same(trader.pauses, replayed(options.trip99, fix_log, config)) && is_right;
    }
    std::printf("\n  %s\n", is_right ? "behaved   each trouble paused trading in time, and trading went on after it"
                                      : "misbehaved");
    return is_right;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return run(options(argc, argv)) ? 0 : 1;
    } catch (const std::exception &mistake) {
        std::fprintf(stderr, "trader: %s\n", mistake.what());
        return 2;
    }
}
