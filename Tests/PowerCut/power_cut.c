// Stands between the agent and the C library, and plays a disk that keeps of the catalogue only what it was told to flush,
// and of the output folder everything: the worst that a power cut may leave. Loaded with LD_PRELOAD by CatalogueLossTests.
//
//   POWER_CUT_DISK     a folder: what the disk has of the catalogue's files
//   POWER_CUT_OUTPUT   the output folder
//   POWER_CUT_RENAMES  after so many renames in it the power goes: the process is killed

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int path_of(int descriptor, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

// What was flushed is on the disk.
static void keep(int descriptor) {
    const char *disk = getenv("POWER_CUT_DISK");
    char path[PATH_MAX], target[PATH_MAX], bytes[65536];
    if (!disk || path_of(descriptor, path) != 0) return;
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name, "/catalogue.sqlite", 17) != 0) return;
    snprintf(target, sizeof target, "%.2000s%.2000s", disk, name);
    int from = open(path, O_RDONLY), to = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (ssize_t count; from >= 0 && to >= 0 && (count = read(from, bytes, sizeof bytes)) > 0;) {
        if (write(to, bytes, (size_t)count) != count) abort();
    }
    close(from);
    close(to);
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = real(descriptor);
    if (result == 0) keep(descriptor);
    return result;
}

int fdatasync(int descriptor) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = real(descriptor);
    if (result == 0) keep(descriptor);
    return result;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    static int (*real)(int, const char *, int, const char *);
    static atomic_int count;
    if (!real) real = (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
    int result = real(from_folder, from, to_folder, to);
    const char *output = getenv("POWER_CUT_OUTPUT"), *limit = getenv("POWER_CUT_RENAMES");
    char path[PATH_MAX];
    if (result == 0 && output && limit && path_of(to_folder, path) == 0 &&
        strncmp(path, output, strlen(output)) == 0 && ++count >= atoi(limit)) {
        kill(getpid(), SIGKILL);
    }
    return result;
}
