"""The pool: order, laziness, and what becomes of workers that are killed, left or orphaned."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import ConfigError, InfrastructureError
from harness.sandbox import selftest
from harness.sandbox.backends import available, open_sandbox
from harness.sandbox.job import Calls, Inputs, Limits, Program
from harness.sandbox.namespaces import open_pool, probe
from harness.sandbox.plan import Preload
from harness.sandbox.pool import AHEAD, Pool
from harness.sandbox.worker import Worker

pytestmark = pytest.mark.skipif(not probe().works, reason=probe().why)
ROOT = Path(__file__).resolve().parents[2]


def program(text: str, cpu: float = 2.0) -> Program:
    return Program(text, b"", Limits(cpu=cpu, wall=10.0))


def children() -> set[int]:
    """Processes whose parent this one is."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rsplit(")")[1].split()[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def test_executions_come_in_the_order_of_their_jobs() -> None:
    sleeps = [0.2, 0.0, 0.1, 0.0, 0.05, 0.0]
    jobs = (program(f"import time; time.sleep({s}); print({i})") for i, s in enumerate(sleeps))
    with open_pool(3) as pool:
        assert [e.stdout for e in pool.run(jobs)] == [b"%d\n" % i for i in range(6)]


def test_an_endless_stream_of_jobs_is_drawn_as_needed() -> None:
    drawn = 0

    def jobs() -> Iterator[Program]:
        nonlocal drawn
        while True:
            drawn += 1
            yield program("print(1)")

    with open_pool(2) as pool:
        run = pool.run(jobs())
        for _ in range(20):
            assert next(run).end == "finished"
        assert drawn <= 20 + 2 * AHEAD
        run.close()
        assert next(pool.run([program("print(2)")])).stdout == b"2\n"


def test_waiting_for_a_slow_execution_costs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the others may run no further ahead of it."""
    monkeypatch.setattr("harness.sandbox.pool.AHEAD", 4)
    slow = program("import time; time.sleep(1.5)")
    with open_pool(2) as pool:
        list(pool.run([program("print(1)")] * 4))
        spent = time.process_time()
        assert len(list(pool.run([slow, *[program("print(1)")] * 30]))) == 31
        assert time.process_time() - spent < 0.7


def test_a_worker_whose_tmp_was_used_is_used_again() -> None:
    write = "import os\nos.makedirs('/tmp/a/b')\nopen('/tmp/a/b/c', 'w').write('x')\nprint(1)"
    with open_pool(1) as pool:
        seen = {pool.pids for _ in pool.run([program(write)] * 5)}
        (found,) = pool.run([program("import os\nprint(os.listdir('/tmp'))")])
        assert found.stdout == b"[]\n"
        assert len(seen) == 1


def test_one_run_at_a_time() -> None:
    with open_pool(1) as pool:
        first = pool.run([program("print(1)")] * 3)
        next(first)
        with pytest.raises(RuntimeError, match="other jobs"):
            next(pool.run([program("print(2)")]))
        assert len(list(first)) == 2


def test_workers_ended_while_they_start_are_reaped() -> None:
    before = children()
    for _ in range(5):
        Worker("lean", isolate=True).close()
    assert children() == before


def test_no_jobs_need_no_workers() -> None:
    with open_pool(2) as pool:
        assert list(pool.run([])) == []
        assert pool.pids == ()


def test_a_worker_killed_from_outside_is_replaced_and_its_job_tried_again() -> None:
    with open_pool(1) as pool:
        list(pool.run([program("print(1)")]))
        (before,) = pool.pids
        os.kill(before, signal.SIGKILL)
        assert [e.stdout for e in pool.run([program("print(2)")] * 3)] == [b"2\n"] * 3
        assert pool.pids != (before,)


def test_an_execution_that_is_lost_three_times_is_a_sandbox_error() -> None:
    """A killer from outside: it ends every worker as soon as that runs its job."""

    class Doomed(Worker):
        def give(self, seq: int, job: object) -> None:
            super().give(seq, job)  # type: ignore[arg-type]
            if job is doomed and self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)

    doomed = program("while True: pass")
    with Pool("doomed", lambda preload: Doomed(preload, True), 1) as pool:
        lost, fine = pool.run([doomed, program("print(1)")])
    assert lost.end == "sandbox_error" and "3 times" in lost.reason
    assert fine.stdout == b"1\n"


def test_a_child_killed_from_outside_is_not_the_codes_fault() -> None:
    with open_pool(1) as pool:
        list(pool.run([program("print(1)")]))
        (worker,) = pool.pids
        killer = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import os, sys, time, pathlib\nworker = sys.argv[1]\n"
                "for _ in range(2000):\n"
                "    text = pathlib.Path(f'/proc/{worker}/task/{worker}/children').read_text()\n"
                "    if text.strip():\n"
                "        os.kill(int(text.split()[0]), 9); break\n"
                "    time.sleep(0.005)",
                str(worker),
            ]
        )
        (found,) = pool.run([program("import time; time.sleep(1.5); print(7)")])
        assert killer.wait(20) == 0
        assert (found.end, found.stdout) == ("finished", b"7\n")
        assert found.wall_seconds < 5


def test_workers_that_do_not_start_are_an_infrastructure_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.sandbox.plan.interpreter", lambda: "/bin/false")
    with open_pool(2) as pool, pytest.raises(InfrastructureError, match="do not start"):
        list(pool.run([program("print(1)")]))


def test_a_sandbox_that_leaks_runs_nothing() -> None:
    """Without isolation the self-test fails, and no job is run."""

    def start(preload: Preload) -> Worker:
        return Worker(preload, isolate=False)

    refused = pytest.raises(InfrastructureError, match=r"not tight.*socket")
    with Pool("leaky", start, 1, selftest.JOB) as pool, refused:
        list(pool.run([program("print(1)")]))


def test_closing_leaves_no_process_and_no_descriptor() -> None:
    with open_pool(2) as pool:
        list(pool.run([program("print(1)")] * 4))
    before, files = children(), len(os.listdir("/proc/self/fd"))
    with open_pool(2) as pool:
        list(pool.run([program("print(1)"), program("import numpy")] * 4))
        assert children() > before
    assert children() == before
    assert len(os.listdir("/proc/self/fd")) == files


def test_stopping_early_leaves_nothing_running() -> None:
    before = children()
    with open_pool(2) as pool:
        run = pool.run([program("print(1)"), *[program("while True: pass", 60)] * 3])
        next(run)
        run.close()
    assert children() == before


PARENT = """
import sys
from harness.sandbox.job import Limits, Program
from harness.sandbox.namespaces import open_pool
pool = open_pool(2)
busy = Program("while True: pass", b"", Limits(cpu=60.0))
list(pool.run([Program("print(1)", b"")] * 4))
print(*pool.pids, flush=True)
try:
    list(pool.run([busy] * 4))
