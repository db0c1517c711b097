// Signal handlers do next to nothing (signal-safety(7)), so they are C: what Swift does at a function's beginning is its own.

#define _GNU_SOURCE
#include "linux_calls.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static volatile int signal_pipe = -1;
static int arrived[NSIG];

static void pass_on(int number) {
    int before = errno;
    __atomic_store_n(&arrived[number], 1, __ATOMIC_SEQ_CST);
    // A pipe that is full wakes its reader as well.
    ssize_t written = write(signal_pipe, "", 1);
    (void)written;
    errno = before;
}

static void nothing(int number) { (void)number; }

int imgrec_pass_signals(const int *numbers, int count, int pipe) {
    signal_pipe = pipe;
    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int index = 0; index < count; index++) {
        if (sigaction(numbers[index], &action, NULL) != 0) return -1;
    }
    return 0;
}

int imgrec_take_signal(int number) { return __atomic_exchange_n(&arrived[number], 0, __ATOMIC_SEQ_CST); }

void imgrec_outlive_readers(void) {
    // A handler, not SIG_IGN, which programs that are started would inherit.
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}
