"""Progress on the terminal: one bar per stage; plain lines, one a stage, where there is none.

Beneath the bars stands one line of what the present stage is doing (`harness.telemetry.line`).
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from harness.telemetry.line import line
from harness.telemetry.meter import Rates
from harness.telemetry.telemetry import Telemetry

_NUMBERS = 44
"""Columns of what stands behind a bar: "10,000/10,000", a rate, two times, and the gaps."""


class TerminalProgress:
    """Shows stages on standard error, so that standard output stays clean for results."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        """Args: whose figures are shown beneath the bars."""
        self._live = sys.stderr.isatty()
        self._console = Console(file=_terminal()) if self._live else Console(stderr=True)
        names, bar = _widths(self._console.width)
        column = Column(width=names, no_wrap=True, overflow="ellipsis")
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=column),
            BarColumn(bar_width=bar),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
        )
        self._telemetry, self._rates = telemetry, Rates()
        self._display = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4
        )
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
            self._console.print(
                f"{self._stage}: {seconds:.1f} s", highlight=False, markup=False, soft_wrap=True
            )

    def _render(self) -> Group:
        """Return the bars, and the line if there is something to say."""
        reading = self._telemetry.look(self._rates) if self._telemetry else None
        text = line(reading) if reading else ""
        below = [Text(f"  {text}", style="dim", no_wrap=True, overflow="ellipsis")] if text else []
        return Group(self._bars, *below)

    def __enter__(self) -> Self:
        if self._live:
            self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._display.stop()


def _terminal() -> TextIO:
    """Return a way of our own to the terminal: while an engine starts, what goes to the standard
    streams of this process is kept aside."""
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding)


def _widths(columns: int) -> tuple[int, int]:
    """Return the columns of names and bars: what numbers and times leave, if they are to be read
    whole."""
    left = columns - _NUMBERS
    bar = min(24, max(6, left - 40))
    return min(40, max(8, left - bar)), bar
