// An engine that trades with trip99's demo node, as far as its breaker lets it: one busy thread, one TCP connection; or
// with `--threads N`, so many threads that trade beside the one that owns breaker and connection.
//
// The node is told to be slow, then silent, then to drop the connection. The exit status says whether breaker and
// engine dealt with each: 0 = they behaved, 1 = they misbehaved, 2 = the engine could not run.
//
// Begin with `turn`, the loop's body; what it does to the breaker is what your engine would do.

#include "engine/node.hpp"
#include "engine/orders.hpp"
#include "engine/record.hpp"
#include "engine/report.hpp"
#include "engine/session.hpp"
#include "engine/trader.hpp"
#include "engine/verdict.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sched.h>
#include <trip99.hpp>
#include <vector>

namespace {

// Of all threads together.
constexpr std::uint64_t ORDER_EVERY_NS = 2 * MS;
constexpr std::size_t MAX_THREADS = 64;
// Beyond so many resting orders the oldest is cancelled, as ordinary business.
constexpr std::size_t MAX_RESTING = 32;
// The engine gives up on what hasn't been answered for so long; and looks for such calls so often.
constexpr std::uint64_t GIVE_UP_NS = 2000 * MS;
constexpr std::uint64_t SWEEP_EVERY_NS = 100 * MS;
// For the first logon; and at the end, for the last answers.
constexpr std::uint64_t LOGON_PATIENCE_NS = 5000 * MS;
constexpr std::uint64_t CLOSING_PATIENCE_NS = 500 * MS;

// Those of the file, if there is one. Otherwise the defaults, but for a recovery that doesn't take longer than anybody wants
// to watch.
trip99::Config settings(const char *file) {
    using namespace std::chrono_literals;
    if (file != nullptr) {
        return trip99::Config::load(file);
    }
    trip99::Config config;
    config.threshold = 200ms; // the default, too
    config.probes = 5;
    config.backoff_base = 500ms;
    config.backoff_max = 2s;
    config.stable_after = 500ms;
    config.jitter_ppm = 0; // so that runs look alike; leave it on when many breakers watch one node
    return config;
}

class Engine {
  public:
    // Is logged on to the node. With 0 threads it trades by itself. Throws CannotRun, or trip99::Error.
    Engine(const trip99::Config &config, Node &node, std::size_t threads)
        : breaker_(config), events_(breaker_.events()), node_(node), session_(node.port()) {
        record_.rows.reserve(1 << 15);
        record_.events.reserve(256);
        record_.in_force_ns.reserve(256);
        const std::uint64_t patience_ns = breaker_.now_ns() + LOGON_PATIENCE_NS;
        while (!session_.is_up()) {
            if (breaker_.now_ns() > patience_ns) {
                throw CannotRun("the node on 127.0.0.1:" + std::to_string(node.port()) + " lets nobody log on");
            }
            session_.receive(breaker_.now_ns(), [](Message) {});
            ::sched_yield();
        }
        record_.first_ns = trading_since_ns_ = next_order_ns_ = breaker_.now_ns();
        for (std::size_t i = 0; i < threads; ++i) {
            traders_.push_back(std::make_unique<Trader>(breaker_.lane(), ORDER_EVERY_NS * threads));
        }
    }

    // Trades until the script ends; then cancels what rests, and awaits the last answers.
    Record run() {
        Director director(record_.first_ns);
        show_phase(Phase::Calm, 0);
        while (!director.has_ended()) {
            turn(true);
            if (const std::optional<Phase> phase = director.cue(breaker_.now_ns(), has_settled())) {
                begin(*phase);
            }
            ::sched_yield(); // the node may need this core; an engine with a core of its own spins on
        }
        for (const std::unique_ptr<Trader> &trader : traders_) {
            trader->close();
        }
        const std::uint64_t end_ns = breaker_.now_ns() + CLOSING_PATIENCE_NS;
        while (has_business() && breaker_.now_ns() < end_ns) {
            turn(false);
            ::sched_yield();
        }
        settle_all(How::GivenUp);
        await_traders();
        record_.missed_events = events_.missed();
        record_.snapshot = breaker_.snapshot();
        // Threads take turns: their calls came in another order than they began.
        std::stable_sort(record_.rows.begin(), record_.rows.end(),
                         [](const Row &one, const Row &other) { return one.start_ns < other.start_ns; });
        return std::move(record_);
    }

