"""What a child does to itself before it runs the code: limits, no new privileges, system calls."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from typing import Any

STACK = 512 * 2**20
"""Bytes of stack, for deep recursion in C; a thread gets 8 MiB unless it asks for more."""
FILES = 64
THREADS = 64
_NO_NEW_PRIVS, _SECCOMP, _FILTER, _DEATH_SIGNAL = 38, 22, 2, 1


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """Call prctl(2).

    Raises:
        OSError: the kernel said no.
    """
    library = _library()
    if library.prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"prctl {option}")


def die_with_parent() -> None:
    """Ask for SIGKILL when the parent ends."""
    prctl(_DEATH_SIGNAL, 9)


def limit(job: dict[str, Any], size: int) -> None:
    """Set the resource limits of one execution; they can be lowered, never raised again."""
    seconds = int(job["cpu"]) + 2  # a backstop: the zygote reads the clock of this process
    _set(resource.RLIMIT_CPU, seconds, seconds + 2)
    _set(resource.RLIMIT_FSIZE, size)
    _set(resource.RLIMIT_NOFILE, FILES)
    _set(resource.RLIMIT_CORE, 0)
    if job["threads"]:
        _set(resource.RLIMIT_NPROC, THREADS)
    _set(resource.RLIMIT_AS, job["memory"])


def _set(name: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit, to what is allowed at most."""
    top = resource.getrlimit(name)[1]
    wanted = soft if hard is None else hard
    if top != resource.RLIM_INFINITY:
        wanted, soft = min(wanted, top), min(soft, top)
    resource.setrlimit(name, (soft, wanted))


class Filter:
    """A seccomp program, with places in it that take the process id of the child."""

    def __init__(self, program: bytes, own_pid: list[int]) -> None:
        self._code = ctypes.create_string_buffer(program, len(program))
        self._own_pid = own_pid
        self._program = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(self._code))
        self._head = ctypes.create_string_buffer(self._program, len(self._program))
        self._prctl = _library().prctl
        self._address = ctypes.addressof(self._head)

    def install(self, pid: int) -> None:
        """Bind this process to the filter for ever.

        Raises:
            OSError: the kernel said no; then nothing untrusted may run.
        """
        for place in self._own_pid:
            struct.pack_into("I", self._code, place, pid)
        prctl(_NO_NEW_PRIVS, 1)
        if self._prctl(_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.c_ulong(self._address), 0, 0):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), "seccomp filter")


_loaded: list[Any] = []


def _library() -> Any:
    """Return the C library, loaded once."""
    if not _loaded:
        _loaded.append(ctypes.CDLL(None, use_errno=True))
    return _loaded[0]
