/* The system clock as somebody has set it: by as many nanoseconds as the file $TRIP99_STEP says. For a program's own eyes, by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *path = getenv("TRIP99_STEP");
    int file = path && clock == CLOCK_REALTIME ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        char text[32] = {0};
        long long step = read(file, text, sizeof text - 1) > 0 ? atoll(text) : 0;
        close(file);
        step += now->tv_nsec;
        now->tv_sec += step / 1000000000;
        now->tv_nsec = step % 1000000000;
        if (now->tv_nsec < 0) { /* a step back */
            now->tv_nsec += 1000000000;
            now->tv_sec -= 1;
        }
    }
    return result;
}
