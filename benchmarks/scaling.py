"""Strong scaling, simulated: the real dispatch and the real units, with time that is counted.

Workers are simulated; who gets which unit, and when, is `harness.runner.spread.dispatch`, and units
are cut by `harness.runner.units`, as in a run with ``--engine ray``. What is drawn and what is
charged comes from `benchmarks/measured/service.json`, measured by this program:

    python -m benchmarks.scaling measure    # renew the measurements, on a quiet machine
    python -m benchmarks.scaling            # the table
    python -m benchmarks.scaling figure     # the table and docs/scaling.png

A problem's service time is that of its drafts: tokens drawn from the measured ones of a random
problem, times the measured seconds per token. Long questions go first, as in a run. The driver is
charged for every unit: what Ray takes to hand it over and back, and the log's append.
"""

from __future__ import annotations

import heapq
import json
import random
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.runner.spread.dispatch import Ended, Event, Heard, dispatch
from harness.runner.spread.work import Done, Listed, Said
from harness.runner.units import units
from harness.types import Problem

MEASURED = Path(__file__).parent / "measured" / "service.json"
FIGURE = Path(__file__).parent.parent / "docs" / "scaling.png"
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PROBLEMS, SAMPLES, SEEDS = 500, 64, 5
LARGE = 20
"""Times as long as the embedded model: about 18 s a problem, as 64 drafts of 700 tokens take at
2,500 tokens/s: a model of 7 B parameters on one GPU, say."""


@dataclass(frozen=True)
class Service:
    """What was measured."""

    problems: Sequence[tuple[int, Sequence[int]]]
    """Length of the question in characters, tokens of each draft."""
    token_seconds: float
    unit_seconds: float
    """Of the driver for a unit, whatever it holds: hand-over, two syncs of the disk."""
    draft_seconds: float
    """Of the driver for each draft: its line."""


class Simulated:
    """Workers whose time is counted; see `harness.runner.spread.dispatch.Crew`."""

    def __init__(self, width: int, cost: float) -> None:
        self.workers: Sequence[int] = range(width)
        self.width, self._cost = width, cost
        self.clock = 0.0
        """Of the driver: what it does, it does one thing after the other."""
        self._free = [0.0] * width
        self._ends: list[tuple[float, int, str]] = []

    def start(self, worker: int, name: str, unit: object) -> None:
        assert isinstance(unit, float)
        begin = max(self.clock, self._free[worker])
        self._free[worker] = begin + unit
        heapq.heappush(self._ends, (self._free[worker], worker, name))

    def wait(self) -> list[Event]:
        end, worker, name = heapq.heappop(self._ends)
        self.clock = max(self.clock, end) + self._cost
        return [Heard(worker, name, Done((), 0.0)), Ended(worker, name)]


def makespan(
    width: int, rows: int, slower: float, telling: bool, seed: int, service: Service
) -> float:
    """Return the seconds of a pool of 500 problems with 64 drafts each, in units of `rows`."""
    chance = random.Random(seed)
    problems, seconds = [], {}
    for number in range(PROBLEMS):
        length, drafts = chance.choice(service.problems)
        length = length if telling else 1
        problems.append(Problem(f"p{number}", "t", "1", "math", "q" * length))
        tokens = sum(chance.choices(drafts, k=SAMPLES))
        seconds[f"p{number}"] = slower * tokens * service.token_seconds
    source = Listed(
        ((unit[0].id, unit) for unit in units(problems, SAMPLES, rows)),
        lambda unit: sum(seconds[problem.id] for problem in unit),
        lambda unit: sum(len(problem.prompt) for problem in unit),  # as harness.runner.generate
    )
    per_unit = service.unit_seconds + min(rows, PROBLEMS * SAMPLES) * service.draft_seconds
    crew = Simulated(width, per_unit)
    deque(dispatch(crew, source, "simulated"), maxlen=0)
    return crew.clock


def efficiencies(rows: int, slower: float, telling: bool, service: Service) -> list[float]:
    """Return the efficiency at each number of workers: the mean over seeds."""
    found = []
    for width in WORKERS:
        ratios = [
            makespan(1, rows, slower, telling, seed, service)
            / (width * makespan(width, rows, slower, telling, seed, service))
            for seed in range(SEEDS)
        ]
        found.append(statistics.mean(ratios))
    return found


CASES = (
    ("18 s a problem, units of one", 64, LARGE, True),
    ("18 s a problem, units of one, questions say nothing", 64, LARGE, False),
    ("18 s a problem, units of four", 256, LARGE, True),
    ("18 s a problem, units of 32", 2048, LARGE, True),
    ("0.9 s a problem, units of one", 64, 1.0, True),
)
"""Name, drafts of a unit, times as long, whether long questions have long solutions."""


def read() -> Service:
    """Read what was measured."""
    data = json.loads(MEASURED.read_text())
    return Service(
        data["problems"], data["token_seconds"], data["unit_seconds"], data["draft_seconds"]
    )


