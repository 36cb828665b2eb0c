"""Published claims about search, each a function that reads the curves of any run.

A finding is *supported*, *contradicted* or *not separable*, with the comparisons behind it and the
power they had. Whoever wants a claim to come out one way cannot get it by measuring too little:
too few problems give "not separable", also for a claim that there is no difference, which has to
show that a difference worth having is excluded.

Where costs are compared, they are equal: two costs stand for all, both within the range that every
method concerned has been run over, since nothing is extrapolated:

    plentiful   the highest cost in that range
    tight       a tenth of the way into it from below, in log cost (its lowest decile)

Methods are found by name, a plain method before its variants with options; with several PRMs there
is a finding for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.analysis.contrast import holm, paired
from harness.analysis.curve import Axis, Curve, Group, groups
from harness.analysis.finding import Finding, Ruling, Test
from harness.analysis.panel import Panel, Track, panel
from harness.analysis.power import power_of

Where = Literal["tight", "plentiful"]

TIGHT = 0.1
"""How far into the common range, in log cost, a tight budget lies."""

WORTH = 0.01
"""A gain of one point: smaller ones are "no gain" for the claim that there is none."""

TREES = ("mcts", "beam", "dvts", "rebase", "step_beam")
"""Methods that search a tree, by the names of `harness.search.methods`."""

BEST, VOTE = "best_of_n", "majority"
_STEPS = 5
"""Equal costs at which tree search and best-of-N are compared."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A published claim and how it is tested."""

    name: str
    title: str
    source: str
    needs: str
    """The methods a run must have."""
    rule: str
    """When it is supported, when contradicted."""
    read: Callable[[Iterable[Curve]], tuple[Finding, ...]]


# --- the reference's claim -----------------------------------------------------------------------


def latency_then_search(curves: Iterable[Curve]) -> tuple[Finding, ...]:
    """Best-of-N wins under tight latency; MCTS wins with plentiful compute, by stated margins.

    Decided by four tests, corrected together: at the tight cost on the axis of latency (of all
    tokens where latency was not measured, or no latency is common to the three) best-of-N against
    MCTS and against beam search; at the plentiful cost on the axis of all tokens MCTS against beam
    (stated: 1.8 points) and against best-of-N (3.2). Supported if all four go the claim's way
    significantly, contradicted if any goes the other way significantly. The size is not part of the
    ruling: each sentence says whether the stated one lies inside the interval. The same tests on
    the other axis stand beside them.
    """
    found = []
    for group in groups(curves):
        tokens, latency = (_trio(group, axis) for axis in ("total_tokens", "latency_seconds"))
        plain = tokens or _trio(group, "policy_tokens")
        if plain is None:
            continue
        tests = _corrected([*_tight(latency or plain), *_plentiful(plain)])
        others = _corrected([*_tight(plain), *_plentiful(latency)]) if latency else ()
        note = "" if latency else f"{_without_latency(group)}: tight is meant in tokens."
        found.append(_finding("latency_then_search", group, tests, others, note))
    return tuple(found)


def _without_latency(group: Group) -> str:
    """Say why methods cannot be compared at the same latency."""
    side = panel(group.only(("mcts", "beam", BEST)), "latency_seconds")
    if all(side.find(name) for name in ("mcts", "beam", BEST)):
        return "No latency is common to all three"
    return "Latency was not measured"


def _trio(group: Group, axis: Axis) -> tuple[Panel, Track, Track, Track] | None:
    """Return MCTS, beam and best-of-N on an axis, if their costs overlap there."""
    side = panel(group.only(("mcts", "beam", BEST)), axis)
    tracks = [side.find(name) for name in ("mcts", "beam", BEST)]
    chosen = [track for track in tracks if track is not None]
    if len(chosen) < 3 or side.common(chosen) is None or len(side.problems) < 2:
        return None
    return side, chosen[0], chosen[1], chosen[2]


def _tight(trio: tuple[Panel, Track, Track, Track]) -> list[Test]:
    side, mcts, beam, best = trio
    cost = _cost(side, (mcts, beam, best), "tight")
    return [_test(side, best, mcts, "tight", cost), _test(side, best, beam, "tight", cost)]


def _plentiful(trio: tuple[Panel, Track, Track, Track]) -> list[Test]:
    side, mcts, beam, best = trio
    cost = _cost(side, (mcts, beam, best), "plentiful")
    return [
        _test(side, mcts, beam, "plentiful", cost, 0.018),
        _test(side, mcts, best, "plentiful", cost, 0.032),
    ]


# --- the majority vote ---------------------------------------------------------------------------


def majority_to_be_avoided(curves: Iterable[Curve]) -> tuple[Finding, ...]:
    """The majority vote is to be avoided: best-of-N with the PRM is ahead of it.

    Decided at the plentiful cost on the axis of all tokens, where the PRM's are charged: supported
    if best-of-N is significantly ahead, contradicted if it is significantly behind. At the tight
    cost, and by policy tokens alone, for comparison: with one candidate the two are the same.
    """
    found = []
    for group in groups(curves):
        axes: tuple[Axis, ...] = ("total_tokens", "policy_tokens")
        pairs = [pair for pair in (_pair(group, BEST, VOTE, axis) for axis in axes) if pair]
        if not pairs:
            continue
        tests = _corrected([_at(pairs[0], "plentiful")])
        others = [_at(pairs[0], "tight"), *(_at(pair, "plentiful") for pair in pairs[1:])]
        found.append(_finding("majority_to_be_avoided", group, tests, _corrected(others)))
    return tuple(found)


# --- contrary evidence ---------------------------------------------------------------------------


