"""Grade a samples file of HumanEval+ or MBPP+, in EvalPlus's format, as ``evalplus.evaluate`` does.

The output folder gets ``results.jsonl`` (one row per sample: `harness.grading.samples`) and
``summary.json`` (pass@k, counts, and the digests of samples, task and grader). Both are written
anew by every call: no verdict of an earlier one is ever used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.adapters.rows import Row, read_rows
from harness.errors import ConfigError, DataError
from harness.files import write_bytes, write_json
from harness.grading import CodeGrader
from harness.grading.references import cache_folder
from harness.grading.samples import SampleResult, grade_samples
from harness.problems import Task
from harness.runner.progress import Progress
from harness.sandbox.choice import SandboxChoice
from harness.stats import estimate, pass_at_n
from harness.types import Estimate, Json

TASKS = ("humaneval_plus", "mbpp_plus")
KS = (1, 10, 100)
"""Of pass@k, where every problem has as many samples."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a samples file scores."""

    task: str
    samples: int
    foreign: int
    """Samples of problems that the task does not have: left out."""
    problems: int
    """Problems with samples."""
    problems_total: int
    ungraded: int
    """Samples that the sandbox lost: in no figure."""
    base: Mapping[int, Estimate]
    """k -> pass@k on the tests of the original data set."""
    plus: Mapping[int, Estimate]
    """k -> pass@k where base and plus must both pass."""
    results: Path


def grade_file(
    samples: Path,
    task: Task,
    out: Path,
    sandbox: SandboxChoice,
    progress: Progress,
    *,
    allow_partial: bool = False,
) -> Summary:
    """Grade every sample of a file and write the results.

    Args:
        samples: JSON lines, plain or .gz, with ``task_id`` and ``solution`` or ``completion``.
        task: one of `TASKS`.
        out: folder of the results.
        sandbox: where programs run.
        progress: hears of it.
        allow_partial: problems without a sample, and samples of problems that the task lacks
            (another version's), are left out and counted, rather than refused.

    Raises:
        ConfigError: another task.
        DataError: a broken row, an id that the task does not have, a problem without a sample.
        InfrastructureError: no sandbox works here.
    """
    if task.name not in TASKS:
        raise ConfigError(f"--samples is for {' and '.join(TASKS)}, not {task.name}")
    count, foreign, sha = _check(samples, task, allow_partial)
    isolation = sandbox.check()
    found: list[SampleResult] = []
    with CodeGrader(sandbox.open, cache=cache_folder()) as grader:
        progress.start(f"grade · {task.name} · {samples.name}", count, 0, "samples")
        rows = (row.data for row in read_rows(samples))
        for result in grade_samples(rows, task.problems, grader):
            found.append(result)
            progress.advance(1)
        progress.finish()
        identity = grader.identity()
    results = out / "results.jsonl"
    lines = (json.dumps(result.row(), ensure_ascii=False) + "\n" for result in found)
    write_bytes(results, "".join(lines).encode("utf-8", "replace"))
    summary = summarise(task, found, results, foreign)
    record: dict[str, Json] = {
        "task": task.name,
        "task_version": task.version,
        "task_digest": task.digest,
        "samples_sha256": sha,
        "grader": identity,
        "sandbox": isolation,
        "samples": summary.samples,
        "samples_of_other_problems": summary.foreign,
        "problems": summary.problems,
        "problems_total": summary.problems_total,
        "ungraded": summary.ungraded,
        "base": {f"pass@{k}": asdict(value) for k, value in summary.base.items()},
        "base+plus": {f"pass@{k}": asdict(value) for k, value in summary.plus.items()},
    }
    write_json(out / "summary.json", record)
    return summary


def summarise(
    task: Task, found: Iterable[SampleResult], results: Path, foreign: int = 0
) -> Summary:
    """Return pass@k with intervals over problems; `foreign` samples were left out."""
    base: dict[str, list[float]] = {}
    plus: dict[str, list[float]] = {}
    values = {"pass": 1.0, "fail": 0.0, "ungraded": float("nan")}
    for one in found:
        base.setdefault(one.task_id, []).append(values[one.base_status])
        both = values[one.base_status] * values[one.plus_status]
        # A sample that fails one suite has failed, whatever became of the other.
        failed = "fail" in (one.base_status, one.plus_status)
        plus.setdefault(one.task_id, []).append(0.0 if failed else both)
    return Summary(
        task=task.name,
        samples=sum(map(len, base.values())),
        foreign=foreign,
        problems=len(base),
        problems_total=task.total,
        ungraded=int(sum(np.isnan(own).sum() for own in plus.values())),
        base=dict(_pass_at_k(base)),
        plus=dict(_pass_at_k(plus)),
        results=results,
    )


def _pass_at_k(values: Mapping[str, list[float]]) -> Iterator[tuple[int, Estimate]]:
    if not values:
        return
    widest = max(map(len, values.values()))
    graded = min(len(own) - int(np.isnan(own).sum()) for own in values.values())
    correct = np.full((len(values), widest), np.nan)
    present = np.zeros(correct.shape, dtype=bool)
    for row, own in enumerate(values.values()):
        correct[row, : len(own)] = own
        present[row, : len(own)] = ~np.isnan(own)
    for k in KS:
        if k <= graded:
            yield k, estimate(pass_at_n(correct, present, [k])[:, 0])


def _check(samples: Path, task: Task, allow_partial: bool) -> tuple[int, int, str]:
    """Read the file once before anything runs.

    Returns:
        The samples that the task has a problem for, those that it has none for, the file's digest.
    """
    known = {problem.id for problem in task.problems}
    sha = hashlib.sha256()
    seen: set[str] = set()
    count = foreign = 0
    for row in read_rows(samples, sha):
        name = _task_id(row)
        if name in known:
            seen.add(name)
            count += 1
        elif allow_partial:
            foreign += 1
        else:
            row.fail(
                f"task_id {name!r} is no problem of {task.name}; add --allow-partial to leave such "
                "samples out"
            )
    missing = [problem.id for problem in task.problems if problem.id not in seen]
    if missing and not allow_partial:
        raise DataError(
            f"{samples}: {len(missing)} problems of {task.name} have no sample, {missing[0]} is "
            "the first; add --allow-partial to leave them out"
        )
    if not count:
        raise DataError(f"{samples}: no sample is of a problem of {task.name}")
    return count, foreign, sha.hexdigest()


def _task_id(row: Row) -> str:
    name = row.data.get("task_id")
    if not isinstance(name, str):
        row.fail("no 'task_id'")
    if not any(isinstance(row.data.get(key), str) for key in ("solution", "completion")):
        row.fail("neither a 'solution' nor a 'completion'")
    return name
