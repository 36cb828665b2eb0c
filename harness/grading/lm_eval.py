"""Grades tasks of lm-eval by lm-eval: the task's own filter, then its own ``process_results``.

That code is trusted as lm-eval's is, but what models write may make it hang (a pattern that never
ends, computer algebra): so it runs in processes that can be killed (`harness.grading.workers`,
`harness.grading.lm_eval_worker`). What it says must be 0 or 1. A text over its time, or one at
which the task's code fails, is *ungraded*. Texts whose filtered answers are the same words are one
class; where the filter finds nothing there is no answer and no vote.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.errors import ConfigError, DataError
from harness.grading.answers import NO_CLASS
from harness.grading.workers import Script, Workers
from harness.types import Grade, Json, Problem

RULES = 1
"""Goes up with every change here, or in the worker, that can change a grade."""

CPU_SECONDS = 20.0
"""CPU time for one text; computer algebra in a task's code has limits of its own below that."""
WALL_SECONDS = 600.0
"""Clock time for one text; with the first, a worker reads the task's data."""
NOTHING = "[invalid]"
"""What lm-eval's filters give where they find nothing."""

_SCRIPT = Script(Path(__file__).with_name("lm_eval_worker.py"), "lm_eval", 16 * 1024**3)


class LmEvalGrader:
    """Grades by the task's own code; a context manager that owns the worker processes.

    Workers start with the first text. Replies are remembered for the grader's life.
    """

    def __init__(
        self,
        include: Sequence[str] = (),
        workers: int | None = None,
        cpu_seconds: float = CPU_SECONDS,
    ) -> None:
        """Look for tasks in the folders `include`, then among lm-eval's own."""
        self._include = tuple(include)
        self._workers = Workers(workers, cpu_seconds, WALL_SECONDS, _SCRIPT)
        self._known: dict[tuple[str, ...], dict[str, Any]] = {}

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
        """The rules of this module by number, and the version of lm-eval behind them."""
        return {"grader": "lm-eval", "rules": RULES, "lm-eval": version("lm-eval")}

    def close(self) -> None:
        """End the worker processes. What is remembered stays; further use starts new ones."""
        self._workers.close()

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        """Grade one text per problem; [] for none. The order is kept.

        Raises:
            ConfigError: a metric that is neither 0 nor 1 for some text.
            DataError: a problem that is none of lm-eval's, or whose task is not there any more.
            InfrastructureError: worker processes cannot be started.
        """
        replies = self._replies(items)
        return [_grade(problem, reply) for (problem, _), reply in zip(items, replies, strict=True)]

    def grade_pool(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Grade]]:
        """Grade every candidate text of each problem; each grade has its `answer_class`."""
        flat = iter(self.grade([(problem, text) for problem, texts in pool for text in texts]))
        numbers = self.agreement(pool)
        return [[_with_class(next(flat), number) for number in own] for own in numbers]

    def agreement(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[int]]:
        """Return the answer class of every text of each problem, -1 for none; the target is not
        looked at."""
        items = [(problem, text) for problem, texts in pool for text in texts]
        flat = iter(self._replies(items))
        return [_numbered([_answer(next(flat)) for _ in texts]) for _, texts in pool]

    def _replies(self, items: Sequence[tuple[Problem, str]]) -> list[dict[str, Any]]:
        """Return what the task's code says of each text; each distinct one is asked once."""
        jobs = [_job(problem, text) for problem, text in items]
        keys = [tuple(map(str, job.values())) for job in jobs]
        new = {key: job for key, job in zip(keys, jobs, strict=True) if key not in self._known}
        asked: list[Json] = [{**job, "yaml": self._path(job)} for job in new.values()]
        self._known.update(zip(new, self._workers.ask(asked), strict=True))
        return [self._known[key] for key in keys]

    def _path(self, job: dict[str, Json]) -> str:
        """Return where the task's YAML is on this machine."""
        spec = find_spec("lm_eval")
        own = Path(str(spec.origin)).parent / "tasks" if spec else Path()
        for root in (*map(Path, self._include), own):
            if (path := root / str(job["yaml"])).is_file():
                return os.path.abspath(path)
        raise DataError(
            f"task lm-eval:{job['task']}: its YAML ({job['yaml']}) is neither in lm-eval nor in a "
            "folder of --include-path"
        )


def _job(problem: Problem, text: str) -> dict[str, Json]:
    """Return what a worker is told."""
    reference = problem.reference
    if not isinstance(reference, dict) or "yaml" not in reference:
        raise DataError(f"problem {problem.id!r} is none of lm-eval's")
    told = ("yaml", "task", "document", "sha256", "metric", "filter")
    return {**{key: reference[key] for key in told}, "text": text}


def _answer(reply: dict[str, Any]) -> str | None:
    answer = reply.get("answer")
    return None if answer is None or answer == NOTHING else str(answer)


def _grade(problem: Problem, reply: dict[str, Any]) -> Grade:
    """Turn a reply into a grade."""
    value, reason, answer = reply.get("value"), str(reply["reason"]), _answer(reply)
    if reason:
        return Grade("ungraded", answer, reason)
    if isinstance(value, int | float) and math.isnan(value):
        return Grade("ungraded", answer, "no value")
    if value not in (0, 1):
        raise ConfigError(
            f"task {problem.task}: its metric gives {value!r} for {problem.id}, which is neither "
            "right (1) nor wrong (0); choose another, metric=NAME"
        )
    return Grade("correct" if value else "wrong", answer, "" if answer is not None else "no answer")


def _with_class(grade: Grade, number: int) -> Grade:
    return Grade(grade.verdict, grade.answer, grade.reason, number)


def _numbered(answers: Sequence[str | None]) -> list[int]:
    """Number the distinct answers in the order in which the candidates first show them."""
    numbers: dict[str, int] = {}
    return [
        NO_CLASS if answer is None else numbers.setdefault(" ".join(answer.split()), len(numbers))
        for answer in answers
    ]
