// Linux calls that Swift's Glibc module leaves out.

#ifndef IMGREC_LINUX_CALLS_H
#define IMGREC_LINUX_CALLS_H

#include <pthread.h>

// syncfs(2); the module is built without _GNU_SOURCE.
int syncfs(int descriptor);

// pthread_setname_np(3), for which the same holds.
int pthread_setname_np(pthread_t thread, const char *name);

// renameat2(2) with RENAME_EXCHANGE and with RENAME_NOREPLACE, for which the same holds.
int imgrec_exchange(int folder, const char *name, int other_folder, const char *other_name);
int imgrec_rename_if_free(int folder, const char *name, int other_folder, const char *other_name);

// The type of the file system that a descriptor is on, as fstatfs(2) has it; 0 where it cannot be told.
unsigned int imgrec_file_system_type(int descriptor);

// open(2)'s flag for a descriptor that only names something.
enum { IMGREC_O_PATH = 010000000 };

// What is at a path below a folder, as a descriptor that only names it: nothing has been opened yet, so that a device or a
// pipe does not notice. Without `follows_links` no part of the path may be a link (the last is not followed but named); with it
// links are followed, but what they lead to has to lie in the folder. -1 with errno; EXDEV where it lies elsewhere.
int imgrec_find_beneath(int folder, const char *path, int follows_links);

// The same file, for reading: it is the one that was found, whatever its path leads to by now. -1 with errno.
int imgrec_open_found(int found);

// flock(2) for this process alone: 0, or -1 with errno; EWOULDBLOCK where another has it for longer than a moment. A process
// that is just being started shares the locks of the one that starts it until it has become the other program.
int imgrec_lock(int descriptor);

// From now on a signal of these numbers is a byte at the writing end of a pipe, after which imgrec_take_signal has it, and does
// nothing else: 0, or -1 with errno. The pipe must not block. A program that this one starts has its usual signals. For one
// pipe in a process. The first of them that is not SIGHUP also sets alarm(2): that long after it the process ends with 0, whatever its
// threads wait for, if one of them takes SIGALRM.
int imgrec_pass_signals(const int *numbers, int count, int pipe, unsigned seconds);

// The process ends with this code when the time is over, if it has not by then. Does nothing where its end is set already.
void imgrec_end_after(unsigned seconds, int code);

// Whether a signal of this number has come since this was called last.
int imgrec_take_signal(int number);

// A write to a pipe or socket that nobody reads any more fails with EPIPE instead of ending the process. Programs that this
// one starts are ended as usual.
void imgrec_outlive_readers(void);

#endif
