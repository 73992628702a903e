/* Notes what a process writes to the files of its database, and when it was told that they are on the disk.
 *
 * Loaded by LD_PRELOAD. With POWER_SYNCS it ends the process before that sync. POWER_FOLDER names the folder whose
 * databases are watched, POWER_LOG the file of notes. A note is a head and, after it, `length` bytes; its number is
 * its place in the file. What was done is noted after it, so what is noted was done. A note of kind SYNC says that
 * the notes before number `at` are on the disk, as far as they are about its file: what was written while the call
 * waited counts as not yet there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NAME = 1, WRITE, CUT, SYNC, GONE };
enum { DESCRIPTORS = 1 << 16, FILES = 64 };

struct head {
    uint32_t kind, file;
    uint64_t at, length;
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static char names[FILES][4096];
static unsigned known;
static unsigned char watched[DESCRIPTORS];
static uint64_t made;
static int notes = -2;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* With the gate closed. */
static void note(uint32_t kind, uint32_t file, uint64_t at, const void *bytes, uint64_t length) {
    if (notes == -2) {
        const char *path = getenv("POWER_LOG");
        notes = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    }
    struct head head = {kind, file, at, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, length}};
    uint64_t size = sizeof head + length;
    if (notes < 0 || (uint64_t)syscall(SYS_writev, notes, parts, 2) != size) abort();
    made++;
}

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* The number of a file, from 1 on; 0 if it is none of ours. With the gate closed. */
static unsigned file_of(const char *path) {
    const char *folder = getenv("POWER_FOLDER");
    if (!folder || !path || strncmp(path, folder, strlen(folder)) != 0) return 0;
    if (!ends_with(path, ".db") && !ends_with(path, "-wal") && !ends_with(path, "-journal")) return 0;
    for (unsigned i = 0; i < known; i++)
        if (strcmp(names[i], path) == 0) return i + 1;
    if (known == FILES || strlen(path) >= sizeof names[0]) abort();
    strcpy(names[known++], path);
    note(NAME, known, 0, path, strlen(path));
    return known;
}

static int opened(int descriptor, const char *path, int flags) {
    if (descriptor < 0 || descriptor >= DESCRIPTORS) return descriptor;
    pthread_mutex_lock(&gate);
    watched[descriptor] = (unsigned char)file_of(path);
    if (watched[descriptor] && (flags & O_TRUNC)) note(CUT, watched[descriptor], 0, NULL, 0);
    pthread_mutex_unlock(&gate);
    return descriptor;
}

static unsigned char of(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS ? watched[descriptor] : 0;
}

static void written(int descriptor, off64_t at, const void *bytes, size_t length) {
    pthread_mutex_lock(&gate);
    note(WRITE, of(descriptor), (uint64_t)at, bytes, length);
    pthread_mutex_unlock(&gate);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        return opened(real(path, flags, mode), path, flags); \
    }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
    REAL(close);
    if (of(descriptor)) watched[descriptor] = 0;
    return real(descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    REAL(write);
    off64_t at = of(descriptor) ? lseek64(descriptor, 0, SEEK_CUR) : 0;
    ssize_t count = real(descriptor, bytes, length);
    if (count > 0 && of(descriptor)) written(descriptor, at, bytes, (size_t)count);
    return count;
}

#define PWRITE(name, type) \
    ssize_t name(int descriptor, const void *bytes, size_t length, type at) { \
        REAL(name); \
        ssize_t count = real(descriptor, bytes, length, at); \
        if (count > 0 && of(descriptor)) written(descriptor, at, bytes, (size_t)count); \
        return count; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define CUTS(name, type) \
    int name(int descriptor, type size) { \
        REAL(name); \
        int result = real(descriptor, size); \
        if (result == 0 && of(descriptor)) { \
            pthread_mutex_lock(&gate); \
            note(CUT, of(descriptor), (uint64_t)size, NULL, 0); \
            pthread_mutex_unlock(&gate); \
        } \
        return result; \
    }
CUTS(ftruncate, off_t)
CUTS(ftruncate64, off64_t)

/* Ends the process before sync number POWER_SYNCS: what it was about to make safe is not. */
static void may_lose_power(void) {
    static uint64_t syncs;
    const char *last = getenv("POWER_SYNCS");
    if (last && ++syncs == strtoull(last, NULL, 10)) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

#define SYNCS(name) \
    int name(int descriptor) { \
        REAL(name); \
        if (!of(descriptor)) return real(descriptor); \
        pthread_mutex_lock(&gate); \
        may_lose_power(); \
        uint64_t before = made; \
        pthread_mutex_unlock(&gate); \
        int result = real(descriptor); \
        if (result == 0) { \
            pthread_mutex_lock(&gate); \
            note(SYNC, of(descriptor), before, NULL, 0); \
            pthread_mutex_unlock(&gate); \
        } \
        return result; \
    }
SYNCS(fsync)
SYNCS(fdatasync)

int unlink(const char *path) {
    REAL(unlink);
    int result = real(path);
    pthread_mutex_lock(&gate);
    unsigned file = file_of(path);
    if (result == 0 && file) note(GONE, file, 0, NULL, 0);
    pthread_mutex_unlock(&gate);
    return result;
}
