/* What the C programs with several threads share: one mutex, and how many workers are still at work. */
#ifndef WORKERS_H
#define WORKERS_H

#include "check.h"
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Set it before the workers start. */
static int at_work;

static inline void lock(void) { CHECK_EQ((uint64_t)pthread_mutex_lock(&mutex), 0); }
static inline void unlock(void) { CHECK_EQ((uint64_t)pthread_mutex_unlock(&mutex), 0); }

static inline bool anybody_at_work(void) {
    lock();
    const bool any = at_work > 0;
    unlock();
    return any;
}

/* What a worker returns. */
static inline void *done(void) {
    lock();
    at_work--;
    unlock();
    return NULL;
}

#endif
