"""Ray: two workers against one on sandboxed programs, and one worker against none.

The programs are those that the embedded policy writes for `chain_programs`, every problem's many
times over with a comment apart, so that each has to run; they are graded with every result kept.
Workers are started and their sandboxes warm before the clock starts: what is compared is the work.
Needs two idle cores.
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

PROBLEMS, SAMPLES, COPIES, ROUNDS = 60, 8, 4, 3
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


def seconds(executor: Executor, units: Sequence[Solved], kind: Problem) -> float:
    """Return the wall-clock seconds of grading all units."""
    start = time.perf_counter()
    source = Listed(((str(i), unit) for i, unit in enumerate(units)), lambda unit: unit)
    said = executor.do(Grading(kind.kind, workers=1), source, "programs")
    count = sum(len(one.records) for _, one in said if isinstance(one, Done))
    assert count == sum(len(texts) for unit in units for _, texts in unit)
    return time.perf_counter() - start


def main() -> None:
    units = programs()
    kind = units[0][0][0]
    executors: dict[str, Executor] = {
        "no Ray, one sandbox worker": Local(),
        "Ray, one worker": RayExecutor(RayConfig(workers=1)),
    }
    found = {name: _timed(executor, units, kind) for name, executor in executors.items()}
    executors["Ray, one worker"].close()  # type: ignore[attr-defined]
    two = RayExecutor(RayConfig(workers=2))
    found["Ray, two workers"] = _timed(two, units, kind)
    two.close()
    for name, spent in found.items():
        print(f"{name:<30} {spent:7.2f} s")
    none, one, both = found.values()
    print(f"two workers against one        {one / both:7.2f} × (at least 1.7)")
    print(f"overhead of Ray, one worker    {100 * (one / none - 1):7.1f} % (at most 5)")


def _timed(executor: Executor, units: Sequence[Solved], kind: Problem) -> float:
    """Return the median of some rounds, after one that warms up."""
    seconds(executor, units[:4], kind)
    return statistics.median(seconds(executor, units, kind) for _ in range(ROUNDS))


if __name__ == "__main__":
    main()
