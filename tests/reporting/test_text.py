"""Numbers as text."""

from __future__ import annotations

import math

import pytest

from harness.reporting import text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((None, "–"), (math.nan, "–"), (0, "0"), (0.5, "0.5"), (12.34, "12.3"), (99.96, "100")),
        *((950, "950"), (999.4, "999"), (999.6, "1.00k"), (1234, "1.23k"), (12345, "12.3k")),
        *((999_600, "1.00M"), (4_000_000, "4.00M"), (2.5e15, "2500T"), (3.0, "3")),
    ],
)
def test_count(number: float | None, expected: str) -> None:
    assert text.count(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((None, "–"), (math.nan, "–"), (0, "0"), (0.012345, "0.0123"), (1.5, "1.50")),
        *((75.0, "75.0"), (1234.5, "1234"), (1e-9, "0.000000")),
    ],
)
def test_seconds(number: float | None, expected: str) -> None:
    assert text.seconds(number) == expected


def test_percent_interval_power_part() -> None:
    assert text.percent(0.715) == "71.5"
    assert text.percent(0.7149, digits=2) == "71.49"
    assert text.percent(math.nan) == text.percent(None) == "–"
    assert text.interval(0.651, 0.772) == "[65.1, 77.2]"
    assert text.interval(None, 0.5) == text.interval(0.5, math.nan) == "–"
    assert text.power(1.234e12) == "1.23e12"
    assert text.power(0.05) == "5.00e-2"
    assert text.power(None) == "–"
    assert (text.part(200, 200), text.part(50, 200)) == ("200", "50 of 200")
