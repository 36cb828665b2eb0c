"""PRMBench's figures: every step of a solution has a label, right or wrong (arXiv:2501.03124).

Step for step a PRM calls a step wrong whose score is below a threshold. F1 is that of finding right
steps, negative F1 that of finding wrong ones, over all steps of a category together; PRMScore is
their mean, and F1 alone where no step is wrong (the category of several right solutions). The
overall figure takes all modified solutions' steps together; a group's figure is the mean of its
categories'. The unmodified solutions count for *similarity* alone: the mean distance between the
share of steps called right in a modified solution and in its original (originals of which no step
is called right are left out, as in the authors' code).

Three things differ from the authors' code: an F1 of no hits is 0 and one of nothing absent, where
theirs can be -1; a step whose score equals the threshold is called right; and where a critic said
nothing of a solution, which they leave out, every step counts as misjudged.

Intervals resample original problems: the modified solutions of one are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Floats
from harness.types import Estimate

GROUPS: Mapping[str, tuple[str, ...]] = {
    "simplicity": ("NR", "NCL"),
    "soundness": ("ES", "SC", "DC", "CI"),
    "sensitivity": ("PS", "DR", "MS"),
}
"""The categories: non-redundancy, non-circular logic; empirical soundness, step consistency, domain
consistency, confidence invariance; prerequisite sensitivity, deception resistance, multi-solution
consistency."""

CATEGORIES = tuple(name for group in GROUPS.values() for name in group)
OVERALL = "all"
DRAWS = 1000
"""Resamplings behind an interval."""

_SUMS = ("kept", "missed", "found", "lost", "first", "firsts", "distance", "distances")
"""Right steps called right, wrong ones called right, wrong ones called wrong, right ones called
wrong; first wrong steps called wrong, and how many; distances to the original, and how many."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One modified solution with its step scores and labels."""

    scores: tuple[float, ...]
    wrong: frozenset[int]
    """Indices of the wrong steps, from 0."""
    category: str
    origin: str
    """Name of the problem that it was made from."""
    size: int = 0
    """Steps of the solution, where nothing was said of any; else it is the number of scores."""

    def __post_init__(self) -> None:
        if self.category not in CATEGORIES:
            raise ValueError(f"category {self.category!r} is none of {', '.join(CATEGORIES)}")
        if self.scores:
            object.__setattr__(self, "size", len(self.scores))
        if not self.size or not all(0 <= step < self.size for step in self.wrong):
            raise ValueError(f"wrong steps {sorted(self.wrong)} of {self.size}")

    def right(self, threshold: float) -> list[bool]:
        """Return which steps are called right. Where nothing was said, each is misjudged: silence
        is no way around what is hard."""
        if not self.scores:
            return [step in self.wrong for step in range(self.size)]
        return [score >= threshold for score in self.scores]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one category, or of all; NaN and n = 0 where one is not defined. n counts solutions."""

    prm_score: Estimate
    f1_right_steps: Estimate | None = None
    """None for a group, whose figure is a mean of categories."""
    f1_wrong_steps: Estimate | None = None
    acc_right_steps: Estimate | None = None
    acc_wrong_steps: Estimate | None = None
    acc_first_wrong: Estimate | None = None
    similarity: Estimate | None = None


def prm_score(
    items: Sequence[Labelled],
    originals: Mapping[str, tuple[float, ...]],
    threshold: float,
    seed: int = 0,
) -> dict[str, Figures]:
    """Return figures by category, by group where all of its categories are there, and `OVERALL`.

    Args:
        items: The modified solutions, at least one.
        originals: Step scores of unmodified solutions by origin, as far as they are known.
        threshold: A step scored below it is called wrong.
        seed: Of the resampling.
    """
    origins = {name: i for i, name in enumerate(dict.fromkeys(item.origin for item in items))}
    rng = np.random.default_rng(seed)
    share = np.full(len(origins), 1 / len(origins))
    # One row more than draws: the sample itself, every origin once.
    times = np.vstack([np.ones(len(origins)), rng.multinomial(len(origins), share, DRAWS)])
    own = {name: [item for item in items if item.category == name] for name in CATEGORIES}
    own = {name: part for name, part in own.items() if part}
    sums = {name: _sums(part, origins, originals, threshold) for name, part in own.items()}
    drawn = {name: _named(times @ part) for name, part in sums.items()}
    found = {OVERALL: _figures(_named(times @ sum(sums.values())), _size(items))}
    found |= {name: _figures(drawn[name], _size(part)) for name, part in own.items()}
    for group, members in GROUPS.items():
        if set(members) <= set(own):
            mean = np.mean([_prm_score(drawn[name]) for name in members], axis=0)
            whole = [item for name in members for item in own[name]]
            found[group] = Figures(_estimate(mean, _size(whole)))
    return found


def step_counts(items: Sequence[Labelled], threshold: float) -> tuple[tuple[str, ...], Floats]:
    """Return the origins of items, and (origins, 4) counts, all that the overall PRMScore needs: of
    right steps called right, wrong ones right, wrong ones wrong, and right ones wrong.
    """
    origins = {name: i for i, name in enumerate(dict.fromkeys(item.origin for item in items))}
    return tuple(origins), _sums(items, origins, {}, threshold)[:, :4]


def _named(sums: Floats) -> dict[str, Floats]:
    """Return the columns of (draws, `_SUMS`) by name."""
    return dict(zip(_SUMS, sums.T, strict=True))


def _size(items: Sequence[Labelled]) -> tuple[int, int]:
    """Return how many solutions there are, and of how many problems."""
    return len(items), len({item.origin for item in items})


def _sums(
    items: Sequence[Labelled],
    origins: Mapping[str, int],
    originals: Mapping[str, tuple[float, ...]],
    threshold: float,
) -> Floats:
    """Return (origins, `_SUMS`): what the items of each origin add to every figure."""
    total = np.zeros((len(origins), len(_SUMS)))
    for item in items:
        right = item.right(threshold)
        wrong = [step in item.wrong for step in range(len(right))]
        counts = [
            sum(r and not w for r, w in zip(right, wrong, strict=True)),
            sum(r and w for r, w in zip(right, wrong, strict=True)),
            sum(w and not r for r, w in zip(right, wrong, strict=True)),
            sum(not r and not w for r, w in zip(right, wrong, strict=True)),
        ]
        first = [not right[min(item.wrong)], 1] if item.wrong else [0, 0]
        original = _share_right(originals.get(item.origin, ()), threshold)
        distance = [abs(_share_right(item.scores, threshold) - original), 1]
        known = original and item.scores
        total[origins[item.origin]] += [*counts, *first, *(distance if known else [0, 0])]
    return total


def _share_right(scores: Sequence[float], threshold: float) -> float:
    return sum(score >= threshold for score in scores) / len(scores) if scores else 0.0


def _figures(s: Mapping[str, Floats], size: tuple[int, int]) -> Figures:
    """Return all figures of a category with so many solutions of so many problems."""
    firsts, distances = int(s["firsts"][0]), int(s["distances"][0])
    return Figures(
        prm_score=_estimate(_prm_score(s), size),
        f1_right_steps=_estimate(_f1(s["kept"], s["missed"] + s["lost"]), size),
        f1_wrong_steps=_estimate(_negative_f1(s), size),
        acc_right_steps=_estimate(_ratio(s["kept"], s["kept"] + s["lost"]), size),
        acc_wrong_steps=_estimate(_ratio(s["found"], s["found"] + s["missed"]), size),
        acc_first_wrong=_estimate(_ratio(s["first"], s["firsts"]), (firsts, min(firsts, size[1]))),
        similarity=_estimate(
            _ratio(s["distance"], s["distances"]), (distances, min(distances, size[1]))
        ),
    )


def _prm_score(s: Mapping[str, Floats]) -> Floats:
    positive = _f1(s["kept"], s["missed"] + s["lost"])
    negative = _negative_f1(s)
    return np.where(np.isnan(negative), positive, (positive + negative) / 2)


def _negative_f1(s: Mapping[str, Floats]) -> Floats:
    """Negative F1; NaN without a wrong step, though right ones may have been called wrong."""
    some = s["found"] + s["missed"] > 0
    return np.where(some, _f1(s["found"], s["missed"] + s["lost"]), np.nan)


def _f1(hits: Floats, faults: Floats) -> Floats:
    return _ratio(2 * hits, 2 * hits + faults)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part by whole; NaN where there is nothing."""
    found: Floats = np.full(len(whole), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def _estimate(drawn: Floats, size: tuple[int, int]) -> Estimate:
    """The first as the value, the middle 95 % of all as its interval."""
    value = float(drawn[0])
    if math.isnan(value):
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
    low, high = np.quantile(drawn[~np.isnan(drawn)], (0.025, 0.975))
    ends = min(value, float(low)), max(value, float(high))
    return Estimate(value, *ends, *size, "bootstrap-problems")
