"""The main job as a whole process: seconds, peak memory, and where the time goes."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("run-benchmark"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        start = time.perf_counter()
        process = os.spawnv(os.P_NOWAIT, COMMAND, [COMMAND, "run", "embedded", "--out", str(out)])
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"run-benchmark run embedded failed: {os.waitstatus_to_exitcode(status)}")
        print(f"embedded run   {seconds:6.1f} s of at most 300")
        print(f"peak memory    {usage.ru_maxrss / 2**20:6.2f} GB of at most 3 (largest process)")
        for stage, spent in _stages(out).items():
            print(f"  {stage:<40} {spent:6.1f} s   {100 * spent / seconds:3.0f} %")


def _stages(out: Path) -> dict[str, float]:
    """Seconds of the engines' calls, by log."""
    from harness.store.log import read_ledger

    spent: dict[str, float] = {}
    for ledger in sorted(out.rglob("*.ledger.jsonl")):
        path = ledger.with_name(ledger.name.replace(".ledger", ""))
        header, units = read_ledger(path)
        name = path.stem if header.kind == "scores" else f"{path.parent.name} {header.kind}"
        spent[name] = sum(unit.seconds for unit in units)
    return spent


if __name__ == "__main__":
    main()
