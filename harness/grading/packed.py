"""Opens LiveCodeBench's packed tests: base64 of a zlib stream of a pickle, which holds no classes.

A pickle can name any function and call it while it is read. Here none can: every reference to a
module's content is refused, so a pickle gives None, booleans, numbers, texts, bytes, lists, tuples,
sets and dicts, or nothing at all; what it unpacks to is limited too.
"""

from __future__ import annotations

import base64
import binascii
import io
import pickle
import zlib
from typing import Any, NoReturn

from harness.errors import DataError

LIMIT = 2**30
"""Bytes that a text may unpack to; the largest tests of LiveCodeBench take some 200 MB."""


class _Plain(pickle.Unpickler):
    """Reads pickles of plain containers, numbers and texts."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module[:60]}.{name[:60]}, and may name nothing")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to an object outside")


def unpacked(text: str, limit: int = LIMIT) -> Any:
    """Return what a packed text holds.

    Raises:
        DataError: it is not base64, zlib and pickle, names a class, or is larger than `limit`.
    """
    try:
        data = base64.b64decode(text, validate=True)
        stream = zlib.decompressobj()
        raw = stream.decompress(data, limit)
        if stream.unconsumed_tail or not stream.eof:
            raise DataError("packed tests: cut short, or larger than the limit")
        return plain_pickle(raw)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise DataError(f"packed tests that cannot be unpacked: {error}") from error


def plain_pickle(raw: bytes) -> Any:
    """Return the plain value in a pickle.

    Raises:
        DataError: it is no pickle, or names a class or function.
    """
    try:
        return _Plain(io.BytesIO(raw)).load()
    except Exception as error:  # a torn pickle raises almost anything
        raise DataError(f"packed tests: refused: {str(error)[:200]}") from error
