"""System calls that tools have no business with, refused by the kernel itself (seccomp).

It is a list of what is refused and not of what is allowed: tools may be any program. It takes away what attacks on the
kernel are made of (namespaces with rights of their own, mounts, tracing, loading code into the kernel, io_uring) and
nothing that ordinary programs use. Standard library only.
"""

import ctypes
import errno
import os
import struct
import sys

_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NEW_USER = 0x10000000
_OTHER_NUMBERS = 0x40000000
"""From here on x86-64 counts its calls a second time, for another kind of program."""

# The names, and their numbers on x86-64 and on 64-bit ARM; None = there is no such call.
_REFUSED: tuple[tuple[str, int | None, int | None], ...] = (
    ("acct", 163, 89),
    ("add_key", 248, 217),
    ("bpf", 321, 280),
    ("chroot", 161, 51),
    ("delete_module", 176, 106),
    ("finit_module", 313, 273),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fsopen", 430, 430),
    ("fspick", 433, 433),
    ("init_module", 175, 105),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("io_uring_setup", 425, 425),
    ("kcmp", 312, 272),
    ("kexec_file_load", 320, 294),
    ("kexec_load", 246, 104),
    ("keyctl", 250, 219),
    ("modify_ldt", 154, None),
    ("mount", 165, 40),
    ("mount_setattr", 442, 442),
    ("move_mount", 429, 429),
    ("open_by_handle_at", 304, 265),
    ("open_tree", 428, 428),
    ("perf_event_open", 298, 241),
    ("pidfd_getfd", 438, 438),
    ("pivot_root", 155, 41),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("ptrace", 101, 117),
    ("quotactl", 179, 60),
    ("reboot", 169, 142),
    ("request_key", 249, 218),
    ("setns", 308, 268),
    ("swapoff", 168, 225),
    ("swapon", 167, 224),
    ("syslog", 103, 116),
    ("umount2", 166, 39),
    ("unshare", 272, 97),
    ("userfaultfd", 323, 282),
)
_CLONE3 = 435
_CLONE = (56, 220)
_AUDIT_NAMES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def refuse_dangerous() -> bool:
    """Refuse them to this process and all that it becomes or starts. True where that was done.

    Needs no rights, but that no new ones can be gained (`no_new_privs`).
    """
    known = _AUDIT_NAMES.get(os.uname().machine)
    if sys.platform != "linux" or sys.maxsize < 2**32 or known is None:
        return False
    program = filter_for(*known)
    held = ctypes.create_string_buffer(program, len(program))
    described = _Program(len(program) // 8, ctypes.cast(held, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(described), 0, 0) == 0


def filter_for(column: int, architecture: int) -> bytes:
    """The filter's program: eight bytes an instruction."""
    refuse = _instruction(_RETURN, _ERROR | errno.EPERM)
    steps = [_instruction(_LOAD, _ARCHITECTURE), _instruction(_EQUAL, architecture, 1, 0), refuse]
    steps.append(_instruction(_LOAD, _NUMBER))
    if column == 0:
        steps += [_instruction(_AT_LEAST, _OTHER_NUMBERS, 0, 1), refuse]
    for _, *numbers in _REFUSED:
        number = numbers[column]
        if number is not None:
            steps += [_instruction(_EQUAL, number, 0, 1), refuse]
    # What it is asked for lies in memory, where a filter can't look; programs then fall back to the call before it.
    steps += [_instruction(_EQUAL, _CLONE3, 0, 1), _instruction(_RETURN, _ERROR | errno.ENOSYS)]
    steps += [_instruction(_EQUAL, _CLONE[column], 0, 3), _instruction(_LOAD, _FIRST_ARGUMENT)]
    steps += [_instruction(_ANY_BIT, _NEW_USER, 0, 1), refuse, _instruction(_RETURN, _ALLOW)]
    return b"".join(steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)
