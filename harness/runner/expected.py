"""Expected figures of the work that is left, line by line, their sums, and what they lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.runner.estimate import Counted
from harness.types import Json


@dataclass(frozen=True, slots=True)
class Forecast:
    """One line. None is unknown."""

    task: str
    work: str
    """The policy and its pool, the PRM that scores it, or the search."""
    count: int | None
    """Of `unit`, left to do; None in sums."""
    unit: Counted | None = "drafts"
    policy_tokens: float | None = 0.0
    """Written."""
    prm_tokens: float | None = 0.0
    """Read."""
    policy_flops: float | None = 0.0
    prm_flops: float | None = 0.0
    policy_hours: float | None = 0.0
    prm_hours: float | None = 0.0
    grading_hours: float | None = 0.0

    @property
    def flops(self) -> float | None:
        """Of both."""
        return _sum([self.policy_flops, self.prm_flops])

    @property
    def hours(self) -> float | None:
        """Of all three."""
        return _sum([self.policy_hours, self.prm_hours, self.grading_hours])

    def known(self) -> Forecast:
        """Return the same with 0 for what is unknown: what it takes at least."""
        known: dict[str, Any] = {name: getattr(self, name) or 0.0 for name in FIGURES}
        return replace(self, **known)

    def figures(self) -> dict[str, Json]:
        """Return all there is to tell, with the sums."""
        return {**asdict(self), "flops": self.flops, "hours": self.hours}


FIGURES = (
    "policy_tokens",
    "prm_tokens",
    "policy_flops",
    "prm_flops",
    "policy_hours",
    "prm_hours",
    "grading_hours",
)
"""Fields of a `Forecast` that may be unknown."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why figures are unknown."""

    what: str
    """What nobody knows."""
    figures: tuple[str, ...]
    """The fields of `Forecast` that would follow from it."""
    way: str
    """What to type or to measure."""


def total(lines: Sequence[Forecast]) -> Forecast:
    """Return the sum of lines; what is unknown in any is unknown in it."""
    sums = {name: _sum([getattr(line, name) for line in lines]) for name in FIGURES}
    return Forecast("", "all", None, None, **sums)


def at_least(lines: Sequence[Forecast]) -> Forecast:
    """Return the sum of what is known."""
    return total([line.known() for line in lines])


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
