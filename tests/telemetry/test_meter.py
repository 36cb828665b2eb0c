"""Figures of a stage, by hand."""

from __future__ import annotations

import math

import pytest

from harness.telemetry.line import line
from harness.telemetry.meter import WINDOW, Meter, Rates, Reading
from harness.types import Gauges, Tokens


def reading(meter: Meter, now: float, rates: Rates, gauges: Gauges | None = None) -> Reading:
    return meter.read(now, rates, gauges, 0.0)


def test_rates_are_of_the_last_seconds_alone() -> None:
    meter, rates = Meter("s", "drafts", 0, 8, 100.0), Rates()
    assert reading(meter, 100.0, rates).policy_rate is None
    meter.count("policy", Tokens(1, 10, 10, 50))
    assert reading(meter, 105.0, rates).policy_rate == 10  # 50 tokens in 5 s
    for second in range(106, 131):
        idle = reading(meter, float(second), rates)
    assert idle.policy_rate == 0 and idle.policy_tokens == 50
    meter.count("policy", Tokens(1, 0, 0, 220))
    assert reading(meter, 131.0, rates).policy_rate == pytest.approx(220 / WINDOW, rel=0.1)
    # Whoever asks anew sees the whole stage.
    assert reading(meter, 131.0, Rates()).policy_rate == pytest.approx(270 / 31)


def test_a_new_stage_begins_its_rates_anew() -> None:
    rates = Rates()
    first, second = Meter("a", "", 0, 1, 0.0), Meter("a", "", 0, 1, 50.0)
    first.count("PRM", Tokens(1, 1000, 1000, 0))
    assert reading(first, 10.0, rates).prm_rate == 100
    second.count("PRM", Tokens(1, 30, 30, 0))
    assert reading(second, 53.0, rates).prm_rate == 10


def test_hits_are_the_share_of_prompt_tokens_that_were_not_read_again() -> None:
    meter = Meter("s", "", 0, 1, 0.0)
    assert reading(meter, 1.0, Rates()).policy_cache_hits is None
    meter.count("policy", Tokens(4, 400, 100, 9))
    meter.count("PRM", Tokens(4, 400, 300, 0))
    found = reading(meter, 1.0, Rates())
    assert found.policy_cache_hits == 0.75 and found.prm_cache_hits == 0.25


def test_shares_of_time_count_nested_calls_once_and_those_under_way() -> None:
    meter = Meter("s", "", 0, 1, 0.0)
    work = meter.work["PRM"]
    work.enter(1.0)
    work.enter(2.0)
    work.leave(3.0)
    work.leave(4.0)
    assert reading(meter, 10.0, Rates()).prm_share == pytest.approx(0.3)
    work.enter(10.0)
    assert reading(meter, 15.0, Rates()).prm_share == pytest.approx(8 / 15)
    assert reading(meter, 15.0, Rates()).policy_share is None  # never at work here


def test_gauges_show_tokens_of_drafts_that_are_not_finished() -> None:
    meter, rates = Meter("s", "", 0, 1, 0.0), Rates()
    meter.count("policy", Tokens(1, 1, 1, 100))
    meter.base, meter.in_flight = 100, 5
    live = reading(meter, 10.0, rates, Gauges(running=2, waiting=3, decoded=60, cache=0.5))
    assert (live.policy_tokens, live.policy_rate) == (160, 16)
    assert (live.in_flight, live.waiting, live.cache_used) == (5, 3, 0.5)
    # They are counted once when they come back.
    meter.count("policy", Tokens(1, 1, 1, 60))
    assert reading(meter, 10.0, rates, Gauges(0, 0, 60)).policy_tokens == 160


def test_what_is_started_is_said_and_is_no_part_of_rates_and_shares() -> None:
    meter, rates = Meter("s", "", 0, 1, 0.0), Rates()
    meter.starting = "prm"
    found = reading(meter, 8.0, rates)
    assert found.starting == "prm" and line(found) == "starting prm …"
    meter.starting, meter.started = "", 10.0
    meter.count("PRM", Tokens(1, 300, 300, 0))
    meter.work["PRM"].enter(10.0)
    meter.work["PRM"].leave(12.0)
    for asked in (rates, Rates()):
        found = reading(meter, 14.0, asked)
        assert (found.prm_rate, found.prm_share, found.starting) == (75, 0.5, None)
    assert found.seconds == 14


def test_the_line_says_what_is_known() -> None:
    meter, rates = Meter("s", "", 0, 1, 0.0), Rates()
    assert line(reading(meter, 1.0, rates)) == ""
    meter.in_flight = 64
    meter.count("policy", Tokens(4, 400, 100, 12_340))
    meter.count("PRM", Tokens(4, 2_000_000, 300, 0))
    meter.work["PRM"].enter(0.0)
    meter.work["PRM"].leave(4.1)
    said = line(meter.read(10.0, rates, Gauges(64, 12), math.nan))
    assert said == (
        "1,234 tok/s · 64 in flight · 12 waiting · cache 75% · PRM 200,000 tok/s, 41% of time · "
        "2.01M tokens"
    )