  private:
    void turn(bool wants_orders) {
        breaker_.poll(); // what lanes say; timers: calls that are overdue, the end of a pause
        const std::uint64_t now_ns = breaker_.now_ns();
        const bool is_connected = session_.receive(now_ns, [this](Message answer) { on_answer(answer); });
        if (!is_connected) {
            settle_all(How::Failed);
        }
        if (now_ns >= next_sweep_ns_) {
            next_sweep_ns_ = now_ns + SWEEP_EVERY_NS;
            give_up(now_ns);
            node_.check();
        }
        cancel(wants_orders);
        take_orders();
        if (wants_orders && traders_.empty() && now_ns >= next_order_ns_) {
            // After a hiccup, on from here; no burst to make up for it.
            next_order_ns_ = std::max(now_ns, next_order_ns_ + ORDER_EVERY_NS);
            order();
        }
        watch();
    }

    // An order adds risk, so it asks the breaker; last of all, so that a trial that is granted is also sent.
    void order() {
        Order *slot = orders_.room();
        if (slot == nullptr || session_.is_backed_up()) {
            return;
        }
        // While trading goes on this is one inline load.
        if (breaker_.allow()) {
            ++record_.tally.sent;
            orders_.add(*slot, nullptr);
            send(*slot, Kind::Order, breaker_.begin());
        } else {
            ++record_.tally.refused;
        }
    }

    // The traders have asked the breaker, and their calls have begun.
    void take_orders() {
        for (const std::unique_ptr<Trader> &trader : traders_) {
            Trader::Request request;
            while (trader->next(request)) {
                Order *slot = orders_.room();
                if (slot == nullptr || session_.is_backed_up()) {
                    trader->settle(request.call, How::NotSent);
                    continue;
                }
                ++record_.tally.sent;
                orders_.add(*slot, trader.get());
                send(*slot, Kind::Order, request.call, request.asked_ns);
            }
        }
    }

    // Each takes its tickets back, and says so to the breaker.
    void await_traders() {
        for (const std::unique_ptr<Trader> &trader : traders_) {
            while (!trader->is_done()) {
                Trader::Request request;
                while (trader->next(request)) {
                    trader->settle(request.call, How::NotSent);
                }
                ::sched_yield();
            }
            record_.tally.refused += trader->refused();
        }
        breaker_.poll();
        watch();
    }

    // A cancel takes risk away, so it doesn't ask. When trading is paused all that rests is cancelled.
    void cancel(bool wants_orders) {
        const bool is_paused = breaker_.state() != trip99::State::Closed || breaker_.is_halted();
        const std::size_t may_rest = is_paused || !wants_orders ? 0 : MAX_RESTING;
        if (resting_ <= may_rest || !session_.is_up()) {
            return;
        }
        orders_.for_each([&](Order &order) {
            if (resting_ > may_rest && order.stage == Stage::Resting) {
                --resting_;
                order.stage = Stage::Cancelling;
                ++record_.tally.cancels;
                record_.tally.cancels_in_pauses += is_paused;
                send(order, Kind::Cancel, breaker_.begin());
            }
        });
    }

    // Cancels begin as orders do: their round trips tell as much of the node.
    void send(Order &order, Kind kind, trip99::Call call, std::uint64_t asked_ns) {
        order.call = call;
        order.row = record_.rows.size();
        record_.rows.push_back({asked_ns, call.start_ns, 0, kind == Kind::Order, How::GivenUp});
        if (!session_.send(Message::request(kind, order.id))) {
            settle(order, How::Failed);
        }
    }

