"""The record that every cost analysis reads: one way of answering, followed as its budget grows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from harness.stats.best_of_n import Floats

Axis = Literal["policy_tokens", "total_tokens", "flops", "latency_seconds", "throughput_seconds"]
"""What an answer cost: tokens decoded by the policy · those and the PRM's · FLOPs of both · seconds
of one problem at a time · seconds per problem when many run at once."""

AXES: tuple[Axis, ...] = get_args(Axis)


@dataclass(frozen=True)
class Curve:
    """One way of answering (a method, with a PRM or none) on one task: accuracy and cost as the
    budget grows."""

    task: str
    policy: str
    prm: str | None
    method: str
    aggregation: str | None
    problems: tuple[str, ...]
    """Ids; curves are compared on those that they share."""
    budgets: tuple[int, ...]
    """Candidates, (B,)."""
    values: Floats
    """(P, B) expected correctness per problem, mean over replicas; NaN ungraded."""
    costs: Mapping[Axis, Floats] = field(default_factory=dict)
    """(P, B) per problem; NaN where unknown; an axis may be missing."""
    replicas: int = 1
    spread: Floats | None = None
    """(R, P, B) per-replica values where R > 1, for the two-way bootstrap."""

    def __post_init__(self) -> None:
        shape = (len(self.problems), len(self.budgets))
        if self.values.shape != shape:
            raise ValueError(f"{self.name}: values {self.values.shape}, expected {shape}")
        known = self.values[~np.isnan(self.values)]
        if ((known < 0) | (known > 1)).any():
            raise ValueError(f"{self.name}: values lie in [0, 1]")
        for axis, cost in self.costs.items():
            if cost.shape != shape:
                raise ValueError(f"{self.name}: {axis} {cost.shape}, expected {shape}")
        if self.spread is not None and self.spread.shape != (self.replicas, *shape):
            raise ValueError(
                f"{self.name}: spread {self.spread.shape}, expected {(self.replicas, *shape)}"
            )
        if len(set(self.problems)) < len(self.problems):
            raise ValueError(f"{self.name}: a problem twice")

    @property
    def name(self) -> str:
        """Method and PRM, as sentences call it."""
        return f"{self.method} with {self.prm}" if self.prm else self.method

    @property
    def family(self) -> str:
        """The method without its options."""
        return self.method.partition(",")[0]


@dataclass(frozen=True)
class Group:
    """Curves that answer one question: which method wins on this task, policy and PRM?"""

    task: str
    policy: str
    prm: str | None
    """None where the run has no PRM."""
    curves: tuple[Curve, ...]
    """Methods without a PRM first, then those with it; each in the order given."""

    def only(self, names: Iterable[str]) -> Group:
        """Return the group with one curve per name: the plain method, else its first variant.

        A method with options is called ``name,key=value``.
        """
        chosen = []
        for name in names:
            plain = [curve for curve in self.curves if curve.method == name]
            variants = [curve for curve in self.curves if curve.family == name]
            chosen += [*plain, *variants][:1]
        return replace(self, curves=tuple(chosen))


def groups(curves: Iterable[Curve]) -> Iterator[Group]:
    """Yield a group per (task, policy, PRM), in the order in which the curves name them.

    Methods without a PRM belong to the group of every PRM. A search may need other methods beside
    it to be judged, but never another PRM: which PRM is best is another question.
    """
    curves = list(curves)
    for task, policy in dict.fromkeys((curve.task, curve.policy) for curve in curves):
        own = [curve for curve in curves if (curve.task, curve.policy) == (task, policy)]
        free = [curve for curve in own if curve.prm is None]
        prms = list(dict.fromkeys(curve.prm for curve in own if curve.prm is not None))
        if not prms:
            yield Group(task, policy, None, tuple(free))
        for prm in prms:
            judged = [curve for curve in own if curve.prm == prm]
            yield Group(task, policy, prm, (*free, *judged))
