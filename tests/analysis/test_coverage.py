"""Intervals hold the truth in 93 to 97 % of simulated sets; the table of docs/statistics.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.coverage import CASES, SIZES, Case, coverage

TABLE = Path(__file__).parents[2] / "docs" / "statistics.md"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.interval}, {case.data}")
def test_intervals_hold_the_truth(case: Case) -> None:
    found = {n: coverage(case, n) for n in SIZES}
    for n, share in found.items():
        assert 0.93 <= share <= 0.97, (n, share)
    cells = " | ".join(f"{100 * share:.1f}" for share in found.values())
    assert f"| {case.interval} | {case.data} | {cells} |" in TABLE.read_text()
