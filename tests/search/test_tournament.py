"""The tournament: who meets whom, who goes on, how often it is asked, what it costs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product

import pytest

from harness.cost import Architecture
from harness.runner.standing import elect
from harness.search.ledger import Ledger
from harness.search.moves import Search
from harness.search.options import Options
from harness.search.setting import Setting
from harness.search.tournament import tournament
from harness.types import (
    Attempt,
    Budget,
    Cut,
    Draft,
    Extend,
    Extended,
    Grade,
    Judge,
    Judged,
    Question,
    Sampling,
    StepScores,
    Tokens,
)
from tests.search.world import QUESTIONS, Run, WorldPolicy, WorldPrm, chance, timeless

SKILL = 0.4
"""Chance that a solution is right."""


@dataclass
class Coin(WorldPolicy):
    """Writes solutions that are right or wrong, each with a number of its own."""

    def _write(self, request: Extend, index: int, draft: Draft) -> Draft:
        rng = random.Random(repr((request.sampling.seed, request.question.id, index)))
        word = "right" if rng.random() < SKILL else "wrong"
        return Draft((f"{word} {rng.getrandbits(60)}\n",), "stop", 2)


@dataclass
class Referee(WorldPrm):
    """Prefers the right one of two with probability `sure`; of two alike either."""

    sure: float = 0.8
    ties: bool = False
    """Of two alike it says 1/2."""
    met: list[tuple[str, str]] = field(default_factory=list)

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        self.requests += requests
        return [self._judged(request) for request in requests]

    def _judged(self, request: Judge) -> Judged:
        scores: list[StepScores] = []
        texts = [draft.text for draft in request.drafts]
        for one, other in zip(texts[::2], texts[1::2], strict=True):
            self.met.append((one, other))
            alike = one[:5] == other[:5]
            drawn = chance("referee", request.question.id, one, other)
            first = (drawn < self.sure) == one.startswith("right")
            if alike:
                first = drawn < 0.5
            value = 0.5 if alike and self.ties else float(first)
            scores += [StepScores((v,), "p_correct", tokens=9) for v in (value, 1 - value)]
        return Judged(tuple(scores), Tokens(len(scores), 9, 9, 0))


def run(n: int, prm: WorldPrm, policy: WorldPolicy | None = None) -> Run:
    return Run("tournament", n=n, policy=policy or Coin(), prm=prm)


def right(attempt: Attempt) -> float:
    grades = [
        Grade("correct" if one.draft.text.startswith("right") else "wrong") for one in attempt.found
    ]
    ballot = attempt.marks[-1].ballot or [(i, one.weight) for i, one in enumerate(attempt.found)]
    return elect(ballot, grades, attempt.choice)


# --- accuracy is what it must be -----------------------------------------------------------------


@cache
def winner(n: int, sure: float) -> float:
    """Chance that the winner of n is right, in closed form.

    The two halves of a bracket are independent, and of a final between winners that are right with
    probabilities a and b the right one goes on: ab + (a(1 - b) + b(1 - a)) · sure. A bracket of n
    is that of rounds: neighbours meet, the last of an odd number waits.
    """
    field = [SKILL] * n
    while len(field) > 1:
        met = [
            a * b + (a * (1 - b) + b * (1 - a)) * sure
            for a, b in zip(field[::2], field[1::2], strict=False)
        ]
        field = met + ([field[-1]] if len(field) % 2 else [])
    return field[0]


def brute(n: int, sure: float) -> float:
    """The same as a sum over all solutions and all of the referee's verdicts."""
    total = 0.0
    for solutions in product((True, False), repeat=n):
        skill = math.prod(SKILL if one else 1 - SKILL for one in solutions)
        for verdicts in product((True, False), repeat=n - 1):
            # A verdict says whether the better of the two goes on.
            weight, left, told = skill, list(solutions), list(verdicts)
            while len(left) > 1:
                going = []
                for a, b in zip(left[::2], left[1::2], strict=False):
                    well = told.pop()
                    weight *= sure if well else 1 - sure
                    going.append(max(a, b) if well else min(a, b))
                left = going + ([left[-1]] if len(left) % 2 else [])
            total += weight * left[0]
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("sure", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_the_closed_form_is_the_sum_over_all_outcomes(n: int, sure: float) -> None:
    assert winner(n, sure) == pytest.approx(brute(n, sure))


def test_the_closed_form_is_known_where_the_referee_is_perfect_or_blind() -> None:
    for n in range(1, 9):
        assert winner(n, 1.0) == pytest.approx(1 - (1 - SKILL) ** n)  # pass@n
        assert winner(n, 0.5) == pytest.approx(SKILL)
        assert winner(n, 0.0) == pytest.approx(SKILL**n)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("n", "sure"), [(1, 0.8), (2, 0.8), (3, 0.6), (5, 0.8), (8, 0.8), (8, 0.5), (6, 1.0)]
)
def test_accuracy_is_what_it_must_be(n: int, sure: float, ties: bool) -> None:
    questions = [Question("coins", f"c{i}", "?") for i in range(2000)]
    attempts = run(n, Referee(sure=sure, ties=ties)).attempts(questions)
    values = [right(one) for one in attempts.values()]
    truth = winner(n, sure)
    spread = math.sqrt(truth * (1 - truth) / len(values))
    assert abs(sum(values) / len(values) - truth) < 4 * spread


