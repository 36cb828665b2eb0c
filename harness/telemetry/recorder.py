"""Writes a run's ``telemetry.jsonl``: a line a second while a stage is at work, one at its end."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, writing
from harness.telemetry.meter import Reading

logger = logging.getLogger(__name__)

PERIOD = 1.0
"""Seconds between two lines."""


class Recorder:
    """Writes readings until it is closed. What cannot be written stops it and nothing else:
    telemetry is no result."""

    def __init__(self, path: Path, look: Callable[[], Reading | None]) -> None:
        """Args: the file, to which lines are added; gives a reading, None between stages."""
        self._path, self._look = path, look
        self._over = threading.Event()
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def write(self, reading: Reading, *, end: bool = False) -> None:
        """Add a line."""
        if self._broken:
            return
        try:
            with writing(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record(reading, time.time(), end)) + "\n")
        except HarnessError as error:
            self._broken = True
            logger.warning("telemetry ends here: %s", error)

    def close(self) -> None:
        """Stop."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(PERIOD):
            reading = self._look()
            if reading is not None:
                self.write(reading)


def record(reading: Reading, clock: float, end: bool) -> dict[str, Any]:
    """Return the JSON object of a line: the fields of `Reading`, rounded, and when."""
    numbers = {
        key: None
        if isinstance(value, float) and math.isnan(value)
        else round(value, 4)
        if isinstance(value, float)
        else value
        for key, value in asdict(reading).items()
    }
    return {"time": round(clock, 3), "end": end, **numbers}
