"""Every method's accuracy and cost per problem, in the form that the analysis of costs reads.

A search may have run on a part of a task's problems. The analysis compares methods on the problems
that they share (`harness.analysis.panel`): all of them, where no search is among the methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.curve import Axis, Curve
from harness.runner.outcomes import Floats, SearchCurve, over_replicas

_Key = tuple[str, str, str | None, str]


def all_curves(pooled: Iterable[Curve], searched: Sequence[SearchCurve]) -> tuple[Curve, ...]:
    """Return the curves of pool methods and of searches, with latencies."""
    timed = {(_key(one), one.entry.n): one for one in searched if one.entry.alone}
    return tuple(_timed(curve, timed) for curve in (*pooled, *_searched(searched)))


def _key(curve: SearchCurve) -> _Key:
    entry = curve.entry
    return entry.task, entry.policy, entry.prm, entry.method


def _searched(curves: Sequence[SearchCurve]) -> list[Curve]:
    """Join the runs of one method at several budgets."""
    grouped: dict[_Key, list[SearchCurve]] = {}
    for curve in curves:
        if not curve.entry.alone:
            grouped.setdefault(_key(curve), []).append(curve)
    return [_joined(parts) for parts in grouped.values()]


def _joined(parts: Sequence[SearchCurve]) -> Curve:
    entry = parts[0].entry
    places = [(budget, part, place) for part in parts for place, budget in enumerate(part.budgets)]
    # A budget at which nothing stands (fewer parts than one) is no point of a curve.
    places = [one for one in places if not np.isnan(one[1].correct[:, :, one[2]]).all()]
    places.sort(key=lambda one: one[0])
    spread = np.stack([part.correct[:, :, place] for _, part, place in places], axis=-1)

    def cost(*names: str) -> Floats:
        columns = [
            over_replicas(sum((part.usage[name][:, :, place] for name in names), np.zeros(())))
            for _, part, place in places
        ]
        return np.stack(columns, axis=-1)

    costs: dict[Axis, Floats] = {
        "policy_tokens": cost("policy_tokens"),
        "total_tokens": cost("policy_tokens", "prm_tokens"),
        "flops": cost("flops"),
        "throughput_seconds": cost("seconds_per_problem"),
    }
    return Curve(
        entry.task,
        entry.policy,
        entry.prm,
        entry.method,
        entry.aggregation,
        parts[0].problems,
        tuple(budget for budget, _, _ in places),
        np.stack([over_replicas(spread[..., b]) for b in range(spread.shape[-1])], axis=-1),
        {axis: value for axis, value in costs.items() if not np.isnan(value).all()},
        entry.replicas,
        spread if entry.replicas > 1 else None,
    )


def _timed(curve: Curve, timed: dict[tuple[_Key, int], SearchCurve]) -> Curve:
    """Add the latency where the method was timed: on the problems and at the budgets measured."""
    key = curve.task, curve.policy, curve.prm, curve.method
    seconds = np.full(curve.values.shape, np.nan)
    for (own, _), part in timed.items():
        if own != key:
            continue
        for place, budget in enumerate(part.budgets):
            if budget not in curve.budgets:
                continue
            column = curve.budgets.index(budget)
            for row, problem in enumerate(part.problems):
                if problem in curve.problems:
                    value = part.usage["seconds_per_problem"][0, row, place]
                    seconds[curve.problems.index(problem), column] = value
    if np.isnan(seconds).all():
        return curve
    return replace(curve, costs={**curve.costs, "latency_seconds": seconds})