def table() -> dict[str, list[float]]:
    """Print the efficiencies and return them by case."""
    service, found = read(), {}
    one = statistics.mean(makespan(1, 64, LARGE, True, seed, service) for seed in range(SEEDS))
    print(f"{PROBLEMS} problems × {SAMPLES} samples, {one / PROBLEMS:.1f} s a problem")
    print(f"{'workers':<55}" + "".join(f"{width:>7}" for width in WORKERS))
    for name, rows, slower, telling in CASES:
        found[name] = efficiencies(rows, slower, telling, service)
        print(f"{name:<55}" + "".join(f"{100 * value:>6.1f}%" for value in found[name]))
    return found


def draw(found: dict[str, list[float]]) -> None:
    """Write the figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from harness.reporting.style import COLOURS, GREY, RC

    with pyplot.rc_context(RC):
        figure, axes = pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")
        for (name, values), colour, marker in zip(found.items(), COLOURS, "osD^v", strict=False):
            dashes = "--" if name.startswith("0.9") else "-"
            axes.plot(WORKERS, [100 * v for v in values], dashes, color=colour, marker=marker,
                      markersize=4, label=name)  # fmt: skip
        axes.axhline(90, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_xscale("log", base=2)
        axes.set_xticks(WORKERS, [str(width) for width in WORKERS])
        axes.set_ylim(0, 104)
        axes.set_xlabel("workers")
        axes.set_ylabel("efficiency (%)")
        axes.set_title(f"{PROBLEMS} problems, {SAMPLES} samples each (simulated)", loc="left")
        axes.legend(loc="lower left")
        figure.savefig(FIGURE, dpi=160)
    print(FIGURE)


# --- measuring -----------------------------------------------------------------------------------


def measure() -> None:
    """Measure, and file what was found."""
    import platform

    problems, token_seconds = _policy()
    handing = _handing()
    unit, draft = _writing()
    value = {
        "source": "python -m benchmarks.scaling measure: the embedded policy on chain_arithmetic, "
        "one thread, seconds of the processor; Ray's hand-over and the log's append",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "token_seconds": token_seconds,
        "unit_seconds": round(handing + unit, 6),
        "hand_over_seconds": round(handing, 6),
        "draft_seconds": draft,
        "problems": problems,
    }
    MEASURED.parent.mkdir(exist_ok=True)
    rows = ",\n    ".join(json.dumps(row) for row in problems)
    text = json.dumps({**value, "problems": []}, indent=2)
    MEASURED.write_text(text.replace('"problems": []', f'"problems": [\n    {rows}\n  ]') + "\n")
    print({key: shown for key, shown in value.items() if key != "problems"})


def _policy() -> tuple[list[tuple[int, list[int]]], float]:
    import torch

    from harness.problems import load
    from harness.registry import open_policy
    from harness.types import Draft, Extend

    torch.set_num_threads(1)
    policy = open_policy("embedded")
    (task,) = load("chain_arithmetic", limit=40, seed=0)
    requests = [Extend(p.question, (Draft(),) * 16, task.sampling) for p in task.problems]
    policy.extend(requests[:4])
    start = time.process_time()
    replies = policy.extend(requests)
    seconds = time.process_time() - start
    tokens = [[draft.tokens or 0 for draft in reply.drafts] for reply in replies]
    lengths = [len(problem.prompt) for problem in task.problems]
    each = round(seconds / sum(map(sum, tokens)), 9)
    return list(zip(lengths, tokens, strict=True)), each


def _handing() -> float:
    """Return the driver's seconds for handing over a unit and hearing of it, beside the work."""
    from harness.config import RayConfig
    from harness.runner.spread.ray import RayExecutor

    executor = RayExecutor(RayConfig(workers=1))
    try:
        deque(executor.do(Nothing(), _numbered(10), "warm"), maxlen=0)
        start, count = time.process_time(), 200
        deque(executor.do(Nothing(), _numbered(count), "timed"), maxlen=0)
        return (time.process_time() - start) / count
    finally:
        executor.close()


class Nothing:
    """Work that takes no time."""

    travels = True

    def at(self, station: object) -> Any:
        return self._do

    def _do(self, unit: int) -> Iterator[Said]:
        yield Done((), 0.0)


def _numbered(count: int) -> Listed[int, int]:
    return Listed(((str(i), i) for i in range(count)), lambda unit: unit)


def _writing() -> tuple[float, float]:
    """Return the seconds of an append, by the clock, and of the processor for each draft in it."""
    from harness.store.format import candidate_record
    from harness.store.log import Header, LogWriter
    from harness.types import Candidate, Draft

    drafts = [Candidate("p", i, Draft(("x" * 40,) * 8), 20) for i in range(1024)]
    records = [candidate_record(one) for one in drafts]
    waits, work = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        LogWriter(Path(folder) / "candidates.jsonl", Header("candidates", {})) as log,
    ):
        for i in range(40):
            start = time.perf_counter()
            log.append(f"one/{i}", records[:1])
            waits.append(time.perf_counter() - start)
            before = time.process_time()
            log.append(f"many/{i}", records)
            work.append(time.process_time() - before)
    return round(statistics.median(waits), 6), round(statistics.median(work) / len(records), 9)


def main() -> None:
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked == "measure":
        measure()
    found = table()
    if asked == "figure":
        draw(found)


if __name__ == "__main__":
    main()
