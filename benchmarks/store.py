"""The store with a million candidates: append them in units, read them back, watch the memory.

Each phase runs in a process of its own, so that peak memory is its alone. The bound is 250 MB above
what the interpreter and imports take; "data asked for" is nothing here, as records are streamed.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CANDIDATES, PER_UNIT = 1_000_000, 512
STEP = "3*14=42; 42+17=59, so the next value is 59\n"


def write(path: Path) -> None:
    from harness.store.format import candidate_record
    from harness.store.log import Header, LogWriter
    from harness.types import Candidate, Draft, Tokens

    draft = Draft((STEP,) * 5, "stop", 90)
    header = Header("candidates", {"benchmark": "store"}, {"samples": PER_UNIT})
    with LogWriter(path, header) as log:
        for start in range(0, CANDIDATES, PER_UNIT):
            size = min(PER_UNIT, CANDIDATES - start)
            problem = f"p{start}"
            records = (candidate_record(Candidate(problem, i, draft, 40)) for i in range(size))
            log.append(problem, records, 0.1, {problem: Tokens(size, 40, 40, 90 * size)})


def read(path: Path) -> None:
    from harness.store.format import PoolFolder

    folder = PoolFolder(path.parent)
    count = sum(1 for _ in folder.read_candidates())
    assert count == CANDIDATES, count


def _phase(name: str, path: Path) -> None:
    import harness.store.format  # noqa: F401 - what is measured starts after the imports

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    {"write": write, "read": read}[name](path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<6} {CANDIDATES / seconds:>9,.0f} records/s   "
        f"{peak - base:6.1f} MB above {base:.0f}"
    )


def main() -> None:
    if len(sys.argv) == 3:
        _phase(sys.argv[1], Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "candidates.jsonl"
        for name in ("write", "read"):
            subprocess.run([sys.executable, "-m", "benchmarks.store", name, str(path)], check=True)
        print(f"file   {path.stat().st_size / 2**20:9,.0f} MB")


if __name__ == "__main__":
    main()
