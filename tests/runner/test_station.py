"""Models where work is done: loaded once, before any clock runs, and not for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from harness.errors import InfrastructureError
from harness.policies.fake import FakePolicy
from harness.policies.policy import Policy
from harness.prms.fake import FakePrm
from harness.prms.transformers import TransformersPrm
from harness.registry import open_prm
from harness.runner.generate import Writing
from harness.runner.score import Scoring
from harness.runner.spread.local import Local
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Done, Listed, Said
from harness.segment.rules import parse
from harness.telemetry.meter import Rates
from harness.telemetry.telemetry import Telemetry
from harness.types import Draft, Judge, Question, Sampling, Spec

LOADING = 0.5
"""Seconds."""

QUESTION = Question("t", "p", "a=47+38;a?\n")


class SlowPolicy(FakePolicy):
    """Takes its time to load."""

    def __init__(self) -> None:
        super().__init__(Spec("slow", "fake", "echo"))
        self.loads = 0

    def load(self) -> None:
        self.loads += 1
        time.sleep(LOADING)


class SlowPrm(FakePrm):
    """Takes its time to load."""

    def __init__(self) -> None:
        super().__init__(Spec("slow", "fake", "constant"))
        self.loads = 0

    def load(self) -> None:
        self.loads += 1
        time.sleep(LOADING)


def writing(policy: Policy) -> Writing:
    return Writing(Model.policy(policy), Sampling(max_tokens=8), 2, parse("whole"))


def done(said: Iterator[tuple[str, Said]]) -> list[Done]:
    return [one for _, one in said if isinstance(one, Done)]


def test_seconds_of_a_unit_hold_no_loading() -> None:
    policy, prm = SlowPolicy(), SlowPrm()
    local = Local()
    units: Listed[Sequence[Question], Sequence[Question]] = Listed([("p", [QUESTION])] * 2, list)
    written = done(local.do(writing(policy), units, "pool"))
    judges = [Judge(QUESTION, (Draft(("a=85",), "stop", 3),))]
    read = done(local.do(Scoring(Model.prm(prm)), Listed([("p", judges)], list), "scores"))
    assert len(written) == 2 and len(read) == 1
    assert all(one.seconds < LOADING / 2 for one in (*written, *read))
    assert policy.loads == prm.loads == 1


def test_nothing_is_loaded_for_work_that_is_done() -> None:
    policy = SlowPolicy()
    assert not list(Local().do(writing(policy), Listed([], list), "pool"))
    assert policy.loads == 0


def test_a_model_is_loaded_again_after_it_was_released() -> None:
    policy, station = SlowPolicy(), Station()
    model = Model.policy(policy)
    assert station.model(model) is station.model(model) is policy and policy.loads == 1
    station.close()
    station.model(model)
    assert policy.loads == 2


def test_what_is_loaded_is_said_and_its_seconds_are_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    telemetry, said = Telemetry(), list[str | None]()
    monkeypatch.setattr(SlowPolicy, "load", lambda _: said.append(telemetry.read(Rates()).starting))
    telemetry.start("generate", 1, 0, "candidates")
    Station(telemetry).model(Model.policy(SlowPolicy()))
    assert said == ["slow"] and telemetry.read(Rates()).starting is None


def test_a_model_that_does_not_load_is_closed_all_the_same() -> None:
    class Broken(SlowPolicy):
        closed = 0

        def load(self) -> None:
            raise InfrastructureError("out of memory")

        def close(self) -> None:
            self.closed += 1

    policy, station = Broken(), Station()
    with pytest.raises(InfrastructureError):
        station.model(Model.policy(policy))
    station.close()
    assert policy.closed == 1


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("ensemble:[fake:constant]+[fake:constant,value=0.1]", 2), ("prm-mixed,steps=whole", 1)],
)
def test_a_prm_that_holds_others_loads_them(
    name: str, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = list[str]()
    for kind in (FakePrm, TransformersPrm):
        monkeypatch.setattr(kind, "load", lambda self: loads.append(self.spec.target))
    open_prm(name).load()
    assert len(loads) == wanted
