"""Grading code side by side: ours, evalplus 0.3.1, LiveCodeBench's runner, a bare interpreter.

Each is a process of its own (`benchmarks.systems`) with the same number of workers; they take turns
in every round, and the median of the rounds counts, so that a busy machine changes the times more
than the ratios. A peer that is not installed, or data that are not there, leave their ratios out.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Self

from benchmarks.systems import HUMANEVAL, PEERS, SYSTEMS
from harness.sandbox.pool import cores

ROUNDS = 3
COUNTS = {"ours": 1500, "evalplus, light parent": 400, "evalplus": 200, "LiveCodeBench": 150}
"""Trivial programs a round: a few seconds each."""
INSTALL = {
    "evalplus": "pip install -c constraints.txt '.[code]'",
    "LiveCodeBench": f"pip install --no-deps --target {PEERS} nvidia-livecodebench==26.3",
}
CANONICAL = 164
TITLES = {
    "functions": "trivial functions, 3 calls each, as EvalPlus tests them",
    "calls": "trivial functions, 3 calls each, as LiveCodeBench tests them",
    "programs": "trivial programs, 3 tests each, as LiveCodeBench tests them",
    "canonical": "164 solutions of HumanEval+, all 124,253 tests, expected values known",
    "command": "the same as one command: evalplus.evaluate, run-benchmark grade",
}
WHO = {
    "functions": ("ours", "evalplus", "evalplus, light parent"),
    "calls": ("ours", "LiveCodeBench"),
    "programs": ("ours", "LiveCodeBench"),
    "canonical": ("ours", "evalplus", "bare interpreter"),
    "command": ("ours", "evalplus"),
}


TARGETS = {
    ("functions", "evalplus"): 8,
    ("calls", "LiveCodeBench"): 6,
    ("programs", "LiveCodeBench"): 6,
    ("canonical", "evalplus"): 2.3,
    ("canonical", "bare interpreter"): 1.3,
}
"""How many times faster than a peer ours is to be; of the bare interpreter, how much slower."""
PER_CORE = 300
"""Trivial functions a second and core."""


class System:
    """A system that takes orders."""

    def __init__(self, name: str, workers: int, cache: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.systems", name, str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": cache},
        )
        if self._hear() != "ready":
            sys.exit(f"{name} does not start: {self.complaint()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._errors, self._pipe(self._process.stdin), self._pipe(self._process.stdout):
            pass
        self._process.wait()

    def do(self, order: str, count: int) -> float:
        """Return the seconds of an order."""
        pipe = self._pipe(self._process.stdin)
        pipe.write(f"{order} {count}\n")
        pipe.flush()
        said = self._hear().split()
        if not said:
            sys.exit(f"{self.name}, {order}: {self.complaint()}")
        seconds, passed = float(said[0]), int(said[1])
        # evalplus 0.3.1 fails every answer to HumanEval/32.
        lost = int(self.name == "evalplus" and count == CANONICAL)
        assert passed == count - lost, f"{self.name}, {order}: {passed} of {count} passed"
        return seconds

    def complaint(self) -> str:
        """Return the last line that it wrote on standard error."""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it ended"

    def _hear(self) -> str:
        return self._pipe(self._process.stdout).readline().strip()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def present() -> list[str]:
    """Return the systems that can run here; say of the others what is missing."""
    found = list(SYSTEMS)
    if importlib.util.find_spec("evalplus") is None:
        found = [name for name in found if not name.startswith("evalplus")]
        print(f"no evalplus, its ratios are left out: {INSTALL['evalplus']}")
    if not (PEERS / "livecodebench").is_dir():
        found.remove("LiveCodeBench")
        print(f"no LiveCodeBench runner, its ratios are left out: {INSTALL['LiveCodeBench']}")
    if not HUMANEVAL.exists():
        found = [name for name in found if name not in ("evalplus", "bare interpreter")]
        print(f"no {HUMANEVAL}, ratios on HumanEval+ are left out: set HARNESS_DATA")
    return found


def measure(systems: dict[str, System]) -> dict[tuple[str, str], float]:
    """Return programs per second of each order and system: medians of interleaved rounds."""
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    for order, names in WHO.items():
        own = [systems[name] for name in names if name in systems]
        whole = order in ("canonical", "command")
        if whole and not HUMANEVAL.exists():
            continue
        for turn in range(1 + ROUNDS):
            for system in own:
                count = CANONICAL if whole else COUNTS[system.name]
                seconds = system.do(order, count)
                if turn:  # the first is to warm up
                    rates[order, system.name].append(count / seconds)
    return {key: statistics.median(found) for key, found in rates.items()}


def show(rates: dict[tuple[str, str], float], workers: int) -> None:
    """Print rates and ratios, with the targets beside them."""
    for order, title in TITLES.items():
        if (order, "ours") not in rates:
            continue
        ours = rates[order, "ours"]
        print(f"\n{title}; {workers} worker(s)")
        aim = ""
        if order == "functions":
            aim = f"   {ours / workers:.0f} a core, target at least {PER_CORE}"
        print(_row("ours", order, ours) + aim)
        for name in WHO[order][1:]:
            if (order, name) in rates:
                theirs = rates[order, name]
                print(f"{_row(name, order, theirs)}   {_ratio(order, name, ours / theirs)}")


def _row(name: str, order: str, rate: float) -> str:
    if order in ("canonical", "command"):
        return f"  {name:<24}{CANONICAL / rate:8.2f} s"
    return f"  {name:<24}{rate:8.0f} programs/s"


def _ratio(order: str, name: str, ratio: float) -> str:
    aim = TARGETS.get((order, name))
    if name == "bare interpreter":
        return f"ours takes {1 / ratio:.2f} times as long, target at most {aim}"
    return f"ours is {ratio:.1f} times faster" + (f", target at least {aim}" if aim else "")


def main() -> None:
    workers = int(sys.argv[1]) if sys.argv[1:] else cores()
    names = present()
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        systems = {name: stack.enter_context(System(name, workers, cache)) for name in names}
        show(measure(systems), workers)


if __name__ == "__main__":
    main()
