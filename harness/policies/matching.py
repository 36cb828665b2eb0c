"""Matching recorded questions to a task's problems by their text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.policies.rows import Row
from harness.types import Problem


class Matcher:
    """Finds the problem that a question's text, or an id, belongs to."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._ids = {problem.id for problem in problems}
        self._prompts = [(_normal(problem.prompt), problem.id) for problem in problems]
        texts = [text for text, _ in self._prompts]
        self._before = _shared(texts)
        self._after = _shared([text[::-1] for text in texts])

    def by_id(self, name: str) -> str | None:
        """Return `name` if a problem has it."""
        return name if name in self._ids else None

    def by_question(self, row: Row, question: str) -> str | None:
        """Return the id of the problem that asks exactly this.

        Raises:
            DataError: several problems do.
        """
        wanted = _normal(question)
        found = [
            problem
            for text, problem in self._prompts
            if len(wanted) <= len(text) and self._holds(text, wanted)
        ]
        if len(found) > 1:
            row.fail(f"the question belongs to {len(found)} problems: {', '.join(found[:3])}")
        return found[0] if found else None

    def _holds(self, text: str, wanted: str) -> bool:
        """Whether all that a prompt has around the question is what every prompt has."""
        at = text.find(wanted)
        return 0 <= at <= self._before and len(text) - at - len(wanted) <= self._after


def _normal(text: str) -> str:
    return " ".join(text.split())


def _shared(texts: Sequence[str]) -> int:
    """Return how many characters all texts begin with."""
    low, high = min(texts, default=""), max(texts, default="")  # in between, the same beginning
    return next(
        (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b),
        min(len(low), len(high)),
    )
