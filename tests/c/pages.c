/* Pages in files: what owners may choose, how pages are found, what they come back as, and halts of pages in any condition. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "sizes.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/dev/shm/test-trip99-pages-XXXXXX";
static char path[64], state_dir[64];

/* No warden, so that nothing happens but what is told here. */
static cb_shared_options options(void) {
    cb_shared_options options = CB_SHARED_OPTIONS_INIT;
    CHECK(options.warden == 1 && options.now_ns == NEVER && options.group == NULL);
    options.warden = 0;
    options.state_dir = state_dir;
    return options;
}

static cb_breaker *own(cb_start start) {
    const cb_shared_options chosen = options();
    cb_breaker *breaker = NULL;
    if (cb_create_shared_with(path, NULL, start, &chosen, &breaker) != CB_STATUS_OK) fprintf(stderr, "%s\n", cb_error_text());
    CHECK(breaker != NULL);
    return breaker;
}

static cb_observer *observe(void) {
    cb_observer *observer = NULL;
    if (cb_observer_open(path, &observer) != CB_STATUS_OK) fprintf(stderr, "%s\n", cb_error_text());
    CHECK(observer != NULL);
    return observer;
}

/* As a reboot does. */
static void forget_memory(void) {
    char lock[80];
    CHECK_EQ((uint64_t)unlink(path), 0);
    snprintf(lock, sizeof lock, "%s/.page.lock", directory);
    CHECK_EQ((uint64_t)unlink(lock), 0);
}

/* How many files there are in the folder for halts. */
static int kept(void) {
    int count = 0;
    DIR *folder = opendir(state_dir);
    CHECK(folder != NULL);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static cb_status try_options(const cb_shared_options *chosen) {
    cb_breaker *breaker = (cb_breaker *)(uintptr_t)8; /* to be overwritten */
    const cb_status status = cb_create_shared_with(path, NULL, CB_START_CLOSED, chosen, &breaker);
    CHECK(breaker == NULL && access(path, F_OK) != 0);
    return status;
}

static void options_are_checked(void) {
    cb_shared_options chosen = options();
    chosen.warden = 2;
    CHECK_EQ(try_options(&chosen), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), "warden is 2; legal: 0 or 1");
    chosen = options();
    chosen.struct_size = 0;
    CHECK_EQ(try_options(&chosen), CB_STATUS_STRUCT_SIZE);
    CHECK(strstr(cb_error_text(), "set it by CB_SHARED_OPTIONS_INIT") != NULL);
    chosen.struct_size = sizeof chosen - 1;
    CHECK_EQ(try_options(&chosen), CB_STATUS_STRUCT_SIZE);
    chosen.struct_size = 4097;
    CHECK_EQ(try_options(&chosen), CB_STATUS_STRUCT_SIZE);
    chosen = options();
    chosen.state_dir = "relative";
    CHECK_EQ(try_options(&chosen), CB_STATUS_BAD_NAME);
    CHECK(strstr(cb_error_text(), "legal: an absolute path") != NULL);
    chosen = options();
    chosen.group = "no-such-group";
    CHECK_EQ(try_options(&chosen), CB_STATUS_SHARED_REFUSED);
    CHECK(strstr(cb_error_text(), "no-such-group") != NULL);
    struct {
        cb_shared_options known;
        uint64_t newer;
    } of_a_newer_version = {options(), 1};
    of_a_newer_version.known.struct_size = sizeof of_a_newer_version;
    CHECK_EQ(try_options(&of_a_newer_version.known), CB_STATUS_UNKNOWN_SETTING);

    cb_breaker *breaker = NULL;
    CHECK_EQ(cb_create_shared(path, NULL, 1, &breaker), CB_STATUS_OUT_OF_RANGE);
    CHECK_TEXT(cb_error_text(), "start is 1; legal: 0 (closed), 2 (half-open) or 3 (halted)");
    CHECK_EQ(cb_create_shared_at(path, 0, NULL, 4, &breaker), CB_STATUS_OUT_OF_RANGE);
    CHECK_EQ(cb_create_shared_with("/work-on-no-tmpfs", NULL, CB_START_CLOSED, NULL, &breaker), CB_STATUS_SHARED_REFUSED);
    CHECK(breaker == NULL && access(path, F_OK) != 0);
    of_a_newer_version.newer = 0;
    CHECK_EQ(cb_create_shared_with(path, NULL, CB_START_CLOSED, &of_a_newer_version.known, &breaker), CB_STATUS_OK);
    cb_destroy(breaker);
    forget_memory();
}

