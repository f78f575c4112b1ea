/* Pages in files, with other processes that are this program run again with a word that says what to do. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "sizes.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char directory[] = "/dev/shm/test-trip99-c-XXXXXX";

/* A page's path in the directory, which is removed at the end. */
static const char *page(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* Removes a page, and the lock beside it. */
static void remove_page(const char *in, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", in, name);
    CHECK_EQ((uint64_t)unlink(path), 0);
    snprintf(path, sizeof path, "%s/.%s.lock", in, name);
    CHECK(unlink(path) == 0 || errno == ENOENT);
}

/* Runs this program with these words; how it ended. Its process goes to `pid`, if that isn't NULL. */
static int in_another_process(const char *what, const char *path, const char *argument, pid_t *pid) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl(program, program, what, path, argument, (char *)NULL);
        _exit(99);
    }
    int status = 0;
    CHECK_EQ((uint64_t)waitpid(child, &status, 0), (uint64_t)child);
    if (pid != NULL) *pid = child;
    return status;
}

static void succeeds(const char *what, const char *path, const char *argument, pid_t *pid) {
    const int status = in_another_process(what, path, argument, pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fprintf(stderr, "the process that is to %s failed\n", what);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The folder for halts goes, too. */
static void remove_state(void) {
    const char *state = getenv("TRIP99_STATE_DIR");
    DIR *folder = opendir(state);
    CHECK(folder != NULL);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        unlinkat(dirfd(folder), entry->d_name, 0); /* but for . and .. */
    closedir(folder);
    CHECK_EQ((uint64_t)rmdir(state), 0);
}

static cb_breaker *create_shared(const char *path, const cb_config *config) {
    cb_breaker *breaker = NULL;
    if (cb_create_shared(path, config, CB_START_CLOSED, &breaker) != CB_STATUS_OK) fprintf(stderr, "%s\n", cb_error_text());
    CHECK(breaker != NULL);
    return breaker;
}

static cb_observer *observe(const char *path) {
    cb_observer *observer = NULL;
    if (cb_observer_open(path, &observer) != CB_STATUS_OK) fprintf(stderr, "%s\n", cb_error_text());
    CHECK(observer != NULL);
    return observer;
}

static cb_owner owner_of(const cb_observer *observer) {
    cb_owner owner = CB_OWNER_INIT;
    CHECK(cb_observer_get_owner(observer, &owner));
    return owner;
}

/* What the other processes do. */

static void owns_in_vain(const char *path, const char *owner) {
    cb_breaker *breaker = (cb_breaker *)&path; /* to be overwritten */
    CHECK_EQ(cb_create_shared(path, NULL, CB_START_CLOSED, &breaker), CB_STATUS_SHARED_BUSY);
    CHECK(breaker == NULL);
    CHECK(strstr(cb_error_text(), owner) != NULL && strstr(cb_error_text(), path) != NULL);
}

/* Ten samples of 1 to 10 ms, a trip and nothing else after the start. */
static void watches(const char *path, const char *owners_pid) {
    cb_observer *observer = observe(path);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    CHECK(!cb_observer_is_halted(observer));
    CHECK_EQ(cb_observer_quantile_ns(observer, 500000), 5 * MS);
    CHECK_EQ(cb_observer_quantile_ns(observer, 1000000), 10 * MS);
    const cb_owner owner = owner_of(observer);
    CHECK(owner.alive && owner.seen_ago_ns < NEVER);
    CHECK_EQ(owner.pid, strtoul(owners_pid, NULL, 10));
    cb_snapshot snapshot = CB_SNAPSHOT_INIT;
    CHECK(cb_observer_get_snapshot(observer, &snapshot));
    CHECK(snapshot.recorded <= 10);
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(!cb_observer_get_halt_note(observer, &note));

    cb_events *events = NULL;
    CHECK_EQ(cb_observer_events_open(observer, &events), CB_STATUS_OK);
    cb_observer_close(observer); /* the reader goes on */
    cb_event event = CB_EVENT_INIT;
    CHECK(cb_events_next(events, &event));
    CHECK_EQ(event.reason, CB_REASON_RESTART); /* the page is new */
    CHECK(cb_events_next(events, &event));
    CHECK_EQ(event.reason, CB_REASON_SPIKE);
    CHECK_EQ(event.quantile_ns, 10 * MS);
    CHECK(!cb_events_next(events, &event));
    cb_events_close(events);
}

static void halts(const char *path, const char *reason) {
    cb_halt_result result = CB_HALT_ENDED;
    CHECK_EQ(cb_halt_shared(path, NULL, strcmp(reason, "-") == 0 ? NULL : reason, &result), CB_STATUS_OK);
    CHECK(result == CB_HALT_DONE || result == CB_HALT_NO_OWNER);
}

static cb_gate_handle *open_gate(const char *path) {
    cb_gate_handle *handle = NULL;
    if (cb_gate_handle_open(path, &handle) != CB_STATUS_OK) fprintf(stderr, "%s\n", cb_error_text());
    CHECK(handle != NULL);
    return handle;
}

static void check_note(const cb_observer *observer, const char *reason) {
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_observer_get_halt_note(observer, &note));
    CHECK_TEXT(note.reason, reason);
}

/* And asks: a gate takes part from another process, too. */
static void halts_by_a_gate(const char *path, const char *reason) {
    cb_gate_handle *handle = open_gate(path);
    CHECK(cb_gate_closed(cb_gate_handle_gate(handle)) && cb_gate_handle_allow(handle));
    cb_halt_result result = CB_HALT_ENDED;
    cb_gate_handle_halt(handle, reason, &result);
    CHECK_EQ(result, CB_HALT_DONE);
    CHECK_EQ(cb_gate_handle_halt_as(handle, "engine", reason, &result), CB_STATUS_BAD_NAME); /* it is another's */
    CHECK_EQ(result, CB_HALT_ENDED);
    CHECK(!cb_gate_closed(cb_gate_handle_gate(handle)) && !cb_gate_handle_allow(handle));
    check_note(cb_gate_handle_observer(handle), reason);
    CHECK(owner_of(cb_gate_handle_observer(handle)).alive);
    cb_gate_handle_close(handle);
}

/* The engine's halt, and resumes for it. */
static void sees_a_halt(const char *path, const char *reason) {
    cb_observer *observer = observe(path);
    CHECK(cb_observer_is_halted(observer));
    check_note(observer, reason);
    cb_observer_close(observer);
    cb_gate_handle *handle = open_gate(path);
    check_note(cb_gate_handle_observer(handle), reason);
    cb_resume_result result = CB_RESUME_ENDED;
    cb_gate_handle_resume(handle, NULL, &result);
    CHECK_EQ(result, CB_RESUME_NOT_HELD); /* not this user's */
    CHECK_EQ(cb_gate_handle_resume_as(handle, "engine", "seen", &result), CB_STATUS_OK);
    CHECK_EQ(result, CB_RESUME_DONE);
    cb_gate_handle_close(handle);
}

/* Takes the one trial that there is. */
static void takes_a_trial(const char *path, const char *unused) {
    (void)unused;
    cb_gate_handle *handle = open_gate(path);
    CHECK(cb_gate_handle_allow(handle) && !cb_gate_handle_allow(handle));
    cb_gate_handle_release(handle);
    CHECK(cb_gate_handle_allow(handle));
    cb_gate_handle_close(handle); /* and is gone */
}

static void resumes(const char *path, const char *unused) {
    (void)unused;
    cb_resume_result result = CB_RESUME_ENDED;
    CHECK_EQ(cb_resume_shared(path, NULL, "it is over", &result), CB_STATUS_OK);
    CHECK_EQ(result, CB_RESUME_DONE);
    CHECK_EQ(cb_resume_shared(path, NULL, NULL, NULL), CB_STATUS_OK); /* there is none: no error */
}

static void resumes_anothers(const char *path, const char *holder) {
    cb_resume_result result = CB_RESUME_ENDED;
    CHECK_EQ(cb_resume_shared(path, holder, NULL, &result), CB_STATUS_OK);
    CHECK_EQ(result, CB_RESUME_STILL_HELD);
}

/* This user's halt, while another holder has one. */
static void resumes_while_held(const char *path, const char *holder) {
    cb_resume_result result = CB_RESUME_ENDED;
    CHECK_EQ(cb_resume_shared(path, NULL, NULL, &result), CB_STATUS_OK);
    CHECK_EQ(result, CB_RESUME_STILL_HELD);
    CHECK_EQ(cb_halt_shared(path, "damage", NULL, NULL), CB_STATUS_BAD_NAME);
    CHECK_TEXT(cb_error_text(),
               "holder damage is a name of trip99's own; legal: engine.NAME, or a name of your own");
    CHECK_EQ(cb_resume_shared(path, "damage", NULL, &result), CB_STATUS_OK); /* anybody's may be lifted */
    CHECK_EQ(result, CB_RESUME_NOT_HELD);
    CHECK_EQ(cb_resume_shared(path, "no spaces", NULL, &result), CB_STATUS_BAD_NAME);
    CHECK_EQ(result, CB_RESUME_ENDED);
    CHECK_TEXT(cb_error_text(), "holder is \"no spaces\"; legal: 1 to 32 of letters, digits and ._@:+-");
    cb_observer *observer = observe(path);
    check_note(observer, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_observer_get_halt_note(observer, &note));
    CHECK_TEXT(note.holder, holder);
    cb_observer_close(observer);
}

static void owns_and_is_killed(const char *path, const char *unused) {
    (void)unused;
    cb_breaker *breaker = create_shared(path, NULL);
    cb_record(breaker, MS);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    raise(SIGKILL);
}

/* What this one does. */

static void a_second_owner_is_told_of_the_first(void) {
    char pid[24];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    const char *path = page("busy");
    cb_breaker *breaker = create_shared(path, NULL);
    succeeds("own-in-vain", path, pid, NULL);
    owns_in_vain(path, pid); /* nor twice in this process */
    cb_destroy(breaker);
    cb_destroy(create_shared(path, NULL)); /* it is free again */
    remove_page(directory, "busy");
}

static void another_process_watches(void) {
    const char *path = page("watched");
    cb_config config = default_config();
    config.spike_limit_ns = 10 * MS - 1;
    config.spike_count = 1;
    cb_breaker *breaker = create_shared(path, &config);
    for (uint64_t ms = 1; ms <= 10; ms++) cb_record(breaker, ms * MS);
    char pid[24];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    succeeds("watch", path, pid, NULL);

    cb_observer *observer = observe(path);
    cb_destroy(breaker);
    CHECK(!owner_of(observer).alive);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    cb_observer_close(observer);
    remove_page(directory, "watched");
}

static cb_observer *source;

static bool get_halt_note(void *out) { return cb_observer_get_halt_note(source, (cb_halt_note *)out); }

static bool get_snapshot(void *out) { return cb_observer_get_snapshot(source, (cb_snapshot *)out); }

static bool get_owner(void *out) {
    const bool written = cb_observer_get_owner(source, (cb_owner *)out);
    if (written) memset((char *)out + offsetof(cb_owner, seen_ago_ns), 0, 8); /* another number each time */
    return written;
}

static void a_halt_from_another_process_stops_the_next_allow(void) {
    const char *path = page("halted");
    cb_breaker *breaker = create_shared(path, NULL);
    cb_observer *observer = observe(path);
    const cb_gate *gate = cb_gate_of(breaker);
    CHECK(cb_gate_closed(gate) && cb_allow(breaker));

    pid_t halter = 0;
    succeeds("halt", path, "prices look wrong", &halter);
    CHECK(!cb_gate_closed(gate) && !cb_allow(breaker));
    CHECK(cb_is_halted(breaker) && cb_observer_is_halted(observer));
    CHECK_EQ(last_reason(breaker), CB_REASON_HALT);
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_observer_get_halt_note(observer, &note));
    CHECK_TEXT(note.reason, "prices look wrong");
    CHECK_EQ(note.pid, (uint64_t)halter);
    CHECK_EQ(note.uid, getuid());
    CHECK(note.wall_ns > 0 && note.entry == 1);
    CHECK(strchr(note.holder, '@') != NULL && strlen(note.host) > 0);
    const uid_t no_login = UINT32_MAX;
    CHECK(note.login_uid == no_login || getpwuid(note.login_uid) != NULL);
    char why[512], expected[512];
    snprintf(expected, sizeof expected, "refused: halted by %s (prices look wrong)", note.holder);
    CHECK_EQ(cb_observer_why(observer, why, sizeof why), strlen(expected));
    CHECK_TEXT(why, expected);

    succeeds("resume", path, "-", NULL);
    CHECK(!cb_gate_closed(gate)); /* the owner alone opens */
    CHECK(cb_allow(breaker) && cb_gate_closed(gate));
    CHECK(!cb_observer_is_halted(observer));
    bool is_halt = true;
    CHECK(cb_log_entry(observer, 2, &note, &is_halt) && !is_halt);
    CHECK_TEXT(note.reason, "it is over");

    succeeds("halt", path, "-", NULL); /* no reason given */
    CHECK(cb_observer_get_halt_note(observer, &note));
    CHECK_TEXT(note.reason, "");
    char longest[301];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    CHECK_EQ(cb_halt_shared(path, "bob", longest, NULL), CB_STATUS_OK);
    CHECK(cb_observer_get_halt_note(observer, &note));
    CHECK_EQ(strlen(note.reason), 216);
    CHECK_TEXT(note.holder, "bob");
    succeeds("resume-held", path, "bob", NULL);
    CHECK(!cb_allow(breaker));
    CHECK_EQ(cb_observer_get_holders(observer, &note, 1, sizeof note), 1);
    CHECK_TEXT(note.holder, "bob");

    source = observer;
    check_sizes(get_halt_note, 248, true);
    check_sizes(get_snapshot, 144, true);
    check_sizes(get_owner, 24, true);
    cb_destroy(breaker);
    cb_observer_close(observer);
    remove_page(directory, "halted");
}

