#define _GNU_SOURCE
#include "linux_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

int imgrec_exchange(int folder, const char *name, int other_folder, const char *other_name) {
    return renameat2(folder, name, other_folder, other_name, RENAME_EXCHANGE);
}

int imgrec_rename_if_free(int folder, const char *name, int other_folder, const char *other_name) {
    return renameat2(folder, name, other_folder, other_name, RENAME_NOREPLACE);
}

unsigned int imgrec_file_system_type(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (unsigned int)status.f_type : 0;
}

_Static_assert(IMGREC_O_PATH == O_PATH, "as <fcntl.h> has it");

// Where an open file or folder lies now, by the kernel's own account. Returns its length, or -1 with errno.
static ssize_t path_of(int descriptor, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    return readlink(link, path, PATH_MAX);
}

// Whether `found` lies below `folder`, and where links are not to be followed, at `path` exactly; -1 with errno where that cannot
// be told.
static int is_beneath(int folder, const char *path, int found, int follows_links) {
    char outer[PATH_MAX], inner[PATH_MAX];
    ssize_t outer_length = path_of(folder, outer), inner_length = path_of(found, inner);
    if (outer_length < 0 || inner_length < 0) return -1;
    if (outer_length == 1) outer_length = 0;  // the root folder ends in a slash, others do not
    if (inner_length <= outer_length || memcmp(outer, inner, (size_t)outer_length) != 0 || inner[outer_length] != '/') return 0;
    size_t rest = (size_t)(inner_length - outer_length - 1);
    return follows_links || (rest == strlen(path) && memcmp(inner + outer_length + 1, path, rest) == 0);
}

int imgrec_find_beneath(int folder, const char *path, int follows_links) {
    // openat2(2) would do this, but systemd's RestrictSUIDSGID= forbids it.
    int found = openat(folder, path, O_PATH | O_CLOEXEC | (follows_links ? 0 : O_NOFOLLOW));
    if (found < 0) return -1;
    int is_there = is_beneath(folder, path, found, follows_links);
    if (is_there == 1) return found;
    int number = errno;
    close(found);
    errno = number;
    if (is_there < 0) return -1;
    // It may have been renamed between the two.
    errno = faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? EXDEV : ENOENT;
    return -1;
}

int imgrec_open_found(int found) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", found);
    return open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int imgrec_lock(int descriptor) {
    const struct timespec moment = {.tv_nsec = 10000000};
    int result = -1;
    for (int tries = 0; tries < 50; tries++) {
        result = flock(descriptor, LOCK_EX | LOCK_NB);
        if (result == 0 || (errno != EWOULDBLOCK && errno != EINTR)) return result;
        nanosleep(&moment, NULL);
    }
    errno = EWOULDBLOCK;
    return result;
}
