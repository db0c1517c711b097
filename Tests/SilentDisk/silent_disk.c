// A file system with one file, products.csv, that takes every question and leaves it without an answer while a file called
// "silent" lies beside its mount point: as one whose server is gone. A process that asks it cannot be killed meanwhile, not
// even with SIGKILL. While a file called "broken" lies there it answers with EIO; while one called "unreadable" does, it
// tells of another time of change, and answers with EIO whoever reads. Built and mounted by StoppingTests.
//
//   usage: silent_disk -f MOUNT_POINT

#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char text[] = "product,title\nbird/bird-001,A bird\n";
static char silent[PATH_MAX], broken[PATH_MAX], unreadable[PATH_MAX];

static void wait_for_server(void) {
    while (access(silent, F_OK) == 0) usleep(50000);
}

static int look(const char *path, struct stat *status, struct fuse_file_info *file) {
    (void)file;
    memset(status, 0, sizeof *status);
    if (strcmp(path, "/") == 0) {
        status->st_mode = S_IFDIR | 0755;
        status->st_nlink = 2;
        return 0;
    }
    if (strcmp(path, "/products.csv") != 0) return -ENOENT;
    wait_for_server();
    if (access(broken, F_OK) == 0) return -EIO;
    status->st_mode = S_IFREG | 0644;
    status->st_nlink = 1;
    status->st_size = sizeof text - 1;
    status->st_mtime = 1700000000 + (access(unreadable, F_OK) == 0);
    return 0;
}

static int fetch(const char *path, char *bytes, size_t count, off_t offset, struct fuse_file_info *file) {
    (void)path;
    (void)file;
    if (access(unreadable, F_OK) == 0) return -EIO;
    size_t length = sizeof text - 1, start = (size_t)offset < length ? (size_t)offset : length;
    if (count > length - start) count = length - start;
    memcpy(bytes, text + start, count);
    return (int)count;
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *settings) {
    (void)connection;
    // Every look is a question.
    settings->attr_timeout = settings->entry_timeout = 0;
    return NULL;
}

int main(int count, char **arguments) {
    const struct fuse_operations operations = {.getattr = look, .read = fetch, .init = begin};
    char *point = realpath(arguments[count - 1], NULL);
    if (!point || snprintf(silent, sizeof silent, "%s/../silent", point) >= (int)sizeof silent ||
        snprintf(broken, sizeof broken, "%s/../broken", point) >= (int)sizeof broken ||
        snprintf(unreadable, sizeof unreadable, "%s/../unreadable", point) >= (int)sizeof unreadable)
        return 1;
    return fuse_main(count, arguments, &operations, NULL);
}
