/*
 * trip99: pages in files, from other processes: to watch a breaker, to halt it and to resume it. Header-only, C++14.
 * (The owner's side is trip99::Breaker::create_shared.)
 *
 *     trip99::Observer observer("venue-a");
 *     if (!observer.owner().alive) { ... }
 *     trip99::halt_shared("venue-a", "prices look wrong");
 *
 * A page is named plainly ("venue-a": /dev/shm/trip99-USER/venue-a), or by a path, which has a '/'.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_SHARED_HPP
#define TRIP99_SHARED_HPP

#include "trip99.hpp"

namespace trip99 {

/** Halts the breaker of a page, and leaves a note of why, when and by whom. Throws Error: nothing is halted then. */
inline void halt_shared(const std::string &path_or_name, const std::string &reason) {
    detail::check(cb_halt_shared(path_or_name.c_str(), reason.c_str()));
}

/** Ends a halt, whoever's. Throws Error. */
inline void resume_shared(const std::string &path_or_name) { detail::check(cb_resume_shared(path_or_name.c_str())); }

/** Who owns a page. Meanings as in cb_owner. */
struct Owner {
    /** 0 if it can't be told. */
    std::uint32_t pid = 0;
    bool alive = false;
    bool memory_locked = false;
    /** The longest duration if it can't be told. */
    std::chrono::nanoseconds seen_ago = std::chrono::nanoseconds::max();
};

/** Who halted from outside, when and why. Meanings as in cb_halt_note. */
struct HaltNote {
    std::string reason;
    std::uint32_t uid = 0;
    std::uint32_t pid = 0;
    /** In nanoseconds since the Unix epoch. */
    std::uint64_t wall_ns = 0;
};

/**
 * A read-only view of a page, from any process. Nothing that the owner does waits for it. Any thread. A moved-from one is
 * open and halted, and has no owner.
 */
class Observer {
  public:
    /** Whether or not it has an owner now. Throws Error: there is no such page, or it is refused. */
    explicit Observer(const std::string &path_or_name) {
        detail::check(cb_observer_open(path_or_name.c_str(), &handle_));
    }

    Observer(Observer &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Observer &operator=(Observer &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Observer(const Observer &) = delete;
    Observer &operator=(const Observer &) = delete;
    ~Observer() { cb_observer_close(handle_); }

    State state() const noexcept { return static_cast<State>(cb_observer_get_state(handle_)); }
    bool is_halted() const noexcept { return cb_observer_is_halted(handle_); }

    /** What the owner published last; false if nothing so far. */
    bool snapshot(Snapshot &snapshot) const noexcept { return cb_observer_get_snapshot(handle_, &snapshot); }

    /** A quantile of the window; 990 000 ppm is the P99. 0 of nothing. O(window). */
    std::chrono::nanoseconds quantile(std::uint32_t quantile_ppm) const noexcept {
        return detail::duration(cb_observer_quantile_ns(handle_, quantile_ppm));
    }

    /** A reader of the events; it may outlive the observer. Throws Error. */
    Events events() const {
        cb_events *events = nullptr;
        detail::check(cb_observer_events_open(handle_, &events));
        return Events::adopt(events);
    }

    /** Makes a few system calls. */
    Owner owner() const noexcept {
        cb_owner read = cb_owner();
        read.struct_size = sizeof read;
        Owner owner;
        if (cb_observer_get_owner(handle_, &read)) {
            owner.pid = read.pid;
            owner.alive = read.alive;
            owner.memory_locked = read.memory_locked;
            owner.seen_ago = detail::duration(read.seen_ago_ns);
        }
        return owner;
    }

    /** The note of the latest halt from outside; false if there is none. */
    bool halt_note(HaltNote &note) const {
        cb_halt_note read = cb_halt_note();
        read.struct_size = sizeof read;
        if (!cb_observer_get_halt_note(handle_, &read)) {
            return false;
        }
        note.reason = read.reason;
        note.uid = read.uid;
        note.pid = read.pid;
        note.wall_ns = read.wall_ns;
        return true;
    }

  private:
    cb_observer *handle_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_SHARED_HPP