# --- who meets whom ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 18))
def test_n_solutions_have_one_comparison_less(n: int) -> None:
    prm = Referee()
    (attempt,) = run(n, prm).attempts(QUESTIONS[:1]).values()
    assert len(prm.met) == n - 1 == attempt.notes.get("comparisons", 0)
    # A round is one request, and halves who is left.
    sizes = [len(request.drafts) for request in prm.requests]
    left, expected = n, []
    while left > 1:
        expected.append(left // 2 * 2)
        left -= left // 2
    assert sizes == expected
    # Whoever lost does not come back; whoever is left has lost to nobody.
    ballots = [mark.ballot for mark in attempt.marks[1:]]
    alive = [{i for i, _ in ballot} for ballot in ballots if ballot is not None]
    assert len(alive) == len(sizes) and all(b < a for a, b in pairwise(alive))
    if n > 1:
        assert len(alive[-1]) == 1
    assert attempt.marks[0].found == len(attempt.found) == n


def moves(drafts: Sequence[Draft], *scores: Sequence[float | None]) -> tuple[Search, list[object]]:
    """Play a tournament of given drafts with given scores; return what it yields."""
    setting = Setting(Question("t", "p", "?"), len(drafts), Sampling(), Cut(("\n",)))
    search = tournament(setting, Options())
    seen: list[object] = [next(search)]
    replies = iter(scores)
    request = search.send(Extended(tuple(drafts), Tokens()))
    while True:
        seen.append(request)
        reply = None
        if isinstance(request, Judge):
            given = next(replies)
            assert len(given) == len(request.drafts)
            values = [None if v is None else StepScores((v,), "p_correct") for v in given]
            reply = Judged(tuple(values), Tokens())
        try:
            request = search.send(reply)
        except StopIteration:
            return search, seen


def test_by_hand() -> None:
    a, b, c, d, e = (Draft((text,), "stop") for text in "abcde")
    # a beats b, d beats c, e waits; d beats a, e waits; e beats d.
    _, seen = moves([a, b, c, d, e], [0.6, 0.4, 0.1, 0.9], [0.2, 0.8], [0.3, 0.7])
    asked = [[x.text for x in one.drafts] for one in seen if isinstance(one, Judge)]
    assert asked == [["a", "b", "c", "d"], ["a", "d"], ["d", "e"]]
    ballots = [getattr(one, "ballot", None) for one in seen]
    assert [x for x in ballots if x] == [
        ((0, 1.0), (3, 1.0), (4, 1.0)),
        ((3, 1.0), (4, 1.0)),
        ((4, 1.0),),
    ]


def test_undecided_pairs_are_the_firsts_and_equal_texts_are_not_compared() -> None:
    a, b, empty = Draft(("a",), "stop"), Draft(("b",), "length"), Draft((), "stop")
    _, seen = moves([b, a], [0.5, 0.5])
    assert seen[-1].ballot == ((0, 1.0),)
    _, seen = moves([b, a], [None, None])
    assert seen[-1].ballot == ((0, 1.0),)
    _, seen = moves([empty, a], [None, 1.0])
    assert seen[-1].ballot == ((1, 1.0),)
    _, seen = moves([a, a, b, a], [0.4, 0.6])
    assert [[x.text for x in one.drafts] for one in seen if isinstance(one, Judge)] == [["b", "a"]]
    assert seen[-1].ballot == ((0, 1.0),)
    assert seen[-1].notes == {"comparisons": 1, "unparsed": 0}


def test_comparisons_without_a_verdict_are_told() -> None:
    class Silent(Referee):
        def _judged(self, request: Judge) -> Judged:
            one = StepScores((0.5,), "p_correct", tokens=9, unparsed=1.0)
            return Judged((one,) * len(request.drafts), Tokens())

    (attempt,) = run(6, Silent()).attempts(QUESTIONS[:1]).values()
    assert attempt.notes == {"comparisons": 5, "unparsed": 5}
    assert attempt.marks[-1].ballot == ((0, 1.0),)  # as drawn: one sample, no more


# --- budgets and cost ----------------------------------------------------------------------------


def test_a_budget_that_ends_it_leaves_those_who_are_still_in() -> None:
    free = run(8, WorldPrm(), WorldPolicy()).attempts(QUESTIONS[:1])["q0"]
    for mark in free.marks:
        tried = run(8, WorldPrm(), WorldPolicy())
        tried.budget = Budget(flops=mark.usage.flops)
        cut = tried.attempts(QUESTIONS[:1])["q0"]
        assert timeless(cut).marks == timeless(free).marks[: len(cut.marks)]
        assert cut.marks[-1].ballot == mark.ballot and cut.found == free.found


def test_whoever_meets_again_is_read_again_and_paid_for() -> None:
    """A search that goes on with a draft reads what is new; one that compares reads both."""
    ledger = Ledger(None, Architecture(10, 10, 5, 1, 4), pairs=True)
    one, other, third = (Draft((text,)) for text in "abc")
    paid = StepScores((0.5,), "p_correct", tokens=9, flops=(70,))
    half = StepScores((0.5,), "p_correct", tokens=9)

    def cost(scores: StepScores, *drafts: Draft) -> float:
        before = ledger.spent.flops
        reply = Judged((scores,) * len(drafts), Tokens(2, 18, 18, 0))
        ledger.judged(Judge(QUESTIONS[0], drafts), reply)
        return ledger.spent.flops - before

    assert cost(paid, one, other) == 140
    assert cost(paid, one, third) == 140
    assert cost(paid, one, third, other, third, one, third) == 140  # the same pair once
    assert cost(half, third, other) == 2 * Architecture(10, 10, 5, 1, 4).prefill(9)
    assert ledger.spent.prm == Tokens(8, 72, 72, 0)
    unknown = Ledger(None, None, pairs=True)
    unknown.judged(Judge(QUESTIONS[0], (one, other)), Judged((half, None), Tokens()))
    assert math.isnan(unknown.spent.flops)