static void each_start_is_told(void) {
    cb_breaker *breaker = create(NULL);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_PRIVATE);
    CHECK_EQ(cb_get_started(NULL), CB_STARTED_PRIVATE);
    cb_destroy(breaker);

    breaker = own(CB_START_CLOSED);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_NEW);
    CHECK_EQ(event_at(breaker, 0).reason, CB_REASON_RESTART);
    cb_observer *observer = observe();
    cb_owner owner = CB_OWNER_INIT;
    CHECK(cb_observer_get_owner(observer, &owner));
    CHECK_EQ(owner.started, CB_STARTED_NEW);
    cb_destroy(breaker);
    breaker = own(CB_START_HALF_OPEN);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_CLEAN);
    CHECK_EQ(cb_get_state(breaker), CB_STATE_HALF_OPEN); /* stricter */
    cb_destroy_unclean(breaker);
    breaker = own(CB_START_HALTED);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_UNCLEAN);
    CHECK(cb_get_state(breaker) == CB_STATE_OPEN && cb_is_halted(breaker));
    CHECK(cb_observer_get_owner(observer, &owner));
    CHECK_EQ(owner.started, CB_STARTED_UNCLEAN);
    CHECK_EQ(cb_resume_as(breaker, "start", NULL, NULL), CB_STATUS_OK);
    cb_observer_close(observer);
    cb_destroy(breaker);
    forget_memory();
}

static cb_breaker *own_at(uint64_t now_ns) {
    cb_breaker *breaker = NULL;
    CHECK_EQ(cb_create_shared_at(path, now_ns, NULL, CB_START_CLOSED, &breaker), CB_STATUS_OK);
    return breaker;
}

/* A time that the process's clock doesn't reach. */
#define LATE (1000000 * SECOND)

static void send_late(cb_breaker *breaker) {
    const cb_call call = cb_begin_at(breaker, LATE);
    CHECK_EQ(call.start_ns, LATE);
}

static void an_owner_with_a_time_of_its_own_ends_by_it(void) {
    cb_breaker *breaker = own_at(LATE);
    CHECK_EQ(event_at(breaker, 0).t_ns, LATE);
    send_late(breaker);
    cb_destroy_at(breaker, LATE + THRESHOLD);
    breaker = own_at(LATE);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_CLEAN);
    send_late(breaker);
    cb_destroy_at(breaker, LATE + THRESHOLD + 1); /* the call is overdue */
    breaker = own_at(LATE);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_UNCLEAN);
    cb_destroy(breaker);
    forget_memory();

    breaker = own_at(LATE);
    send_late(breaker);
    cb_destroy(breaker); /* by a clock that knows nothing of the call */
    breaker = own_at(LATE);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_UNCLEAN);
    cb_destroy(breaker);
    forget_memory();
    cb_destroy_at(NULL, 1);

    /* What is in no file, and what a supervisor owns. */
    breaker = create(NULL);
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    cb_destroy_at(breaker, 1);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    cb_observer_close(observer);
    cb_supervisor *supervisor = NULL;
    breaker = create(NULL);
    CHECK_EQ(cb_supervisor_create(1000000, &supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_add(supervisor, "node", breaker), CB_STATUS_OK);
    CHECK_EQ(cb_supervisor_start(supervisor), CB_STATUS_OK);
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    cb_destroy_at(breaker, 1);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_CLOSED); /* when the supervisor stops */
    cb_supervisor_destroy(supervisor);
    CHECK_EQ(cb_observer_get_state(observer), CB_STATE_OPEN);
    cb_observer_close(observer);
}

static cb_observer *source;

static bool get_comes_back(void *out) { return cb_observer_comes_back(source, (cb_comes_back *)out); }

