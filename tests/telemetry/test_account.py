"""What workers elsewhere tell, and what becomes of it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from harness.runner.spread import accounts as spread
from harness.runner.spread.accounts import Accounts
from harness.telemetry.account import Account
from harness.telemetry.meter import AtWork, Counts, Rates, Reading
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Trace
from harness.types import Gauges, Tokens
from tests.telemetry.test_telemetry import Clock
from tests.telemetry.traces import lanes


class Stream:
    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def gauges(self) -> Gauges:
        return self._gauges


def driver(seconds: float = 10.0) -> tuple[Telemetry, Clock]:
    clock = Clock()
    telemetry = Telemetry(clock=clock)
    telemetry.start("search", 8, 0, "searches")
    clock.now = seconds
    return telemetry, clock


def reading(telemetry: Telemetry) -> Reading:
    return telemetry.read(Rates())


def test_a_workers_accounts_add_up_to_what_it_did() -> None:
    clock = Clock()
    worker = Telemetry(clock=clock)
    accounts = Accounts(worker, traced=False)
    run, _ = driver()
    told = list[Account]()
    for _ in range(3):
        clock.now += 5.0  # idle: not counted
        accounts.begin()
        with worker.span("policy", "p", "unit"):
            since = worker.submitted(2)
            clock.now += 0.2
            told.append(accounts.give())  # in the middle of a call
            clock.now += 0.3
            worker.wrote("p", "q", 2, since, Tokens(2, 100, 40, 7))
        worker.judged(Tokens(1, 30, 30, 1))
        worker.spent(1e9)
        clock.now += 0.5
        told.append(accounts.give())
    assert [one.at_work.in_flight for one in told] == [2, 0] * 3
    for one in told:
        run.add(0, pickle.loads(pickle.dumps(one)))
    found = reading(run)
    assert (found.policy_tokens, found.prm_tokens, found.flops) == (21, 93, 3e9)
    assert found.policy_cache_hits == pytest.approx(0.6)
    assert found.policy_share == pytest.approx(0.5)  # of three seconds at units, not of ten
    assert found.prm_share is None and found.in_flight == 0


def test_an_account_is_due_now_and_then() -> None:
    clock = Clock()
    accounts = Accounts(Telemetry(clock=clock), traced=False)
    accounts.begin()
    assert accounts.due() is None
    clock.now = spread.PERIOD
    assert accounts.due() is not None and accounts.due() is None


def test_what_several_have_at_work_is_told_together_and_a_lost_one_has_nothing() -> None:
    worker = Telemetry()
    accounts = Accounts(worker, traced=False)
    worker.opened(Stream(Gauges(3, 4, 50, 0.5)))
    worker.submitted(7)
    own = accounts.give().at_work
    assert own == AtWork(7, 4, 0.5, 50)
    run, _ = driver()
    counts = {"policy": Counts(10, 10, 30, 1.0)}
    run.add(0, Account(2.0, counts, 0.0, own))  # type: ignore[arg-type]
    run.add(1, Account(2.0, counts, 0.0, AtWork(2, None, 0.1, 5)))  # type: ignore[arg-type]
    found = reading(run)
    assert (found.in_flight, found.waiting, found.policy_tokens) == (9, 4, 60 + 55)
    assert found.cache_used == pytest.approx(0.3) and found.policy_share == 0.5
    run.lost(0)
    found = reading(run)
    assert (found.in_flight, found.waiting, found.policy_tokens) == (2, None, 60 + 5)
    run.lost(5)  # one that never said anything
    run.start("grade", 1, 0, "candidates")
    assert reading(run).in_flight is None, "a stage begins with nothing at work"


def test_workers_that_start_are_told_until_they_work() -> None:
    run, _ = driver()
    run.hired(0)
    run.hired(1)
    assert reading(run).starting == "workers"
    run.joined(0)
    run.add(1, Accounts(Telemetry(), traced=False).starting("models"))
    assert reading(run).starting == "models"
    run.add(1, Account(2.0, {}, 0.0, AtWork(3)))
    assert reading(run).starting is None and reading(run).in_flight == 3


def test_a_trace_has_what_workers_did_when_they_did_it(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with Telemetry(trace=Trace(path)) as run:
        for number in (0, 1):
            worker = Telemetry()
            accounts = Accounts(worker, traced=True)
            with worker.span("policy", "p", "unit"):
                worker.wrote("p", "q", 1, worker.submitted(1), Tokens(1, 2, 2, 3))
            for given in (accounts.give(), accounts.give()):  # the second has nothing
                run.add(number, pickle.loads(pickle.dumps(given)))
        end = run.now()
    found = lanes(path)
    assert set(found) == {"worker 0 policy p", "worker 1 policy p"}
    for events in found.values():
        assert [event["ph"] for event in events] == ["b", "X"]
        # Two clocks are compared, which may differ by what they resolve.
        assert all(0 <= event["ts"] <= (end + 0.05) * 1e6 for event in events)
        assert events[0]["args"] == {"drafts": 1, "tokens": 3}


def test_nothing_is_kept_for_a_trace_that_nobody_writes() -> None:
    worker = Telemetry()
    accounts = Accounts(worker, traced=False)
    with worker.span("policy", "p", "unit"):
        pass
    assert not accounts.give().events and worker.trace is None
