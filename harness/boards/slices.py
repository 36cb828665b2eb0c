"""A ranked figure by subject, level, source: by whatever facts take few values in a pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from harness.boards.given import f1_of
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome, mean_outcome
from harness.boards.standing import Column, Slice

MOST = 12
"""Values that a fact may have to slice by."""
FEWEST = 5
"""Problems that a slice needs."""

Facets = Mapping[str, Mapping[str, NDArray[np.bool_]]]


def facets(pool: FrozenPool) -> Facets:
    """Return fact → value → (P,) whether a problem has it."""
    found: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for key in sorted({key for problem in pool.problems for key in problem.meta}):
        values = [str(problem.meta.get(key, "")) for problem in pool.problems]
        names = sorted(set(values), key=_by_number)
        if 2 <= len(names) <= MOST:
            found[key] = {name: np.array([v == name for v in values]) for name in names}
    return found


def _by_number(name: str) -> tuple[float, str]:
    """Numbers by size, then everything else by letters."""
    return (float(name) if name.isdecimal() else float("inf")), name


def slices(column: Column, outcome: Outcome, parts: Facets, seed: int) -> Iterator[Slice]:
    """Yield a column's figure on each part of its problems."""
    if outcome.items is None:
        return
    for facet, values in parts.items():
        for name, mask in values.items():
            if mask.sum() < FEWEST:
                continue
            own = outcome.items[:, mask]
            if outcome.kinds is None:
                figure = mean_outcome(own).figure
            else:
                figure = f1_of(own, outcome.kinds[mask], seed)
            if figure.n and not np.isnan(figure.value):
                yield Slice(column.id, facet, name, figure.value, figure.low, figure.high, figure.n)
