"""Progress on the terminal: one bar per stage; plain lines, one a stage, where there is none."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class TerminalProgress:
    """Shows stages on standard error, so that standard output stays clean for results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<40}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
            transient=False,
        )
        self._live = sys.stderr.isatty()
        self._task: TaskID | None = None
        self._stage = ""
        self._begun = 0.0

    def start(self, stage: str, total: int, done: int, unit: str) -> None:
        """Begin a stage."""
        self._stage = f"{stage} · {total:,} {unit}"
        self._begun = time.monotonic()
        if self._live:
            self._task = self._bars.add_task(stage, total=total, completed=done, note="")

    def advance(self, things: int, note: str = "") -> None:
        """Move the bar."""
        if self._task is not None:
            self._bars.update(self._task, advance=things, note=note)

    def finish(self) -> None:
        """End the stage."""
        if not self._live:
            seconds = time.monotonic() - self._begun
            self._console.print(f"{self._stage}: {seconds:.1f} s", highlight=False)

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._bars.stop()
