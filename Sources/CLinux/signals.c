// Signal handlers do next to nothing (signal-safety(7)), so they are C: what Swift does at a function's beginning is its own.

#define _GNU_SOURCE
#include "linux_calls.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static volatile int signal_pipe = -1;
static int arrived[NSIG];
static volatile unsigned longest_stop;
static int is_ending;
static volatile int end_code;

static void pass_on(int number) {
    int before = errno;
    __atomic_store_n(&arrived[number], 1, __ATOMIC_SEQ_CST);
    if (number != SIGHUP && !__atomic_exchange_n(&is_ending, 1, __ATOMIC_SEQ_CST)) alarm(longest_stop);
    // A pipe that is full wakes its reader as well.
    ssize_t written = write(signal_pipe, "", 1);
    (void)written;
    errno = before;
}

static void nothing(int number) { (void)number; }

static void end(int number) {
    (void)number;
    _exit(end_code);
}

static int end_on_alarm(void) {
    struct sigaction action = {.sa_handler = end};
    sigfillset(&action.sa_mask);
    return sigaction(SIGALRM, &action, NULL);
}

void imgrec_end_after(unsigned seconds, int code) {
    if (__atomic_exchange_n(&is_ending, 1, __ATOMIC_SEQ_CST)) return;
    end_code = code;
    end_on_alarm();
    alarm(seconds);
}

int imgrec_pass_signals(const int *numbers, int count, int pipe, unsigned seconds) {
    signal_pipe = pipe;
    longest_stop = seconds;
    if (end_on_alarm() != 0) return -1;
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
