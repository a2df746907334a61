"""A filter of system calls for the submission's process: memory that no limit counts, and namespaces of its own.

Loaded by child.py, which stands alone: only the standard library is used.
"""

import ctypes
import errno
import platform
import struct

# AUDIT_ARCH, the number of seccomp(2) itself, of clone, and of what is refused, by machine (asm/unistd.h).
_MACHINES = {
    "x86_64": (0xC000003E, 317, 56, {
        "memfd_create": 319, "shmget": 29, "semget": 64, "msgget": 68, "unshare": 272, "setns": 308, "mount": 165,
        "bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "add_key": 248, "keyctl": 250,
    }),
    "aarch64": (0xC00000B7, 277, 220, {
        "memfd_create": 279, "shmget": 194, "semget": 190, "msgget": 186, "unshare": 97, "setns": 268, "mount": 40,
        "bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "add_key": 217, "keyctl": 219,
    }),
}  # fmt: skip
# The same number on every machine.
_NEWER = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsmount": 432, "memfd_secret": 447,
}  # fmt: skip
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000  # clone's CLONE_NEW* flags
_OTHER_ABI = 0x40000000  # x32's numbers begin here

_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_SET_NO_NEW_PRIVS, _SET_FILTER, _ALL_THREADS = 38, 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_system_calls() -> bool:
    """Refuse them in every thread, for good; False where this machine or its kernel does not take the filter."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return False
    arch, seccomp, clone, refused = _MACHINES[platform.machine()]
    code = _filter(arch, clone, [*refused.values(), *_NEWER.values()])
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _filter(arch: int, clone: int, refused: list[int]) -> bytes:
    refuse = [(_RETURN, 0, 0, _REFUSE | errno.EPERM)]
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), *refuse]
    lines += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _OTHER_ABI), *refuse]
    for number in refused:
        lines += [(_EQUAL, 0, 1, number), *refuse]
    # Its flags lie in memory, where a filter cannot look; told that it does not exist, libc takes clone.
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    lines += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_HAS_BITS, 0, 1, _NEW_NAMESPACES), *refuse]
    lines += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
