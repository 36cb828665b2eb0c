"""A job as it travels: what the zygote needs to know of it, and what only its own child may read.

Memory that was freed keeps what was in it, and every child inherits the zygote's. So the code and
the standard input of a job are never made into objects of the zygote: they stay in the one buffer
that they came in, the child reads them there, and the buffer is wiped before the next fork.
"""

from __future__ import annotations

import marshal
import struct
from typing import Any

_HEAD = struct.Struct("<QQ")
"""Bytes of the marshalled part, bytes of the code; standard input is the rest."""


def pack(job: dict[str, Any], code: str, stdin: bytes, version: int) -> bytes:
    """Return a job as bytes."""
    told, text = marshal.dumps(job, version), code.encode("utf-8", "surrogatepass")
    return _HEAD.pack(len(told), len(text)) + told + text + stdin


class Parcel:
    """A job that has arrived."""

    def __init__(self, data: memoryview) -> None:
        """Args: a view of a buffer that nobody else keeps."""
        self._data = data
        told, code = _HEAD.unpack_from(data)
        self._code = _HEAD.size + told, _HEAD.size + told + code
        self.job: dict[str, Any] = marshal.loads(data[_HEAD.size : self._code[0]])
        """All but code and standard input."""

    def open(self) -> dict[str, Any]:
        """Return the whole job: for the process that runs it."""
        start, end = self._code
        code = str(self._data[start:end], "utf-8", "surrogatepass")
        return {**self.job, "code": code, "stdin": bytes(self._data[end:])}

    def wipe(self) -> None:
        """Leave nothing in the buffer."""
        self._data[:] = bytes(len(self._data))
