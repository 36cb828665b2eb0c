"""Who gets which unit: the rules by which many workers share a work.

Units are given out one at a time, to whoever has none: a slow worker gets fewer. While many are
left, each worker also has the next one at hand, so that nobody waits for the driver; at the end
nobody holds back what another could do. A lost worker's unit is owed again and goes to the next
free one; a unit that has lost `TRIES` workers ends the run, by name. Workers may come and go at any
time.

The crew is a protocol: `harness.runner.spread.ray` has real workers, `benchmarks.scaling` simulated
ones, which are so led by the same rules.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias

from harness.errors import InfrastructureError
from harness.runner.spread.work import Done, Lost, Said, Say, Source, Unit, unsaid

logger = logging.getLogger(__name__)

TRIES = 3
"""Workers that a unit may lose."""

_AT_HAND = 2
"""Units of a worker while many are left: the one that it does, and the next."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker is there."""

    worker: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A worker said something of a unit."""

    worker: int
    unit: str
    said: Said


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker has done a unit."""

    worker: int
    unit: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker is lost, and what it had at hand."""

    worker: int
    who: str
    """Its process and node."""
    why: str


Event: TypeAlias = Joined | Heard | Ended | Gone


class Crew(Protocol):
    """Workers, by number."""

    @property
    def workers(self) -> Sequence[int]:
        """Those that are there."""
        ...

    @property
    def width(self) -> int:
        """How many there are going to be, as far as is known: at least 1."""
        ...

    def start(self, worker: int, name: str, unit: object) -> None:
        """Give a unit to a worker, which does its units in the order in which it got them."""
        ...

    def wait(self) -> list[Event]:
        """Return what happened since the last call; [] if nothing did for a while."""
        ...


class _Hands(Generic[Unit]):
    """What every worker has at hand, and what is owed again."""

    def __init__(self, crew: Crew, source: Source[Unit], title: str, say: Say, depth: int) -> None:
        self._depth = depth
        self._crew, self._source, self._title, self._say = crew, source, title, say
        self._held: dict[int, dict[str, Unit | None]] = {worker: {} for worker in crew.workers}
        """Worker → its units; None: all of it was heard, only its end was not."""
        self._again: deque[tuple[str, Unit]] = deque()
        self._losses: Counter[str] = Counter()

    @property
    def busy(self) -> bool:
        """Whether anybody has anything, or anything is owed."""
        return bool(any(self._held.values()) or self._again or self._source.left)

    def fill(self) -> None:
        """Give out what can be."""
        for depth in range(self._depth):
            for worker in [w for w, units in self._held.items() if len(units) == depth]:
                if depth and self._source.left <= len(self._held):
                    return
                found = self._next()
                if found is None:
                    return
                name, unit = found
                logger.info("unit %s of %s", name, self._title)
                self._held[worker][name] = unit
                self._crew.start(worker, name, unit)

    def _next(self) -> tuple[str, Unit] | None:
        return self._again.popleft() if self._again else self._source.take(self._crew.width)

    def join(self, worker: int) -> None:
        """Count a worker in."""
        self._held.setdefault(worker, {})

    def hear(self, worker: int, unit: str, said: Said) -> None:
        """Note what a lost worker would not owe any more."""
        if isinstance(said, Done):
            self._held[worker][unit] = None

    def end(self, worker: int, unit: str) -> None:
        """Cross a unit off."""
        del self._held[worker][unit]

    def lose(self, gone: Gone) -> list[str]:
        """Owe a lost worker's units again, and say so; return the names of all.

        Raises:
            InfrastructureError: the unit that it was doing has lost too many.
        """
        void, owed = [], []
        for place, (name, unit) in enumerate(self._held.pop(gone.worker, {}).items()):
            if unit is None:
                continue
            if place == 0:
                self._losses[name] += 1
                self._check(name, gone.why)
            if (rest := self._source.rest(unit)) is not None:
                self._again.append((name, rest))
                owed.append(name)
            void.append(name)
        self._tell(gone, f"owed again: {', '.join(owed)}" if owed else "nothing is owed again")
        return void

    def _tell(self, gone: Gone, owed: str) -> None:
        logger.warning("worker %d is lost (%s: %s); %s", gone.worker, gone.who, gone.why, owed)
        self._say(f"a worker is lost ({gone.who}: {gone.why}); {owed}")

    def _check(self, name: str, why: str) -> None:
        if self._losses[name] >= TRIES:
            raise InfrastructureError(
                f"unit {name} of {self._title} has lost {TRIES} workers, the last one: {why}; what "
                "was finished is kept, the same command goes on"
            )


def dispatch(
    crew: Crew, source: Source[Unit], title: str, say: Say = unsaid, ahead: bool = True
) -> Iterator[tuple[str, Said]]:
    """Do every unit of `source`; see `harness.runner.spread.work.Executor.do`.

    Args:
        crew: who does them.
        source: the units.
        title: what errors and the log call them.
        say: hears of lost workers.
        ahead: whether a worker may have the next unit at hand before it has done its own.
    """
    hands = _Hands(crew, source, title, say, _AT_HAND if ahead else 1)
    if source.left < crew.width:
        logger.warning(
            "%s has %d units for %d workers; smaller ones (--set unit=DRAFTS) would keep more of "
            "them busy",
            title,
            source.left,
            crew.width,
        )
    while hands.busy:
        hands.fill()
        for event in crew.wait():
            if isinstance(event, Heard):
                hands.hear(event.worker, event.unit, event.said)
                yield event.unit, event.said
            elif isinstance(event, Ended):
                hands.end(event.worker, event.unit)
            elif isinstance(event, Joined):
                hands.join(event.worker)
            else:
                for name in hands.lose(event):
                    yield name, Lost()
