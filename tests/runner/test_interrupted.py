"""Ctrl-C, a full disk and a second run: what is finished stays, and one line says how to go on."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.telemetry.traces import lanes

START = "import sys; from harness.cli.main import main; sys.argv[0] = 'run-benchmark'; main()"


def _command(tasks: Path, policy: str, out: Path) -> list[str]:
    return [
        sys.executable, "-c", START, "run", "--include-path", str(tasks), "--task", "sums",
        "--policy", policy, "--budget", "1,2,4", "--method", "majority", "--out", str(out),
    ]  # fmt: skip


def _results(out: Path) -> list[list[str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.reader(file))


def _candidates(out: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(out.rglob("candidates.jsonl")))


def _units(out: Path) -> int:
    ledgers = out.rglob("candidates.ledger.jsonl")
    return sum(path.read_bytes().count(b'"unit"') for path in ledgers)


@pytest.mark.parametrize(
    ("sent", "code", "why"),
    [
        (signal.SIGINT, 130, "interrupted; everything finished is kept"),
        (signal.SIGTERM, 143, "told to end (SIGTERM); everything finished is kept"),
    ],
)
def test_a_signal_keeps_what_is_finished(
    sent: signal.Signals, code: int, why: str, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    policy = f"fake:{script},batch=1,seconds=0.2"
    command = _command(quick_tasks, policy, out)
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    while process.poll() is None and _units(out) < 3:
        time.sleep(0.01)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert why in errors
    assert f"run-benchmark run --include-path {quick_tasks}" in errors
    assert "Traceback" not in errors
    assert 3 <= _units(out) < 12
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(_command(quick_tasks, policy, whole), check=True, capture_output=True)
    assert _results(out) == _results(whole)
    assert _candidates(out) == _candidates(whole)


def test_a_full_disk_keeps_what_is_finished(
    quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    policy = f"fake:{script},batch=1"
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2600, resource.RLIM_INFINITY))"
    )
    command = _command(quick_tasks, policy, out)
    full = [*command[:2], f"{limited}; {START}", *command[3:]]
    done = subprocess.run(full, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "failed: " in done.stderr
    assert "what was finished is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "results.csv").exists()
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(_command(quick_tasks, policy, whole), check=True, capture_output=True)
    assert _results(out) == _results(whole)
    assert _candidates(out) == _candidates(whole)


def test_a_second_run_in_the_same_folder_is_refused(
    quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    from harness.files import exclusive

    out = tmp_path / "out"
    with exclusive(out):
        done = subprocess.run(
            _command(quick_tasks, f"fake:{script}", out),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "another run is writing here" in done.stderr
    assert not (out / "sweep.json").exists()


def test_a_limit_stops_a_run_that_says_what_is_owed_and_how_it_goes_on(
    quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    policy = f"fake:{script},batch=1"
    limited = [*_command(quick_tasks, policy, out), "--max-seconds", "0.001"]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "generate · script · sums: 44 of 48 owed" in done.stderr
    assert "grade · script · sums: 48 of 48 owed" in done.stderr
    assert "stopped: --max-seconds 0.001 is used up" in done.stderr
    assert f"run-benchmark run --include-path {quick_tasks}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "results.csv").exists()
    trace = tmp_path / "trace.json"
    again = [*_command(quick_tasks, policy, out), "--trace", str(trace)]
    subprocess.run(again, check=True, capture_output=True)
    subprocess.run(_command(quick_tasks, policy, whole), check=True, capture_output=True)
    assert _results(out) == _results(whole)
    assert _candidates(out) == _candidates(whole)
    assert set(lanes(trace)) == {"starting", "policy script", "grader math"}


def test_operations_that_nobody_can_count_are_no_limit(
    cli: Callable[..., Cli], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    command = _command(quick_tasks, f"fake:{script}", tmp_path / "out")[3:]
    done = cli(*command, "--max-flops", "1e15")
    assert done.code == 2
    assert "nobody knows what a token of script (fake) costs" in done.err
    assert not (tmp_path / "out").exists()
    wrong = cli(*command, "--max-seconds", "-1")
    assert wrong.code == 2 and "--max-seconds -1: write a number above 0" in wrong.err
