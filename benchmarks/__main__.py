"""Run every benchmark, each in a process of its own; or only those named."""

from __future__ import annotations

import subprocess
import sys

ALL = (
    "startup",
    "store",
    "estimators",
    "sandbox",
    "graders",
    "policy",
    "prm",
    "driver",
    "search_engine",
    "board_page",
    "embedded",
    "board",
)


def main() -> None:
    for name in sys.argv[1:] or ALL:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
