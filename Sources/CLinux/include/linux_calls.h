// Linux calls that Swift's Glibc module leaves out, because it is built without _GNU_SOURCE.

#ifndef IMGREC_LINUX_CALLS_H
#define IMGREC_LINUX_CALLS_H

// syncfs(2)
int syncfs(int descriptor);

#endif
