"""What a run leaves on disk: this docstring is the contract, this module its only definition.

::

    <out>/
      sweep.json          the resolved configuration, its digest, schema_version
      published.json      figures of others that the configuration names, if any
      provenance.jsonl    one line per launch: command, versions, machine, models, sandbox, time
      pools/<task>-<policy>-<digest8>/
        problems.jsonl    the problems, one per line, whole (with references: graders need them)
        candidates.jsonl  candidates.ledger.jsonl     what the policy wrote
        grades.jsonl      grades.ledger.jsonl         what the grader said
      scores/
        <task>-<policy>-<prm>-<digest8>.jsonl         what a PRM said, with its .ledger.jsonl
      searches/
        <task>-<policy>-<prm>-<method>-<digest8>/     what searches found: `harness.store.searches`
      results.csv results.parquet                     one row per number (`harness.types.ResultRow`)
      report/index.html report/figures/ report/tables/
      compare/<a>-vs-<b>-<digest8>/                   what `run-benchmark compare` wrote
      telemetry.jsonl     how fast it went, a line a second
      logs/run.log

A task of kind ``steps`` or ``preference`` has nothing to generate: its pool holds
``problems.jsonl`` alone and its policy is called ``given``. ``results.*`` and ``report/`` are made
from the other files, by ``run-benchmark report``, and can be deleted at any time.

Records (one JSON object per line, UTF-8)::

    candidates  {"problem": id, "index": 0…, "steps": [text…], "finish": "stop"|"length"|"budget",
                 "tokens": n|null, "prompt_tokens": n|null, "logprobs": [x…]?}
    grades      {"problem", "index", "verdict": "correct"|"wrong"|"ungraded", "answer": text|null,
                 "reason", "class": n (-1: no answer)}
    scores      {"problem", "index", "scores": [x…]|null (the PRM has none), "semantics",
                 "raw": [x…]?, "truncated": bool, "tokens": n|null, "flops": [n…]?,
                 "unparsed": x? (share of a critic's answers without a verdict; 1: no scores)}

``telemetry.jsonl`` decides nothing, has no digest, and may be deleted. Every launch adds lines: one
a second while a stage is at work, and one when it ends (``"end": true``), with rates over the whole
stage. Its keys are ``time`` (Unix seconds), ``end``, and the fields of
`harness.telemetry.meter.Reading`; null is unknown.

Logs (``X.jsonl`` with ``X.ledger.jsonl``) grow by whole units and survive a kill at any moment:
see `harness.store.log`. Every other file is replaced at once: see `harness.files`. One
process writes; it holds ``<out>/.lock``. Names in paths are reduced to ``[A-Za-z0-9._-]``; what a
file is, is decided by the digest in its header, never by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.digest import SHORT
from harness.errors import DataError
from harness.files import write_text
from harness.store.log import SCHEMA_VERSION, Record, read_records
from harness.types import Candidate, Draft, Grade, Json, Problem, StepScores

GIVEN = "given"
"""Name of the policy of tasks that bring the solutions to judge."""

__all__ = ["GIVEN", "SCHEMA_VERSION", "PoolFolder", "RunFolder"]


def slug(name: str) -> str:
    """Return `name` as part of a file name: no separators, no leading dot, at most 60 characters.

    Different names may share a slug; the digest that follows it keeps files apart.
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[:60] or "unnamed"


@dataclass(frozen=True, slots=True)
class PoolFolder:
    """The files of one candidate pool."""

    root: Path

    @property
    def problems(self) -> Path:
        """The problems of the pool."""
        return self.root / "problems.jsonl"

    @property
    def candidates(self) -> Path:
        """The log of candidates."""
        return self.root / "candidates.jsonl"

    @property
    def grades(self) -> Path:
        """The log of grades."""
        return self.root / "grades.jsonl"

    def write_problems(self, problems: Iterable[Problem]) -> None:
        """Write the pool's problems, at once."""
        lines = (json.dumps(problem_record(p), ensure_ascii=False) for p in problems)
        write_text(self.problems, "".join(f"{line}\n" for line in lines))

    def read_problems(self) -> list[Problem]:
        """Read the pool's problems back, in the task's order."""
        try:
            text = self.problems.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise DataError(f"{self.problems}: not there; is {self.root} a pool?") from None
        # Only "\n" ends a line: str.splitlines would also cut at U+2028 inside a text.
        return [problem_from(json.loads(line)) for line in text.split("\n") if line]

    def read_candidates(self, problems: Collection[str] | None = None) -> Iterator[Candidate]:
        """Yield the candidates, of some problems or of all, as they were written."""
        return map(candidate_from, read_records(self.candidates, problems))

    def read_grades(
        self, problems: Collection[str] | None = None
    ) -> Iterator[tuple[str, int, Grade]]:
        """Yield (problem id, candidate index, grade), of some problems or of all."""
        for r in cast(Iterator[Any], read_records(self.grades, problems)):
            grade = Grade(r["verdict"], r["answer"], r["reason"], r["class"])
            yield r["problem"], r["index"], grade


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    root: Path

    @property
    def sweep(self) -> Path:
        """The resolved configuration."""
        return self.root / "sweep.json"

    @property
    def provenance(self) -> Path:
        """One line per launch."""
        return self.root / "provenance.jsonl"

    @property
    def published(self) -> Path:
        """Figures of others, to be set beside ours."""
        return self.root / "published.json"

    @property
    def log(self) -> Path:
        """What was done when, line by line, over all launches."""
        return self.root / "logs" / "run.log"

    @property
    def telemetry(self) -> Path:
        """How fast it went, a line a second, over all launches."""
        return self.root / "telemetry.jsonl"

    @property
    def report(self) -> Path:
        """Folder of the page, figures and tables."""
        return self.root / "report"

    @property
    def results(self) -> Path:
        """The tidy results, as CSV; the Parquet file stands beside it."""
        return self.root / "results.csv"

    def pool(self, task: str, policy: str, digest: str) -> PoolFolder:
        """Return the folder of a pool."""
        name = f"{slug(task)}-{slug(policy)}-{digest[:SHORT]}"
        return PoolFolder(self.root / "pools" / name)

    def scores(self, task: str, policy: str, prm: str, digest: str) -> Path:
        """Return the log of a PRM's scores."""
        name = f"{slug(task)}-{slug(policy)}-{slug(prm)}-{digest[:SHORT]}.jsonl"
        return self.root / "scores" / name


