"""How the runner tells what it is doing; the terminal's bars are in `harness.cli.progress`."""

from __future__ import annotations

from typing import Protocol

from harness.telemetry.telemetry import Telemetry


class Progress(Protocol):
    """Hears of stages, which have a known number of things to do."""

    def start(self, stage: str, total: int, done: int, unit: str) -> None:
        """Begin a stage; `done` of `total` were finished by an earlier launch."""

    def advance(self, things: int, note: str = "") -> None:
        """Report that `things` more are finished; `note` is a rate or a count worth showing."""

    def finish(self) -> None:
        """End the stage."""


class Observed:
    """Progress that telemetry hears of too."""

    def __init__(self, progress: Progress, telemetry: Telemetry) -> None:
        self._progress, self._telemetry = progress, telemetry

    def start(self, stage: str, total: int, done: int, unit: str) -> None:
        """Begin a stage."""
        self._telemetry.start(stage, total, done, unit)
        self._progress.start(stage, total, done, unit)

    def advance(self, things: int, note: str = "") -> None:
        """Report that `things` more are finished."""
        self._telemetry.advance(things)
        self._progress.advance(things, note)

    def finish(self) -> None:
        """End the stage."""
        self._telemetry.finish()
        self._progress.finish()


class Silent:
    """Says nothing; for tests and library use."""

    def start(self, stage: str, total: int, done: int, unit: str) -> None:
        """Ignore."""

    def advance(self, things: int, note: str = "") -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
