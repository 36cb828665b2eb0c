"""How long a user waits for `run-benchmark --help` and `ls`, beside a bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("run-benchmark"))
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "run-benchmark --help": [COMMAND, "--help"],
    "run-benchmark run --help": [COMMAND, "run", "--help"],
    "run-benchmark ls tasks": [COMMAND, "ls", "tasks"],
    "run-benchmark ls prms": [COMMAND, "ls", "prms"],
}


def main(repeats: int = 7) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(repeats):
        for name, command in CASES.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["python -c pass"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<26} {median:.2f} s   {median / base:5.1f} × a bare interpreter")


if __name__ == "__main__":
    main()
