"""Each test is one way in which math-verify, its input or the machine misbehaves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import InfrastructureError
from harness.grading.workers import Outcome, Pair, Script, Workers

HANG = "5^{5^{5^{5^5}}}"  # one operation on huge integers: no Python code runs, no timer is heard
SLOW = "300000!"  # half a second: time enough to be killed in
TOO_SLOW = "10000000!"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll for `condition`; False if it has not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a corpse that nobody collected."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_outcomes_keep_the_order_of_the_pairs() -> None:
    pairs = [Pair(str(i), rf"\frac{{{2 * i}}}{{2}}" if i % 3 else "x") for i in range(1, 60)]
    with Workers(2) as workers:
        outcomes = workers.compare(pairs)
        assert len(workers.pids) == 2
    assert [Outcome(bool(i % 3)) for i in range(1, 60)] == outcomes


def test_nothing_to_compare_starts_nothing() -> None:
    with Workers(2) as workers:
        assert workers.compare([]) == []
        assert workers.pids == ()


def test_a_hang_is_killed_and_hurts_no_other_pair() -> None:
    pairs = [Pair("1", "x-x+1"), Pair("7", HANG), *[Pair("2", "x-x+2")] * 40, Pair("7", TOO_SLOW)]
    with Workers(2, cpu_seconds=1) as workers:
        outcomes = workers.compare(pairs)
    assert [Outcome(True)] * 41 == [o for o in outcomes if o.equal is not None]
    assert [Outcome(None, "timeout")] * 2 == [outcomes[1], outcomes[-1]]


def test_the_clock_stops_what_the_cpu_limit_does_not() -> None:
    with Workers(1, cpu_seconds=1000, wall_seconds=1) as workers:
        assert [Outcome(None, "timeout")] == workers.compare([Pair("7", HANG)])
        assert [Outcome(True)] == workers.compare([Pair("7", "x-x+7")])


def kill_while_busy(workers: Workers, times: int) -> threading.Thread:
    """Kill the only worker as soon as it works on a pair, that many times, from a thread."""

    def kill() -> None:
        for _ in range(times):
            assert wait_until(lambda: any(w.job is not None for w in workers._workers), 60)
            pid = workers._workers[0].process.pid
            psutil.Process(pid).kill()
            assert wait_until(lambda dead=pid: dead not in workers.pids, 60)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_killed_worker_is_replaced_and_its_pair_tried_again() -> None:
    with Workers(1) as workers:
        workers.compare([Pair("1", "x-x+1")])
        first = workers.pids[0]
        killer = kill_while_busy(workers, 1)
        outcomes = workers.compare([Pair("7", SLOW), Pair("1", "x-x+1")])
        killer.join()
        assert first not in workers.pids
    assert [Outcome(False), Outcome(True)] == outcomes


def test_a_pair_whose_worker_always_dies_is_given_up() -> None:
    with Workers(1) as workers:
        killer = kill_while_busy(workers, 2)
        assert [Outcome(None, "worker died")] == workers.compare([Pair("7", SLOW)])
        killer.join()
        assert [Outcome(True)] == workers.compare([Pair("1", "x-x+1")])


def test_workers_that_cannot_start_are_an_infrastructure_error(tmp_path: Path) -> None:
    script = Script(tmp_path / "worker.py", "math_verify")
    script.path.write_text("raise SystemExit(3)")
    with (
        Workers(1, script=script) as workers,
        pytest.raises(InfrastructureError, match="do not start"),
    ):
        workers.compare([Pair("1", "x")])


@pytest.mark.parametrize("answer", [HANG, "x-x+1"], ids=["busy", "idle"])
def test_no_worker_outlives_a_parent_that_is_killed(answer: str) -> None:
    code = (
        "import sys, threading, time\n"
        "from harness.grading.workers import Pair, Workers\n"
        "workers = Workers(1, cpu_seconds=1)\n"
        "workers.compare([Pair('1', 'x-x+1')])\n"
        "print(workers.pids[0], flush=True)\n"
        f"workers.compare([Pair('1', {answer!r})])\n"
        "time.sleep(1000)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not is_running(pid), 120)


def test_close_ends_the_workers_and_they_can_start_again() -> None:
    workers = Workers(1)
    workers.compare([Pair("1", "x-x+1")])
    (pid,) = workers.pids
    workers.close()
    assert not is_running(pid)
    assert [Outcome(True)] == workers.compare([Pair("1", "x-x+1")])
    workers.close()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\x00",
        "\ud800",
        "\\",
        "$",
        "%",
        "(" * 90,
        "{" * 30 + "1",
        "\\sqrt" * 200,
        "\\frac" * 200,
        "\\text{",
        "\\boxed{",
        "\n\n",
        "__import__('os').system('touch pwned')",
        "1+(lambda: 1)()",
        "\u202e\u0661",
        '{"equal": true}',
    ],
)
def test_hostile_text_is_different_and_nothing_breaks(shared: Workers, answer: str) -> None:
    outcome = shared.compare([Pair("7", answer)])[0]
    assert outcome.equal is not True
    assert Outcome(True) == shared.compare([Pair("7", "x-x+7")])[0]


@pytest.fixture(scope="module")
def shared() -> Iterator[Workers]:
    with Workers(1, cpu_seconds=2) as workers:
        yield workers
