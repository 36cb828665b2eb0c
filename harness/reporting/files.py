"""Writing a report's files so that a reader never meets half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.errors import writing


def replace(path: Path, data: bytes) -> None:
    """Write `data` to `path`, all or nothing: a temporary file beside it, fsync, rename.

    Folders that are missing are made. An existing file keeps its old content until the new one is
    safely on disk.

    Raises:
        InfrastructureError: the disk is full or failed.
        DataError: the folder cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner can read; reports are there to be shared.
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
