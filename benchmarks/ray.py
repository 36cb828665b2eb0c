"""Ray: two workers against one on sandboxed programs, and one worker against none.

The programs are those that the embedded policy writes for `chain_programs`, every problem's many
times over with a comment apart, so that each has to run; they are graded with every result kept.
Workers are started and their sandboxes warm before the clock starts, and rounds with and without
Ray take turns: what is compared is the work. What two cores give at most is told by two sandboxes
without Ray. Needs two idle cores.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from harness.config import RayConfig
from harness.problems import load
from harness.registry import open_policy
from harness.runner.grade import Grading
from harness.runner.spread.local import Local
from harness.runner.spread.ray import RayExecutor
from harness.runner.spread.work import Done, Executor, Listed
from harness.types import Draft, Extend, Problem

PROBLEMS, SAMPLES, COPIES, ROUNDS = 60, 8, 4, 5
UNIT = 4
"""Problems of a unit."""

Solved = list[tuple[Problem, list[str]]]


def programs() -> list[Solved]:
    """Return units of problems with programs."""
    (task,) = load("chain_programs", limit=PROBLEMS, seed=0)
    policy = open_policy("embedded")
    requests = [Extend(p.question, (Draft(),) * SAMPLES, task.sampling) for p in task.problems]
    pool = []
    for problem, reply in zip(task.problems, policy.extend(requests), strict=True):
        texts = [draft.text for draft in reply.drafts]
        pool.append((problem, [f"{text}\n# {i}\n" for i in range(COPIES) for text in texts]))
    policy.close()
    return [pool[i : i + UNIT] for i in range(0, len(pool), UNIT)]


def seconds(executor: Executor, units: Sequence[Solved], kind: Problem, workers: int = 1) -> float:
    """Return the wall-clock seconds of grading all units, each worker with so many sandboxes."""
    start = time.perf_counter()
    source = Listed(((str(i), unit) for i, unit in enumerate(units)), lambda unit: unit)
    said = executor.do(Grading(kind.kind, workers=workers), source, "programs")
    count = sum(len(one.records) for _, one in said if isinstance(one, Done))
    assert count == sum(len(texts) for unit in units for _, texts in unit)
    return time.perf_counter() - start


def main() -> None:
    units = programs()
    kind = units[0][0][0]
    found = {}
    for count, word in ((1, "one worker"), (2, "two workers")):
        local, spread = Local(), RayExecutor(RayConfig(workers=count))
        both = _timed([(local, count), (spread, 1)], units, kind)
        found[f"no Ray, {word}"], found[f"Ray, {word}"] = both
        local.release()
        spread.close()
    for name, spent in found.items():
        print(f"{name:<30} {spent:7.2f} s")
    alone, one, pair, two = found.values()
    print(f"two workers against one        {one / two:7.2f} × (at least 1.7)")
    print(f"without Ray, what there is     {alone / pair:7.2f} ×")
    print(f"overhead of Ray, one worker    {100 * (one / alone - 1):7.1f} % (at most 5)")


def _timed(
    executors: Sequence[tuple[Executor, int]], units: Sequence[Solved], kind: Problem
) -> list[float]:
    """Return the median of each one's rounds, in turns, after one that warms up."""
    for executor, workers in executors:
        seconds(executor, units[:4], kind, workers)
    rounds = [[seconds(one, units, kind, n) for one, n in executors] for _ in range(ROUNDS)]
    return [statistics.median(spent) for spent in zip(*rounds, strict=True)]


if __name__ == "__main__":
    main()
