/* What any thread asks, halts and resumes by. Part of trip99.hpp. */
#ifndef TRIP99_GATE_HPP
#define TRIP99_GATE_HPP

#include "error.hpp"
#include "observer.hpp"

#include <string>
#include <utility>

namespace trip99 {

/**
 * Asks a breaker, halts it and resumes it. A gate is a View, too. Any thread may use it, and several may share it. (A thread that
 * reports calls, too, has a Lane.)
 *
 * A gate that a breaker gave may outlive the breaker. It refuses then, for ever. One that was opened by a path belongs to the page,
 * and follows its owners. A moved-from gate may only be assigned to or destroyed. A move assignment exchanges the two gates.
 */
class Gate : public View {
  public:
    /** Of a breaker of this process. The owner makes it. Throws Error. */
    explicit Gate(cb_breaker *breaker) {
        detail::check(cb_gate_handle_of(breaker, &handle_));
        look();
    }

    /**
     * Of a page in a file, from any process, whether or not it has an owner now: see cb_gate_handle_open. The page has a plain
     * name, or a path, which has a '/'. Throws Error: there is no such page, or it is refused.
     */
    explicit Gate(const std::string &path_or_name) {
        detail::check(cb_gate_handle_open(path_or_name.c_str(), &handle_));
        look();
    }

    /** Takes over a gate handle made by cb_gate_handle_of, cb_gate_handle_open or cb_supervisor_gate_handle. */
    static Gate adopt(cb_gate_handle *handle) noexcept {
        Gate adopted;
        adopted.handle_ = handle;
        adopted.look();
        return adopted;
    }

    Gate(Gate &&other) noexcept
        : View(std::move(other)), handle_(std::exchange(other.handle_, nullptr)),
          byte_(std::exchange(other.byte_, nullptr)) {}
    Gate &operator=(Gate &&other) noexcept {
        View::operator=(std::move(other));
        std::swap(handle_, other.handle_);
        std::swap(byte_, other.byte_);
        return *this;
    }
    Gate(const Gate &) = delete;
    Gate &operator=(const Gate &) = delete;
    ~Gate() { cb_gate_handle_close(handle_); }

    /** Makes one relaxed load, inline. True: every call passes. False: ask allow(), which knows more. */
    bool closed() const noexcept { return cb_gate_closed(byte_); }

    /**
     * May an order be sent now? While the breaker is closed this is one inline load. While it is half-open, true grants a trial:
     * send it or release().
     */
    CB_MUST_USE bool allow() noexcept { return closed() || cb_gate_handle_allow(handle_); }

    /** Gives back the trial that this gate was granted last, if it will not be sent. */
    void release() noexcept { cb_gate_handle_release(handle_); }

    /**
     * Refuses every call from now on, until the halt is lifted. The reason is text in UTF-8. nullptr gives none. The holder is the engine
     * itself, or, if the gate was opened by a path, the user who runs this process (USER@HOST).
     */
    HaltResult halt(const char *reason = nullptr) noexcept {
        cb_halt_result result = CB_HALT_ENDED;
        cb_gate_handle_halt(handle_, reason, &result);
        return static_cast<HaltResult>(result);
    }
    /** halt() in the name of this holder, which has a halt of its own. Throws Error: the name is illegal, and nothing is halted. */
    HaltResult halt_as(const std::string &holder, const char *reason = nullptr) {
        cb_halt_result result = CB_HALT_ENDED;
        detail::check(cb_gate_handle_halt_as(handle_, holder.c_str(), reason, &result));
        return static_cast<HaltResult>(result);
    }
    /** Lifts halt()'s halt, and no other. When nobody else holds one, calls pass after the owner's next poll. */
    ResumeResult resume(const char *reason = nullptr) noexcept {
        cb_resume_result result = CB_RESUME_ENDED;
        cb_gate_handle_resume(handle_, reason, &result);
        return static_cast<ResumeResult>(result);
    }
    /** Lifts the halt of this holder, whoever set it. Throws Error: the name is illegal, and nothing is resumed. */
    ResumeResult resume_as(const std::string &holder, const char *reason = nullptr) {
        cb_resume_result result = CB_RESUME_ENDED;
        detail::check(cb_gate_handle_resume_as(handle_, holder.c_str(), reason, &result));
        return static_cast<ResumeResult>(result);
    }

    /** The C gate handle, which stays this object's. */
    cb_gate_handle *c_handle() const noexcept { return handle_; }

  private:
    Gate() noexcept = default;

    void look() noexcept {
        view_ = cb_gate_handle_observer(handle_);
        byte_ = cb_gate_handle_gate(handle_);
    }

    cb_gate_handle *handle_ = nullptr;
    const cb_gate *byte_ = nullptr;
};

} // namespace trip99

#endif // TRIP99_GATE_HPP
