"""The one answer that a search gives where one text is asked for, and classes of equal answers."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading import NO_CLASS, MathGrader
from harness.types import Agree, Agreed, Attempt


def elected(attempt: Attempt, grader: MathGrader) -> str:
    """Return the text of the candidate that an attempt elects; empty if it found none.

    The candidate of the highest weight, or the first of the class with the largest sum of weights.
    Ties go to the earlier.
    """
    last = attempt.marks[-1] if attempt.marks else None
    if last is None:
        return ""
    ballot = last.ballot or tuple((i, attempt.found[i].weight) for i in range(last.found))
    texts = [one.draft.text for one in attempt.found]
    if attempt.choice == "best":
        return texts[max(ballot, key=lambda vote: (vote[1], -vote[0]))[0]] if ballot else ""
    numbers = _classes(grader, [texts])[0]
    sums: dict[int, float] = {}
    for i, weight in ballot:
        own = 1.0 if attempt.choice == "majority" else weight
        sums[numbers[i]] = sums.get(numbers[i], 0.0) + own
    winner = max(sums, key=lambda number: sums[number])
    return next(texts[i] for i, _ in ballot if numbers[i] == winner)


def classes_of(grader: MathGrader, requests: Sequence[Agree]) -> list[Agreed]:
    """Answer a search that asks which of its drafts agree."""
    pools = [[draft.text for draft in request.drafts] for request in requests]
    return [Agreed(tuple(numbers)) for numbers in _classes(grader, pools)]


def _classes(grader: MathGrader, pools: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return the class of each text: of its final answer, or of its words where it has none."""
    found = grader.classes([grader.answers(texts) for texts in pools])
    for numbers, texts in zip(found, pools, strict=True):
        fresh = max(numbers, default=NO_CLASS) + 1
        words: dict[str, int] = {}
        for i, text in enumerate(texts):
            if numbers[i] == NO_CLASS:
                plain = " ".join(text.split())
                numbers[i] = words.setdefault(plain, fresh + len(words))
    return found
