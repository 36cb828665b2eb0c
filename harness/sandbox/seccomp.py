"""The filter on system calls: a BPF program, made here and installed by each child on itself.

Calls are found by binary search over their numbers (a linear list costs three times as much to
install and to run). Foreign architectures and their numbers end the process. Signals reach only
the process itself and may not be SIGKILL: a child that is found killed was killed from outside,
so that the machine's fault is never taken for the code's.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

from harness.sandbox import syscalls

_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = tuple(_ARCHITECTURE)
_X32 = 0x40000000
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_LOAD, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_OWN_PID = -1
_SIGKILL = 9
_CLONE_THREAD, _CLONE_NAMESPACES = 0x00010000, 0x7E020080
# What terminals and files are asked by ordinary programs.
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1034)
_PRCTL = (3, 15, 16, 23, 0x53564D41)

_Code = list[tuple[int, int, int, int]]
"""Instructions: code, jump if true, jump if false, operand."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A program, and the byte offsets in it where the child's own process id belongs."""

    program: bytes
    own_pid: tuple[int, ...]


def supported(machine: str | None = None) -> bool:
    """Whether system call numbers of this machine (or a named one) are known."""
    return (machine or platform.machine()) in _ARCHITECTURE


def build(machine: str | None = None) -> Filter:
    """Return the filter for this machine or a named one.

    Raises:
        ValueError: its system call numbers are not known.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURE:
        raise ValueError(f"no system call numbers for {machine}")
    code: _Code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        *_search(_ranges(syscalls.numbers(machine))),
    ]
    places = tuple(8 * i + 4 for i, line in enumerate(code) if line[3] == _OWN_PID)
    packed = (struct.pack("<HBBI", a, b, c, max(k, 0)) for a, b, c, k in code)
    return Filter(b"".join(packed), places)


def _ranges(numbers: dict[str, int]) -> list[tuple[int, str]]:
    """Return the first numbers of ranges that share an action, in order."""
    actions = {
        numbers[name]: group if group != "CHECKED" else name
        for group in ("ALLOW", "REFUSE", "KILL", "ABSENT", "CHECKED")
        for name in getattr(syscalls, group)
        if name in numbers
    }
    ranges: list[tuple[int, str]] = []
    for number in range(max(actions) + 2):
        action = actions.get(number, "ABSENT")
        if not ranges or ranges[-1][1] != action:
            ranges.append((number, action))
    return [*ranges, (_X32, "KILL")]


def _search(ranges: list[tuple[int, str]]) -> _Code:
    """Return the code that finds a number's range and does what it says."""
    if len(ranges) == 1:
        return _leaf(ranges[0][1])
    middle = len(ranges) // 2
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    start, far = ranges[middle][0], len(below)
    if far <= 255:
        return [(_AT_LEAST, far, 0, start), *below, *above]
    return [(_AT_LEAST, 0, 1, start), (_JUMP, 0, 0, far), *below, *above]


def _leaf(action: str) -> _Code:
    """Return the code of one action."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    simple = {
        "ALLOW": allow,
        "REFUSE": refuse,
        "KILL": (_RETURN, 0, 0, _KILL),
        "ABSENT": (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    }
    if action in simple:
        return [simple[action]]
    if action == "clone":
        return [
            _argument(0),
            (_ANY_BIT, 2, 0, _CLONE_NAMESPACES),
            (_ANY_BIT, 0, 1, _CLONE_THREAD),
            allow,
            refuse,
        ]
    if action == "prlimit64":
        return [_argument(0), (_EQUAL, 1, 0, 0), (_EQUAL, 0, 1, _OWN_PID), allow, refuse]
    if action in ("kill", "tkill", "tgkill"):
        number = _argument(2 if action == "tgkill" else 1)
        own = (_EQUAL, 0, 3, _OWN_PID)
        return [_argument(0), own, number, (_EQUAL, 1, 0, _SIGKILL), allow, refuse]
    if action == "ioctl":
        return _one_of(1, _IOCTL, errno.ENOTTY)
    if action == "fcntl":
        return _one_of(1, _FCNTL, errno.EPERM)
    return _one_of(0, _PRCTL, errno.EPERM)


def _argument(i: int) -> tuple[int, int, int, int]:
    """Load the lower half of an argument; the kernel reads no more of those that are checked."""
    return (_LOAD, 0, 0, 16 + 8 * i)


def _one_of(argument: int, allowed: tuple[int, ...], error: int) -> _Code:
    """Allow listed values of an argument."""
    tests = [(_EQUAL, len(allowed) - i, 0, value) for i, value in enumerate(allowed)]
    return [_argument(argument), *tests, (_RETURN, 0, 0, _ERRNO | error), (_RETURN, 0, 0, _ALLOW)]
