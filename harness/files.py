"""Files that are there whole or not at all.

The new content goes to a temporary name in the same folder, is flushed to the disk, and takes the
place of the old one by rename; then the folder itself is flushed. Costs two fsyncs per file. Scope:
local and POSIX network file systems. Files that grow are written by `harness.store.log` instead.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError, writing
from harness.types import Json


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, creating its folder if need be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def write_text(path: Path, content: str) -> None:
    """Replace `path` by `content` in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Json) -> None:
    """Replace `path` by `value` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a new name survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the only right to write in `folder`; the system drops it when the process dies.

    Raises:
        UserError: another process holds it.
    """
    path = folder / ".lock"
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder}: another run is writing here; wait for it or choose another --out"
            ) from None
        yield
    finally:
        os.close(descriptor)
