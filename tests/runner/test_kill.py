"""kill -9 at twenty random moments loses nothing and does nothing twice.

The run is a real process with real models. After each kill its ledgers hold what is finished; in
the end the results equal those of an uninterrupted run in every column but the measured seconds.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KILLS = 20
# Floating-point results depend on the number of threads, which may be another after a restart only
# if the user makes it so.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
MEASURED = {"seconds_per_problem"}


def _command(out: Path) -> list[str]:
    code = "from harness.cli.main import main; main()"
    return [
        sys.executable, "-c", code, "run", "embedded", "--task", "chain_arithmetic,chain_errors",
        "--prm", "prm-math-small", "--prm", "prm-math-large", "--limit", "40", "--budget", "1,2,8",
        "--policy", "embedded,batch=16", "--out", str(out),
    ]  # fmt: skip


def _results(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return [{k: v for k, v in r.items() if k not in MEASURED} for r in csv.DictReader(file)]


def _ledgers(out: Path) -> dict[Path, bytes]:
    """Every finished unit: whole lines of all ledgers."""
    found = {path: path.read_bytes() for path in out.rglob("*.ledger.jsonl")}
    return {path: text[: text.rfind(b"\n") + 1] for path, text in found.items()}


def _size(out: Path) -> int:
    return sum(map(len, _ledgers(out).values()))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_random_moments_equals_uninterrupted(tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(whole), env=ENVIRONMENT, check=True, capture_output=True)
    total = _size(whole)
    chance = random.Random(20)
    for _ in range(KILLS):
        # Moments are spread over the work, not over the start-up that every launch repeats.
        goal = _size(out) + chance.random() * 1.2 * total / KILLS
        before, logged = _ledgers(out), _log(out)
        process = subprocess.Popen(
            _command(out), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        while process.poll() is None and _size(out) < goal:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode in {-signal.SIGKILL, 0}, errors
        after = _ledgers(out)
        assert all(after[path].startswith(text) for path, text in before.items())
        begun = set(re.findall(r" unit (.*) of (.*)", _log(out)[len(logged) :]))
        assert not begun & _finished(before)
    subprocess.run(_command(out), env=ENVIRONMENT, check=True, capture_output=True)
    assert _results(whole) == _results(out)


def _log(out: Path) -> str:
    path = out / "logs" / "run.log"
    return path.read_text() if path.exists() else ""


def _finished(ledgers: dict[Path, bytes]) -> set[tuple[str, str]]:
    """(unit, records file) of every finished unit."""
    return {
        (json.loads(line)["unit"], str(path).replace(".ledger.jsonl", ".jsonl"))
        for path, text in ledgers.items()
        for line in text.splitlines()[1:]
    }
