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
    spellings = [_spellings(answers) for answers in pools]
    leaders: list[dict[str, str]] = [{} for _ in pools]  # spelling -> representative, per problem
    unplaced = [
        sorted(known, key=lambda spelling: (len(spelling), spelling)) for known in spellings
    ]
    while any(unplaced):
        pairs = [(i, rest[0], other) for i, rest in enumerate(unplaced) for other in rest[1:]]
        verdicts = equal([(spellings[i][first], spellings[i][other]) for i, first, other in pairs])
        for i, rest in enumerate(unplaced):
            leaders[i].update({first: first for first in rest[:1]})
        for (i, first, other), same in zip(pairs, verdicts, strict=True):
            if same:
                leaders[i][other] = first
        unplaced = [[s for s in rest if s not in leaders[i]] for i, rest in enumerate(unplaced)]
    return [_numbered(answers, leaders[i]) for i, answers in enumerate(pools)]


def _spellings(answers: Sequence[str | None]) -> dict[str, str]:
    """Return the distinct normalised answers, each with the shortest text that gives it.

    The text is what is compared: normalising drops spaces that LaTeX commands need.
    """
    texts = sorted({a for a in answers if a is not None}, key=lambda a: (len(a), a), reverse=True)
    return {normalise(text): text for text in texts}


def _numbered(answers: Sequence[str | None], leaders: dict[str, str]) -> list[int]:
    """Number the classes in the order in which the candidates first show them."""
    numbers: dict[str, int] = {}
    return [
        NO_CLASS if answer is None else numbers.setdefault(leaders[normalise(answer)], len(numbers))
        for answer in answers
    ]
