"""From a run's results to the views over PRMs: by size, and by what they were trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis.curve import Curve
from harness.analysis.scaling import Sized, series
from harness.analysis.transfer import CHOICE, VOTE
from harness.prms.catalog import entries
from harness.reporting.scaling import Scaling
from harness.runner.arrays import architecture_of
from harness.store.format import RunFolder
from harness.store.log import read_ledger
from harness.store.sweepfile import SweepFile

_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def sizes(run: RunFolder, sweep: SweepFile) -> dict[str, float]:
    """Return the parameters of the run's PRMs: as the catalogue says, else those of the model that
    filled the score file (embeddings left out); a PRM of which nobody knows is absent."""
    found: dict[str, float] = {}
    for entry in sweep.scores:
        if entry.prm in found:
            continue
        named = entries().get(entry.prm)
        size = parameters(named.size) if named else None
        if size is None:
            header, _ = read_ledger(sweep.scores_path(run, entry))
            shape = architecture_of(header.facts)
            size = float(shape.matrices + shape.head) if shape else None
        if size:
            found[entry.prm] = size
    return found


def parameters(size: str) -> float | None:
    """Return the number that a catalogue's size names, ``7B`` or ``0.3M``; None if it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMBT]?)", size.strip())
    return float(match[1]) * _UNITS[match[2]] if match else None


def scalings(
    curves: Sequence[Curve],
    known: Mapping[str, float],
    trained: Mapping[str, Sequence[str]],
    seed: int,
) -> tuple[Scaling, ...]:
    """Return a series per task, policy and training that has PRMs of two sizes at least, at the
    largest budget, on the problems that all of them answer."""
    groups: dict[tuple[str, str, str], list[Curve]] = {}
    for curve in curves:
        if curve.method == CHOICE and curve.prm in known:
            kind = " + ".join(trained.get(curve.prm or "", ()))
            groups.setdefault((curve.task, curve.policy, kind), []).append(curve)
    free = {(curve.task, curve.policy): curve for curve in curves if curve.method == VOTE}
    found = []
    for (task, policy, kind), own in groups.items():
        if not kind or len({known[curve.prm or ""] for curve in own}) < 2:
            continue
        budget = own[0].budgets[-1]
        table = np.stack([curve.values[:, -1] for curve in own])
        answered = ~np.isnan(table).any(axis=0)
        if answered.sum() < 2 or any(curve.budgets[-1] != budget for curve in own):
            continue
        points = [
            Sized(
                curve.prm or "",
                known[curve.prm or ""],
                _flops(curve, free.get((task, policy))),
                values[answered],
            )
            for curve, values in zip(own, table, strict=True)
        ]
        found.append(Scaling(task, policy, kind, budget, series(points, seed)))
    return tuple(found)


def _flops(curve: Curve, free: Curve | None) -> float | None:
    """Return a PRM's operations per problem: what choosing costs more than the vote."""
    if free is None or not {"flops"} <= curve.costs.keys() & free.costs.keys():
        return None
    if free.budgets[-1] != curve.budgets[-1]:
        return None
    more = float((curve.costs["flops"][:, -1] - free.costs["flops"][:, -1]).mean())
    return more if more > 0 else None
