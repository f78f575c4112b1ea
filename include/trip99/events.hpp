/* What a breaker tells of itself: snapshots and events. Part of trip99.hpp. */
#ifndef TRIP99_EVENTS_HPP
#define TRIP99_EVENTS_HPP

#include "duration.hpp"
#include "error.hpp"
#include "values.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace trip99 {

/**
 * A breaker at one moment: the fields of cb_snapshot. The fields state and clock are C's integers; automatic_state() and
 * time_source() give them as enums.
 */
struct Snapshot : cb_snapshot {
    Snapshot() noexcept : cb_snapshot(CB_SNAPSHOT_INIT) {}

    trip99::State automatic_state() const noexcept { return static_cast<trip99::State>(state); }
    trip99::Clock time_source() const noexcept { return static_cast<trip99::Clock>(clock); }
};

/** A transition, halt, resume, restart or reconfiguration, with the figures of a verdict at that moment. cb_event tells what each field means. */
struct Event {
    std::uint64_t sequence = 0;
    std::uint64_t t_ns = 0;
    std::uint64_t wall_ns = 0;
    State from = State::Closed;
    State to = State::Closed;
    Reason reason = Reason::Latency;
    std::chrono::nanoseconds quantile{0};
    std::chrono::nanoseconds owner_gap{0};
    /** UINT64_MAX unless `to` is open. */
    std::uint64_t retry_at_ns = 0;
    std::uint32_t samples = 0;
    std::uint32_t slow = 0;
    std::uint32_t overdue = 0;
    std::uint32_t failures = 0;
    std::uint32_t attempt = 0;
    /** In the unit that the reason has: see cb_event. */
    std::uint64_t observed = 0;
    std::uint64_t limit = 0;
    /** `observed` and `limit` are in ppm of a call: the breaker opened by its debt. */
    bool by_debt = false;
    std::uint64_t entry = 0;
    std::uint64_t settings_before = 0;
    std::uint64_t settings_after = 0;

    Event() noexcept = default;

    explicit Event(const cb_event &event) noexcept
        : sequence(event.sequence), t_ns(event.t_ns), wall_ns(event.wall_ns), from(static_cast<State>(event.from)),
          to(static_cast<State>(event.to)), reason(static_cast<Reason>(event.reason)),
          quantile(detail::duration(event.quantile_ns)), owner_gap(detail::duration(event.owner_gap_ns)),
          retry_at_ns(event.retry_at_ns), samples(event.samples), slow(event.slow), overdue(event.overdue),
          failures(event.failures), attempt(event.attempt), observed(event.observed), limit(event.limit), by_debt(event.by_debt != 0), entry(event.entry),
          settings_before(event.settings_before), settings_after(event.settings_after) {}

    /** How long trading pauses from here; 0 unless `to` is open. */
    std::chrono::nanoseconds pause() const noexcept {
        return detail::duration(to == State::Open && retry_at_ns > t_ns ? retry_at_ns - t_ns : 0);
    }
};

/**
 * A reader of a breaker's events, with a place of its own. A `for` over a reader takes the events that there are now, and a later
 * `for` goes on from there. A reader may outlive the breaker. Any thread may use it, one at a time.
 */
class Events {
  public:
    /** The reader begins with the oldest event that the journal still has: it keeps 64, or in a file 1024. Throws Error. */
    explicit Events(const cb_breaker *breaker) { detail::check(cb_events_open(breaker, &handle_)); }

    /** Takes over a reader made by cb_events_open or cb_observer_events_open. */
    static Events adopt(cb_events *events) noexcept {
        Events adopted;
        adopted.handle_ = events;
        return adopted;
    }

    Events(Events &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Events &operator=(Events &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Events(const Events &) = delete;
    Events &operator=(const Events &) = delete;
    ~Events() { cb_events_close(handle_); }

    /** Reads the next event. False: there is none for now. */
    CB_MUST_USE bool next(Event &event) noexcept {
        cb_event read = CB_EVENT_INIT;
        if (!cb_events_next(handle_, &read)) {
            return false;
        }
        event = Event(read);
        return true;
    }

    /** How many events were overwritten before this reader came to them. */
    std::uint64_t missed() const noexcept { return cb_events_missed(handle_); }

    /** Takes an event at each step, and ends when there is none for now. */
    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Event;
        using difference_type = std::ptrdiff_t;
        using pointer = const Event *;
        using reference = const Event &;

        explicit Iterator(Events *events) noexcept : events_(events) { ++*this; }
        Iterator() noexcept = default;
        Iterator(const Iterator &) noexcept = default;
        Iterator &operator=(const Iterator &) noexcept = default;
        ~Iterator() = default;

        reference operator*() const noexcept { return event_; }
        pointer operator->() const noexcept { return &event_; }
        Iterator &operator++() noexcept {
            if (!events_->next(event_)) {
                events_ = nullptr;
            }
            return *this;
        }
        Iterator operator++(int) noexcept {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const Iterator &other) const noexcept { return events_ == other.events_; }
        bool operator!=(const Iterator &other) const noexcept { return events_ != other.events_; }

      private:
        Events *events_ = nullptr;
        Event event_{};
    };

    Iterator begin() noexcept { return Iterator(this); }
    Iterator end() noexcept { return Iterator(); }

  private:
    Events() noexcept = default;

    cb_events *handle_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_EVENTS_HPP
