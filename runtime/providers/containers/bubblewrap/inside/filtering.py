"""The second fence: system calls that code in a container has no use for, refused by the kernel (seccomp).

Namespaces hide what is outside; this keeps code away from parts of the kernel that have let others out, from memory
that nobody counts (`memfd`, System V), and from pid 1. man 2 seccomp; numbers from the kernel's asm/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""AUDIT_ARCH of each, and which column of `_NUMBERS` is its own."""
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "msgget": (68, 186),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "shmget": (29, 194),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_PRCTL, _PRLIMIT, _SOCKET = (157, 167), (302, 261), (41, 198)
_PR_SET_DUMPABLE = 4  # linux/prctl.h: would hide from pid 1 what a process has open
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET and AF_INET6, which a network namespace keeps apart; not AF_VSOCK, which reaches the host."""
_X32 = 0x40000000  # the bit of x86-64's second table of numbers
_LOAD, _JUMP_EQ, _JUMP_GE, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _ARCH, _ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_*
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def program(machine: str) -> bytes:
    """The filter for a machine of `ARCHITECTURES`, as `struct sock_filter`s."""
    arch, column = ARCHITECTURES[machine]
    refuse = _step(_RETURN, _ERROR | errno.EPERM)
    allow = _step(_RETURN, _ALLOW)
    steps = [
        _step(_LOAD, _ARCH),
        _step(_JUMP_EQ, arch, yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_JUMP_GE, _X32, no=1),
        refuse,
    ]
    for number in [numbers[column] for numbers in _NUMBERS.values()]:
        if number is not None:
            steps += [_step(_JUMP_EQ, number, no=1), refuse]
    first = _step(_LOAD, _ARGUMENT)
    steps += [_step(_JUMP_EQ, _PRCTL[column], no=4), first, _step(_JUMP_EQ, _PR_SET_DUMPABLE, no=1), refuse, allow]
    steps += [_step(_JUMP_EQ, _PRLIMIT[column], no=4), first, _step(_JUMP_EQ, 0, yes=1), refuse, allow]
    families = [_step(_JUMP_EQ, family, yes=len(_FAMILIES) - place) for place, family in enumerate(_FAMILIES)]
    steps += [_step(_JUMP_EQ, _SOCKET[column], no=len(families) + 3), first, *families, refuse, allow]
    return b"".join([*steps, allow])


def close(machine: str) -> None:
    """Refuse them from now on, to this process and all that it starts. Raises OSError where there are none."""
    steps = program(machine)
    held = ctypes.create_string_buffer(steps, len(steps))
    whole = struct.pack("HxxxxxxP", len(steps) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(whole, len(whole)), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """yes, no: how many steps a jump leaves out."""
    return struct.pack("HBBI", code, yes, no, value)