static void a_page_tells_what_it_would_come_back_as(void) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        cb_breaker *breaker = own(CB_START_CLOSED);
        CHECK_EQ(cb_get_state(breaker), CB_STATE_CLOSED);
        raise(SIGKILL);
    }
    int status = 0;
    CHECK_EQ((uint64_t)waitpid(child, &status, 0), (uint64_t)child);
    CHECK(WIFSIGNALED(status));
    cb_observer *observer = observe();
    cb_comes_back back = CB_COMES_BACK_INIT;
    CHECK(cb_observer_comes_back(observer, &back));
    CHECK(back.state == CB_STATE_OPEN && !back.halted && back.holder_count == 0 && back.pause_left_ns == NEVER);
    CHECK_TEXT(back.holders, "");
    cb_halt_result halted = CB_HALT_ENDED;
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_OK);
    CHECK_EQ(halted, CB_HALT_NO_OWNER);
    CHECK_EQ(cb_halt_shared(path, "ann", NULL, NULL), CB_STATUS_OK);
    CHECK(cb_observer_comes_back(observer, &back) && back.halted && back.holder_count == 2);
    CHECK_TEXT(back.holders, "bob ann");
    source = observer;
    check_sizes(get_comes_back, 1048, true);

    cb_breaker *breaker = own(CB_START_CLOSED);
    CHECK(!cb_observer_comes_back(observer, &back)); /* it is back */
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, NULL), CB_STATUS_OK);
    CHECK_EQ(cb_resume_shared(path, "ann", NULL, NULL), CB_STATUS_OK);
    cb_destroy(breaker);
    CHECK(!cb_observer_comes_back(NULL, &back) && !cb_observer_comes_back(observer, NULL));
    cb_observer_close(observer);

    breaker = create(NULL);
    CHECK_EQ(cb_observer_of(breaker, &observer), CB_STATUS_OK);
    CHECK(!cb_observer_comes_back(observer, &back) && !cb_observer_is_replaced(observer)); /* in no file */
    cb_observer_close(observer);
    cb_destroy(breaker);
    forget_memory();
}

static void a_replaced_page_is_noticed(void) {
    cb_breaker *breaker = own(CB_START_CLOSED);
    cb_observer *observer = observe();
    CHECK(!cb_observer_is_replaced(observer) && !cb_observer_is_replaced(NULL));
    CHECK(!cb_observer_is_unwatched(observer) && cb_observer_is_unwatched(NULL));
    forget_memory();
    CHECK(cb_observer_is_replaced(observer));
    cb_breaker *other = own(CB_START_CLOSED);
    CHECK(cb_observer_is_replaced(observer));
    cb_observer_close(observer);
    cb_destroy(other);
    cb_destroy(breaker);
    forget_memory();
}

static bool get_config(void *out) { return cb_observer_get_config(source, (cb_config *)out); }

static void observers_see_the_settings_in_force(void) {
    cb_breaker *breaker = own(CB_START_CLOSED);
    cb_observer *observer = observe();
    cb_config own_config = {0}, seen = {0};
    own_config.struct_size = seen.struct_size = sizeof seen;
    cb_get_config(breaker, &own_config);
    CHECK(cb_observer_get_config(observer, &seen));
    CHECK(memcmp(&own_config, &seen, sizeof seen) == 0);
    CHECK_EQ(cb_config_hash(&seen), cb_config_hash(NULL));
    own_config.threshold_ns = 7 * MS;
    CHECK_EQ(cb_reconfigure(breaker, &own_config), CB_STATUS_OK);
    CHECK(cb_observer_get_config(observer, &seen));
    CHECK_EQ(seen.threshold_ns, 7 * MS);
    CHECK_EQ(cb_config_hash(&seen), cb_config_hash(&own_config));
    CHECK(cb_config_hash(&seen) != cb_config_hash(NULL));
    own_config.struct_size = 3;
    CHECK_EQ(cb_config_hash(&own_config), 0);
    CHECK(strstr(cb_error_text(), "struct_size of the configuration is 3") != NULL);
    CHECK(!cb_observer_get_config(NULL, &seen) && !cb_observer_get_config(observer, NULL));
    source = observer;
    check_sizes(get_config, 152, true);
    cb_observer_close(observer);
    cb_destroy(breaker);
    forget_memory();
}

