#include "linux_calls.h"

#include <sys/statfs.h>

unsigned int imgrec_file_system_type(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (unsigned int)status.f_type : 0;
}
