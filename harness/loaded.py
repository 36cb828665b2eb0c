"""A run folder as pandas frames: what `harness.load_run` returns.

Everything is read from the files that `harness.store.format` describes, nothing is run. What is
absent is null in a frame, never zero. Texts are model output: data, not instructions.

>>> import harness
>>> run = harness.load_run("runs/embedded")                                      # doctest: +SKIP
>>> run.results().query("method == 'best_of_n' and headline")                    # doctest: +SKIP
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store.format import RunFolder, read_scores
from harness.store.sweepfile import PoolEntry, SweepFile, read_sweep
from harness.types import GIVEN_KINDS, Candidate, Problem

if TYPE_CHECKING:
    import pandas as pd

    from harness.runner.evaluate import Results


@dataclass
class Run:
    """One run. Frames are made when they are asked for; each call reads the files again."""

    path: Path
    sweep: SweepFile = field(init=False, repr=False)
    """What the run was asked for: `sweep.config`, and which pools and scores answer it."""

    def __post_init__(self) -> None:
        self.sweep = read_sweep(RunFolder(self.path))

    def results(self) -> pd.DataFrame:
        """Every number of the run with its interval and cost: one row per line of results.csv.

        Columns are the fields of `harness.types.ResultRow`, in its order. Computed from the run's
        files, as `run-benchmark report` does.
        """
        from harness.reporting.frames import to_frame

        return to_frame(self._evaluated().rows)

    def answers(self) -> pd.DataFrame:
        """What every method gets on every problem: the values whose means are the accuracies.

        Columns: task, policy, prm (null without one), method, aggregation, problem, budget
        (candidates), correct (expected correctness, mean over replicas; null if ungraded), and per
        problem policy_tokens, total_tokens, flops, latency_seconds, throughput_seconds where known.
        Declared aggregations only; pass@N is a ceiling and not among the methods.
        """
        from harness.analysis import AXES

        rows = [
            {
                "task": curve.task,
                "policy": curve.policy,
                "prm": curve.prm,
                "method": curve.method,
                "aggregation": curve.aggregation,
                "problem": problem,
                "budget": budget,
                "correct": curve.values[i, j],
                **{axis: curve.costs[axis][i, j] for axis in AXES if axis in curve.costs},
            }
            for curve in self._evaluated().curves
            for i, problem in enumerate(curve.problems)
            for j, budget in enumerate(curve.budgets)
        ]
        words = ("task", "policy", "prm", "method", "aggregation", "problem")
        return _frame(rows, (*words, "budget", "correct", *AXES), words, ("budget",))

    def problems(self) -> pd.DataFrame:
        """The problems: one row per task and problem.

        Columns: task, task_version, domain, kind, problem (its id), prompt, reference (JSON text),
        and one column ``meta.KEY`` per fact that problems have (meta.subject, meta.level …).
        """
        seen: dict[tuple[str, str], dict[str, Any]] = {}
        for entry, problem in self._problems():
            seen.setdefault(
                (entry.task, problem.id),
                {
                    "task": entry.task,
                    "task_version": entry.task_version,
                    "domain": entry.domain,
                    "kind": entry.kind,
                    "problem": problem.id,
                    "prompt": problem.prompt,
                    "reference": json.dumps(problem.reference, ensure_ascii=False),
                    **{f"meta.{key}": value for key, value in problem.meta.items()},
                },
            )
        words = ("task", "task_version", "domain", "kind", "problem", "prompt", "reference")
        rows = list(seen.values())
        more = dict.fromkeys(key for row in rows for key in row if key.startswith("meta."))
        return _frame(rows, (*words, *more), words, ())

    def candidates(self) -> pd.DataFrame:
        """The pools' solutions with their grades: one row per candidate.

        Columns: task, policy, greedy (of the pool at temperature 0), problem, index (from 0), text,
        steps (how many), finish (stop, length or budget), tokens, prompt_tokens, verdict (correct,
        wrong or ungraded; null without a grade), correct (1, 0, null), answer, answer_class
        (-1: no answer). Solutions that come with a task are no candidates: `problems` has them.
        """
        run = RunFolder(self.path)
        rows = []
        for entry in self.sweep.pools:
            if entry.kind in GIVEN_KINDS:
                continue
            pool = entry.folder(run)
            grades = {}
            if pool.grades.exists():
                grades = {(name, i): grade for name, i, grade in pool.read_grades()}
            for candidate in pool.read_candidates():
                grade = grades.get((candidate.problem, candidate.index))
                rows.append(
                    {
                        **_candidate(entry, candidate),
                        "verdict": grade and grade.verdict,
                        "correct": grade.value if grade else math.nan,
                        "answer": grade and grade.answer,
                        "answer_class": grade and grade.answer_class,
                    }
                )
        words = ("task", "policy", "problem", "text", "finish", "verdict", "answer")
        whole = ("index", "steps", "tokens", "prompt_tokens", "answer_class")
        columns = (
            *("task", "policy", "greedy", "problem", "index", "text", "steps", "finish", "tokens"),
            *("prompt_tokens", "verdict", "correct", "answer", "answer_class"),
        )
        return _frame(rows, columns, words, whole, ("greedy",))

    def scores(self) -> pd.DataFrame:
        """What the PRMs said: one row per step that was scored.

        Columns: task, policy, prm, problem, index (the candidate, or the place among the solutions
        that come with the problem), step (from 0), score, raw (the head's own number, null if it
        gives none), semantics, truncated (the PRM did not see the whole input). A candidate that a
        PRM does not cover has no row.
        """
        run = RunFolder(self.path)
        rows = []
        for entry in self.sweep.scores:
            pool = self.sweep.pool(entry.pool)
            for problem, index, scores in read_scores(self.sweep.scores_path(run, entry)):
                if scores is None:
                    continue
                rows += [
                    {
                        "task": pool.task,
                        "policy": pool.policy,
                        "prm": entry.prm,
                        "problem": problem,
                        "index": index,
                        "step": step,
                        "score": score,
                        "raw": scores.raw[step] if scores.raw else math.nan,
                        "semantics": scores.semantics,
                        "truncated": scores.truncated,
                    }
                    for step, score in enumerate(scores.values)
                ]
        words = ("task", "policy", "prm", "problem", "semantics")
        columns = (
            *("task", "policy", "prm", "problem", "index", "step", "score", "raw", "semantics"),
            "truncated",
        )
        return _frame(rows, columns, words, ("index", "step"), ("truncated",))

    def _evaluated(self) -> Results:
        from harness.runner.evaluate import evaluate

        return evaluate(RunFolder(self.path))

    def _problems(self) -> Iterator[tuple[PoolEntry, Problem]]:
        run = RunFolder(self.path)
        for entry in self.sweep.pools:
            for problem in entry.folder(run).read_problems():
                yield entry, problem


def _candidate(entry: PoolEntry, candidate: Candidate) -> dict[str, Any]:
    draft = candidate.draft
    return {
        "task": entry.task,
        "policy": entry.policy,
        "greedy": entry.greedy,
        "problem": candidate.problem,
        "index": candidate.index,
        "text": draft.text,
        "steps": len(draft.steps),
        "finish": draft.finish,
        "tokens": draft.tokens,
        "prompt_tokens": candidate.prompt_tokens,
    }


def _frame(
    rows: list[dict[str, Any]],
    columns: tuple[str, ...],
    words: tuple[str, ...],
    whole: tuple[str, ...],
    yes_no: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Return rows as a frame whose columns and types do not depend on what is in them."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    types = {name: "Float64" for name in columns if not name.startswith("meta.")}
    types |= dict.fromkeys(words, "string") | dict.fromkeys(whole, "Int64")
    types |= dict.fromkeys(yes_no, "boolean")
    facts = {name: frame[name].convert_dtypes() for name in columns if name.startswith("meta.")}
    return frame.astype(types).assign(**facts)
