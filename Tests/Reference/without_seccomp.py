#!/usr/bin/env python3
"""Run a command that cannot call seccomp(2) or set a filter by prctl(2), as on a kernel without.

    usage: without_seccomp.py COMMAND [ARGUMENT...]
"""

import ctypes
import os
import platform
import struct
import sys

SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}[platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, EINVAL = 0x7FFF0000, 0x00050000 | 22
# struct sock_filter: load the call's number (offset 0), or the low half of its first argument (offset 16); compare; return.
program = [
    (0x20, 0, 0, 0),
    (0x15, 0, 1, SECCOMP),
    (0x06, 0, 0, EINVAL),
    (0x15, 0, 3, PRCTL),
    (0x20, 0, 0, 16),
    (0x15, 0, 1, PR_SET_SECCOMP),
    (0x06, 0, 0, EINVAL),
    (0x06, 0, 0, ALLOW),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


call = ctypes.CDLL(None, use_errno=True).prctl
filter = Filter(len(program), ctypes.addressof(code))
assert call(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert call(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[1], sys.argv[1:])
