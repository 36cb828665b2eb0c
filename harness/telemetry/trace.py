"""A trace of a run in Chrome's trace event format, which Perfetto (ui.perfetto.dev) opens.

Format: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU ("Trace Event
Format"). A JSON array of objects: ``X`` is a span with its begin (``ts``) and length (``dur``),
``b`` and ``e`` are the ends of a request, which may overlap others (paired by ``cat`` and ``id``),
``M`` names a lane. Times are microseconds since the launch. Spans of one lane nest.

The closing bracket may be missing, says the format: a killed run leaves a readable trace.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from harness.errors import writing

_FLUSH = 1024
"""Events that are kept back at most."""


@dataclass(frozen=True, slots=True)
class Event:
    """A span, or a request."""

    lane: str
    name: str
    begin: float
    """Seconds."""
    end: float
    facts: Mapping[str, Any]
    request: bool


class Kept:
    """Spans and requests that are kept until they are fetched: those of a worker, for the trace of
    the one that it works for."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = Lock()

    def span(self, lane: str, name: str, begin: float, end: float, **facts: Any) -> None:
        """Keep a span; see `Trace.span`."""
        self._keep(Event(lane, name, begin, end, facts, request=False))

    def request(self, lane: str, name: str, begin: float, end: float, **facts: Any) -> None:
        """Keep a request; see `Trace.request`."""
        self._keep(Event(lane, name, begin, end, facts, request=True))

    def take(self, later: float) -> Sequence[Event]:
        """Return what was kept, so many seconds later, and keep it no more."""
        with self._lock:
            events, self._events = self._events, []
        return [replace(e, begin=e.begin + later, end=e.end + later) for e in events]

    def close(self) -> None:
        """Nothing is open."""

    def _keep(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)


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

    def place(self, before: str, event: Event, zero: float) -> None:
        """Add what was kept elsewhere.

        Args:
            before: What stands before the name of its lane.
            event: With times since `zero`, which is when this launch began.
            zero: See there.
        """
        add = self.request if event.request else self.span
        begin, end = max(0.0, event.begin - zero), max(0.0, event.end - zero)
        add(f"{before}{event.lane}", event.name, begin, end, **event.facts)

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
