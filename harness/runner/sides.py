"""The two sides of a comparison: whom the user named.

What is named once holds for both sides, what is named twice is the first side's and the second's:
runs, policies, PRMs and methods alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from harness.errors import ConfigError, unknown
from harness.search.methods import METHODS, parse_method
from harness.store.format import RunFolder
from harness.store.sweepfile import PoolEntry, ScoreEntry, SearchEntry, SweepFile, read_sweep
from harness.types import GIVEN_KINDS, Kind

_Named = TypeVar("_Named")

_GIVEN = {"steps": "first_error", "preference": "preference"}
"""The method that a kind of given solutions is compared by."""


@dataclass(frozen=True)
class Side:
    """One side: a run, and whose answers of it."""

    run: RunFolder
    sweep: SweepFile
    policy: str | None
    prm: str | None
    method: str | None
    """None: best_of_n, or what the task's kind asks for."""

    def method_on(self, kind: Kind) -> str:
        """Return the method that answers a task of this kind."""
        if kind in GIVEN_KINDS:
            return self.method or _GIVEN[kind]
        return self.method or "best_of_n"

    def needs_prm(self, kind: Kind) -> bool:
        """Whether the method on this kind of task uses a PRM."""
        name = self.method_on(kind)
        for entry in self.sweep.searches:
            if entry.method == name:
                return entry.prm is not None
        return parse_method(name).method.needs_prm

    def pool(self, task: str) -> PoolEntry | None:
        """Return the pool of a task that the method chooses from."""
        greedy = self.method == "greedy"
        return next(
            (
                entry
                for entry in self.sweep.pools
                if entry.task == task
                and entry.greedy == greedy
                and (entry.kind in GIVEN_KINDS or entry.policy == self.policy_on(task))
            ),
            None,
        )

    def policy_on(self, task: str) -> str | None:
        """Return the policy that answered a task: the one named, else the only one there is.

        Raises:
            ConfigError: several, and none is named.
        """
        own = [e for e in entries(self.sweep) if e.task == task]
        names = list(dict.fromkeys(e.policy for e in own if e.kind not in GIVEN_KINDS))
        if self.policy is not None:
            return self.policy
        if len(names) > 1:
            raise ConfigError(f"{self.run.root} has several policies; name one: {_flags(names)}")
        return names[0] if names else None

    def scores(self, pool: PoolEntry) -> ScoreEntry | None:
        """Return the PRM's scores of a pool."""
        mine = (e for e in self.sweep.scores if e.pool == pool.digest and e.prm == self.prm)
        return next(mine, None)

    def searches(self, task: str) -> tuple[SearchEntry, ...]:
        """Return the method's searches of a task, one per budget; none of a pool's method."""
        return tuple(
            entry
            for entry in self.sweep.searches
            if entry.task == task
            and entry.method == self.method
            and not entry.alone
            and entry.policy == self.policy_on(task)
            and entry.prm in (self.prm, None)
        )


def sides(
    runs: Sequence[Path],
    policies: Sequence[str] = (),
    prms: Sequence[str] = (),
    methods: Sequence[str] = (),
) -> tuple[Side, Side]:
    """Return the two sides that were named.

    Raises:
        ConfigError: more than two of a kind, a name that a run does not have, two sides that are
            the same.
        DataError: no run folder.
    """
    given = {"runs": runs, "--policy": policies, "--prm": prms, "--method": methods}
    for what, named in given.items():
        if len(named) > 2:
            raise ConfigError(
                f"{len(named)} {what} named: two sides are compared; name one for both sides, or "
                "one for each"
            )
    found = []
    for place in range(2):
        run = RunFolder(_of(runs, place) or Path())
        sweep = read_sweep(run)
        method = _checked("method", _of(methods, place), _methods(sweep), run)
        policy = _checked("policy", _of(policies, place), _policies(sweep), run)
        prm = _checked("PRM", _of(prms, place), _prms(sweep), run)
        found.append(Side(run, sweep, policy, prm, method))
    a, b = (_with_prm(side) for side in found)
    if all(
        map(same, (a.run.root, a.policy, a.prm, a.method), (b.run.root, b.policy, b.prm, b.method))
    ):
        sweep = a.sweep
        raise ConfigError(
            f"both sides are the same; name two of something in {a.run.root}: "
            f"{_flags(_prms(sweep), '--prm')}; {_flags(_methods(sweep), '--method')}; or another "
            "run"
        )
    return a, b


