"""The private /tmp of a worker: found empty by every execution, whatever the last one did."""

from __future__ import annotations

import contextlib
import os
import stat

STEPS = 4096
"""Entries that are removed before the worker is given up; the file system has room for fewer."""
LARGEST = 64 * 2**20
"""Bytes of a file system that can be ours; /tmp of a machine is larger."""


class Scratch:
    """A folder that is emptied after use. Whether it was used shows in its change time, which no
    program can set."""

    def __init__(self, path: str | None) -> None:
        if path is not None and not _private(path):
            raise ValueError(f"{path} is no empty file system of its own: it will not be emptied")
        self._path = path
        self._mark = self._look()

    def _look(self) -> tuple[int, int]:
        if self._path is None:
            return 0, 0
        found = os.stat(self._path)
        return found.st_ctime_ns, found.st_mode

    def clean(self) -> bool:
        """Empty the folder if it was used; return whether it is as it was."""
        if self._path is None or self._look() == self._mark:
            return True
        try:
            if self._look()[1] != self._mark[1]:
                os.chmod(self._path, stat.S_IMODE(self._mark[1]))
            empty = self._empty()
            with contextlib.suppress(PermissionError):  # then no child could set times either
                os.utime(self._path, (0, 0))
        except OSError:
            return False
        self._mark = self._look()[0], self._mark[1]
        return empty and self._look()[1] == self._mark[1]

    def _empty(self) -> bool:
        """Remove everything, without recursion and without following links."""
        assert self._path is not None
        folders, steps = [self._path], 0
        while folders:
            below = []
            with os.scandir(folders[-1]) as entries:
                for entry in entries:
                    steps += 1
                    if steps > STEPS:
                        return False
                    if entry.is_dir(follow_symlinks=False):
                        os.chmod(entry.path, 0o700)
                        below.append(entry.path)
                    else:
                        os.unlink(entry.path)
            if below:
                folders += below
            else:
                if len(folders) > 1:
                    os.rmdir(folders[-1])
                folders.pop()
        return True


def _private(path: str) -> bool:
    """Return whether the folder is surely ours to empty.

    Anything else may be the machine's own /tmp, where a mistake elsewhere would then delete what
    other people left there. So all four signs are needed: this is process 1 of its namespace, and
    the folder is a file system of its own, a small one, with nothing in it.
    """
    size = os.statvfs(path)
    small = 0 < size.f_blocks * size.f_frsize <= LARGEST
    return os.getpid() == 1 and os.path.ismount(path) and small and not os.listdir(path)