static void a_gate_in_another_process_asks_and_halts(void) {
    const char *path = page("gate");
    cb_config config = default_config();
    config.spike_count = 1;
    config.backoff_base_ns = 1; /* no pause to speak of */
    config.backoff_max_ns = 1;
    config.probes = 1;
    config.probe_timeout_ns = 1000 * SECOND; /* the trial isn't lost meanwhile */
    cb_breaker *breaker = create_shared(path, &config);
    cb_gate_handle *handle = open_gate(path); /* this process may, too */
    succeeds("halt-by-gate", path, "by the gate", NULL);
    CHECK(!cb_allow(breaker) && !cb_gate_handle_allow(handle));
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_get_halt_note(breaker, &note));
    CHECK_TEXT(note.reason, "by the gate");
    CHECK(note.pid != (uint64_t)getpid());
    cb_halt_with(breaker, "by the owner", NULL); /* its halts leave notes, too */
    cb_resume_result resumed = CB_RESUME_ENDED;
    cb_gate_handle_resume(handle, NULL, &resumed); /* it is this user's */
    CHECK_EQ(resumed, CB_RESUME_STILL_HELD);
    succeeds("see-halt", path, "by the owner", NULL);
    CHECK(cb_allow(breaker) && cb_gate_handle_allow(handle));
    cb_halt(breaker);
    succeeds("see-halt", path, "", NULL);
    cb_poll(breaker);

    cb_record(breaker, INT64_MAX);
    while (cb_get_state(breaker) != CB_STATE_HALF_OPEN) cb_poll(breaker);
    succeeds("take-trial", path, "-", NULL);
    CHECK(!cb_allow(breaker) && !cb_gate_handle_allow(handle)); /* it is out */
    cb_poll(breaker);
    CHECK_EQ(snapshot_of(breaker).trials_out, 1);

    cb_destroy(breaker);
    CHECK(!cb_gate_handle_allow(handle));
    cb_halt_result result = CB_HALT_ENDED;
    cb_gate_handle_halt(handle, "for the next owner", &result); /* by the path: it belongs to the page */
    CHECK(result == CB_HALT_DONE || result == CB_HALT_NO_OWNER);
    cb_gate_handle_close(handle);
    breaker = create_shared(path, &config);
    CHECK(cb_is_halted(breaker) && cb_get_halt_note(breaker, &note));
    CHECK_TEXT(note.reason, "for the next owner");
    cb_destroy(breaker);
    remove_page(directory, "gate");
}

