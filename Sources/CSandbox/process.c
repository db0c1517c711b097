#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox_calls.h"

int imgrec_shared_memory(size_t bytes) {
    int descriptor = memfd_create("imgrec-photo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return -1;
    // Were it to shrink, whoever has it mapped would be ended by SIGBUS.
    if (ftruncate(descriptor, (off_t)bytes) == 0 &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

int imgrec_reopen_for_reading(int descriptor) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void imgrec_forget_pages(void *start, size_t bytes) { madvise(start, bytes, MADV_REMOVE); }

int imgrec_spawn_worker(const char *program, const char *argument, int channel, int input, int output, pid_t *process) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t blocked;
    int error = posix_spawn_file_actions_init(&files);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&files);
        return error;
    }
    sigemptyset(&blocked);
    // systemd sends SIGTERM to every process of a service, a terminal SIGINT to every one of a command.
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGQUIT);
    posix_spawnattr_setsigmask(&attributes, &blocked);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    // First out of the way of the numbers that they are to have.
    const int given[3] = {channel, input, output};
    int moved[3] = {-1, -1, -1};
    for (int i = 0; i < 3 && !error; i++) {
        moved[i] = fcntl(given[i], F_DUPFD_CLOEXEC, IMGREC_WORKER_OUTPUT + 1);
        error = moved[i] < 0 ? errno : posix_spawn_file_actions_adddup2(&files, moved[i], IMGREC_WORKER_CHANNEL + i);
    }
    for (int i = 0; i < 3 && !error; i++)
        error = posix_spawn_file_actions_addopen(&files, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0);
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(&files, IMGREC_WORKER_OUTPUT + 1);
    // One heap for all threads, and no address space set aside for others. It keeps what a usual photo takes from one to the
    // next: pages that are given back have to be cleared again, which costs a fifth of the time of a small PNG.
    char *const environment[] = {
        "LC_ALL=C", "MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=33554432",
        "SWIFT_BACKTRACE=enable=no", NULL,
    };
    char *const arguments[] = {"imgrec-agent", (char *)argument, NULL};
    if (!error) error = posix_spawn(process, program, &files, &attributes, arguments, environment);
    for (int i = 0; i < 3; i++)
        if (moved[i] >= 0) close(moved[i]);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
}

int imgrec_wait_for(pid_t process) {
    int status;
    pid_t ended;
    do {
        ended = waitpid(process, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended != process) return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 256 + WEXITSTATUS(status);
}

// The address space that this process has now.
static uint64_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    if (file) {
        if (fscanf(file, "%lu", &pages) != 1) pages = 0;
        fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int limit(__rlimit_resource_t resource, uint64_t soft, uint64_t hard) {
    struct rlimit old, new = {.rlim_cur = soft, .rlim_max = hard};
    if (getrlimit(resource, &old) != 0) return errno;
    if (new.rlim_max > old.rlim_max) new.rlim_max = old.rlim_max;
    if (new.rlim_cur > new.rlim_max) new.rlim_cur = new.rlim_max;
    return setrlimit(resource, &new) == 0 ? 0 : errno;
}

int imgrec_set_limits(uint64_t memory_bytes, uint64_t cpu_seconds) {
    uint64_t memory = address_space() + memory_bytes;
    int error = limit(RLIMIT_AS, memory, memory);
    if (!error) error = limit(RLIMIT_CPU, cpu_seconds, cpu_seconds);
    if (!error) error = limit(RLIMIT_FSIZE, 0, 0);
    if (!error) error = limit(RLIMIT_CORE, 0, 0);
    if (!error) error = limit(RLIMIT_NOFILE, 16, 16);
    return error;
}

int imgrec_set_cpu_deadline(uint64_t cpu_seconds) {
    struct rusage usage;
    struct rlimit now;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || getrlimit(RLIMIT_CPU, &now) != 0) return errno;
    uint64_t used = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec + 1;
    now.rlim_cur = used + cpu_seconds < now.rlim_max ? used + cpu_seconds : now.rlim_max;
    return setrlimit(RLIMIT_CPU, &now) == 0 ? 0 : errno;
}