def no_gain_from_trees(curves: Iterable[Curve], worth: float = WORTH) -> tuple[Finding, ...]:
    """Tree search gains nothing over best-of-N at equal cost.

    Every tree search of the run against best-of-N at five costs, evenly spread in log cost from
    the tight to the plentiful one, by all tokens. Contradicted if one is significantly ahead at one
    of them (Holm over all). Supported if everywhere the 95 % interval lies below a gain of `worth`:
    an intersection-union test, so each needs no correction. Else not separable: a gain that no test
    could have found is no evidence that there is none.
    """
    found = []
    for group in groups(curves):
        axes: tuple[Axis, ...] = ("total_tokens", "policy_tokens")
        for axis in axes:
            tests: list[Test] = []
            for name in TREES:
                pair = _pair(group, name, BEST, axis)
                if pair is None:
                    continue
                side, tree, best = pair
                low = _cost(side, (tree, best), "tight")
                costs = np.geomspace(low, _cost(side, (tree, best), "plentiful"), _STEPS).tolist()
                tests += [
                    _test(side, tree, best, f"{i + 1} of {_STEPS}", cost)
                    for i, cost in enumerate(costs)
                ]
            if not tests:
                continue
            decided = _corrected(tests)
            if any(test.ruling == "supported" for test in decided):
                ruling: Ruling = "contradicted"
            elif all(test.difference.high < worth for test in decided):
                ruling = "supported"
            else:
                ruling = "not separable"
            note = f"A gain is worth having from {100 * worth:g} points."
            shown = _shown(decided)
            rest = tuple(test for test in decided if test not in shown)
            finding = Finding(
                *("no_gain_from_trees", group.task, group.policy, group.prm, ruling),
                shown,
                rest,
                note,
            )
            found.append(finding)
            break
    return tuple(found)


def _shown(tests: Sequence[Test]) -> tuple[Test, ...]:
    """Return, per tree search, the cost at which it does best."""
    names = dict.fromkeys(test.a for test in tests)
    return tuple(
        max((test for test in tests if test.a == name), key=lambda test: test.difference.value)
        for name in names
    )


CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        Claim(
            "latency_then_search",
            "Best-of-N under tight latency; MCTS when compute is plentiful, by 1.8 points over "
            "beam search and 3.2 over best-of-N",
            "arXiv 2506.00027",
            "mcts, beam and best_of_n",
            "Supported if all four comparisons go this way significantly, contradicted if one "
            "goes the other way significantly. Tight: a tenth into the common range of costs; "
            "plentiful: its end.",
            latency_then_search,
        ),
        Claim(
            "majority_to_be_avoided",
            "The majority vote is to be avoided",
            "arXiv 2506.00027",
            "majority and best_of_n",
            "Supported if best-of-N is significantly ahead at the highest common cost, "
            "contradicted if significantly behind.",
            majority_to_be_avoided,
        ),
        Claim(
            "no_gain_from_trees",
            "Tree search shows no significant gain over best-of-N at equal cost",
            "arXiv 2510.20272",
            "a tree search and best_of_n",
            "Contradicted if a tree search is significantly ahead at one of five costs, supported "
            "if a gain of one point is excluded at all of them.",
            no_gain_from_trees,
        ),
    )
}


def check(curves: Iterable[Curve]) -> tuple[Finding, ...]:
    """Return what a run says of every claim that it has the methods for."""
    curves = tuple(curves)
    return tuple(finding for claim in CLAIMS.values() for finding in claim.read(curves))


# --- parts ---------------------------------------------------------------------------------------


def _pair(group: Group, a: str, b: str, axis: Axis) -> tuple[Panel, Track, Track] | None:
    """Return two methods on an axis, if their costs overlap there."""
    side = panel(group.only((a, b)), axis)
    left, right = side.find(a), side.find(b)
    if left is None or right is None or len(side.problems) < 2:
        return None
    return None if side.common((left, right)) is None else (side, left, right)


def _cost(side: Panel, tracks: Sequence[Track], where: Where) -> float:
    common = side.common(tracks)
    if common is None:
        raise ValueError("no common range of costs")
    low, high = common
    return high if where == "plentiful" else float(low * (high / low) ** TIGHT)


def _at(pair: tuple[Panel, Track, Track], where: Where) -> Test:
    side, a, b = pair
    return _test(side, a, b, where, _cost(side, (a, b), where))


def _test(
    side: Panel, a: Track, b: Track, where: str, cost: float, stated: float | None = None
) -> Test:
    at = np.array([cost])
    gaps = a.influence(at) - b.influence(at)
    found = paired(gaps)
    return Test(
        a.curve.method,
        b.curve.method,
        side.axis,
        where,
        cost,
        found.estimate(0),
        float(found.p[0]),
        float(found.p[0]),
        power_of(gaps),
        stated,
    )


def _corrected(tests: Sequence[Test]) -> tuple[Test, ...]:
    adjusted = holm([test.p for test in tests])
    return tuple(replace(test, adjusted=float(p)) for test, p in zip(tests, adjusted, strict=True))


def _finding(
    claim: str, group: Group, tests: Sequence[Test], others: Sequence[Test] = (), note: str = ""
) -> Finding:
    """Combine tests of which all have to go the claim's way."""
    rulings = {test.ruling for test in tests}
    ruling: Ruling = "not separable"
    if "contradicted" in rulings:
        ruling = "contradicted"
    elif rulings == {"supported"}:
        ruling = "supported"
    place = (group.task, group.policy, group.prm)
    return Finding(claim, *place, ruling, tuple(tests), tuple(others), note)