# --- records -------------------------------------------------------------------------------------


def candidate_record(candidate: Candidate) -> Record:
    """Return the line of candidates.jsonl."""
    draft = candidate.draft
    record: Record = {
        "problem": candidate.problem,
        "index": candidate.index,
        "steps": list(draft.steps),
        "finish": draft.finish,
        "tokens": draft.tokens,
        "prompt_tokens": candidate.prompt_tokens,
    }
    if draft.logprobs is not None:
        record["logprobs"] = list(draft.logprobs)
    return record


def candidate_from(record: Record) -> Candidate:
    """Return the candidate of a line of candidates.jsonl."""
    r: dict[str, Any] = dict(record)
    logprobs = r.get("logprobs")
    draft = Draft(
        steps=tuple(r["steps"]),
        finish=r["finish"],
        tokens=r["tokens"],
        logprobs=None if logprobs is None else tuple(logprobs),
    )
    return Candidate(r["problem"], r["index"], draft, r["prompt_tokens"])


def grade_record(problem: str, index: int, grade: Grade) -> Record:
    """Return the line of grades.jsonl."""
    return {
        "problem": problem,
        "index": index,
        "verdict": grade.verdict,
        "answer": grade.answer,
        "reason": grade.reason,
        "class": grade.answer_class,
    }


def scores_record(problem: str, index: int, scores: StepScores | None) -> Record:
    """Return the line of a scores file; None is a draft that the PRM does not cover."""
    if scores is None:
        return {"problem": problem, "index": index, "scores": None}
    record: Record = {
        "problem": problem,
        "index": index,
        "scores": list(scores.values),
        "semantics": scores.semantics,
        "truncated": scores.truncated,
        "tokens": scores.tokens,
    }
    if scores.raw is not None:
        record["raw"] = list(scores.raw)
    if scores.flops is not None:
        record["flops"] = list(scores.flops)
    if scores.unparsed:
        record["unparsed"] = scores.unparsed
    return record


def read_scores(
    path: Path, problems: Collection[str] | None = None
) -> Iterator[tuple[str, int, StepScores | None]]:
    """Yield (problem id, candidate index, scores) of a scores file, of some problems or of all."""
    for r in cast(Iterator[Any], read_records(path, problems)):
        if r["scores"] is None:
            yield r["problem"], r["index"], None
            continue
        raw, flops = r.get("raw"), r.get("flops")
        yield (
            r["problem"],
            r["index"],
            StepScores(
                values=tuple(r["scores"]),
                semantics=r["semantics"],
                raw=None if raw is None else tuple(raw),
                truncated=r["truncated"],
                tokens=r["tokens"],
                flops=None if flops is None else tuple(flops),
                unparsed=r.get("unparsed", 0.0),
            ),
        )


def problem_record(problem: Problem) -> dict[str, Json]:
    """Return the line of problems.jsonl."""
    return {
        "id": problem.id,
        "task": problem.task,
        "task_version": problem.task_version,
        "kind": problem.kind,
        "prompt": problem.prompt,
        "reference": problem.reference,
        "steps": list(problem.steps),
        **({"solutions": [list(one) for one in problem.solutions]} if problem.solutions else {}),
        "meta": dict(problem.meta),
        "digest": problem.digest,
    }


def problem_from(record: dict[str, Any]) -> Problem:
    """Return the problem of a line of problems.jsonl.

    Raises:
        DataError: its content has another digest than the line says.
    """
    expected = record.pop("digest")
    solutions = tuple(tuple(one) for one in record.pop("solutions", ()))
    problem = Problem(**{**record, "steps": tuple(record["steps"]), "solutions": solutions})
    if problem.digest != expected:
        raise DataError(f"problem {problem.id!r} was edited: its content has another digest")
    return problem
