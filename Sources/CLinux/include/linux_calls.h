// Linux calls that Swift's Glibc module leaves out.

#ifndef IMGREC_LINUX_CALLS_H
#define IMGREC_LINUX_CALLS_H

// syncfs(2); the module is built without _GNU_SOURCE.
int syncfs(int descriptor);

// The type of the file system that a descriptor is on, as fstatfs(2) has it; 0 where it cannot be told.
unsigned int imgrec_file_system_type(int descriptor);

#endif
