"""The object that is told, the file that it writes, and the limits that it keeps."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError, LimitReached, UserError
from harness.telemetry import recorder
from harness.telemetry.limits import Limits
from harness.telemetry.telemetry import Telemetry
from harness.types import Gauges, Tokens


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Stream:
    """A stream with gauges."""

    def gauges(self) -> Gauges:
        return Gauges(3, 4, 50)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_each_stage_ends_with_a_line_and_has_one_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PERIOD", 0.02)
    clock, path = Clock(), tmp_path / "telemetry.jsonl"
    telemetry = Telemetry(clock=clock)
    with telemetry.recording(path):
        telemetry.start("generate", 8, 2, "candidates")
        telemetry.opened(Stream())
        since = telemetry.submitted(4)
        clock.now = 2.0
        while not (path.exists() and path.stat().st_size):  # a second's line, by its own thread
            time.sleep(0.005)
        telemetry.wrote("p", "q", 4, since, Tokens(4, 40, 10, 60))
        telemetry.spent(1e9)
        telemetry.advance(4)
        telemetry.closed()
        telemetry.finish()
        ended = len(lines(path))
    found = lines(path)
    assert len(found) == ended, "nothing is written between stages"
    first, last = found[0], found[-1]
    assert (first["end"], first["in_flight"], first["waiting"], first["policy_tokens"]) == (
        False, 4, 4, 50,
    )  # fmt: skip
    assert (last["end"], last["in_flight"], last["waiting"], last["policy_tokens"]) == (
        True, 0, None, 60,
    )  # fmt: skip
    assert (last["done"], last["total"], last["policy_rate"]) == (6, 8, 30)
    assert (last["policy_cache_hits"], last["flops"], last["prm_rate"]) == (0.75, 1e9, None)


def test_what_is_unknown_is_null(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.jsonl"
    telemetry = Telemetry()
    with telemetry.recording(path):
        telemetry.start("score", 1, 0, "drafts")
        telemetry.spent(float("nan"))
        telemetry.finish()
    assert lines(path)[-1]["flops"] is None


def test_a_stage_that_is_interrupted_has_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.jsonl"
    telemetry = Telemetry()
    with pytest.raises(KeyboardInterrupt), telemetry.recording(path):
        telemetry.start("score", 1, 0, "drafts")
        raise KeyboardInterrupt
    assert [line["end"] for line in lines(path)] == [True]


@pytest.mark.parametrize(
    ("error", "done", "kept"),
    [
        (DataError("refused"), 1, True),
        (DataError("refused"), 0, False),
        (ConfigError("another command is needed"), 1, False),
    ],
)
def test_a_mistake_in_mid_run_is_told_what_is_kept(
    error: UserError, done: int, kept: bool, tmp_path: Path
) -> None:
    telemetry = Telemetry()
    with pytest.raises(type(error)) as raised, telemetry.recording(tmp_path / "t.jsonl"):
        telemetry.start("score", 2, 0, "drafts")
        if done:
            telemetry.advance(done)
        raise error
    assert raised.value.kept is kept


def test_a_file_that_cannot_be_written_stops_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry()
    with telemetry.recording(tmp_path / "nowhere" / "telemetry.jsonl"):
        for stage in ("a", "b"):
            telemetry.start(stage, 1, 0, "drafts")
            telemetry.finish()
    assert caplog.text.count("telemetry ends here") == 1


@pytest.mark.parametrize(
    ("limits", "seconds", "flops", "why"),
    [
        (Limits(), 1e9, 1e30, None),
        (Limits(seconds=10), 9.9, 1e30, None),
        (Limits(seconds=10), 10.0, 0.0, "--max-seconds 10 is used up (10 s)"),
        (Limits(flops=1e12), 1e9, 9e11, None),
        (Limits(flops=1e12), 1.0, 2e12, "--max-flops 1e+12 is used up (2.00e+12 FLOPs)"),
    ],
)
def test_limits_say_which_is_used_up(
    limits: Limits, seconds: float, flops: float, why: str | None
) -> None:
    assert limits.reached(seconds, flops) == why


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_limits_are_numbers_above_zero(value: float) -> None:
    with pytest.raises(ConfigError, match="--max-flops"):
        Limits(flops=value)


def test_a_launch_does_something_before_it_stops() -> None:
    clock = Clock()
    telemetry = Telemetry(Limits(seconds=1), clock=clock)
    clock.now = 5.0
    telemetry.check()
    with telemetry.span("policy", "p", "unit"):
        pass
    with pytest.raises(LimitReached, match="max-seconds"):
        telemetry.check()
