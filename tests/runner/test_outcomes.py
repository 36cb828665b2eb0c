"""What an attempt's record says about accuracy and cost at each budget, worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from harness.runner.outcomes import mean_seconds
from harness.runner.standing import budgets_of, elect, stand
from harness.store.sweepfile import SearchEntry
from harness.types import Attempt, Choice, Draft, Found, Grade, Mark, Tokens, Usage

RIGHT, WRONG, UNKNOWN = Grade("correct"), Grade("wrong"), Grade("ungraded")
RNG = np.random.default_rng(0)


def entry(
    curve: str = "anytime", n: int = 4, kind: str = "math", alone: bool = False
) -> SearchEntry:
    return SearchEntry(
        "t",
        "1",
        kind,
        "math",
        "p",
        "m",
        "x",
        "mcts",
        curve,
        "min",
        n,
        1,
        alone,
        9,
        "d",  # type: ignore[arg-type]
    )


def classed(verdict: str, number: int) -> Grade:
    return Grade(verdict, answer_class=number)  # type: ignore[arg-type]


def spent(decode: int) -> Usage:
    return Usage(policy=Tokens(decode=decode), flops=10.0 * decode)


def attempt(
    weights: list[float], choice: Choice = "best", marks: list[Mark] | None = None, group: int = 0
) -> Attempt:
    found = tuple(
        Found(Draft((f"s{i}",), "stop", 1), weight, i // group if group else 0)
        for i, weight in enumerate(weights)
    )
    marks = marks or [Mark(i + 1, spent(10 * (i + 1))) for i in range(len(weights))]
    return Attempt("q", 0, choice, found, tuple(marks), spent(10 * len(weights) + 5))


def test_best_shares_ties_and_leaves_ungraded_winners_out() -> None:
    assert elect([(0, 0.2), (1, 0.9)], [WRONG, RIGHT], "best") == 1.0
    assert elect([(0, 0.9), (1, 0.9)], [WRONG, RIGHT], "best") == 0.5
    assert math.isnan(elect([(0, 0.9), (1, 0.1)], [UNKNOWN, RIGHT], "best"))
    assert elect([(0, 0.9), (1, 0.9)], [UNKNOWN, RIGHT], "best") == 1.0
    assert elect([(0, -math.inf), (1, -math.inf)], [WRONG, RIGHT], "best") == 0.5


def test_votes_add_up_by_class_and_ignore_those_without_an_answer() -> None:
    grades = [
        classed("wrong", 0),
        classed("correct", 1),
        classed("correct", 1),
        classed("wrong", -1),
    ]
    ballot = [(0, 0.7), (1, 0.4), (2, 0.4), (3, 9.0)]
    assert elect(ballot, grades, "vote") == 1.0
    assert elect([(0, 0.9), *ballot[1:]], grades, "vote") == 0.0
    assert elect(ballot[:2], grades, "majority") == 0.5
    assert elect([], [], "vote") == 0.0
    assert elect([(0, 1.0)], [classed("wrong", -1)], "vote") == 0.0


def test_anytime_takes_the_last_mark_that_the_budget_allows() -> None:
    one, grades = attempt([0.5, 0.9, 0.7, 0.1]), [RIGHT, WRONG, RIGHT, WRONG]
    assert budgets_of(entry()) == (1, 2, 4)
    at = [stand(entry(), one, grades, budget, RNG) for budget in (1, 2, 4)]
    assert [standing.correct for standing in at] == [1.0, 0.0, 0.0]
    # The whole budget is charged with all that was spent, also after the last candidate.
    assert [standing.usage.policy.decode for standing in at] == [10, 20, 45]


def test_a_ballot_overrides_the_weights() -> None:
    marks = [Mark(2, spent(10)), Mark(2, spent(20), ((0, 3.0), (1, 1.0)))]
    one = attempt([0.1, 0.9], marks=marks)
    assert stand(entry(n=2), one, [RIGHT, WRONG], 2, RNG).correct == 1.0


def test_nothing_found_is_wrong_and_nothing_found_yet_is_not_known() -> None:
    empty = Attempt("q", 0, "best", (), (), spent(99))
    assert stand(entry(), empty, [], 4, RNG).correct == 0.0
    late = attempt([0.5, 0.5], marks=[Mark(2, spent(20))])
    assert math.isnan(stand(entry(), late, [RIGHT, WRONG], 1, RNG).correct)


def test_parts_of_a_search_stand_for_smaller_budgets() -> None:
    weights, grades = [0.1, 0.6, 0.8, 0.3], [WRONG, RIGHT, WRONG, RIGHT]
    one = attempt(weights, group=1)
    pairs = list(itertools.combinations(range(4), 2))
    exact = np.mean([grades[max(pair, key=lambda i: weights[i])].value for pair in pairs])
    found = [
        stand(entry("groups"), one, grades, 2, np.random.default_rng(seed)) for seed in range(40)
    ]
    assert np.mean([standing.correct for standing in found]) == pytest.approx(exact, abs=0.04)
    assert {standing.share for standing in found} == {0.5}


def test_a_vote_on_programs_is_charged_with_their_executions() -> None:
    grades = [classed("correct", 0)] * 3
    code = entry(kind="code_function", n=3)
    assert stand(code, attempt([1, 1, 1], "vote"), grades, 3, RNG).executions == 3
    assert stand(code, attempt([1, 1, 1], "best"), grades, 3, RNG).executions == 0
    assert stand(entry(n=3), attempt([1, 1, 1], "vote"), grades, 3, RNG).executions == 0


def test_timed_searches_say_when_and_not_whether() -> None:
    marks = [Mark(1, Usage(seconds=1.5)), Mark(2, Usage(seconds=4.0))]
    one = attempt([0.1, 0.2], marks=marks)
    standing = stand(entry(n=2, alone=True), one, [], 1, RNG)
    assert (standing.usage.seconds, math.isnan(standing.correct)) == (1.5, True)


def test_mean_seconds_has_students_interval() -> None:
    from scipy import stats

    seconds = np.array([1.0, 2.0, 4.0, math.nan])
    found = mean_seconds(seconds)
    low, high = stats.t.interval(0.95, 2, loc=7 / 3, scale=stats.sem([1, 2, 4]))
    assert (found.value, found.n) == (pytest.approx(7 / 3), 3)
    assert (found.low, found.high) == (max(0.0, low), pytest.approx(high))
