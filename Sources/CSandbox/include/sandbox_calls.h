// What a contained process is made of: Linux calls that Swift's Glibc module leaves out, and libseccomp, which is met
// here alone.

#ifndef IMGREC_SANDBOX_CALLS_H
#define IMGREC_SANDBOX_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Memory that two processes share, of a fixed size; -1 with errno. What is not touched takes no room. The corresponding
// C functions are memfd_create and fcntl(F_ADD_SEALS).
int imgrec_shared_memory(size_t bytes);

// The same memory for reading only, as another descriptor; -1 with errno.
int imgrec_reopen_for_reading(int descriptor);

// Gives back the memory of the first pages, which read as zero afterwards.
void imgrec_forget_pages(void *start, size_t bytes);

// Descriptors of a worker: standard ones lead nowhere, these to the agent, and there are no others.
enum { IMGREC_WORKER_CHANNEL = 3, IMGREC_WORKER_INPUT = 4, IMGREC_WORKER_OUTPUT = 5 };

// Starts a program with these descriptors, an empty environment and all signals that end the agent blocked: the worker
// ends when the agent closes the channel. Returns 0 or an errno.
int imgrec_spawn_worker(const char *program, const char *argument, int channel, int input, int output, pid_t *process);

// Waits for a process to end. Returns the signal that ended it, or 256 plus its exit code; -1 where it is not ours.
int imgrec_wait_for(pid_t process);

// What the kernel let a process give up.
typedef struct {
    // The version of Landlock's interface; 0 where the kernel has none.
    int landlock;
    // What failed, in words, with the errno; NULL where nothing did.
    const char *failure;
    int error;
} imgrec_containment;

// Limits of this process: bytes of address space beyond those it has now; CPU seconds in its life; nothing may be written
// to a file, no core is dumped, few descriptors. Returns 0 or an errno.
int imgrec_set_limits(uint64_t memory_bytes, uint64_t cpu_seconds);

// Until a photo is read, so many seconds of CPU time from now. Returns 0 or an errno.
int imgrec_set_cpu_deadline(uint64_t cpu_seconds);

// Gives up, for this process and for good: new privileges; by Landlock, where the kernel has it, files, TCP and signals
// to others; by seccomp all calls but those that computing needs. There must be one thread.
imgrec_containment imgrec_contain(void);

#endif
