/*
 * trip99: other processes watch, halt and resume a breaker through its page in a file. Header-only, C++14. (The owner's side is
 * trip99::Breaker::create_shared.)
 *
 *     trip99::Observer observer("venue-a");
 *     if (!observer.owner().alive) { ... }
 *     trip99::halt_shared("venue-a", "prices look wrong");
 *
 * A page has a plain name ("venue-a" is /dev/shm/trip99-USER/venue-a), or a path, which has a '/'.
 *
 * Licence: MIT OR Apache-2.0
 */
#ifndef TRIP99_SHARED_HPP
#define TRIP99_SHARED_HPP

#include "trip99.hpp"

namespace trip99 {

/** Halts the breaker of a page. Leaves a note of why, when and by whom. Throws Error: nothing is halted then. */
inline void halt_shared(const std::string &path_or_name, const std::string &reason) {
    detail::check(cb_halt_shared(path_or_name.c_str(), reason.c_str()));
}

/** Ends a halt, whoever set it. Throws Error: nothing is resumed then. */
inline void resume_shared(const std::string &path_or_name) { detail::check(cb_resume_shared(path_or_name.c_str())); }

/** Who owns a page. cb_owner tells what each field means. */
struct Owner {
    /** 0 if it can't be told. */
    std::uint32_t pid = 0;
    bool alive = false;
    bool memory_locked = false;
    /** The longest duration if it can't be told. */
    std::chrono::nanoseconds seen_ago = std::chrono::nanoseconds::max();
};

/** Who halted from outside, when and why. cb_halt_note tells what each field means. */
struct HaltNote {
    std::string reason;
    std::uint32_t uid = 0;
    std::uint32_t pid = 0;
    /** In nanoseconds since the Unix epoch. */
    std::uint64_t wall_ns = 0;
};

/**
 * A read-only view of a page, from any process. Nothing that the owner does waits for an observer. Any thread may use it. A
 * moved-from observer shows an open and halted breaker without an owner.
 */
class Observer {
  public:
    /** Opens a page, whether or not it has an owner now. Throws Error: there is no such page, or it is refused. */
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

    /** Gives the snapshot that the owner published last. False: it published none so far. */
    CB_MUST_USE bool snapshot(Snapshot &snapshot) const noexcept { return cb_observer_get_snapshot(handle_, &snapshot); }

    /** A quantile of the window; 990 000 ppm is the P99. 0 if the window is empty. It takes time in proportion to the window. */
    std::chrono::nanoseconds quantile(std::uint32_t quantile_ppm) const noexcept {
        return detail::duration(cb_observer_quantile_ns(handle_, quantile_ppm));
    }

    /** Opens a reader of the events, which may outlive the observer. Throws Error. */
    Events events() const {
        cb_events *events = nullptr;
        detail::check(cb_observer_events_open(handle_, &events));
        return Events::adopt(events);
    }

    /** Tells who owns the page. This makes a few system calls. */
    Owner owner() const noexcept {
        cb_owner read = CB_OWNER_INIT;
        Owner owner;
        if (cb_observer_get_owner(handle_, &read)) {
            owner.pid = read.pid;
            owner.alive = read.alive;
            owner.memory_locked = read.memory_locked;
            owner.seen_ago = detail::duration(read.seen_ago_ns);
        }
        return owner;
    }

    /** Gives the note of the latest halt from outside. False: there is none. */
    CB_MUST_USE bool halt_note(HaltNote &note) const {
        cb_halt_note read = CB_HALT_NOTE_INIT;
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
