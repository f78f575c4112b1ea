/* The C++ wrapper of pages in files. Another process takes part: this program, run again with a page's path. */
#include "trip99_shared.hpp"
#include "check.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using std::chrono::milliseconds;
using trip99::Breaker;
using trip99::Gate;
using trip99::Observer;
using trip99::Start;

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
    CHECK(status_of([&] { Breaker::create_shared(path, trip99::Config(), Start::Closed); }) == CB_STATUS_SHARED_BUSY);
    const Observer observer(path);
    const trip99::Owner owner = observer.owner();
    CHECK(owner.alive && owner.pid == static_cast<std::uint32_t>(getppid()));
    CHECK(observer.state() == trip99::State::Closed && !observer.is_halted());
    CHECK(observer.quantile(990000) == milliseconds(1));
    CHECK(trip99::halt_shared(path, "from C++") == trip99::HaltResult::Done);
    CHECK(trip99::halt_shared(path, "a second one", "bob") == trip99::HaltResult::Done);
    CHECK(status_of([&] { trip99::halt_shared(path, "", "engine"); }) == CB_STATUS_BAD_NAME);
    CHECK(trip99::resume_shared(path, "over", "bob") == trip99::ResumeResult::StillHeld);
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
        CHECK(gate.resume() == trip99::ResumeResult::NotHeld); /* it is the engine's */
        CHECK(gate.resume_as("engine", "seen") == trip99::ResumeResult::Done);
    }
    return 0;
}

static void a_breaker_is_watched_and_halted(const char *program, const std::string &path) {
    Breaker breaker = Breaker::create_shared(path, trip99::Config(), Start::Closed);
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
    CHECK(events.next(event) && event.reason == trip99::Reason::Restart);
    CHECK(events.next(event) && event.reason == trip99::Reason::Halt && events.next(event) && events.next(event));
    CHECK(event.reason == trip99::Reason::Resume && !events.next(event));
    CHECK(note.holder.find('@') != std::string::npos && !note.host.empty() && note.entry == 1);
    CHECK(observer.why().find("refused: halted by " + note.holder + " (from C++)") == 0);

    CHECK(trip99::resume_shared(path, "") == trip99::ResumeResult::Done);
    CHECK(breaker.allow() && !observer.is_halted());
    Observer moved(std::move(observer));
    CHECK(!moved.is_halted() && observer.is_halted() && !observer.owner().alive);
    observer = std::move(moved);
    CHECK(!observer.is_halted() && observer.owner().alive);
    Gate gate(path);
    breaker.halt("by the owner");
    CHECK(!gate.allow() && gate.halt_note(note) && note.reason == "by the owner");
    CHECK(note.pid == static_cast<std::uint32_t>(getpid()) && gate.quantile(990000) == milliseconds(1));
    gate.resume_as("engine");
    CHECK(breaker.allow() && gate.closed());
}

/* As an exception unwinds, the end is unclean; and only then. */
static void an_exception_makes_an_end_unclean(const std::string &path) {
    for (int round = 0; round < 2; round++) {
        try {
            Breaker breaker = Breaker::create_shared(path, trip99::Config(), Start::Closed);
            breaker.poll();
            CHECK(breaker.state() == trip99::State::Closed);
            if (round == 1) {
                throw std::runtime_error("the session is gone");
            }
        } catch (const std::runtime_error &) {
            CHECK(round == 1);
        }
    }
    {
        Breaker breaker = Breaker::create_shared(path, trip99::Config(), Start::Closed);
        CHECK(breaker.state() == trip99::State::Open && !breaker.allow());
    }
    CHECK(unlink(path.c_str()) == 0);
    { Breaker breaker = Breaker::create_shared(path, trip99::Config(), Start::Closed); }
    { /* nor if an exception was on its way when the breaker was made, and is caught */
        struct Guard {
            const std::string &path;
            ~Guard() {
                Breaker breaker = Breaker::create_shared(path, trip99::Config(), Start::Closed);
                breaker.poll();
            }
        };
        try {
            const Guard guard = {path};
            throw std::runtime_error("the session is gone");
        } catch (const std::runtime_error &) {
        }
        CHECK(Breaker::create_shared(path, trip99::Config(), Start::Closed).state() == trip99::State::Closed);
    }
}

