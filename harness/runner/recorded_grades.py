"""Verdicts that came with a recorded pool (``pool:FILE,grades=recorded``), in place of our own.

Figures that others state rest on their verdicts; with these they come out as stated. Classes of
equal answers, which votes count, are those of the recorded answers' texts; where none are recorded,
those of the task's own grader, which needs no reference for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from harness.grading import Grader
from harness.policies.pool import PoolPolicy
from harness.types import Grade, Json, Problem


class RecordedGrader:
    """The verdicts of a recorded pool; the candidates come in the order of their index."""

    def __init__(self, pool: PoolPolicy, inner: Grader) -> None:
        self._pool, self._inner = pool, inner

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def identity(self) -> dict[str, Json]:
        """That verdicts are recorded; the pool's own identity covers the file."""
        return {"grader": "recorded", "agreement": self._inner.identity()}

    def close(self) -> None:
        """Nothing to give back: the task's grader is closed by whoever opened it."""

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        """Verdicts belong to places in the pool, which single texts do not have."""
        raise ValueError("recorded verdicts are those of a pool")

    def agreement(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[int]]:
        """Return the recorded answers' classes, or the task's own grader's."""
        told = [self._answers(problem, len(texts)) for problem, texts in pool]
        asked = [one for one, answers in zip(pool, told, strict=True) if answers is None]
        own = iter(self._inner.agreement(asked) if asked else ())
        return [next(own) if answers is None else _classes(answers) for answers in told]

    def grade_pool(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Grade]]:
        """Return every candidate's recorded verdict."""
        classes = self.agreement(pool)
        return [
            [
                Grade("correct" if right else "wrong", answer, "recorded", own[place])
                for place, (right, answer) in enumerate(
                    self._pool.verdicts[problem.id][: len(texts)]
                )
            ]
            for (problem, texts), own in zip(pool, classes, strict=True)
        ]

    def _answers(self, problem: Problem, count: int) -> list[str | None] | None:
        """Return the recorded answers; None if not even one is there."""
        answers = [answer for _, answer in self._pool.verdicts[problem.id][:count]]
        return answers if any(answer is not None for answer in answers) else None


def _classes(answers: Sequence[str | None]) -> list[int]:
    """Number equal texts; an empty one is no answer."""
    numbers: dict[str, int] = {}
    texts = [(answer or "").strip() for answer in answers]
    return [numbers.setdefault(text, len(numbers)) if text else -1 for text in texts]
