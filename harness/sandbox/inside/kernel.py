"""System calls for which Python has no function, by ctypes; Linux on x86_64 and aarch64."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
"""Mount flags; those of mount_setattr(2) have the same values."""
REMOUNT, BIND, REC, PRIVATE = 32, 4096, 16384, 1 << 18
_CLONE_PARENT, _SIGCHLD = 0x8000, 17
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_NUMBERS = {  # clone, pivot_root, capset
    "x86_64": (56, 155, 126),
    "aarch64": (220, 41, 91),
}
_MOUNT_SETATTR = 442
_LAST_CAPABILITY = 63
_CAPBSET_DROP = 24


class Refused(Exception):
    """The kernel said no; the message names the step and its words."""


_libc: Any = ctypes.CDLL(None, use_errno=True)
_clone, _pivot_root, _capset = _NUMBERS.get(os.uname().machine, (-1, -1, -1))


def _check(result: int, step: str) -> int:
    if result < 0:
        raise Refused(f"{step}: {os.strerror(ctypes.get_errno())}")
    return result


def unshare(flags: int, step: str) -> None:
    """Leave namespaces of the parent."""
    _check(_libc.unshare(ctypes.c_int(flags)), step)


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something."""
    names = [None if text is None else text.encode() for text in (source, target, kind)]
    result = _libc.mount(*names, ctypes.c_ulong(flags), options.encode() or None)
    _check(result, f"mount {source or kind or ''} on {target}")


def bind(source: str, target: str, attributes: int) -> None:
    """Bind a file or tree, with everything mounted below it, read-only or as attributes say."""
    mount(source, target, None, BIND | REC)
    record = struct.pack("<4Q", attributes, 0, 0, 0)
    arguments = (ctypes.c_int(_AT_FDCWD), target.encode(), ctypes.c_uint(_AT_RECURSIVE))
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR), *arguments, record, ctypes.c_size_t(len(record))
    )
    if result < 0:  # before Linux 5.12; what is mounted below must then not be writable at all
        unmount(target)
        mount(source, target, None, BIND)
        kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)
        mount(None, target, None, BIND | REMOUNT | attributes | kept)


def unmount(target: str) -> None:
    """Detach a tree of mounts."""
    _check(_libc.umount2(target.encode(), _DETACH), f"unmount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root; the present root appears at `old`."""
    _check(_libc.syscall(ctypes.c_long(_pivot_root), new.encode(), old.encode()), "pivot_root")


def set_host_name(name: str) -> None:
    """Name this UTS namespace."""
    _check(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name))), "sethostname")


def fork_sibling() -> int:
    """Fork a child of this process's *parent*, who can then wait for it and dies before it."""
    none = ctypes.c_long(0)
    flags = ctypes.c_long(_CLONE_PARENT | _SIGCHLD)
    return _check(_libc.syscall(ctypes.c_long(_clone), flags, none, none, none, none), "clone")


def empty_bounding_set() -> None:
    """Make sure that no program started later can gain a capability; needs one itself."""
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)


def drop_capabilities() -> None:
    """Give up all capabilities."""
    head, empty = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    _check(_libc.syscall(ctypes.c_long(_capset), head, empty), "capset")