except KeyboardInterrupt:
    print("interrupted", *pool.pids, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_parents_death_ends_everything(how: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    time.sleep(0.3)
    assert workers and all(Path(f"/proc/{pid}").exists() for pid in workers)
    parent.send_signal(how)
    rest = parent.stdout.read()
    parent.wait(20)
    assert (how == signal.SIGKILL) or rest.split() == ["interrupted"]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(map(alive, workers)):
        time.sleep(0.02)
    assert not any(map(alive, workers))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_workers_are_replaced_after_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.pool.RUNS", 3)
    with open_pool(1) as pool:
        seen = {pool.pids for _ in pool.run([program("print(1)")] * 9)}
        assert len(seen) > 2


def test_input_sets_are_sent_once_and_forgotten_in_time() -> None:
    code = "def f(x): return x"
    sets = [Inputs(((i,),), str(i)) for i in range(7)]
    with open_pool(1) as pool:
        order = [0, 0, 1, 2, 3, 4, 5, 6, 0, 6, 5]
        found = list(pool.run([Calls(code, "f", sets[i]) for i in order]))
    from harness.sandbox.values import decode

    assert [decode(e.returned[0]) for e in found] == order


def test_describe_names_the_layers() -> None:
    with open_pool(1) as pool:
        list(pool.run([program("print(1)")]))
        facts = pool.describe()
    assert facts["backend"] == "namespaces" and facts["workers"] == 1
    layers = facts["layers"]
    assert isinstance(layers, list) and {"mount", "pid", "net", "seccomp"} <= set(map(str, layers))


def test_layers_are_known_before_the_first_job() -> None:
    with open_sandbox(workers=1) as sandbox:
        assert sandbox.describe()["layers"] == list(probe().layers) != []


def test_nothing_without_isolation_unless_said_twice() -> None:
    with pytest.raises(ConfigError, match="all your rights"):
        open_sandbox("unsafe-local")
    with open_sandbox("unsafe-local", 1, unsafe_local=True) as sandbox:
        executions = list(sandbox.run([program("print(6 * 7)"), program("while True: pass", 0.5)]))
        assert [e.end for e in executions] == ["finished", "timeout"]
        assert sandbox.describe()["isolation"] == "none"


def test_unknown_backends_are_named() -> None:
    with pytest.raises(ConfigError, match="namespaces"):
        open_sandbox("namespace")
    with pytest.raises(ConfigError, match="at least one"):
        open_sandbox("namespaces", 0)
    with pytest.raises(ConfigError, match="address"):
        open_sandbox("remote", url="localhost")


def test_options_of_one_backend_are_refused_beside_another() -> None:
    with pytest.raises(ConfigError, match="--sandbox-url goes with remote"):
        open_sandbox(url="http://localhost:8080")
    with pytest.raises(ConfigError, match="--unsafe-local-code goes with unsafe-local"):
        open_sandbox("namespaces", unsafe_local=True)


def test_what_does_not_work_says_why() -> None:
    found = {a.backend: a for a in available()}
    assert found["namespaces"].works
    assert all(a.why for a in found.values())


def test_no_isolation_means_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.seccomp.supported", lambda: False)
    probe.cache_clear()
    try:
        with pytest.raises(InfrastructureError, match="refusing to run") as refused:
            open_sandbox()
        assert "Choose another: --sandbox docker | podman | gvisor |" in str(refused.value)
    finally:
        probe.cache_clear()


class Heard:
    """An observer that writes down what it hears."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, str, float, float]] = []

    def now(self) -> float:
        return time.monotonic()

    def ran(self, worker: int, what: str, since: float) -> None:
        self.spans.append((worker, what, since, self.now()))


def test_an_observer_hears_of_every_program_and_of_who_ran_it() -> None:
    heard = Heard()
    with open_pool(2) as pool:
        pool.observer = heard
        jobs = [program("import time; time.sleep(0.05); print(1)")] * 6
        assert [e.end for e in pool.run(jobs)] == ["finished"] * 6
    assert [what for _, what, _, _ in heard.spans].count("program") == 6
    assert {number for number, *_ in heard.spans} == {0, 1}
    for number in (0, 1):
        own = [span for span in heard.spans if span[0] == number]
        assert own[0][1] == "self-test"
        for (_, _, begin, end), (_, _, following, _) in itertools.pairwise(own):
            assert begin <= end <= following, "a worker does one thing after the other"
