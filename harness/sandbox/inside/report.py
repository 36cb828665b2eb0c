"""What a child says about its execution: frames in the result file.

A frame is a kind and a length, ``<BI``, and so many bytes. Per call that ended: ``ENDED`` with the
CPU seconds that it took, then one of the five kinds of what it gave. Last, one closing frame. The
code under test can write to the file as well: readers trust nothing in it.
"""

from __future__ import annotations

import errno
import importlib
import os
import struct
import time
from typing import Any

from .encoding import TAGGED, TooDeep, encode

try:  # the interpreter's own: hashlib would load OpenSSL, which every fork would copy
    blake2b: Any = importlib.import_module("_blake2").blake2b
except ImportError:
    from hashlib import blake2b

VALUE, TAGGED_VALUE, DIGEST, RAISED, NO_MEMORY, ENDED = range(6)
END, NOT_COMPILED, NOT_IMPORTED = 7, 8, 9
HEAD = struct.Struct("<BI")
SECONDS = struct.Struct("<d")
LARGE = struct.Struct("<32sQ")
PROGRESS = struct.Struct("<Id")
"""In the page shared with the zygote: the number of the running call and the CPU clock at its
start. It is only how the time of single calls is kept; the limit of the whole needs nothing from
the child."""
IDLE = 0xFFFFFFFF

INLINE = 16384
"""Bytes of an encoding beyond which only its digest comes back."""
MESSAGE = 2000
"""Bytes of an exception's type and message."""
FULL, LOST_MEMORY = 78, 77
"""Exit codes: the result file is full; no memory even to report that."""


class Report:
    """Writes frames to the result file and keeps the progress page."""

    def __init__(self, file: int, page: Any) -> None:
        self._file = file
        self._page = page
        # What the code under test may replace is bound here before it runs.
        self._write, self._clock, self._exit = os.write, time.process_time, os._exit

    def begin(self, call: int) -> float:
        """Note that a call starts; return the CPU clock."""
        now = self._clock()
        PROGRESS.pack_into(self._page, 0, call, now)
        return now

    def pause(self) -> float:
        """Note that no call runs (encoding is not the code's time); return the CPU clock."""
        PROGRESS.pack_into(self._page, 0, IDLE, 0.0)
        return self._clock()

    def ended(self, seconds: float, kind: int, data: bytes) -> None:
        """Write what a call gave."""
        head = HEAD.pack(ENDED, 8) + SECONDS.pack(seconds) + HEAD.pack(kind, len(data))
        self._put(head + data)

    def value(self, seconds: float, value: object, whole: bool) -> None:
        """Write the value that a call returned."""
        try:
            data = encode(value)
        except TooDeep as error:
            self.ended(seconds, RAISED, f"RecursionError: {error}".encode())
        except MemoryError:
            self.ended(seconds, NO_MEMORY, b"")
        except BaseException as error:  # methods of the code's own types may be run
            self.ended(seconds, RAISED, message(error))
        else:
            if len(data) > INLINE and not whole:
                digest = LARGE.pack(blake2b(data, digest_size=32).digest(), len(data))
                self.ended(seconds, DIGEST, digest)
            else:
                kind = TAGGED_VALUE if data[:1] == TAGGED else VALUE
                self.ended(seconds, kind, data)

    def close(self, kind: int, data: bytes = b"") -> None:
        """Write the closing frame."""
        self._put(HEAD.pack(kind, len(data)) + data)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._write(self._file, view) :]
            except OSError as error:
                self._exit(FULL if error.errno in (errno.EFBIG, errno.ENOSPC) else 1)


def message(error: BaseException) -> bytes:
    """Return type and message of an exception; nothing that its class does can break this."""
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        text = str(error)
        text = str.__str__(text[:MESSAGE])
    except BaseException:
        text = ""
    words = f"{name}: {text}" if text else name
    return words.encode("utf-8", "replace")[:MESSAGE]
