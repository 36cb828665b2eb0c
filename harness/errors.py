"""All errors of prm-harness: four kinds, one tree.

::

    HarnessError
    ├── UserError              a mistake that the user can put right: one line, exit code 2
    │   ├── ConfigError        a configuration, task or command line (with file and line)
    │   ├── DataError          a file of problems, candidates or scores
    │   └── MissingDependency  an optional package is not installed
    ├── InfrastructureError    the machine failed: disk full, engine died, worker killed
    └── LimitReached           the user's own limit on time or operations is used up: exit code 3

Everything else that escapes is a bug and keeps its traceback (exit code 1). An infrastructure
failure is never a wrong answer: the unit of work is owed again, or its grade is ``ungraded``.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class HarnessError(Exception):
    """Base of all errors that the harness raises on purpose."""


class UserError(HarnessError):
    """Something that the user can put right. The message says what, where and what to type."""

    kept = False
    """Whether it came up in a run that has finished something, which is kept."""


class ConfigError(UserError):
    """A mistake in a configuration, a task definition or on the command line."""


class DataError(UserError):
    """A file of problems, candidates or scores that is missing, torn or does not fit."""


class MissingDependency(UserError):
    """An optional package is needed and not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs: pip install 'prm-harness[{extra}]'")


class InfrastructureError(HarnessError):
    """The machine or an engine failed; what was finished is kept, the rest is owed again."""

    away = False
    """Whether it could not be reached for as long as the user waits: another try waits again."""


class LimitReached(HarnessError):
    """A limit that the user set is used up; what was finished is kept, the rest is owed."""


_LISTED = 60
"""Names that an error lists; lm-eval has thousands of tasks."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a half-sentence that offers the nearest valid name, or lists the valid ones.

    >>> nearest("majorty", ["majority", "greedy"])
    "did you mean 'majority'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(names) > _LISTED:
        return f"none of the {len(names):,} names is like it"
    return f"valid: {', '.join(names)}" if names else "there are none"


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> ConfigError:
    """Return the error for a name that does not exist: what, where, the nearest valid one."""
    place = f"{where}: " if where else ""
    return ConfigError(f"{place}unknown {what} {name!r}; {nearest(name, known)}")


_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "files may not grow that large here",
    errno.EIO: "the disk failed",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `path` into one clear line.

    Raises:
        InfrastructureError: disk full, quota, I/O error.
        DataError: no permission, read-only, a folder that is not there.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK:
            raise InfrastructureError(
                f"{path}: {_DISK[error.errno]}; what was finished is kept, free some space and run "
                "the same command again"
            ) from error
        raise DataError(f"cannot write {path}: {error.strerror}") from error
