"""Training domain against evaluation domain: does a PRM trained on mathematics help on code?

Of each training the largest PRM stands for it, since size and training are two questions; of
several as large (or of unknown size) per problem the mean of their answers. Every difference is
paired over problems; of several tasks of a domain it is the mean over tasks (`contrast.paired`).
All tests of the matrix are one family for Holm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from harness.analysis.contrast import holm, paired
from harness.analysis.curve import Curve
from harness.stats.best_of_n import Floats
from harness.types import Estimate

VOTE, CHOICE = "majority", "best_of_n"


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference with its p after Holm over the matrix."""

    estimate: Estimate
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether it is not 0, after correction."""
        return bool(self.adjusted < 0.05)


@dataclass(frozen=True)
class Transfer:
    """PRMs of one training on the tasks of one domain."""

    trained: tuple[str, ...]
    """Domains they were trained on."""
    domain: str
    prms: tuple[str, ...]
    tasks: tuple[str, ...]
    accuracy: float
    """Of their choice at the largest budget, mean over tasks."""
    gain: Difference
    """Their choice minus the majority vote."""
    gap: Difference | None
    """Theirs minus that of the PRMs trained on this domain alone; None for those themselves, or
    where the run has none."""


def transfer(
    curves: Sequence[Curve],
    trained: Mapping[str, Sequence[str]],
    domains: Mapping[str, str],
    sizes: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Transfer, ...]:
    """Return the matrix, row by row; empty unless there are two domains and a PRM whose training is
    known.

    Args:
        curves: of a run; best-of-N and the majority vote at their largest common budget are used.
        trained: PRM → domains it was trained on.
        domains: task → its domain.
        sizes: PRM → its parameters, where they are known.
    """
    used = [curve for curve in curves if curve.task in domains]
    choices = [c for c in used if c.method == CHOICE and c.prm in _largest(trained, sizes, used)]
    votes = {(c.task, c.policy): c for c in used if c.method == VOTE}
    places = [key for key in dict.fromkeys((c.task, c.policy) for c in choices) if key in votes]
    kinds = list(dict.fromkeys(tuple(trained[c.prm or ""]) for c in choices))
    shown = list(dict.fromkeys(domains[task] for task, _ in places))
    if len(shown) < 2:
        return ()
    cells: list[Transfer] = []
    for domain in shown:
        own = [key for key in places if domains[key[0]] == domain]
        rows = {kind: _answers(choices, own, kind, trained, votes) for kind in kinds}
        known = {kind: row for kind, row in rows.items() if row is not None}
        vote, strata = _votes(votes, own, choices)
        home = known.get((domain,))
        for kind, (values, prms) in known.items():
            gap = None
            if home is not None and kind != (domain,):
                gap = _difference(values - home[0], strata)
            cells.append(
                Transfer(
                    kind,
                    domain,
                    prms,
                    tuple(dict.fromkeys(task for task, _ in own)),
                    _mean(values, strata),
                    _difference(values - vote, strata),
                    gap,
                )
            )
    return _corrected(sorted(cells, key=lambda cell: kinds.index(cell.trained)))


def _largest(
    trained: Mapping[str, Sequence[str]], sizes: Mapping[str, float], used: Sequence[Curve]
) -> set[str]:
    """Return the PRMs that stand for their training."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for prm in dict.fromkeys(c.prm for c in used if c.prm in trained):
        kinds.setdefault(tuple(trained[prm or ""]), []).append(prm or "")
    found: set[str] = set()
    for own in kinds.values():
        top = max((sizes[prm] for prm in own if prm in sizes), default=None)
        found |= {prm for prm in own if sizes.get(prm, top) == top}
    return found


def _budget(vote: Curve, choices: Sequence[Curve]) -> int:
    """Return the largest budget that the vote and all choices of a task have."""
    common = set(vote.budgets).intersection(*(c.budgets for c in choices))
    if not common:
        raise ValueError(f"{vote.task}: no budget in common")
    return max(common)


def _at(curve: Curve, budget: int) -> Floats:
    return np.asarray(curve.values[:, curve.budgets.index(budget)], np.float64)


def _answers(
    choices: Sequence[Curve],
    places: Sequence[tuple[str, str]],
    kind: tuple[str, ...],
    trained: Mapping[str, Sequence[str]],
    votes: Mapping[tuple[str, str], Curve],
) -> tuple[Floats, tuple[str, ...]] | None:
    """Return mean answers of the PRMs of a training over all problems of a domain, and who they
    are; None unless each of them answers every task."""
    parts, names = [], None
    for key in places:
        here = [c for c in choices if (c.task, c.policy) == key]
        own = [c for c in here if tuple(trained[c.prm or ""]) == kind]
        if not own or (names is not None and names != tuple(c.prm for c in own)):
            return None
        names = tuple(c.prm for c in own)
        budget = _budget(votes[key], here)
        parts.append(np.mean([_at(c, budget) for c in own], axis=0))
    return np.concatenate(parts), tuple(name or "" for name in names or ())


def _votes(
    votes: Mapping[tuple[str, str], Curve],
    places: Sequence[tuple[str, str]],
    choices: Sequence[Curve],
) -> tuple[Floats, Floats]:
    """Return the vote on all problems of a domain, and the task of each."""
    parts, strata = [], []
    for number, key in enumerate(places):
        here = [c for c in choices if (c.task, c.policy) == key]
        parts.append(_at(votes[key], _budget(votes[key], here)))
        strata.append(np.full(len(parts[-1]), float(number)))
    return np.concatenate(parts), np.concatenate(strata)


def _mean(values: Floats, strata: Floats) -> float:
    return float(np.mean([np.nanmean(values[strata == s]) for s in np.unique(strata)]))


def _difference(gaps: Floats, strata: Floats) -> Difference:
    tested = paired(gaps[:, None], strata)
    return Difference(tested.estimate(0), float(tested.p[0]))


def _corrected(cells: Sequence[Transfer]) -> tuple[Transfer, ...]:
    raw = [cell.gain.adjusted for cell in cells]
    raw += [cell.gap.adjusted for cell in cells if cell.gap is not None]
    places = iter(holm(raw).tolist())
    gains = [replace(cell, gain=replace(cell.gain, adjusted=next(places))) for cell in cells]
    return tuple(
        cell if cell.gap is None else replace(cell, gap=replace(cell.gap, adjusted=next(places)))
        for cell in gains
    )
