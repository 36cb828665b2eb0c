"""Standard output for people: as wide as the terminal; without one, as wide as it takes.

What takes a while before there is anything to count is said on standard error meanwhile.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200
"""Columns of a file or a pipe: there, a table that folds its names cannot be searched by line."""


READING = "reading tasks and models"
"""What a command does before it knows what there is to do."""


def console() -> Console:
    """Return the console that tables are printed on; ``COLUMNS`` sets its width."""
    from rich.console import Console

    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if narrow else WIDE)


def busy(what: str) -> AbstractContextManager[object]:
    """Return a context in which a terminal shows what is being done; nothing stays of it."""
    from rich.console import Console

    return Console(stderr=True).status(f"{what} …")


def counted(number: int, unit: str | None) -> str:
    """Return a number for a column of drafts; of anything else with its unit."""
    return f"{number:,}" if unit == "drafts" else f"{number:,} {unit}"
