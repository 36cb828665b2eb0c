"""Ray: two workers against one on sandboxed programs, and one worker against none.

The programs are those that the embedded policy writes for `chain_programs`, every problem's many
times over with a comment apart, so that each has to run; they are graded with every result kept.
Workers are started and their sandboxes warm before the clock starts: what is compared is the work.
On a machine that others use speeds change within minutes, so one and two workers take turns, with
Ray and without, and what is compared was timed in the same round; the figure is the median of the
rounds. What two cores give at most is told by two sandboxes without Ray. Needs two idle cores.
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
    rounds = []
    for _ in range(ROUNDS):
        alone, one = _timed(1, units, kind)
        pair, two = _timed(2, units, kind)
        rounds.append((one / two, alone / pair, 100 * (one / alone - 1)))
        print(
            f"no Ray {alone:.2f} and {pair:.2f} s with one and two workers, Ray {one:.2f} and "
            f"{two:.2f} s",
            flush=True,
        )
    gain, most, overhead = (statistics.median(found) for found in zip(*rounds, strict=True))
    print(f"two workers against one        {gain:7.2f} × (at least 1.7)")
    print(f"without Ray, what there is     {most:7.2f} ×")
    print(f"overhead of Ray, one worker    {overhead:7.1f} % (at most 5)")


def _timed(workers: int, units: Sequence[Solved], kind: Problem) -> tuple[float, float]:
    """Return the seconds of so many workers without Ray, and with it."""
    local, spread = Local(), RayExecutor(RayConfig(workers=workers))
    both: list[tuple[Executor, int]] = [(local, workers), (spread, 1)]
    for executor, count in both:
        seconds(executor, units[:4], kind, count)  # starts what there is to start
    without, within = (seconds(executor, units, kind, count) for executor, count in both)
    local.release()
    spread.close()
    return without, within


if __name__ == "__main__":
    main()
