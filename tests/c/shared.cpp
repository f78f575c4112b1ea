/* The C++ wrapper of pages in files. Another process takes part: this program, run again with a page's path. */
#include "trip99_shared.hpp"
#include "check.hpp"

#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

using std::chrono::milliseconds;
using trip99::Breaker;
using trip99::Gate;
using trip99::Observer;

template <typename F> static cb_status status_of(F call) {
    try {
        call();
    } catch (const trip99::Error &error) {
        return error.status();
    }
    return CB_STATUS_OK;
}

/* The other process: is refused the page, watches it, and halts it. */
static int other(const std::string &path) {
    CHECK(status_of([&] { Breaker::create_shared(path); }) == CB_STATUS_SHARED_BUSY);
    const Observer observer(path);
    const trip99::Owner owner = observer.owner();
    CHECK(owner.alive && owner.pid == static_cast<std::uint32_t>(getppid()));
    CHECK(observer.state() == trip99::State::Closed && !observer.is_halted());
    CHECK(observer.quantile(990000) == milliseconds(1));
    trip99::halt_shared(path, "from C++");
    return 0;
}

/* Asks and halts by a gate, or sees such a halt, and resumes. */
static int halt_or_see(const std::string &what, const std::string &path, const std::string &reason) {
    Gate gate(path);
    trip99::HaltNote note;
    if (what == "halt-by-gate") {
        CHECK(gate.closed() && gate.allow());
        gate.halt(reason.c_str());
        CHECK(!gate.closed() && !gate.allow());
    } else {
        CHECK(what == "see-halt" && gate.is_halted());
    }
    CHECK(gate.halt_note(note) && note.reason == reason && gate.owner().alive);
    if (what == "see-halt") {
        gate.resume();
        CHECK(gate.allow());
    }
    return 0;
}

static void a_breaker_is_watched_and_halted(const char *program, const std::string &path) {
    Breaker breaker = Breaker::create_shared(path);
    breaker.record(milliseconds(1));
    CHECK(breaker.allow());
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl(program, program, path.c_str(), static_cast<char *>(nullptr));
        _exit(99);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(!breaker.allow() && breaker.is_halted());

    Observer observer(path);
    trip99::HaltNote note;
    CHECK(observer.is_halted() && observer.halt_note(note));
    CHECK(note.reason == "from C++" && note.pid == static_cast<std::uint32_t>(child) && note.uid == getuid());
    CHECK(note.wall_ns > 0);
    trip99::Snapshot snapshot;
    CHECK(observer.snapshot(snapshot) && snapshot.now_ns > 0);
    breaker.poll();
    trip99::Events events = observer.events();
    trip99::Event event;
    CHECK(events.next(event) && event.reason == trip99::Reason::Halt && !events.next(event));

    trip99::resume_shared(path);
    CHECK(breaker.allow() && !observer.is_halted());
    Observer moved(std::move(observer));
    CHECK(!moved.is_halted() && observer.is_halted() && !observer.owner().alive);
    observer = std::move(moved);
    CHECK(!observer.is_halted() && observer.owner().alive);
    Gate gate(path);
    breaker.halt("by the owner");
    CHECK(!gate.allow() && gate.halt_note(note) && note.reason == "by the owner");
    CHECK(note.pid == static_cast<std::uint32_t>(getpid()) && gate.quantile(990000) == milliseconds(1));
    gate.resume();
    CHECK(breaker.allow() && gate.closed());
}

static void errors_are_thrown(const std::string &path) {
    CHECK(status_of([&] { Observer observer(path + "-missing"); }) == CB_STATUS_IO);
    CHECK(status_of([&] { trip99::halt_shared(path + "-missing", ""); }) == CB_STATUS_IO);
    CHECK(status_of([&] { trip99::resume_shared(path + "-missing"); }) == CB_STATUS_IO);
    CHECK(status_of([&] { Gate gate(path + "-missing"); }) == CB_STATUS_IO);
    CHECK(status_of([&] { Gate gate(".hidden"); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { Observer observer(".hidden"); }) == CB_STATUS_BAD_NAME);
    CHECK(truncate(path.c_str(), 9) == 0);
    CHECK(status_of([&] { Observer observer(path); }) == CB_STATUS_SHARED_REFUSED);
    CHECK(status_of([&] { Gate gate(path); }) == CB_STATUS_SHARED_REFUSED);
    CHECK(status_of([&] { Breaker::create_shared(path); }) == CB_STATUS_SHARED_REFUSED);
}

int main(int count, char **words) {
    if (count == 2) {
        return other(words[1]);
    }
    if (count == 4) {
        return halt_or_see(words[1], words[2], words[3]);
    }
    char directory[] = "/tmp/trip99-cpp-XXXXXX";
    CHECK(mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/page";
    a_breaker_is_watched_and_halted(words[0], path);
    errors_are_thrown(path);
    CHECK(unlink(path.c_str()) == 0 && unlink((std::string(directory) + "/.page.lock").c_str()) == 0);
    CHECK(rmdir(directory) == 0);
    return 0;
}