static void a_restart_keeps_halts_and_trusts_only_a_clean_end(void) {
    const char *path = page("restarted");
    cb_breaker *breaker = create_shared(path, NULL);
    cb_record(breaker, MS);
    cb_destroy(breaker);
    succeeds("halt", path, "over night", NULL); /* while nobody owns it */
    breaker = create_shared(path, NULL);
    CHECK(!cb_allow(breaker) && cb_is_halted(breaker));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
    CHECK_EQ(event_at(breaker, 0).reason, CB_REASON_RESTART); /* the first owner's: the page was new */
    CHECK_EQ(event_at(breaker, 1).reason, CB_REASON_RESTART);
    CHECK_EQ(event_at(breaker, 2).reason, CB_REASON_HALT);
    CHECK_EQ(cb_halt_as(breaker, "engine.risk", NULL, NULL), CB_STATUS_OK);
    succeeds("resume-other", path, "engine.risk", NULL);
    succeeds("resume", path, "-", NULL);
    cb_poll(breaker);
    CHECK(cb_allow(breaker));
    cb_set_resting(breaker, 3);
    cb_observer *watcher = observe(path);
    CHECK_EQ(cb_observer_get_resting(watcher), 3);
    cb_destroy(breaker);
    breaker = create_shared(path, NULL);
    CHECK(cb_allow(breaker)); /* the end was clean */
    CHECK_EQ(cb_observer_get_resting(watcher), NEVER); /* this owner doesn't tell */
    cb_observer_close(watcher);
    cb_destroy(breaker);

    const int status = in_another_process("own-and-be-killed", path, "-", NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cb_observer *observer = observe(path);
    CHECK(!owner_of(observer).alive);
    breaker = create_shared(path, NULL);
    CHECK(!cb_allow(breaker));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    CHECK(owner_of(observer).alive);
    cb_observer_close(observer);
    cb_destroy(breaker);
    remove_page(directory, "restarted");
}

/* And what the breaker gave refuses for ever, whoever takes the page over. */
static void an_end_may_be_unclean(void) {
    const char *path = page("unclean");
    cb_breaker *breaker = create_shared(path, NULL);
    CHECK(cb_allow(breaker));
    cb_destroy(breaker);
    breaker = create_shared(path, NULL);
    CHECK(cb_allow(breaker)); /* the first end was clean */
    cb_lane *lane = NULL;
    CHECK_EQ(cb_lane_open(breaker, 0, &lane), CB_STATUS_OK);
    cb_destroy_unclean(breaker);
    breaker = create_shared(path, NULL);
    CHECK(!cb_allow(breaker));
    CHECK_EQ(cb_get_state(breaker), CB_STATE_OPEN);
    CHECK(!cb_lane_allow(lane)); /* for ever, whoever takes the page over */
    cb_halt_result halted = CB_HALT_DONE;
    cb_lane_halt(lane, NULL, &halted);
    CHECK_EQ(halted, CB_HALT_ENDED);
    CHECK(!cb_is_halted(breaker));
    char why[64];
    CHECK(cb_lane_why(lane, why, sizeof why) > 0);
    CHECK_TEXT(why, "refused: the breaker has ended");
    cb_lane_close(lane);
    cb_destroy(breaker);
    remove_page(directory, "unclean");
}

/* By all that make a handle; and the file stays as it is. (What is a page can be halted in any condition: see pages.c.) */
static void refused(const char *path) {
    struct stat before, after;
    CHECK_EQ((uint64_t)stat(path, &before), 0);
    cb_breaker *breaker = NULL;
    cb_observer *observer = NULL;
    CHECK_EQ(cb_create_shared(path, NULL, CB_START_CLOSED, &breaker), CB_STATUS_SHARED_REFUSED);
    CHECK(strstr(cb_error_text(), path) != NULL);
    CHECK_EQ(cb_observer_open(path, &observer), CB_STATUS_SHARED_REFUSED);
    cb_gate_handle *handle = NULL;
    CHECK_EQ(cb_gate_handle_open(path, &handle), CB_STATUS_SHARED_REFUSED);
    CHECK(breaker == NULL && observer == NULL && handle == NULL);
    CHECK_EQ((uint64_t)stat(path, &after), 0);
    CHECK(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}

static void what_is_no_page_is_refused(void) {
    const char *path = page("refused");
    const int file = open(path, O_CREAT | O_RDWR, 0600);
    CHECK(file >= 0);
    CHECK_EQ((uint64_t)write(file, "no page", 7), 7);
    refused(path);
    CHECK_EQ(cb_halt_shared(path, NULL, "x", NULL), CB_STATUS_SHARED_REFUSED);
    CHECK_EQ(cb_resume_shared(path, NULL, NULL, NULL), CB_STATUS_SHARED_REFUSED);
    char same[8] = "";
    CHECK(pread(file, same, 7, 0) == 7);
    CHECK_TEXT(same, "no page");
    CHECK_EQ((uint64_t)close(file), 0);
    remove_page(directory, "refused");

    cb_destroy(create_shared(path, NULL));
    struct stat whole;
    CHECK_EQ((uint64_t)stat(path, &whole), 0);
    CHECK_EQ((uint64_t)truncate(path, whole.st_size - 1), 0);
    refused(path);
    CHECK_EQ((uint64_t)truncate(path, whole.st_size), 0);
    CHECK_EQ((uint64_t)chmod(path, 0666), 0); /* anybody may have written to it */
    refused(path);
    remove_page(directory, "refused");
}

static void plain_names_are_in_the_conventional_place(void) {
    char name[64], in[128];
    snprintf(name, sizeof name, "c-api-%ld", (long)getpid());
    const struct passwd *user = getpwuid(geteuid());
    CHECK(user != NULL);
    snprintf(in, sizeof in, "/dev/shm/trip99-%s", user->pw_name);
    cb_breaker *breaker = create_shared(name, NULL);
    succeeds("halt", name, "by name", NULL);
    CHECK(!cb_allow(breaker));
    cb_observer *observer = observe(name);
    CHECK(cb_observer_is_halted(observer));
    cb_observer_close(observer);
    cb_gate_handle *handle = open_gate(name);
    cb_gate_handle_resume(handle, NULL, NULL);
    CHECK(cb_allow(breaker));
    cb_gate_handle_close(handle);
    cb_destroy(breaker);
    remove_page(in, name);
}

static void arguments_are_checked(void) {
    static const char *const BAD_NAMES[] = {"", ".", "..", ".hidden", "a\nb", "\xff"};
    cb_breaker *breaker = NULL;
    cb_observer *observer = NULL;
    cb_gate_handle *handle = (cb_gate_handle *)(uintptr_t)8; /* to be overwritten */
    cb_events *events = NULL;
    for (size_t i = 0; i < sizeof BAD_NAMES / sizeof *BAD_NAMES; i++) {
        CHECK_EQ(cb_create_shared(BAD_NAMES[i], NULL, CB_START_CLOSED, &breaker), CB_STATUS_BAD_NAME);
        CHECK_EQ(cb_observer_open(BAD_NAMES[i], &observer), CB_STATUS_BAD_NAME);
        CHECK_EQ(cb_gate_handle_open(BAD_NAMES[i], &handle), CB_STATUS_BAD_NAME);
        CHECK(handle == NULL);
        CHECK_EQ(cb_halt_shared(BAD_NAMES[i], NULL, NULL, NULL), CB_STATUS_BAD_NAME);
        CHECK_EQ(cb_resume_shared(BAD_NAMES[i], NULL, NULL, NULL), CB_STATUS_BAD_NAME);
    }
    const char *nowhere = page("no/where");
    CHECK_EQ(cb_create_shared(nowhere, NULL, CB_START_CLOSED, &breaker), CB_STATUS_IO);
    CHECK_EQ(cb_observer_open(page("missing"), &observer), CB_STATUS_IO);
    CHECK(strstr(cb_error_text(), "missing") != NULL);
    CHECK_EQ(cb_gate_handle_open(page("missing"), &handle), CB_STATUS_IO);
    CHECK(strstr(cb_error_text(), "missing") != NULL);
    CHECK_EQ(cb_halt_shared(page("missing"), NULL, NULL, NULL), CB_STATUS_IO);
    CHECK_EQ(cb_resume_shared(page("missing"), NULL, NULL, NULL), CB_STATUS_IO);

    CHECK_EQ(cb_create_shared(NULL, NULL, CB_START_CLOSED, &breaker), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_create_shared(page("null"), NULL, CB_START_CLOSED, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_observer_open(NULL, &observer), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_observer_open(page("null"), NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_gate_handle_open(NULL, &handle), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_gate_handle_open(page("null"), NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_halt_shared(NULL, NULL, "x", NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_resume_shared(NULL, NULL, NULL, NULL), CB_STATUS_NULL_POINTER);
    CHECK_TEXT(cb_error_text(), "path_or_name is NULL");

    /* Settings are checked before anything is made. */
    cb_config config = default_config();
    config.quantile_ppm = 0;
    CHECK_EQ(cb_create_shared(page("null"), &config, CB_START_CLOSED, &breaker), CB_STATUS_OUT_OF_RANGE);
    config.struct_size = 3;
    CHECK_EQ(cb_create_shared(page("null"), &config, CB_START_CLOSED, &breaker), CB_STATUS_STRUCT_SIZE);
    CHECK(access(page("null"), F_OK) != 0);
    CHECK(breaker == NULL && observer == NULL);

    /* No observer: in doubt, open and halted. */
    cb_owner owner = {0};
    cb_halt_note note = {0};
    cb_snapshot snapshot = {0};
    CHECK_EQ(cb_observer_get_state(NULL), CB_STATE_OPEN);
    CHECK(cb_observer_is_halted(NULL));
    CHECK_EQ(cb_observer_quantile_ns(NULL, 500000), 0);
    CHECK(!cb_observer_get_snapshot(NULL, &snapshot) && !cb_observer_get_owner(NULL, &owner));
    CHECK(!cb_observer_get_halt_note(NULL, &note));
    CHECK_EQ(cb_observer_events_open(NULL, &events), CB_STATUS_NULL_POINTER);
    CHECK(events == NULL);
    cb_observer_close(NULL);

    const char *path = page("null");
    breaker = create_shared(path, NULL);
    observer = observe(path);
    CHECK(cb_observer_get_snapshot(observer, &snapshot)); /* of its beginning */
    CHECK(!cb_observer_get_snapshot(observer, NULL) && !cb_observer_get_owner(observer, NULL));
    CHECK(!cb_observer_get_halt_note(observer, NULL));
    CHECK_EQ(cb_observer_events_open(observer, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_observer_quantile_ns(observer, 500000), 0);
    cb_observer_close(observer);
    cb_destroy(breaker);
    remove_page(directory, "null");
}

int main(int count, char **words) {
    static const struct {
        const char *what;
        void (*work)(const char *path, const char *argument);
    } OTHERS[] = {
        {"own-in-vain", owns_in_vain},
        {"watch", watches},
        {"halt", halts},
        {"halt-by-gate", halts_by_a_gate},
        {"see-halt", sees_a_halt},
        {"take-trial", takes_a_trial},
        {"resume", resumes},
        {"resume-other", resumes_anothers},
        {"resume-held", resumes_while_held},
        {"own-and-be-killed", owns_and_is_killed},
    };
    program = words[0];
    cb_warden_disable(); /* owners are silent here while others work, and halts are kept by who halts */
    if (count == 4) {
        for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
            if (strcmp(words[1], OTHERS[i].what) == 0) {
                OTHERS[i].work(words[2], words[3]);
                return 0;
            }
        }
        return 98;
    }
    CHECK(mkdtemp(directory) != NULL);
    CHECK_EQ((uint64_t)setenv("TRIP99_STATE_DIR", page("state"), 1), 0);
    a_second_owner_is_told_of_the_first();
    another_process_watches();
    a_halt_from_another_process_stops_the_next_allow();
    a_gate_in_another_process_asks_and_halts();
    a_restart_keeps_halts_and_trusts_only_a_clean_end();
    an_end_may_be_unclean();
    what_is_no_page_is_refused();
    plain_names_are_in_the_conventional_place();
    arguments_are_checked();
    remove_state();
    CHECK_EQ((uint64_t)rmdir(directory), 0);
    return 0;
}