    // The owner asks and begins in one go.
    void send(Order &order, Kind kind, trip99::Call call) {
        send(order, kind, call, call.start_ns);
    }

    // The answer's ticket is found by the order's number. One that comes after the engine gave up has none.
    void on_answer(Message answer) {
        Order *order = orders_.find(answer.id);
        const Stage stage = answer.kind == Kind::Order ? Stage::Sent : Stage::Cancelling;
        if (order != nullptr && order->stage == stage) {
            settle(*order, How::Answered);
        }
    }

    // Gives the ticket back, to whom it belongs, and moves the order on.
    void settle(Order &order, How how) {
        if (order.trader != nullptr && order.stage == Stage::Sent) {
            order.trader->settle(order.call, how);
        } else if (how == How::Answered) {
            breaker_.end(order.call);
        } else {
            breaker_.fail(order.call);
        }
        Row &row = record_.rows[order.row];
        const std::uint64_t now_ns = breaker_.now_ns(); // it may go back a little between CPUs
        row.latency_ns = now_ns - std::min(now_ns, order.call.start_ns);
        row.how = how;
        Tally &tally = record_.tally;
        if (row.is_order) {
            tally.answered += how == How::Answered;
            tally.failed += how == How::Failed;
            tally.given_up += how == How::GivenUp;
        } else {
            tally.cancels_again += how != How::Answered;
        }
        // As far as anybody knows an order whose cancel failed still rests, to be cancelled again.
        const bool rests = row.is_order == (how == How::Answered);
        order.stage = rests ? Stage::Resting : Stage::Gone;
        resting_ += rests;
    }

    void settle_all(How how) {
        orders_.for_each([&](Order &order) {
            if (order.awaits_answer()) {
                settle(order, how);
            }
        });
    }

    void give_up(std::uint64_t now_ns) {
        orders_.for_each([&](Order &order) {
            // (The clocks of two threads' CPUs may differ a little.)
            if (order.awaits_answer() && now_ns - std::min(now_ns, order.call.start_ns) >= GIVE_UP_NS) {
                settle(order, How::GivenUp);
            }
        });
    }

    // What the breaker did since the last turn. Here the engine's thread prints it, as it has little to do; a reader of
    // events may as well be used by another thread, which is the place to print in earnest.
    void watch() {
        for (const trip99::Event &event : events_) {
            show_event(event, event.t_ns - record_.first_ns);
            record_.events.push_back(event);
            // The owner itself sees it from the event on; other threads for certain when the poll is over.
            record_.in_force_ns.push_back(traders_.empty() ? event.t_ns : breaker_.now_ns());
            trading_since_ns_ = event.to == trip99::State::Closed ? event.t_ns : UINT64_MAX;
        }
    }

    // Trading has gone on for so long, and with so many samples, that the next trouble can be noticed by any rule.
    bool has_settled() const {
        const std::uint64_t now_ns = breaker_.now_ns();
        return now_ns > trading_since_ns_ && now_ns - trading_since_ns_ >= SETTLED_NS && breaker_.snapshot().armed;
    }

    // The moment counts before which the node can't know; so noticing a trouble includes telling the node.
    void begin(Phase phase) {
        const std::uint64_t now_ns = breaker_.now_ns();
        if (phase != Phase::Calm) {
            record_.troubles[troubles_++].start_ns = now_ns;
        } else {
            record_.troubles[troubles_ - 1].end_ns = now_ns;
        }
        node_.enter(phase);
        show_phase(phase, now_ns - record_.first_ns);
    }

    bool has_business() {
        bool has = false;
        orders_.for_each([&](Order &) { has = true; });
        return has;
    }

