"""The order in which checks are run, and that of their results."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from harness.grading.stream import in_place, longest_first

SECONDS = st.lists(st.floats(0, 100), max_size=60)


@given(SECONDS)
def test_every_check_has_its_turn_and_few_have_another(seconds: list[float]) -> None:
    order = longest_first(seconds)
    assert sorted(order) == list(range(len(seconds)))
    late = next((k for k in range(len(order)) if order[k:] == sorted(order[k:])), 0)
    assert late < 16
    assert all(16 * seconds[i] > sum(seconds) for i in order[:late])


def test_long_checks_come_first_the_longest_before_the_others() -> None:
    assert longest_first([1, 1, 30, 1, 40, 1, 1]) == [4, 2, 0, 1, 3, 5, 6]


def test_checks_that_take_equally_long_stay_as_they_are() -> None:
    assert longest_first([0.0] * 40) == list(range(40))
    assert longest_first([2.0] * 40) == list(range(40))
    assert longest_first([]) == []


@given(st.permutations(range(12)))
def test_results_come_in_their_places_as_soon_as_they_can(order: list[int]) -> None:
    drawn = 0

    def results() -> Iterator[int]:
        nonlocal drawn
        for i in order:
            drawn += 1
            yield i

    for place, result in enumerate(in_place(order, results())):
        assert result == place
        assert drawn == 1 + max(order.index(i) for i in range(place + 1))
