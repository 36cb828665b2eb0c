"""Result rows of step scores whatever the threshold, and of what every threshold gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.reporting.quality import place_metric, third_metric
from harness.stats import Judged, Quality, ThresholdCurve, quality
from harness.stats.quality import PLACES, THIRDS
from harness.types import Estimate, ResultRow


def quality_rows(
    row: ResultRow, judged: Sequence[Judged], probabilities: bool, whole: bool, seed: int
) -> Iterator[ResultRow]:
    """Yield `row` with each figure of `harness.stats.quality` that is defined."""
    found = quality(judged, probabilities, whole, seed)
    for metric, estimate in _metrics(found).items():
        if estimate.n:
            yield with_found(row, metric, estimate)


def _metrics(found: Quality) -> Mapping[str, Estimate]:
    """Return the figures by the names that results.csv calls them by."""
    return {
        "step_auroc": found.step_auroc,
        "solution_auroc": found.solution_auroc,
        "brier": found.brier,
        "ece": found.ece,
        "last_is_least": found.last_is_least,
        "same_place_auroc": found.same_place_auroc,
        **{
            place_metric(*place): one for place, one in zip(PLACES, found.auroc_places, strict=True)
        },
        **{third_metric(name): one for name, one in zip(THIRDS, found.ece_thirds, strict=True)},
    }


def curve_rows(row: ResultRow, curve: ThresholdCurve, items: int) -> Iterator[ResultRow]:
    """Yield the best F1 of one threshold, and the ends of the range that is as good."""
    best, low, high = curve.plateau()
    for metric, value in {"best_f1": best, "plateau_low": low, "plateau_high": high}.items():
        if math.isfinite(value):
            yield replace(row, metric=metric, value=value, n_problems=items)


def with_found(row: ResultRow, metric: str, found: Estimate) -> ResultRow:
    """Return `row` with an estimate of `metric`."""
    return replace(
        row,
        metric=metric,
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        ci_method=found.method,
        n_problems=found.n,
    )