static void pages_are_found(void) {
    CHECK_EQ((uint64_t)setenv("TRIP99_DIR", directory, 1), 0);
    char found[256];
    size_t length = 7;
    memset(found, 'x', sizeof found);
    CHECK_EQ(cb_shared_find("page", found, sizeof found, &length), CB_STATUS_IO); /* there is none so far */
    CHECK(strstr(cb_error_text(), "there is no page \"page\"") != NULL && length == 0);
    CHECK_TEXT(found, "");
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_open("page", &observer), CB_STATUS_IO);
    CHECK_EQ(cb_halt_shared("page", "bob", NULL, NULL), CB_STATUS_IO);

    cb_breaker *breaker = own(CB_START_CLOSED);
    CHECK_EQ(cb_shared_find("page", found, sizeof found, &length), CB_STATUS_OK);
    CHECK_TEXT(found, path);
    CHECK_EQ(length, strlen(path));
    CHECK_EQ(cb_shared_find("page", found, length + 1, NULL), CB_STATUS_OK);
    CHECK_TEXT(found, path);
    CHECK_EQ(cb_shared_find("page", found, length, &length), CB_STATUS_OK); /* a cut path would be another page's */
    CHECK_TEXT(found, "");
    CHECK_EQ(length, strlen(path));
    CHECK_EQ(cb_shared_find("page", NULL, 9, &length), CB_STATUS_OK);
    CHECK_EQ(cb_shared_find("page", found, 0, NULL), CB_STATUS_OK);
    CHECK_EQ(cb_shared_find("a/b", found, sizeof found, &length), CB_STATUS_BAD_NAME);
    CHECK_EQ(length, 0);
    CHECK_EQ(cb_shared_find(NULL, found, sizeof found, NULL), CB_STATUS_NULL_POINTER);
    CHECK_EQ(cb_halt_shared("page", "bob", NULL, NULL), CB_STATUS_OK);
    CHECK(cb_is_halted(breaker));
    CHECK_EQ(cb_resume_shared("page", "bob", NULL, NULL), CB_STATUS_OK);
    cb_destroy(breaker);

    CHECK_EQ(cb_shared_place(0, found, sizeof found), strlen(directory)); /* this user's comes first */
    CHECK_TEXT(found, directory);
    CHECK_EQ(cb_shared_place(0, found, 2), strlen(directory));
    CHECK_TEXT(found, "");
    CHECK_EQ(cb_shared_place(0, NULL, 2), strlen(directory));
    size_t places = 1;
    while (cb_shared_place(places, found, sizeof found) > 0) {
        CHECK(found[0] == '/');
        places++;
    }
    CHECK_TEXT(found, "");
    CHECK_EQ(cb_shared_place(SIZE_MAX, found, sizeof found), 0);
    forget_memory();
    CHECK_EQ((uint64_t)unsetenv("TRIP99_DIR"), 0);
}

static void halts_outlive_memory(void) {
    cb_breaker *breaker = own(CB_START_CLOSED);
    CHECK(kept() == 0);
    CHECK_EQ(cb_halt_shared(path, "bob", "prices look wrong", NULL), CB_STATUS_OK);
    CHECK(kept() == 1);
    cb_destroy(breaker);
    forget_memory();
    breaker = own(CB_START_CLOSED);
    CHECK_EQ(cb_get_started(breaker), CB_STARTED_NEW);
    cb_halt_note note = CB_HALT_NOTE_INIT;
    CHECK(cb_is_halted(breaker) && cb_get_halt_note(breaker, &note));
    CHECK_TEXT(note.holder, "bob");
    CHECK_TEXT(note.reason, "prices look wrong");
    cb_resume_result resumed = CB_RESUME_ENDED;
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, &resumed), CB_STATUS_OK);
    CHECK_EQ(resumed, CB_RESUME_DONE);
    CHECK(kept() == 0);
    cb_destroy(breaker);
    forget_memory();

    /* Where it can't be durable it is halted all the same, and said. */
    breaker = own(CB_START_CLOSED);
    CHECK_EQ((uint64_t)rmdir(state_dir), 0);
    cb_halt_result halted = CB_HALT_ENDED;
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_NOT_DURABLE);
    CHECK_EQ(halted, CB_HALT_DONE);
    CHECK(strstr(cb_error_text(), "halted; but it isn't durable: ") == cb_error_text());
    CHECK(cb_is_halted(breaker) && !cb_allow(breaker));
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, &resumed), CB_STATUS_OK); /* there is no file to unlink */
    CHECK_EQ(resumed, CB_RESUME_DONE);
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, &resumed), CB_STATUS_OK);
    CHECK_EQ(resumed, CB_RESUME_NOT_HELD);
    cb_destroy(breaker);
    forget_memory();
}