def names(a: Side, b: Side, kind: Kind) -> tuple[str, str]:
    """Return what tells the two sides apart, in as few words as do."""
    parts: list[tuple[str, str]] = []
    methods = a.method_on(kind), b.method_on(kind)
    prms = tuple(side.prm or "" if side.needs_prm(kind) else "" for side in (a, b))
    if methods[0] != methods[1]:
        parts.append(methods)
    if prms[0] != prms[1]:
        joined = [f"with {prm}" if parts and prm else prm for prm in prms]
        parts.append((joined[0], joined[1]))
    if a.policy != b.policy:
        parts.append((f"by {a.policy}", f"by {b.policy}"))
    if not same(a.run.root, b.run.root) and (not parts or a.sweep.digest != b.sweep.digest):
        roots = _apart(a.run.root, b.run.root)
        parts.append(roots if not parts else (f"in {roots[0]}", f"in {roots[1]}"))
    left, right = (" ".join(filter(None, part)) for part in zip(*parts, strict=True))
    return left, right


def entries(sweep: SweepFile) -> tuple[PoolEntry | SearchEntry, ...]:
    """Return everything of a run that answers a task."""
    return (*sweep.pools, *sweep.searches)


# --- what a run has ------------------------------------------------------------------------------


def answered_tasks(side: Side) -> tuple[str, ...]:
    """Return the tasks that a side has answered."""
    found = []
    for task, kind in dict.fromkeys((e.task, e.kind) for e in entries(side.sweep)):
        if kind in GIVEN_KINDS and side.method not in (None, _GIVEN[kind]):
            continue
        if kind not in GIVEN_KINDS and side.method in _GIVEN.values():
            continue
        if side.searches(task):
            found.append(task)
            continue
        pool = side.pool(task)
        if pool is None or any(e.method == side.method for e in side.sweep.searches):
            continue
        if not side.needs_prm(kind) or side.scores(pool) is not None:
            found.append(task)
    return tuple(found)


def _with_prm(side: Side) -> Side:
    """Fill in the only PRM of a run where none was named."""
    names = _prms(side.sweep)
    kinds = {entry.kind for entry in side.sweep.pools}
    if side.prm is not None or not any(map(side.needs_prm, kinds)):
        return side
    if len(names) != 1:
        raise ConfigError(
            f"{side.run.root} has {'several PRMs' if names else 'no PRM'}; name one: "
            f"{_flags(names, '--prm')}"
        )
    return replace(side, prm=names[0])


def _prms(sweep: SweepFile) -> list[str]:
    own = [*(entry.prm for entry in sweep.scores), *(e.prm for e in sweep.searches if e.prm)]
    return list(dict.fromkeys(own))


def _policies(sweep: SweepFile) -> list[str]:
    return list(dict.fromkeys(e.policy for e in entries(sweep) if e.kind not in GIVEN_KINDS))


def _methods(sweep: SweepFile) -> list[str]:
    asked = {parse_method(text).method.name for text in sweep.config["methods"]}
    pooled = [name for name, m in METHODS.items() if name in asked and (m.pooled or m.given)]
    searched = [entry.method for entry in sweep.searches]
    return list(dict.fromkeys(name for name in (*pooled, *searched) if name != "pass_at_n"))


def _checked(what: str, name: str | None, known: Iterable[str], run: RunFolder) -> str | None:
    if name is not None and name not in (names := list(known)):
        raise unknown(what, name, names, str(run.root))
    return name


def _of(named: Sequence[_Named], place: int) -> _Named | None:
    """Return what was named for a side."""
    return named[min(place, len(named) - 1)] if named else None


def same(a: object, b: object) -> bool:
    """Return whether two sides agree in something; folders by where they are."""
    if isinstance(a, Path) and isinstance(b, Path):
        return a.resolve() == b.resolve()
    return a == b


def _apart(a: Path, b: Path) -> tuple[str, str]:
    """Return the last parts of two paths that differ."""
    one, other = a.resolve().parts, b.resolve().parts
    for length in range(1, max(len(one), len(other)) + 1):
        left, right = "/".join(one[-length:]), "/".join(other[-length:])
        if left != right:
            return left, right
    return str(a), str(b)


def _flags(names: Sequence[str], flag: str = "--policy") -> str:
    return f"{flag} {' | '.join(names)}" if names else f"no {flag.strip('-')}"


def listed(names: Sequence[str]) -> str:
    """Return names for a message."""
    return ", ".join(names) or "none"