    trip99::Breaker breaker_;
    trip99::Events events_;
    Node &node_;
    Session session_;
    Orders orders_;
    std::size_t resting_ = 0;
    std::uint64_t next_order_ns_ = 0;
    std::uint64_t next_sweep_ns_ = 0;
    std::uint64_t trading_since_ns_ = 0;
    std::size_t troubles_ = 0;
    Record record_;
    std::vector<std::unique_ptr<Trader>> traders_; // last: none outlives what it trades with
};

using File = std::unique_ptr<std::FILE, int (*)(std::FILE *)>;

struct Options {
    const char *program = "trip99";
    const char *config = nullptr;
    const char *trace = nullptr;
    std::size_t threads = 0;
};

int run(const Options &options) {
    const char *const trace = options.trace;
    const trip99::Config config = settings(options.config);
    for (const std::string &warning : config.warnings()) {
        std::fprintf(stderr, "engine: warning: %s\n", warning.c_str());
    }
    const File file(trace != nullptr ? std::fopen(trace, "w") : nullptr, &std::fclose);
    if (trace != nullptr && file == nullptr) {
        throw CannotRun(std::string(trace) + ": " + std::strerror(errno) + "; legal: --trace and a writable file");
    }
    Node node(options.program);
    show_header(node.pid(), node.port(), config, options.threads);
    Engine engine(config, node, options.threads);
    const Record record = engine.run();
    const std::vector<Episode> found = episodes(record);
    show_summary(record, found);
    if (file != nullptr && !write_trace(file.get(), record)) {
        throw CannotRun(std::string(trace) + ": " + std::strerror(errno) + "; the trace could not be written");
    }
    const std::vector<std::string> wrong = judge(record, found);
    for (const std::string &what : wrong) {
        std::fprintf(stderr, "engine: misbehaved: %s\n", what.c_str());
    }
    if (wrong.empty()) {
        std::puts("  behaved   each trouble paused trading in time, and trading went on after it");
    }
    return wrong.empty() ? 0 : 1;
}

const char USAGE[] = "usage: engine [--trip99 PATH] [--config FILE] [--trace FILE] [--threads N]\n"
                     "\n"
                     "Trades with trip99's demo node for some 12 seconds, through three troubles.\n"
                     "\n"
                     "  --trip99 PATH  the trip99 program, which is the node (default: trip99 on the PATH)\n"
                     "  --config FILE  settings of the breaker, in TOML (default: the engine's own)\n"
                     "  --trace FILE   write the round trips there, for `trip99 replay`\n"
                     "  --threads N    trade in so many threads beside the breaker's owner, at most 64\n"
                     "                 (default: 0, one thread does it all)\n"
                     "  --help         this text\n"
                     "\n"
                     "Exit status: 0 = behaved, 1 = misbehaved, 2 = could not run.\n";

} // namespace

int main(int argc, char **argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--help") {
            std::fputs(USAGE, stdout);
            return 0;
        }
        if (option != "--trip99" && option != "--config" && option != "--trace" && option != "--threads") {
            std::fprintf(stderr, "engine: %s is no option\n\n%s", argv[i], USAGE);
            return 2;
        }
        if (i + 1 == argc) {
            std::fprintf(stderr, "engine: %s lacks its value\n\n%s", argv[i], USAGE);
            return 2;
        }
        const char *value = argv[i + 1];
        if (option == "--threads") {
            const char *end = value + std::strlen(value);
            const auto [rest, error] = std::from_chars(value, end, options.threads);
            if (error != std::errc() || rest != end || options.threads > MAX_THREADS) {
                std::fprintf(stderr, "engine: --threads is %s; legal: 0 to %zu\n", value, MAX_THREADS);
                return 2;
            }
        } else if (option == "--trip99") {
            options.program = value;
        } else {
            (option == "--config" ? options.config : options.trace) = value;
        }
    }
    std::signal(SIGPIPE, SIG_IGN); // a node that is gone is an error to be reported, not an end
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // the timeline as it comes, into a pipe, too
    try {
        return run(options);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "engine: %s\n", error.what());
        return 2;
    }
}
