"""Work, its units, and what is said while a unit is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from harness.errors import LimitReached
from harness.runner.spread.station import Station
from harness.store.log import Record
from harness.telemetry.telemetry import Telemetry
from harness.types import Attempt, Entry, Tokens

Item = TypeVar("Item")
Unit = TypeVar("Unit")
Given = TypeVar("Given", contravariant=True)


@dataclass(frozen=True, slots=True)
class Tick:
    """So many things more are done of a unit that is under way."""

    things: int


@dataclass(frozen=True, slots=True)
class Done:
    """A unit is done: what is to be written down of it."""

    records: Sequence[Record]
    seconds: float
    """Of the engine, wherever it was."""
    usage: Mapping[str, Tokens] = field(default_factory=dict)
    """Tokens per problem."""


@dataclass(frozen=True, slots=True)
class Replies:
    """Replies that searches got, for the journal; said before the searches use them."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Found:
    """A search has ended."""

    attempt: Attempt
    seconds: float
    """That the worker spent since it last said so, on all its searches."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker of a unit is lost: what was said of it since it began is void, but for replies
    and attempts."""


Said: TypeAlias = Tick | Done | Replies | Found | Lost
Say: TypeAlias = Callable[[str], None]
"""Tells the user a line while work is under way."""
Act: TypeAlias = Callable[[Unit], Iterator[Said]]


def unsaid(line: str) -> None:
    """Say nothing: for whoever is content with the log."""


class Work(Protocol[Given]):
    """What a stage does to its units. It travels, so it holds data and no engine."""

    @property
    def travels(self) -> bool:
        """Whether others can do it; what only looks up a file of this machine is done here."""
        ...

    def at(self, station: Station) -> Act[Given]:
        """Return what does it, with what is at hand there."""
        ...


class Source(Protocol[Unit]):
    """The units that are owed of one work, given out in turn."""

    @property
    def left(self) -> int:
        """Units, about, that were not given out yet."""
        ...

    def take(self, workers: int | None) -> tuple[str, Unit] | None:
        """Return the next unit with its name, or None.

        Args:
            workers: How many share the work; None: it is done here, one unit after the other.
        """
        ...

    def rest(self, unit: Unit) -> Unit | None:
        """Return what is still owed of a unit whose worker was lost."""
        ...


class Executor(Protocol):
    """Does work, here or elsewhere."""

    def do(self, work: Work[Unit], source: Source[Unit], title: str) -> Iterator[tuple[str, Said]]:
        """Do every unit; yield (its name, what is said of it), units in the order they end.

        Args:
            work: what is done.
            source: its units.
            title: what errors and the log call it.

        Raises:
            HarnessError: what a unit raised.
            InfrastructureError: a unit whose workers were lost again and again.
        """
        ...

    def release(self) -> None:
        """Give back the models and processes of the work done so far; more may follow."""
        ...


class Limited(Generic[Unit]):
    """A source that runs dry when a limit of the launch is reached. What was given out is done."""

    def __init__(self, source: Source[Unit], telemetry: Telemetry) -> None:
        self._source, self._telemetry = source, telemetry
        self._reached: LimitReached | None = None

    @property
    def left(self) -> int:
        """Units, about, that will still be given out."""
        return 0 if self._reached else self._source.left

    def take(self, workers: int | None) -> tuple[str, Unit] | None:
        """Return the next unit, unless a limit is reached."""
        if self._reached is None:
            try:
                self._telemetry.check()
            except LimitReached as reached:
                self._reached = reached
        return None if self._reached else self._source.take(workers)

    def rest(self, unit: Unit) -> Unit | None:
        """As the source says."""
        return self._source.rest(unit)

    def check(self) -> None:
        """Stop if units were held back.

        Raises:
            LimitReached: says which limit.
        """
        if self._reached is not None and self._source.left:
            raise self._reached


class Listed(Generic[Item, Unit]):
    """Units whose borders are fixed beforehand.

    Many workers get the heaviest first, so that none has a long one left when the others have ended
    (Graham 1969); here, where the order gains nothing, they are done as they come.
    """

    def __init__(
        self,
        units: Iterable[tuple[str, Item]],
        load: Callable[[Item], Unit],
        weight: Callable[[Item], float] | None = None,
    ) -> None:
        """Args: name and content of each; what makes a unit of a content, when it is given out;
        about how much work a content is."""
        self._units = list(units)[::-1]
        self._load, self._weight = load, weight

    @property
    def left(self) -> int:
        """Units not given out yet."""
        return len(self._units)

    def take(self, workers: int | None) -> tuple[str, Unit] | None:
        """Return the next unit."""
        if not self._units:
            return None
        if workers is not None and self._weight is not None:
            weight, self._weight = self._weight, None
            self._units.sort(key=lambda unit: weight(unit[1]))
        name, content = self._units.pop()
        return name, self._load(content)

    def rest(self, unit: Unit) -> Unit | None:
        """All of it: a unit is there whole or not at all."""
        return unit


class Cut(Generic[Item, Unit]):
    """Units cut as they are given out, for work whose results do not depend on their borders.

    Many workers get smaller ones towards the end, so that they end together: each takes a part of
    what is left (guided self-scheduling, Polychronopoulos and Kuck 1987).
    """

    _SHARE = 2
    """A unit is what is left, divided by so many times the workers."""

    def __init__(
        self,
        items: Sequence[Item],
        name: Callable[[Item], str],
        load: Callable[[Sequence[Item]], Unit],
        *,
        weight: Callable[[Item], int] = lambda _: 1,
        most: int | None = None,
        whole: bool = False,
        rest: Callable[[Unit], Unit | None] = lambda unit: unit,
    ) -> None:
        """Args: what is owed; an item's name, of which the first of a unit names it; what makes a
        unit of some; an item's weight; the most weight of a unit; whether all is one unit; and
        `Source.rest`."""
        self._items, self._name, self._load = items, name, load
        self._weight, self._most, self._whole, self._rest = weight, most, whole, rest
        self._next, self._heavy = 0, sum(map(weight, items))

    @property
    def left(self) -> int:
        """Items not given out yet: units, at their smallest."""
        return len(self._items) - self._next

    def take(self, workers: int | None) -> tuple[str, Unit] | None:
        """Return the next unit: of the most weight where one process does all."""
        if not self.left:
            return None
        alone = workers is None or self._whole
        goal = self._heavy if alone else -(-self._heavy // (self._SHARE * (workers or 1)))
        goal = goal if self._most is None else min(goal, self._most)
        first, got = self._next, 0
        while self._next < len(self._items) and (got == 0 or got < goal):
            got += self._weight(self._items[self._next])
            self._next += 1
        self._heavy -= got
        return self._name(self._items[first]), self._load(self._items[first : self._next])

    def rest(self, unit: Unit) -> Unit | None:
        """As the maker of this source says."""
        return self._rest(unit)
