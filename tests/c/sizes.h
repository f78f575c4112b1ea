/* Structs whose size was never set: what a function that fills one leaves alone. */
#ifndef SIZES_H
#define SIZES_H

#include "check.h"

static inline void tell_size(void *of_struct, uint32_t size) { memcpy(of_struct, &size, sizeof size); }

/* `first` is the size of the first version, which never changes. The block that is filled is just so long: sanitizers
 * and valgrind see an access beyond it, and in a longer one the canary does. */
static inline void check_sizes(bool (*fill)(void *), size_t first, bool says_so) {
    static const uint32_t NEVER_SET[] = {0, 4097, 65536, 0x5a5a5a5a, 0x80000000, UINT32_MAX};
    char *expected = (char *)malloc(first);
    memset(expected, 0, first);
    tell_size(expected, (uint32_t)first);
    CHECK(fill(expected));
    for (size_t i = 0; i < sizeof NEVER_SET / sizeof *NEVER_SET; i++) {
        for (size_t canary = 0; canary <= 8192; canary += 8192) {
            unsigned char *out = (unsigned char *)malloc(first + canary);
            memset(out, 0x5a, first + canary);
            tell_size(out, NEVER_SET[i]);
            CHECK(fill(out)); /* as if it were the first version's, and says so */
            CHECK(memcmp(out, expected, first) == 0);
            for (size_t at = first; at < first + canary; at++) CHECK_EQ(out[at], 0x5a);
            free(out);
        }
    }
    for (uint32_t size = 1; size < first; size++) {
        unsigned char *out = (unsigned char *)malloc(size < 4 ? 4 : size), *same;
        memset(out, 0x5a, size < 4 ? 4 : size);
        tell_size(out, size);
        same = (unsigned char *)malloc(size < 4 ? 4 : size);
        memcpy(same, out, size < 4 ? 4 : size);
        CHECK(fill(out) != says_so); /* no version's: left as it is */
        CHECK(memcmp(out, same, size < 4 ? 4 : size) == 0);
        free(out);
        free(same);
    }
    free(expected);
}

#endif
