// libdispatch gives the thread that waits for signals a higher priority, and where that is not allowed, as for every
// user but root, it writes a line about it to standard error. No thread of the agent is more urgent than the shop's own
// programs: this takes the place of the C library's setpriority(2) and only ever lowers a priority.

#define _GNU_SOURCE
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int setpriority(__priority_which_t which, id_t who, int value) {
    if (value > 0) syscall(SYS_setpriority, which, who, value);
    return 0;
}
