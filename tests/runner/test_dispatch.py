"""Who gets which unit, on simulated workers: everything is done once, whoever comes and goes."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InfrastructureError
from harness.runner.spread.dispatch import TRIES, Ended, Event, Gone, Heard, Joined, dispatch
from harness.runner.spread.local import Local
from harness.runner.spread.work import Cut, Done, Listed, Lost, Said, Tick


class Unsteady:
    """Workers that join, end and are lost as a seeded coin says."""

    def __init__(self, seed: int, width: int, loss: float, deadly: str = "") -> None:
        self.width, self._loss, self._deadly = width, loss, deadly
        self._chance = random.Random(seed)
        self._units: dict[int, deque[str]] = {}
        self._number = 0
        self.given: Counter[str] = Counter()
        self.most = 0
        self._lost: Counter[str] = Counter()

    @property
    def workers(self) -> Sequence[int]:
        return list(self._units)

    def start(self, worker: int, name: str, unit: object) -> None:
        self._units[worker].append(name)
        self.given[name] += 1
        self.most = max(self.most, len(self._units[worker]))

    def wait(self) -> list[Event]:
        if len(self._units) < self.width and self._chance.random() < 0.5:
            self._number += 1
            self._units[self._number] = deque()
            return [Joined(self._number)]
        busy = [worker for worker, units in self._units.items() if units]
        if not busy:
            return []
        worker = self._chance.choice(busy)
        name = self._units[worker][0]
        # A unit other than the deadly one is lost once less than ends the run.
        again = self._lost[name] < TRIES - 1 and self._chance.random() < self._loss
        if name == self._deadly or again:
            self._lost[name] += 1
            del self._units[worker]
            return [Heard(worker, name, Tick(1)), Gone(worker, "process 7 on a node", "no power")]
        if self._chance.random() < self._loss:  # its last word was heard, its end was not
            del self._units[worker]
            return [
                Heard(worker, name, Done((), 0.0)),
                Gone(worker, "process 7 on a node", "no power"),
            ]
        self._units[worker].popleft()
        return [Heard(worker, name, Done((), 0.0)), Ended(worker, name)]


def listed(count: int) -> Listed[int, int]:
    return Listed(((f"u{i}", i) for i in range(count)), lambda unit: unit)


@given(
    seed=st.integers(0, 10**6),
    width=st.integers(1, 9),
    count=st.integers(0, 40),
    loss=st.floats(0, 0.9),
)
def test_every_unit_is_done_once(seed: int, width: int, count: int, loss: float) -> None:
    crew = Unsteady(seed, width, loss)
    done, ticks = Counter[str](), Counter[str]()
    for name, said in dispatch(crew, listed(count), "a log"):
        if isinstance(said, Done):
            done[name] += 1
        elif isinstance(said, Tick):
            ticks[name] += 1
        elif isinstance(said, Lost):
            ticks[name] = 0
    assert done == Counter(f"u{i}" for i in range(count))
    assert not +ticks  # what was said of a unit before its worker was lost is taken back
    assert crew.most <= 2


def test_nobody_has_a_unit_in_advance_that_a_limit_may_hold_back() -> None:
    crew = Unsteady(1, 4, 0.0)
    list(dispatch(crew, listed(20), "a log", ahead=False))
    assert crew.most == 1


def test_a_unit_that_loses_its_workers_is_named() -> None:
    crew = Unsteady(1, 4, 0.0, deadly="u7")
    with pytest.raises(InfrastructureError, match=r"unit u7 of a log has lost 3 workers.*no power"):
        list(dispatch(crew, listed(20), "a log"))
    assert crew.given["u7"] >= TRIES


def test_of_a_lost_worker_one_line_says_what_is_owed() -> None:
    class Once(Unsteady):
        def wait(self) -> list[Event]:
            self._deadly = "" if self._lost else "u0"
            return super().wait()

    told: list[str] = []
    list(dispatch(Once(1, 1, 0.0), listed(5), "a log", told.append))
    assert told == ["a worker is lost (process 7 on a node: no power); owed again: u0, u1"]


def test_a_lost_worker_owes_what_it_had_not_finished() -> None:
    ended: set[int] = set()

    def rest(unit: tuple[int, ...]) -> tuple[int, ...] | None:
        return tuple(one for one in unit if one not in ended) or None

    class Halfway(Unsteady):
        def start(self, worker: int, name: str, unit: object) -> None:
            super().start(worker, name, unit)
            assert isinstance(unit, tuple)
            seen.append(unit)
            ended.update(unit[:2])

    seen: list[tuple[int, ...]] = []
    source = Cut(range(8), lambda i: f"i{i}", tuple, rest=rest)
    list(dispatch(Halfway(3, 1, 0.6), source, "a log"))
    assert any(len(later) < len(first) and later[0] in first[2:] for first, later in _pairs(seen))


def _pairs(seen: list[tuple[int, ...]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(a, b) for i, a in enumerate(seen) for b in seen[i + 1 :]]


@given(
    weights=st.lists(st.integers(0, 30), max_size=50),
    workers=st.none() | st.integers(1, 70),
    most=st.none() | st.integers(1, 40),
)
def test_cut_units_hold_every_item_once_and_get_smaller(
    weights: list[int], workers: int | None, most: int | None
) -> None:
    source = Cut(
        list(enumerate(weights)),
        lambda item: str(item[0]),
        list,
        weight=lambda item: item[1],
        most=most,
    )
    units = []
    while (found := source.take(workers)) is not None:
        units.append(found[1])
    assert [item for unit in units for item in unit] == list(enumerate(weights))
    assert source.left == 0
    if most is None and workers is None:
        assert len([u for u in units if sum(w for _, w in u)]) <= 1
    if most is not None:  # no more than is needed to reach the most
        assert all(sum(w for _, w in unit[:-1]) < most for unit in units)


def test_here_units_are_done_in_order() -> None:
    class Naming:
        travels = True

        def at(self, station: object) -> object:
            return lambda unit: iter([Tick(unit)])

    said: list[tuple[str, Said]] = list(Local().do(Naming(), listed(3), "a log"))  # type: ignore[arg-type]
    assert said == [("u0", Tick(0)), ("u1", Tick(1)), ("u2", Tick(2))]
