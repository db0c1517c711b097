// Nothing of ours: the C library has the calls that the header declares.
#include "linux_calls.h"
