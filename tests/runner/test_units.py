"""Units of work: every problem once, in order, in parts of like size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.runner.units import units
from harness.types import Problem


def problem(number: int) -> Problem:
    return Problem(f"p{number}", "t", "1", "math", "q")


@given(count=st.integers(0, 60), rows=st.integers(1, 9), unit_rows=st.integers(1, 40))
def test_units_hold_every_problem_once_in_parts_of_like_size(
    count: int, rows: int, unit_rows: int
) -> None:
    problems = [problem(i) for i in range(count)]
    found = list(units(problems, rows, unit_rows))
    assert [one for unit in found for one in unit] == problems
    sizes = [len(unit) for unit in found]
    assert all(size == 1 or size * rows <= unit_rows for size in sizes)
    if sizes:
        assert set(sizes[:-1]) <= {sizes[0]}
        assert 0 < sizes[-1] <= sizes[0]
        fewest = -(-count // max(1, unit_rows // rows))
        assert len(sizes) <= fewest
