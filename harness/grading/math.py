r"""Grades mathematics: finds the final answer in a solution and compares it with the reference.

Three stages, each in a module of its own: `extract` finds the answer (pure text), `compare`
decides the certain pairs (pure), and what is left goes, each distinct pair once, to math-verify in
worker processes (`workers`).

Verdicts: no answer in the text is *wrong*, with answer None and reason ``no answer``; so is an
answer ``too long`` or ``too deep`` to be one. A comparison that could not be finished (``timeout``,
``too large``, ``exponent too large``, ``worker died``) is *ungraded*, and never counts as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from types import TracebackType
from typing import Self

from harness.errors import DataError
from harness.grading.answers import pool_classes
from harness.grading.compare import prepared, quick, refusal
from harness.grading.extract import final_answer
from harness.grading.workers import CPU_SECONDS, Outcome, Pair, Workers
from harness.types import Grade, Json, Problem

RULES = 1
"""Goes up with every change here, in `extract` or `compare` that can change a grade."""

_NOT_AN_ANSWER = ("too long", "too deep")


class MathGrader:
    """Grades final answers; a context manager that owns the worker processes.

    Workers start with the first pair that needs one. Outcomes are remembered for the grader's
    life, so grading a pool again costs next to nothing. Not for several threads at once.
    """

    def __init__(self, workers: int | None = None, cpu_seconds: float = CPU_SECONDS) -> None:
        """Compare in `workers` processes (default: one per core), each pair in `cpu_seconds`."""
        self._workers = Workers(workers, cpu_seconds)
        self._known: dict[Pair, Outcome] = {}

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
        """The rules of this module by number, and the version of math-verify behind them."""
        return {"grader": "math", "rules": RULES, "math-verify": version("math-verify")}

    def close(self) -> None:
        """End the worker processes. What is remembered stays; further use starts new ones."""
        self._workers.close()

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        """Grade one solution text per problem; [] for none. The order is kept.

        Raises:
            DataError: a problem whose reference holds no answer.
            InfrastructureError: worker processes cannot be started.
        """
        asked = [(gold_answer(problem), final_answer(text)) for problem, text in items]
        outcomes = self._outcomes((gold, answer) for gold, answer in asked if answer is not None)
        return [
            Grade("wrong", None, "no answer")
            if answer is None
            else _grade(answer, outcomes[gold, answer])
            for gold, answer in asked
        ]

    def grade_pool(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Grade]]:
        """Grade every candidate text of each problem; each grade has its `answer_class`.

        Classes number the equivalent answers of one problem by first appearance (see
        `harness.grading.answers`); -1 without an answer. Raises as `grade` does.
        """
        flat = iter(self.grade([(problem, text) for problem, texts in pool for text in texts]))
        grades = [[next(flat) for _ in texts] for _, texts in pool]
        numbers = self.classes([[grade.answer for grade in found] for found in grades])
        return [
            [replace(grade, answer_class=number) for grade, number in zip(*pair, strict=True)]
            for pair in zip(grades, numbers, strict=True)
        ]

    def agreement(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[int]]:
        """Return the answer class of every text of each problem, -1 for none; no gold answer is
        looked at."""
        return self.classes([self.answers(texts) for _, texts in pool])

    def grade_one(self, problem: Problem, text: str) -> Grade:
        """Grade a single solution text: `grade` of one item."""
        return self.grade([(problem, text)])[0]

    def answers(self, texts: Sequence[str]) -> list[str | None]:
        """Return the final answer of each text, None where there is none."""
        return [final_answer(text) for text in texts]

    def equal(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Return for each pair (reference, answer) whether they are equal; not known is False."""
        outcomes = self._outcomes(pairs)
        return [outcomes[pair].equal is True for pair in pairs]

    def classes(self, pools: Sequence[Sequence[str | None]]) -> list[list[int]]:
        """Return the classes of equivalent answers of each problem; see `harness.grading.answers`.

        Takes one sequence of candidates' answers per problem; gives one class number per answer,
        by first appearance, -1 for None.
        """
        return pool_classes(pools, self.equal)

    def _outcomes(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
        """Compare the distinct pairs, in workers where it takes computer algebra."""
        outcomes: dict[tuple[str, str], Outcome] = {}
        hard: dict[tuple[str, str], Pair] = {}
        for pair in dict.fromkeys(pairs):
            easy = _without_algebra(*pair)
            if easy is not None:
                outcomes[pair] = easy
            else:
                hard[pair] = Pair(prepared(pair[0]), prepared(pair[1]))
        new = [pair for pair in dict.fromkeys(hard.values()) if pair not in self._known]
        self._known.update(zip(new, self._workers.compare(new), strict=True))
        outcomes.update({key: self._known[pair] for key, pair in hard.items()})
        return outcomes


def gold_answer(problem: Problem) -> str:
    r"""Return the reference answer of a mathematics problem, as LaTeX without delimiters.

    The reference is a string, a list of strings (all of them together are the answer, as
    OlympiadBench has it: they are joined by commas), or a mapping with such a value under
    ``answer``. A string that is a whole solution gives its final answer: what stands behind
    ``####`` (GSM8K) or in the last ``\boxed`` (MATH).

    Raises:
        DataError: anything else, or an empty answer.
    """
    reference: Json = problem.reference
    if isinstance(reference, dict):
        reference = reference.get("answer")
    if isinstance(reference, list):
        parts = [part for part in reference if isinstance(part, str)]
        reference = ",".join(parts) if len(parts) == len(reference) else None
    if not isinstance(reference, str) or not reference.strip():
        raise DataError(
            f"task {problem.task!r}, problem {problem.id!r}: a mathematics problem's reference is "
            "its answer (a string, a list of strings or a mapping with the key 'answer')"
        )
    if "####" in reference or "boxed" in reference:
        return final_answer(reference) or reference.strip()
    return reference.strip()


def _without_algebra(gold: str, answer: str) -> Outcome | None:
    """Decide a pair that is certain, or refuse it; None if it takes a worker."""
    certain = quick(gold, answer)
    if certain is not None:
        return Outcome(certain)
    reason = refusal(answer) or refusal(gold)
    if reason is None:
        return None
    return Outcome(False if reason in _NOT_AN_ANSWER else None, reason)


def _grade(answer: str, outcome: Outcome) -> Grade:
    """Turn the outcome of a comparison with the reference into a grade."""
    if outcome.equal is None:
        return Grade("ungraded", answer, outcome.reason)
    return Grade("correct" if outcome.equal else "wrong", answer, outcome.reason)
