"""A trace is in Chrome's format, whole or cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Trace
from harness.types import Tokens
from tests.telemetry.traces import lanes


def test_spans_nest_and_requests_overlap(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    ticks = iter(range(100))
    with Telemetry(trace=Trace(path), clock=lambda: next(ticks) / 1000) as telemetry:
        telemetry.start("generate", 2, 0, "candidates")
        with telemetry.span("policy", "small", "unit q1"):
            since = [telemetry.submitted(2), telemetry.submitted(2)]
            with telemetry.span("policy", "small", "write"):
                pass
            for name, begin in zip(("q1", "q2"), since, strict=True):
                telemetry.wrote("small", name, 2, begin, Tokens(2, 20, 10, 7))
        with telemetry.span("PRM", 'judge"s', "unit q1"):
            pass
        telemetry.ran(0, "program", telemetry.now())
    found = lanes(path)
    assert set(found) == {"policy small", 'PRM judge"s', "sandbox worker 1"}
    write, first, second, unit = found["policy small"]
    assert (write["name"], unit["name"], first["name"], second["name"]) == (
        "write", "unit q1", "q1", "q2",
    )  # fmt: skip
    assert first["args"] == {"drafts": 2, "tokens": 7}
    assert unit["ts"] < write["ts"] and write["dur"] == 1000


def test_a_trace_that_was_cut_off_misses_its_bracket_alone(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    trace = Trace(path)
    for number in range(3000):
        trace.span("policy p", f"unit {number}", number, number + 1)
    events = json.loads(path.read_text() + "]")
    assert len(events) > 2000
    trace.close()
    trace.close()
    assert len(lanes(path)["policy p"]) == 3000


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"trace\.json"):
        Trace(tmp_path / "nowhere" / "trace.json")