/* How a page is found, by whom, and what it comes back as. */
static void pages_tell_of_themselves(const std::string &directory) {
    const std::string path = directory + "/told";
    CHECK(setenv("TRIP99_DIR", directory.c_str(), 1) == 0);
    CHECK(status_of([] { trip99::find_shared("told"); }) == CB_STATUS_IO);
    trip99::SharedOptions options;
    options.warden = false;
    options.state_dir = directory + "/told-state";
    options.now_ns = 7;
    trip99::Config config;
    config.threshold = milliseconds(7);
    config.start = Start::HalfOpen; /* the argument stands in its place */
    {
        Breaker breaker = Breaker::create_shared(path, config, Start::Halted, options);
        CHECK(breaker.started() == trip99::Started::New && breaker.is_halted());
        CHECK(breaker.state() == trip99::State::Closed && breaker.holders().at(0).holder == "start");
        const Observer observer(path);
        CHECK(observer.owner().started == trip99::Started::New && !observer.is_replaced() && !observer.is_unwatched());
        trip99::Config seen;
        CHECK(observer.config(seen) && seen.threshold == milliseconds(7) && seen.start == Start::Halted);
        CHECK(seen.hash() == breaker.config().hash() && seen.hash() != trip99::Config().hash());
        trip99::Events events = observer.events();
        trip99::Event event;
        CHECK(events.next(event) && event.reason == trip99::Reason::Restart && event.t_ns == 7);
        trip99::ComesBack back;
        CHECK(!observer.comes_back(back)); /* it is here */
        CHECK(trip99::find_shared("told") == path && trip99::shared_places().at(0) == directory);
        breaker.destroy_at(8);
        CHECK(observer.comes_back(back) && back.halted && back.state == trip99::State::Open);
        CHECK(back.holders == std::vector<std::string>{"start"});
        breaker.destroy_at(9); /* nothing happens */
    }
    std::string warning = "?";
    CHECK(trip99::resume_shared("told", "", "start", &warning) == trip99::ResumeResult::NoOwner && warning.empty());
    CHECK(chmod(path.c_str(), 0666) == 0);
    CHECK(trip99::halt_shared(path, "odd", "bob", &warning) == trip99::HaltResult::NoOwner);
    CHECK(warning.find("halted; but ") == 0);
    CHECK(trip99::halt_shared(path, "odd", "ann") == trip99::HaltResult::NoOwner); /* who doesn't ask isn't told */
    CHECK(trip99::resume_shared(path, "odd", "ann", &warning) == trip99::ResumeResult::StillHeld);
    CHECK(trip99::resume_shared(path, "odd", "bob") == trip99::ResumeResult::NoOwner);
    CHECK(chmod(path.c_str(), 0600) == 0);
    {
        Breaker breaker = Breaker::create_shared_at(5, path, config, Start::Closed);
        CHECK(breaker.started() == trip99::Started::Unclean && breaker.state() == trip99::State::Open);
        CHECK(Breaker().started() == trip99::Started::Private);
    }
    options.group = "no-such-group";
    CHECK(status_of([&] { Breaker::create_shared(path, config, Start::Closed, options); }) == CB_STATUS_SHARED_REFUSED);
    CHECK(unsetenv("TRIP99_DIR") == 0 && unlink(path.c_str()) == 0);
    CHECK(unlink((directory + "/.told.lock").c_str()) == 0 && rmdir((directory + "/told-state").c_str()) == 0);
}

/* The folder for halts goes, too. */
static void remove_state(const std::string &state) {
    DIR *folder = opendir(state.c_str());
    CHECK(folder != nullptr);
    while (const dirent *entry = readdir(folder)) {
        unlinkat(dirfd(folder), entry->d_name, 0); /* but for . and .. */
    }
    closedir(folder);
    CHECK(rmdir(state.c_str()) == 0);
}

static void errors_are_thrown(const std::string &path) {
    CHECK(status_of([&] { Observer observer(path + "-missing"); }) == CB_STATUS_IO);
    CHECK(status_of([&] { trip99::halt_shared(path + "-missing", ""); }) == CB_STATUS_IO);
    CHECK(status_of([&] { trip99::resume_shared(path + "-missing", ""); }) == CB_STATUS_IO);
    CHECK(status_of([&] { Gate gate(path + "-missing"); }) == CB_STATUS_IO);
    CHECK(status_of([&] { Gate gate(".hidden"); }) == CB_STATUS_BAD_NAME);
    CHECK(status_of([&] { Observer observer(".hidden"); }) == CB_STATUS_BAD_NAME);
    CHECK(truncate(path.c_str(), 9) == 0);
    CHECK(status_of([&] { Observer observer(path); }) == CB_STATUS_SHARED_REFUSED);
    CHECK(status_of([&] { Gate gate(path); }) == CB_STATUS_SHARED_REFUSED);
    CHECK(status_of([&] { Breaker::create_shared(path, trip99::Config(), Start::Closed); }) == CB_STATUS_SHARED_REFUSED);
}

int main(int count, char **words) {
    trip99::disable_warden(); /* owners are silent here while others work, and halts are kept by who halts */
    if (count == 2) {
        return other(words[1]);
    }
    if (count == 4) {
        return halt_or_see(words[1], words[2], words[3]);
    }
    char directory[] = "/dev/shm/test-trip99-cpp-XXXXXX";
    CHECK(mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/page";
    const std::string state = std::string(directory) + "/state";
    CHECK(setenv("TRIP99_STATE_DIR", state.c_str(), 1) == 0);
    a_breaker_is_watched_and_halted(words[0], path);
    pages_tell_of_themselves(directory);
    an_exception_makes_an_end_unclean(path);
    errors_are_thrown(path);
    CHECK(unlink(path.c_str()) == 0 && unlink((std::string(directory) + "/.page.lock").c_str()) == 0);
    remove_state(state);
    CHECK(rmdir(directory) == 0);
    return 0;
}
