"""The folder of a cluster of our own, where Ray keeps its sockets and logs.

A driver that is killed cannot remove it. Each driver holds a lock on its folder, which the system
drops with the process, however that ends; whoever makes the next folder removes those of the same
user that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "prm-ray-"
"""Of the folders' names; short, as a socket's path has 107 bytes, of which Ray needs seventy."""

_LONGEST = 20
"""Bytes of the path of a folder for temporary files in which such names are short enough."""


class Scratch:
    """A folder that is there until `remove`, or until its driver is dead and another begins."""

    def __init__(self) -> None:
        place = _place()
        _tidy(place)
        made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=place))
        self._held = _hold(made)
        # Nobody looks for it under its first name, under which it was not held from the start.
        self.path = made.rename(made.with_name(made.name.removeprefix(".")))

    def remove(self) -> None:
        """Remove it, as far as that goes."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def _place() -> Path:
    """Return the folder for temporary files; the system's, where the user's has too long a path."""
    usual = tempfile.gettempdir()
    return Path(usual if len(os.fsencode(usual)) <= _LONGEST else "/tmp")


def _tidy(place: Path) -> None:
    """Remove what killed drivers of this user left behind."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, held, gone meanwhile, or no folder
            if folder.lstat().st_uid != os.getuid():
                continue
            held = _hold(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _hold(folder: Path) -> int:
    """Return what holds a folder until it is closed, or this process ends.

    Raises:
        OSError: another process holds it; it is a link, or no folder.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
