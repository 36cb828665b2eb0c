"""An engine's workers are gone when it has been ended, even those that would not go."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace as Some

import psutil
import pytest

from harness.adapters import vllm

CORE = """
import subprocess, time
for _ in range(8):
    print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
time.sleep(600)
"""


def test_workers_that_do_not_end_are_killed_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "_LAST", 0.5)
    with subprocess.Popen([sys.executable, "-c", CORE], stdout=subprocess.PIPE, text=True) as core:
        assert core.stdout is not None
        workers = [psutil.Process(int(core.stdout.readline())) for _ in range(8)]
        manager = Some(processes=[Some(pid=core.pid, join=core.wait)])
        engine = Some(engine_core=Some(resources=Some(engine_manager=manager), shutdown=core.kill))
        vllm._end(engine)
    alive = [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]
    assert alive == []
