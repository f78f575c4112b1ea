// A thread that trades, beside the one that owns the breaker and the connection: it asks, and reports its calls, through
// a lane, and hands its orders to the owner, which sends them.
#pragma once

#include "queue.hpp"
#include "record.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <sched.h>
#include <thread>
#include <trip99.hpp>
#include <utility>

class Trader {
  public:
    struct Request {
        // The time before it asked the breaker: whether it was let pass was decided between this and the call's start.
        std::uint64_t asked_ns;
        trip99::Call call;
    };

    struct Outcome {
        trip99::Call call;
        How how;
    };

    // Begins at once, with an order each so many nanoseconds.
    Trader(trip99::Lane lane, std::uint64_t order_every_ns)
        : lane_(std::move(lane)), order_every_ns_(order_every_ns), thread_([this] { run(); }) {}

    Trader(const Trader &) = delete;
    Trader &operator=(const Trader &) = delete;
    ~Trader() {
        must_stop_ = true;
        thread_.join();
    }

    // The rest is the owner's.

    // An order that the breaker let pass, and whose call has begun. False if there is none now.
    bool next(Request &request) { return requests_.pop(request); }

    // What became of it: once for each.
    void settle(trip99::Call call, How how) { outcomes_.push({call, how}); }

    // No more orders from here on.
    void close() { wants_orders_ = false; }

    // Every outcome came back, and `refused` is final.
    bool is_done() const { return is_done_; }

    // Orders that the breaker refused.
    std::uint64_t refused() const { return refused_; }

  private:
    // As many as are on their way at once; so neither queue ever overflows.
    static constexpr std::size_t MAX_OUT = 256;

    void run() {
        while (!must_stop_) {
            Outcome outcome;
            while (outcomes_.pop(outcome)) {
                report(outcome);
            }
            const std::uint64_t now_ns = lane_.now_ns();
            if (!wants_orders_) {
                if (out_ == 0) {
                    break;
                }
            } else if (now_ns >= next_order_ns_ && out_ < MAX_OUT) {
                next_order_ns_ = std::max(now_ns, next_order_ns_ + order_every_ns_);
                order(now_ns);
            }
            ::sched_yield(); // threads may be more than cores; with a core of its own each would spin on
        }
        is_done_ = true;
    }

    // While trading goes on `allow` is one inline load, as for the owner.
    void order(std::uint64_t now_ns) {
        if (lane_.allow()) {
            ++out_;
            requests_.push({now_ns, lane_.begin()});
        } else {
            ++refused_;
        }
    }

    // A ticket goes back to the lane that it came from.
    void report(const Outcome &outcome) {
        --out_;
        switch (outcome.how) {
        case How::Answered: lane_.end(outcome.call); break;
        case How::NotSent: lane_.abandon(outcome.call); break;
        case How::Failed:
        case How::GivenUp: lane_.fail(outcome.call); break;
        }
    }

    trip99::Lane lane_;
    std::uint64_t order_every_ns_;
    std::uint64_t next_order_ns_ = 0;
    std::size_t out_ = 0;
    std::uint64_t refused_ = 0;
    Queue<Request, MAX_OUT> requests_;
    Queue<Outcome, MAX_OUT> outcomes_;
    std::atomic<bool> wants_orders_{true};
    std::atomic<bool> must_stop_{false};
    std::atomic<bool> is_done_{false};
    std::thread thread_; // last: it uses the others
};
