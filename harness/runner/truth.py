"""What is right, for fake PRMs alone: the oracle must be told, and nobody else may be.

A `RunTruth` is handed to the fake PRMs when they are opened and learns the grades and labels of a
run when they are there. No other adapter is ever given one.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.digest import digest
from harness.prms.fake import first_wrong_of_grade
from harness.prms.prm import Prm
from harness.registry import open_prm
from harness.runner.plan import PoolSource
from harness.store.format import PoolFolder, RunFolder
from harness.types import GIVEN_KINDS, Draft, Problem, Question


class RunTruth:
    """What is wrong in every draft of a run, by content, as a `Truth`."""

    def __init__(self, engine: str = "default") -> None:
        """Args: the run's engine; see `harness.registry.with_engine`."""
        self._engine = engine
        self.asked = False
        """Whether any PRM was opened that wants to know; learning is skipped otherwise."""
        self._wrong: dict[str, int | frozenset[int]] = {}

    def open_prm(self, text: str) -> Prm:
        """Open a PRM; a fake one is given this truth."""
        prm = open_prm(text, self.look_up, self._engine)
        self.asked = self.asked or prm.spec.adapter == "fake"
        return prm

    def learn(self, run: RunFolder, sources: Sequence[PoolSource]) -> None:
        """Learn labels and grades of a run's pools, if any PRM wants to know."""
        for source in sources if self.asked else ():
            if source.kind in GIVEN_KINDS:
                for problem in source.problems:
                    self._learn_label(problem)
                    self._learn_right(problem)
            else:
                folder = run.pool(source.task, source.policy, source.digest)
                self._learn_grades(folder, source.problems)

    def _learn_label(self, problem: Problem) -> None:
        reference = problem.reference
        if not isinstance(reference, dict):
            return
        label, wrong = reference.get("label"), reference.get("wrong")
        key = _key(problem.question, problem.steps)
        if isinstance(wrong, list):
            self._wrong[key] = frozenset(step for step in wrong if isinstance(step, int))
        elif isinstance(label, int):
            self._wrong[key] = label

    def _learn_right(self, problem: Problem) -> None:
        reference = problem.reference
        right = reference.get("right") if isinstance(reference, dict) else None
        for place, steps in enumerate(problem.solutions if isinstance(right, int) else ()):
            self._wrong[_key(problem.question, steps)] = -1 if place == right else 0

    def _learn_grades(self, folder: PoolFolder, problems: Sequence[Problem]) -> None:
        questions = {problem.id: problem.question for problem in problems}
        graded = {(p, i): first_wrong_of_grade(grade) for p, i, grade in folder.read_grades()}
        for candidate in folder.read_candidates():
            wrong = graded.get((candidate.problem, candidate.index))
            if wrong is not None:
                key = _key(questions[candidate.problem], candidate.draft.steps)
                self._wrong[key] = wrong

    def look_up(self, question: Question, draft: Draft) -> int | frozenset[int] | None:
        """Return what is wrong in a draft; see `harness.prms.fake.Truth`."""
        return self._wrong.get(_key(question, draft.steps))


def _key(question: Question, steps: tuple[str, ...]) -> str:
    return digest([question.task, question.id, steps])
