// The order is: no new privileges, then Landlock, then seccomp, which forbids the calls of the two before it.

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_calls.h"

// libseccomp's macros leave a field of theirs to be zero.
#pragma clang diagnostic ignored "-Wmissing-field-initializers"

// MARK: Landlock
//
// https://docs.kernel.org/userspace-api/landlock.html. The numbers are here because the header of the system that this
// is built on may be older than the kernel that it runs on.

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

struct ruleset {
    uint64_t files, network, scopes;
};

enum { VERSION = 1 };

// Of each version, how many rights over files there are; each version has those of the one before.
static const int file_rights[] = {0, 13, 14, 15, 15, 16};
enum { NEWEST_FILE_RIGHTS = 5, HAS_NETWORK = 4, HAS_SCOPES = 6 };

static int restrict_files(imgrec_containment *result) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);
    if (version < 0) {
        // A kernel without it, one that was started without it, or a container that does not let it through.
        if (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM) return 0;
        result->failure = "asking for Landlock";
        return errno;
    }
    int known = version < NEWEST_FILE_RIGHTS ? (int)version : NEWEST_FILE_RIGHTS;
    // No rule follows: everything that is handled is forbidden.
    struct ruleset rules = {
        .files = (1ull << file_rights[known]) - 1,
        .network = version >= HAS_NETWORK ? 3 : 0,
        .scopes = version >= HAS_SCOPES ? 3 : 0,
    };
    size_t size = version >= HAS_SCOPES ? 24 : version >= HAS_NETWORK ? 16 : 8;
    long ruleset = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0) {
        result->failure = "making Landlock's rules";
        return errno;
    }
    long restricted = syscall(SYS_landlock_restrict_self, ruleset, 0);
    int error = errno;
    close((int)ruleset);
    if (restricted != 0) {
        result->failure = "putting Landlock's rules in force";
        return error;
    }
    result->landlock = (int)version;
    return 0;
}

// MARK: seccomp

// What computing needs: memory, threads, time, and the channel.
static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrandom), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(getrusage), SCMP_SYS(membarrier), SCMP_SYS(getcpu),
};

// What libraries ask now and then and do without: no answer is no reason to end. Everything else ends the process.
static const struct {
    int call, error;
} refused[] = {
    {SCMP_SYS(openat), EACCES},   {SCMP_SYS(open), EACCES},       {SCMP_SYS(access), EACCES},     {SCMP_SYS(faccessat), EACCES},
    {SCMP_SYS(faccessat2), EACCES}, {SCMP_SYS(stat), EACCES},     {SCMP_SYS(lstat), EACCES},      {SCMP_SYS(newfstatat), EACCES},
    {SCMP_SYS(statx), EACCES},    {SCMP_SYS(readlink), EACCES},   {SCMP_SYS(readlinkat), EACCES}, {SCMP_SYS(fstat), EACCES},
    {SCMP_SYS(ioctl), ENOTTY},    {SCMP_SYS(uname), EPERM},       {SCMP_SYS(sysinfo), EPERM},     {SCMP_SYS(prctl), EPERM},
    {SCMP_SYS(rt_sigaction), EPERM}, {SCMP_SYS(sched_setaffinity), EPERM}, {SCMP_SYS(get_mempolicy), EPERM},
    {SCMP_SYS(mbind), EPERM},     {SCMP_SYS(set_mempolicy), EPERM},
    // A flag for threads cannot be looked at there; the C library takes clone instead.
    {SCMP_SYS(clone3), ENOSYS},
};

static int restrict_calls(imgrec_containment *result) {
    result->failure = "making seccomp's filter";
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) return ENOMEM;
    int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; !error && i < sizeof allowed / sizeof *allowed; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; !error && i < sizeof refused / sizeof *refused; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)refused[i].error), refused[i].call, 0);
    // Memory that is not for code.
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    // Threads, not processes.
    const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
    // abort(3), which signals this process only.
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    // Its own deadline, and no other limit.
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
                                 SCMP_A1(SCMP_CMP_EQ, RLIMIT_CPU));
    if (!error)
        error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1, SCMP_A1(SCMP_CMP_NE, RLIMIT_CPU));
    if (!error) {
        result->failure = "putting seccomp's filter in force";
        error = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (!error) result->failure = NULL;
    return error < 0 ? -error : error;
}

// Landlock holds for the thread that asks and those that it starts.
static int has_one_thread(void) {
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

imgrec_containment imgrec_contain(void) {
    imgrec_containment result = {0, "it has several threads already", EBUSY};
    if (!has_one_thread()) return result;
    result.failure = "giving up new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        result.error = errno;
        return result;
    }
    result.failure = NULL;
    result.error = restrict_files(&result);
    if (!result.error) result.error = restrict_calls(&result);
    return result;
}
