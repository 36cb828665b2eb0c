"""prm-harness: a benchmark and leaderboard harness for Process Reward Models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.loaded import Run

__version__ = "0.1.0"

__all__ = ["__version__", "load_run"]


def load_run(path: str | Path) -> Run:
    """Return a run folder whose content can be had as pandas frames; see `harness.loaded`.

    Raises:
        harness.errors.DataError: no run folder, or one of another schema version.
    """
    from harness.loaded import Run

    return Run(Path(path))
