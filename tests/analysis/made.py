"""Synthetic curves with a known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis.curve import Axis, Curve, Floats

TASK, POLICY, PRM = "made", "tiny", "judge"


def curve(
    method: str,
    values: Floats,
    cost: Floats | Sequence[float],
    *,
    prm: str | None = PRM,
    axes: Sequence[Axis] = ("total_tokens",),
    problems: Sequence[str] | None = None,
    task: str = TASK,
    **more: object,
) -> Curve:
    """A curve of (P, B) values at (B,) or (P, B) costs, the same on all axes."""
    values = np.asarray(values, float)
    full = np.broadcast_to(np.asarray(cost, float), values.shape).copy()
    costs: Mapping[Axis, Floats] = dict.fromkeys(axes, full)
    names = problems or [f"p{i}" for i in range(len(values))]
    budgets = tuple(2**i for i in range(values.shape[1]))
    aggregation = "min" if prm else None
    place = (task, POLICY, prm, method, aggregation, tuple(names), budgets)
    return Curve(*place, values, costs, **more)  # type: ignore[arg-type]


def answers(
    truths: Mapping[str, Sequence[float]], problems: int, seed: int, alike: float = 0.9
) -> dict[str, Floats]:
    """0/1 answers with the given mean accuracy per method and budget.

    All methods share each problem's difficulty to the degree `alike`, so few problems are
    discordant, as between methods that choose among the same policy's texts.
    """
    from statistics import NormalDist

    rng = np.random.default_rng(seed)
    hard = rng.standard_normal(problems)[:, None]
    found = {}
    for method, means in truths.items():
        own = rng.standard_normal((problems, len(means)))
        mixed = np.sqrt(alike) * hard + np.sqrt(1 - alike) * own
        cut = np.array([NormalDist().inv_cdf(mean) for mean in means])
        found[method] = (mixed < cut).astype(float)
    return found
