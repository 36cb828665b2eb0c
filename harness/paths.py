"""Where files that do not belong to a run are found: shipped task definitions, users' data."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import DataError

DATA_VARIABLE = "HARNESS_DATA"
"""Environment variable that names the folder of local data files."""

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return the folder `name` (``tasks``) that comes with the package.

    In a wheel it lies inside the package, in a checkout at the repository's top level.
    """
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def data_folder(value: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder of local data files: `value`, else $HARNESS_DATA, else None.

    Raises:
        DataError: a folder was named that is not there.
    """
    named = os.fspath(value) if value is not None else os.environ.get(DATA_VARIABLE, "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        origin = "--data-dir" if value is not None else DATA_VARIABLE
        raise DataError(f"{origin}: there is no folder {folder}")
    return folder
