"""The sandbox: executions per second with and without isolation, what a worker costs, what leaks.

A trivial execution is a function of two arguments called with three inputs, whose values come
back. "Fresh process" is ``python -S`` started for each execution, with no isolation at all.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness.sandbox import cgroups, local, namespaces, plan, values
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Program
from harness.sandbox.pool import Pool

TRIVIAL = Calls("def f(a, b):\n    return a + b\n", "f", Inputs(((1, 2), (3, 4), (5, 6)), "sums"))
EXECUTIONS, ROUNDS, FRESH, STARTS = 1500, 3, 100, 10
SOAK, HOSTILE_EACH = 10_000, 20
QUICK = Limits(cpu=0.2, memory=2**30, wall=2.0)
HOSTILE = (
    "import posix\ndef f(a, b):\n    while True: posix.fork()",
    "def f(a, b):\n    while True: pass",
    "def f(a, b): return bytearray(2**40)",
    "import posix\nposix.write(3, b'forged')",
    "import ctypes\ndef f(a, b): ctypes.string_at(0)",
    "import ctypes\nctypes.CDLL(None).syscall(165, 0, 0, 0, 0, 0)",
    "import io\nfor i in range(20): io.open(f'/tmp/{i}', 'wb').write(bytes(2**20))",
    "import posix\nposix._exit(0)",
    "def f(a, b): return 'x' * 10**7",
    "import _socket\n_socket.socket()",
)


def rate(pool: Pool) -> tuple[float, list[Execution]]:
    """Return the best rate of a few rounds, and the executions of the last."""
    list(pool.run([TRIVIAL] * 20))
    best, executions = 0.0, []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        executions = list(pool.run(TRIVIAL for _ in range(EXECUTIONS)))
        best = max(best, EXECUTIONS / (time.perf_counter() - start))
        assert all(e.end == "finished" for e in executions)
    return best, executions


def fresh() -> float:
    """Return the rate of processes that are started for one execution each."""
    code = TRIVIAL.code + "print([f(1, 2), f(3, 4), f(5, 6)])"
    start = time.perf_counter()
    for _ in range(FRESH):
        subprocess.run([plan.interpreter(), "-S", "-c", code], capture_output=True, check=True)
    return FRESH / (time.perf_counter() - start)


def speed() -> None:
    """Print rates and latencies."""
    for workers in (1, 2):
        with namespaces.open_pool(workers) as pool:
            isolated, executions = rate(pool)
        with local.open_pool(workers, unsafe_local=True) as pool:
            bare, _ = rate(pool)
        print(f"isolated, {workers} worker(s)      {isolated:8.0f} executions/s")
        print(f"no isolation, {workers} worker(s)  {bare:8.0f} executions/s")
        if workers == 1:
            times = sorted(1e3 * e.wall_seconds for e in executions)
            middle, late = times[len(times) // 2], times[int(0.99 * len(times))]
            print(f"one execution: median {middle:.2f} ms, p99 {late:.2f} ms")
    print(f"fresh process, one at a time {fresh():6.0f} executions/s")


def start_up() -> None:
    """Print what a worker costs before it does anything."""
    for name in ("lean", "numpy"):
        code = f"{TRIVIAL.code}# {'numpy' if name == 'numpy' else ''}"
        job = Calls(code, "f", TRIVIAL.inputs)
        seconds, memory = [], 0.0
        for _ in range(STARTS):
            with namespaces.open_pool(1) as pool:
                start = time.perf_counter()
                list(pool.run([job]))
                seconds.append(time.perf_counter() - start)
                rollup = Path(f"/proc/{pool.pids[0]}/smaps_rollup").read_text()
                memory = int(rollup.split("Pss:")[1].split()[0]) / 1024
        seconds.sort()
        print(
            f"start of a {name} worker, self-test and first execution: "
            f"median {1e3 * seconds[len(seconds) // 2]:.0f} ms; idle {memory:.1f} MB (PSS)"
        )


def state() -> dict[str, int]:
    """Count what could leak."""
    groups = [folder for parent, _ in cgroups._hierarchies() for folder in parent.glob("prm-*")]
    own = sum(f"-{os.getpid()}-" in folder.name for folder in groups)
    return {
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
        "files in /tmp": len(os.listdir(tempfile.gettempdir())),
        "control groups": own,
    }


def soak() -> None:
    """Run many executions, one in twenty hostile, and print what is left over."""
    jobs = (
        Calls(HOSTILE[i // HOSTILE_EACH % len(HOSTILE)], "f", TRIVIAL.inputs, QUICK)
        if i % HOSTILE_EACH == 0
        else TRIVIAL
        for i in range(SOAK)
    )
    expected = [values.encode(n) for n in (3, 7, 11)]
    before, ends, wrong = state(), Counter[str](), 0
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with namespaces.open_pool(2) as pool:
        for i, execution in enumerate(pool.run(jobs)):
            ends[execution.end] += 1
            if i % HOSTILE_EACH:
                wrong += [r.data for r in execution.returned] != expected
        list(pool.run([Program("print(1)", b"")] * 2))
        idle = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pool.pids]
    seconds = time.perf_counter() - start
    after = state()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident) / 1024
    print(f"{SOAK:,} executions, {SOAK // HOSTILE_EACH} hostile, in {seconds:.0f} s: {dict(ends)}")
    print(f"honest executions with a wrong answer: {wrong}")
    sizes = [int(text.split("Pss:")[1].split()[0]) / 1024 for text in idle]
    print(f"workers at the end: {', '.join(f'{size:.1f} MB' for size in sizes)} (PSS)")
    left = {key: after[key] - before[key] for key in after}
    print(f"left over: {left}; peak memory of this process grew by {grown:.1f} MB")


def main() -> None:
    found = namespaces.probe()
    if not found.works:
        sys.exit(f"no sandbox on this machine: {found.why}")
    print(f"layers: {', '.join(found.layers)}")
    speed()
    start_up()
    soak()


if __name__ == "__main__":
    main()
