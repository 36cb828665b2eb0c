"""Groups equivalent answers, so that a vote counts answers and not spellings.

Equality as math-verify decides it is not transitive (``5%`` equals 0.05 and also 5, which differ),
so classes need a rule that gives one partition whatever the order of the candidates: the distinct
spellings are sorted, shortest first and then by code point; each joins the class of the first
representative that it equals, or starts a class of its own. So ``5`` and ``5%`` are one class and
``0.05`` is another. A comparison that timed out counts as "different".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.grading.compare import normalise

EqualAll = Callable[[Sequence[tuple[str, str]]], Sequence[bool]]
"""Compares many pairs (representative, other) at once."""

NO_CLASS = -1
"""The class of a candidate without an answer: it has no vote."""


def classes(answers: Sequence[str | None], equal: EqualAll) -> list[int]:
    """Return the class of each answer, numbered by first appearance; -1 for None; [] for none."""
    return pool_classes([answers], equal)[0]


def pool_classes(pools: Sequence[Sequence[str | None]], equal: EqualAll) -> list[list[int]]:
    """Return `classes` of every problem of a pool: one list of candidates' answers per problem.

    All problems advance together: each round takes one representative per problem and compares
    every spelling of its problem that is still without a class with it, all in one call of
    `equal`. So workers are kept busy, and no pair is asked that the rule does not need.
    """
    leaders: list[dict[str, str]] = [{} for _ in pools]  # spelling -> representative, per problem
    open_: list[list[str]] = [_spellings(answers) for answers in pools]
    while any(open_):
        pairs = [
            (i, spellings[0], other) for i, spellings in enumerate(open_) for other in spellings[1:]
        ]
        verdicts = equal([(first, other) for _, first, other in pairs])
        joined: list[set[str]] = [{spellings[0]} if spellings else set() for spellings in open_]
        for (i, _, other), same in zip(pairs, verdicts, strict=True):
            if same:
                joined[i].add(other)
        for i, spellings in enumerate(open_):
            leaders[i].update({spelling: spellings[0] for spelling in joined[i]})
            open_[i] = [spelling for spelling in spellings if spelling not in joined[i]]
    return [_numbered(answers, leaders[i]) for i, answers in enumerate(pools)]


def _spellings(answers: Sequence[str | None]) -> list[str]:
    """Return the distinct normalised answers, shortest first, then by code point."""
    distinct = {normalise(answer) for answer in answers if answer is not None}
    return sorted(distinct, key=lambda spelling: (len(spelling), spelling))


def _numbered(answers: Sequence[str | None], leaders: dict[str, str]) -> list[int]:
    """Number the classes in the order in which the candidates first show them."""
    numbers: dict[str, int] = {}
    return [
        NO_CLASS if answer is None else numbers.setdefault(leaders[normalise(answer)], len(numbers))
        for answer in answers
    ]
