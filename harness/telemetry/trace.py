"""A trace of a run in Chrome's trace event format, which Perfetto (ui.perfetto.dev) opens.

Format: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU ("Trace Event
Format"). A JSON array of objects: ``X`` is a span with its begin (``ts``) and length (``dur``),
``b`` and ``e`` are the ends of a request, which may overlap others (paired by ``cat`` and ``id``),
``M`` names a lane. Times are microseconds since the launch. Spans of one lane nest.

The closing bracket may be missing, says the format: a killed run leaves a readable trace.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any

from harness.errors import writing

_FLUSH = 1024
"""Events that are kept back at most."""


class Trace:
    """A trace file that is being written; replaces what was there.

    Raises:
        DataError, InfrastructureError: the file cannot be written; at once, or later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lanes: dict[str, int] = {}
        self._kept: list[str] = []
        self._number = 0
        self._lock = Lock()
        with writing(path):
            self._file = path.open("w", encoding="utf-8")
        self._add({"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": "run"}})

    def span(self, lane: str, name: str, begin: float, end: float, **facts: Any) -> None:
        """Add a span; seconds since the launch."""
        event = {"ph": "X", "cat": "span", "name": name, "pid": 1, "tid": self._lane(lane)}
        self._add({**event, "ts": _us(begin), "dur": _us(end - begin), "args": facts})

    def request(self, lane: str, name: str, begin: float, end: float, **facts: Any) -> None:
        """Add a request, which may overlap others of its lane."""
        with self._lock:
            self._number += 1
            number = self._number
        event = {"cat": "request", "name": name, "pid": 1, "tid": self._lane(lane), "id": number}
        self._add({**event, "ph": "b", "ts": _us(begin), "args": facts})
        self._add({**event, "ph": "e", "ts": _us(end)})

    def close(self) -> None:
        """Write what is left, and the closing bracket."""
        if self._file.closed:
            return
        self.flush()
        with writing(self.path), self._file:
            self._file.write("\n]\n")

    def flush(self) -> None:
        """Write what is kept back."""
        with self._lock, writing(self.path):
            if self._kept and not self._file.closed:
                self._file.write("[\n" if not self._file.tell() else ",\n")
                self._file.write(",\n".join(self._kept))
                self._file.flush()
                self._kept.clear()

    def _lane(self, name: str) -> int:
        """Return the number of a lane, named in the file when it is first used."""
        if name not in self._lanes:
            number = self._lanes[name] = len(self._lanes) + 1
            event: dict[str, Any] = {"ph": "M", "pid": 1, "tid": number}
            self._add({**event, "name": "thread_name", "args": {"name": name}})
            self._add({**event, "name": "thread_sort_index", "args": {"sort_index": number}})
        return self._lanes[name]

    def _add(self, event: dict[str, Any]) -> None:
        text = json.dumps(event)
        with self._lock:
            self._kept.append(text)
            full = len(self._kept) >= _FLUSH
        if full:
            self.flush()


def _us(seconds: float) -> float:
    """Return microseconds, to the nanosecond."""
    return round(seconds * 1e6, 3)
