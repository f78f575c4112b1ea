/* What any thread may see of a breaker. Part of trip99.hpp. */
#ifndef TRIP99_OBSERVER_HPP
#define TRIP99_OBSERVER_HPP

#include "config.hpp"
#include "duration.hpp"
#include "error.hpp"
#include "events.hpp"
#include "tap.hpp"
#include "values.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trip99 {

/** Who owns a page in a file. cb_owner tells what each field means. */
struct Owner {
    /** 0 if it can't be told. */
    std::uint32_t pid = 0;
    bool alive = false;
    bool memory_locked = false;
    /** The longest duration if it can't be told. */
    std::chrono::nanoseconds seen_ago = std::chrono::nanoseconds::max();
    /** How the owner, or the latest one, found the page. */
    Started started = Started::Private;
};

/** What a page without an owner would come back as. cb_comes_back tells what each field means. */
struct ComesBack {
    State state = State::Open;
    /** The longest duration if the breaker pauses for as long as its settings say. */
    std::chrono::nanoseconds pause_left{0};
    bool halted = true;
    std::vector<std::string> holders{};

    ComesBack() = default;

    explicit ComesBack(const cb_comes_back &back)
        : state(static_cast<State>(back.state)), pause_left(detail::duration(back.pause_left_ns)), halted(back.halted) {
        const std::string names(back.holders);
        for (std::size_t from = 0; from < names.size();) {
            const std::size_t space = std::min(names.find(' ', from), names.size());
            holders.push_back(names.substr(from, space - from));
            from = space + 1;
        }
    }
};

/** Who halted, when and why. cb_halt_note tells what each field means. */
struct HaltNote {
    std::string holder;
    std::string reason;
    std::string host;
    std::uint32_t uid = 0;
    std::uint32_t login_uid = 0;
    std::uint32_t pid = 0;
    /** In nanoseconds since the Unix epoch. */
    std::uint64_t wall_ns = 0;
    /** The number of its entry in the operators' log. */
    std::uint64_t entry = 0;

    HaltNote() = default;

    explicit HaltNote(const cb_halt_note &note)
        : holder(note.holder), reason(note.reason), host(note.host), uid(note.uid), login_uid(note.login_uid),
          pid(note.pid), wall_ns(note.wall_ns), entry(note.entry) {}
};

/** An entry of the operators' log. */
struct LogEntry {
    /** Otherwise it is a resume. */
    bool is_halt = false;
    /** Who did it, when and why. Of a resume, holder is whose halt was lifted. */
    HaltNote note;
};

namespace detail {

/** The text that `write(buffer, capacity)` writes, which returns its length. */
template <typename F> std::string text_of(F write) {
    std::string text(256, '\0');
    for (;;) {
        const std::size_t len = write(&text[0], text.size());
        if (len < text.size()) {
            text.resize(len);
            return text;
        }
        text.resize(len + 1);
    }
}

/** The notes of holders, which `write(notes, capacity, note_size)` writes and counts. */
template <typename F> std::vector<HaltNote> holders_of(F write) {
    std::vector<cb_halt_note> read(8);
    for (;;) {
        const std::size_t count = write(read.data(), read.size(), sizeof(cb_halt_note));
        if (count <= read.size()) {
            read.resize(count);
            return std::vector<HaltNote>(read.begin(), read.end());
        }
        read.resize(count);
    }
}

} // namespace detail

/**
 * What may be seen of a breaker. An Observer is a view, a Gate and a Lane are views, too: a function that only looks takes a
 * `const View &`. Any thread may look, and nothing that the owner does waits for it.
 */
class View {
  public:
    View(const View &) = delete;
    View &operator=(const View &) = delete;

    /** The automatic state. It is open if the breaker is gone. */
    State state() const noexcept { return static_cast<State>(cb_observer_get_state(view_)); }
    bool is_halted() const noexcept { return cb_observer_is_halted(view_); }

    /** Gives the snapshot that the owner published last. False: it published none so far. */
    CB_MUST_USE bool snapshot(Snapshot &snapshot) const noexcept { return cb_observer_get_snapshot(view_, &snapshot); }

    /** Opens a reader of the events, which may outlive this object. Throws Error. */
    Events events() const {
        cb_events *events = nullptr;
        detail::check(cb_observer_events_open(view_, &events));
        return Events::adopt(events);
    }

    /** Opens a reader of the tap, which may outlive this object. Throws Error, too, if tap_len is 0. */
    Tap tap() const {
        cb_tap *tap = nullptr;
        detail::check(cb_observer_tap_open(view_, &tap));
        return Tap::adopt(tap);
    }

    /** Who holds a halt now, since when and why. Trading goes on when each of them has resumed. See cb_get_holders. */
    std::vector<HaltNote> holders() const {
        return detail::holders_of([this](cb_halt_note *out, std::size_t capacity, std::size_t note_size) {
            return cb_observer_get_holders(view_, out, capacity, note_size);
        });
    }

