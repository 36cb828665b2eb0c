"""Checks a trace against Chrome's format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

_KEYS = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
    "b": {"name", "cat", "ph", "ts", "pid", "tid", "id", "args"},
    "e": {"name", "cat", "ph", "ts", "pid", "tid", "id"},
    "M": {"name", "ph", "pid", "tid", "args"},
}
_NAMES = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}


def lanes(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return spans and requests by lane, after checking the whole file."""
    events = json.loads(path.read_text())
    assert isinstance(events, list)
    names: dict[int, str] = {}
    spans: dict[int, list[dict[str, Any]]] = defaultdict(list)
    open_: dict[tuple[str, int], dict[str, Any]] = {}
    for event in events:
        kind = event["ph"]
        assert set(event) == _KEYS[kind], event
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if kind == "M":
            assert set(event["args"]) == {_NAMES[event["name"]]}
            if event["name"] == "thread_name":
                assert event["tid"] not in names
                names[event["tid"]] = event["args"]["name"]
            continue
        assert event["tid"] in names, "a lane is named before it is used"
        assert isinstance(event["name"], str) and event["ts"] >= 0
        key = (event["cat"], event.get("id", 0))
        if kind == "b":
            assert key not in open_
            open_[key] = event
        elif kind == "e":
            begin = open_.pop(key)
            assert begin["ts"] <= event["ts"] and begin["tid"] == event["tid"]
            spans[event["tid"]].append(begin)
        else:
            assert event["dur"] >= 0
            spans[event["tid"]].append(event)
    assert not open_, "every request ends"
    for own in spans.values():
        _check_nested([event for event in own if event["ph"] == "X"])
    return {names[tid]: own for tid, own in spans.items()}


def _check_nested(spans: list[dict[str, Any]]) -> None:
    """Spans of a lane are one after the other or one inside the other, and ends do not go back."""
    ends = [event["ts"] + event["dur"] for event in spans]
    assert all(a <= b + 1e-3 for a, b in itertools.pairwise(ends))
    stack: list[float] = []
    for event in sorted(spans, key=lambda e: (e["ts"], -e["dur"])):
        while stack and stack[-1] <= event["ts"] + 1e-3:
            stack.pop()
        end = event["ts"] + event["dur"]
        assert not stack or end <= stack[-1] + 1e-3, event
        stack.append(end)