/* Overwrites a byte of the page. */
static void scribble(long offset) {
    const int file = open(path, O_WRONLY);
    CHECK(file >= 0 && pwrite(file, "!", 1, offset) == 1);
    CHECK_EQ((uint64_t)close(file), 0);
}

static void a_page_in_any_condition_is_halted(void) {
    cb_breaker *breaker = own(CB_START_CLOSED);
    cb_halt_result halted = CB_HALT_ENDED;
    CHECK_EQ((uint64_t)chmod(path, 0666), 0); /* anybody may have written to it */
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_ODD_PAGE);
    CHECK(halted == CB_HALT_DONE && cb_is_halted(breaker) && kept() == 1);
    CHECK(strstr(cb_error_text(), "halted; but ") == cb_error_text());
    cb_resume_result resumed = CB_RESUME_ENDED;
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, &resumed), CB_STATUS_ODD_PAGE);
    CHECK(strstr(cb_error_text(), "resumed; but ") == cb_error_text());
    CHECK(resumed == CB_RESUME_DONE && kept() == 0);
    cb_poll(breaker);
    CHECK(cb_allow(breaker));
    CHECK_EQ((uint64_t)chmod(path, 0600), 0);

    scribble(0); /* the file's magic */
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_ODD_PAGE);
    CHECK(halted == CB_HALT_DONE && !cb_allow(breaker));
    cb_observer *observer = NULL;
    CHECK_EQ(cb_observer_open(path, &observer), CB_STATUS_SHARED_REFUSED); /* but it isn't believed */
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, NULL), CB_STATUS_ODD_PAGE);
    cb_destroy(breaker);
    forget_memory();

    breaker = own(CB_START_CLOSED);
    cb_destroy(breaker);
    struct stat whole;
    CHECK_EQ((uint64_t)stat(path, &whole), 0);
    CHECK_EQ((uint64_t)truncate(path, whole.st_size - 1), 0);
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_ODD_PAGE);
    CHECK(halted == CB_HALT_NO_OWNER && kept() == 1);
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, NULL), CB_STATUS_ODD_PAGE);
    CHECK_EQ((uint64_t)truncate(path, 16384), 0); /* the gate is all that is left */
    CHECK_EQ(cb_halt_shared(path, "bob", NULL, &halted), CB_STATUS_NOT_DURABLE);
    CHECK(halted == CB_HALT_DONE && strstr(cb_error_text(), "cut off") != NULL);
    CHECK_EQ(cb_resume_shared(path, "bob", NULL, &resumed), CB_STATUS_SHARED_REFUSED);
    CHECK_EQ(resumed, CB_RESUME_ENDED);
    forget_memory();
}

int main(void) {
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/page", directory);
    snprintf(state_dir, sizeof state_dir, "%s/state", directory);
    CHECK_EQ((uint64_t)setenv("TRIP99_STATE_DIR", state_dir, 1), 0);
    options_are_checked();
    each_start_is_told();
    cb_warden_disable(); /* cb_create_shared_at has one otherwise */
    an_owner_with_a_time_of_its_own_ends_by_it();
    a_page_tells_what_it_would_come_back_as();
    a_replaced_page_is_noticed();
    observers_see_the_settings_in_force();
    pages_are_found();
    halts_outlive_memory();
    a_page_in_any_condition_is_halted();
    CHECK_EQ((uint64_t)rmdir(state_dir), 0);
    CHECK_EQ((uint64_t)rmdir(directory), 0);
    return 0;
}