    /** Why calls are refused now, as one line for the text of a reject; "passes" if nothing refuses. See cb_why. */
    std::string why() const {
        return detail::text_of(
            [this](char *buffer, std::size_t capacity) { return cb_observer_why(view_, buffer, capacity); });
    }

    /** Gives an entry of the operators' log, by its number. False: the log doesn't have it (any more). */
    CB_MUST_USE bool log_entry(std::uint64_t number, LogEntry &entry) const {
        cb_halt_note read = CB_HALT_NOTE_INIT;
        bool is_halt = false;
        if (!cb_log_entry(view_, number, &read, &is_halt)) {
            return false;
        }
        entry.is_halt = is_halt;
        entry.note = HaltNote(read);
        return true;
    }

    /** How many orders rest at the venue, as the engine told last; UINT64_MAX if it doesn't tell. */
    std::uint64_t resting() const noexcept { return cb_observer_get_resting(view_); }

    /** Gives the note of the latest halt that is held. False: there is none. */
    CB_MUST_USE bool halt_note(HaltNote &note) const {
        cb_halt_note read = CB_HALT_NOTE_INIT;
        if (!cb_observer_get_halt_note(view_, &read)) {
            return false;
        }
        note = HaltNote(read);
        return true;
    }

    /**
     * A quantile of the window of a page in a file; 990 000 ppm is the P99. 0 if the page is in no file, or the window is empty. It
     * takes time in proportion to the window.
     */
    std::chrono::nanoseconds quantile(std::uint32_t quantile_ppm) const noexcept {
        return detail::duration(cb_observer_quantile_ns(view_, quantile_ppm));
    }

    /** Tells who owns a page in a file; nobody if the page is in no file. This makes a few system calls. */
    Owner owner() const noexcept {
        cb_owner read = CB_OWNER_INIT;
        Owner owner;
        if (cb_observer_get_owner(view_, &read)) {
            owner.pid = read.pid;
            owner.alive = read.alive;
            owner.memory_locked = read.memory_locked;
            owner.seen_ago = detail::duration(read.seen_ago_ns);
            owner.started = static_cast<Started>(read.started);
        }
        return owner;
    }

    /** Tells whether the owner was found silent: gates and lanes refuse until it polls. */
    bool is_unwatched() const noexcept { return cb_observer_is_unwatched(view_); }

    /** Tells whether the page's path leads to another file by now, or to none. This makes two system calls. */
    bool is_replaced() const noexcept { return cb_observer_is_replaced(view_); }

    /** Gives the settings in force. False: they can't be told. */
    CB_MUST_USE bool config(Config &config) const noexcept {
        cb_config read;
        cb_config_init(&read, sizeof read);
        if (!cb_observer_get_config(view_, &read)) {
            return false;
        }
        config = Config(read);
        return true;
    }

    /** Gives what a page without an owner would come back as. False: it has an owner, or is in no file. This reads files. */
    CB_MUST_USE bool comes_back(ComesBack &back) const {
        cb_comes_back read = CB_COMES_BACK_INIT;
        if (!cb_observer_comes_back(view_, &read)) {
            return false;
        }
        back = ComesBack(read);
        return true;
    }

  protected:
    /** Of nothing: open and halted. */
    View() noexcept = default;
    View(View &&other) noexcept : view_(std::exchange(other.view_, nullptr)) {}
    View &operator=(View &&other) noexcept {
        std::swap(view_, other.view_);
        return *this;
    }
    ~View() = default;

    /** It belongs to the handle of the derived class. */
    const cb_observer *view_ = nullptr;
};

/**
 * Sees a breaker, and no more. An observer may outlive the breaker. A moved-from observer shows an open and halted breaker
 * without an owner.
 */
class Observer : public View {
  public:
    /** Of a breaker of this process. Throws Error. Any thread. */
    explicit Observer(const cb_breaker *breaker) {
        detail::check(cb_observer_of(breaker, &handle_));
        view_ = handle_;
    }

    /**
     * Of a page in a file, from any process, whether or not it has an owner now. The page has a plain name, or a path, which has a
     * '/'. Throws Error: there is no such page, or it is refused.
     */
    explicit Observer(const std::string &path_or_name) {
        detail::check(cb_observer_open(path_or_name.c_str(), &handle_));
        view_ = handle_;
    }

    /** Takes over an observer made by cb_observer_of, cb_observer_open or cb_supervisor_observer. */
    static Observer adopt(cb_observer *observer) noexcept {
        Observer adopted;
        adopted.handle_ = observer;
        adopted.view_ = observer;
        return adopted;
    }

    Observer(Observer &&other) noexcept : View(std::move(other)), handle_(std::exchange(other.handle_, nullptr)) {}
    Observer &operator=(Observer &&other) noexcept {
        View::operator=(std::move(other));
        std::swap(handle_, other.handle_);
        return *this;
    }
    Observer(const Observer &) = delete;
    Observer &operator=(const Observer &) = delete;
    ~Observer() { cb_observer_close(handle_); }

  private:
    Observer() noexcept = default;

    cb_observer *handle_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_OBSERVER_HPP
