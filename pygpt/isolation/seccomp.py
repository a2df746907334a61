"""A filter of system calls for the submission's process: what no port needs, and what no limit would count.

Refused are memory outside of any process, namespaces, sockets, other processes' memory, keys, and what two processes of
one submission could use to talk with each other (locks, notifications). Loaded by child.py, which stands alone: only
the standard library is used.
"""

import ctypes
import errno
import platform
import signal
import struct

# AUDIT_ARCH, and numbers (asm/unistd.h): of the calls whose arguments decide, and of those that are refused.
_MACHINES = {
    "x86_64": (0xC000003E, {"seccomp": 317, "clone": 56, "fcntl": 72, "mmap": 9}, {
        "memfd_create": 319, "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "vmsplice": 278,
        "unshare": 272, "setns": 308, "mount": 165, "name_to_handle_at": 303, "open_by_handle_at": 304,
        "socket": 41, "socketpair": 53, "flock": 73, "inotify_init": 253, "inotify_init1": 294, "fanotify_init": 300,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "personality": 135, "modify_ldt": 154, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298,
        "add_key": 248, "request_key": 249, "keyctl": 250,
    }),
    "aarch64": (0xC00000B7, {"seccomp": 277, "clone": 220, "fcntl": 25, "mmap": 222}, {
        "memfd_create": 279, "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180, "vmsplice": 75,
        "unshare": 97, "setns": 268, "mount": 40, "name_to_handle_at": 264, "open_by_handle_at": 265,
        "socket": 198, "socketpair": 199, "flock": 32, "inotify_init1": 26, "fanotify_init": 262,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "personality": 92, "bpf": 280, "userfaultfd": 282, "perf_event_open": 241,
        "add_key": 217, "request_key": 218, "keyctl": 219,
    }),
}  # fmt: skip
# The same number on every machine.
_NEWER = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsmount": 432, "pidfd_getfd": 438, "process_madvise": 440, "memfd_secret": 447,
}  # fmt: skip
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000  # clone's CLONE_NEW* flags
_LOCKS = (5, 6, 7, 36, 37, 38, 1024, 1025)  # fcntl's F_GETLK, F_SETLK, F_SETLKW, their F_OFD_ kin, leases
_SHARED, _ANONYMOUS = 0x01, 0x20  # mmap's flags
_OTHER_ABI = 0x40000000  # x32's numbers begin here

_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _ARGUMENT = 0, 4, (16, 24, 32, 40)  # offsets in struct seccomp_data
_SET_NO_NEW_PRIVS, _SET_FILTER, _ALL_THREADS = 38, 1, 1
_SET_DEATH_SIGNAL = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however it ends (Linux)."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def refuse_system_calls() -> bool:
    """Refuse them in every thread, for good; False where this machine or its kernel does not take the filter."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return False
    arch, calls, refused = _MACHINES[platform.machine()]
    code = _filter(arch, calls, [*refused.values(), *_NEWER.values()])
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return bool(libc.syscall(calls["seccomp"], _SET_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _filter(arch: int, calls: dict[str, int], refused: list[int]) -> bytes:
    refuse, allow = (_RETURN, 0, 0, _REFUSE | errno.EPERM), (_RETURN, 0, 0, _ALLOW)
    lines = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), refuse]
    lines += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _OTHER_ABI), refuse]
    for number in refused:
        lines += [(_EQUAL, 0, 1, number), refuse]
    # Its flags lie in memory, where a filter cannot look; told that it does not exist, libc takes clone.
    lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    locks = [line for command in _LOCKS for line in ((_EQUAL, 0, 1, command), refuse)]
    # Memory that is shared and no file's belongs to no process: one may fill it, end, and leave it to another.
    shared = [(_HAS_BITS, 0, 2, _SHARED), (_HAS_BITS, 0, 1, _ANONYMOUS), refuse]
    for call, argument, looked_at in (
        ("clone", 0, [(_HAS_BITS, 0, 1, _NEW_NAMESPACES), refuse]),
        ("fcntl", 1, locks),
        ("mmap", 3, shared),
    ):
        inside = [(_LOAD, 0, 0, _ARGUMENT[argument]), *looked_at, allow]
        lines += [(_EQUAL, 0, len(inside), calls[call]), *inside]
    return b"".join(struct.pack("=HBBI", *line) for line in [*lines, allow])
