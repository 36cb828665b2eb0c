"""kill -9 at twenty random moments loses nothing and does nothing twice.

The run is a real process with real models, forked from a server that has only imported what every
launch imports, which saves minutes. After each kill its ledgers hold what is finished; in the end
the results equal those of an uninterrupted run in every column but the measured ones.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.runner.results import written

KILLS = 20
PRELOADED = [
    "harness.cli.run",
    "harness.runner.report",
    "harness.policies.transformers",
    "harness.prms.transformers",
    "harness.problems.bridge",
    "transformers.models.qwen2.modeling_qwen2",
    "lm_eval.tasks",
]


def _start(out: Path) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_run, args=(out,))
    process.start()
    return process


def _run(out: Path) -> None:
    """Be the program: its arguments, its output, its exit status."""
    with out.with_suffix(".err").open("ab") as errors:
        os.dup2(errors.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    sys.argv = [
        "run-benchmark", "run", "embedded", "--task", "chain_arithmetic,chain_errors",
        "--prm", "prm-math-small", "--prm", "prm-math-large", "--limit", "24", "--budget", "1,2,8",
        "--set", "samples=8", "--set", "search.limit=6", "--set", "search.budgets=[4]",
        "--set", "search.prms=[prm-math-small]",
        "--method", "greedy,majority,best_of_n,weighted_vote,first_error,beam",
        "--policy", "embedded,batch=4", "--out", str(out),
    ]  # fmt: skip
    from harness.cli.main import main

    main()


def _finish(out: Path) -> None:
    process = _start(out)
    process.join()
    assert process.exitcode == 0, out.with_suffix(".err").read_text()


def _ledgers(out: Path) -> dict[Path, bytes]:
    """Every finished unit: whole lines of all ledgers. A search's journal goes with its end."""
    paths = [path for path in out.rglob("*.ledger.jsonl") if "journal" not in path.name]
    found = {path: path.read_bytes() for path in paths}
    return {path: text[: text.rfind(b"\n") + 1] for path, text in found.items()}


def _size(out: Path) -> int:
    return sum(map(len, _ledgers(out).values()))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_random_moments_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Floating-point results depend on the number of threads, which may be another after a restart
    # only if the user makes it so.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    whole, out = tmp_path / "whole", tmp_path / "killed"
    _finish(whole)
    total = _size(whole)
    chance = random.Random(20)
    for _ in range(KILLS):
        # Moments are spread over the work, not over the start-up that every launch repeats.
        goal = _size(out) + chance.random() * 1.2 * total / KILLS
        before, logged = _ledgers(out), _log(out)
        process = _start(out)
        while process.is_alive() and _size(out) < goal:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.join()
        assert process.exitcode in {-signal.SIGKILL, 0}, out.with_suffix(".err").read_text()
        after = _ledgers(out)
        assert all(after[path].startswith(text) for path, text in before.items())
        begun = set(re.findall(r" unit (.*) of (.*)", _log(out)[len(logged) :]))
        assert not begun & _finished(before)
    _finish(out)
    assert written(whole / "results.csv") == written(out / "results.csv")


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
