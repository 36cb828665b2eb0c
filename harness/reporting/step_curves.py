"""What figures of step scores are drawn from; results.csv has the numbers that sum them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.stats import Reliability, ThresholdCurve


@dataclass(frozen=True, slots=True)
class StepCurves:
    """What is drawn of one PRM's scores on one task, or on a group of tasks."""

    task: str
    members: tuple[str, ...]
    """The tasks of a group; of a task, itself."""
    prm: str
    items: int
    thresholds: ThresholdCurve | None
    """None where there are no solutions of one kind."""
    marks: Mapping[str, float]
    """Rule → its threshold."""
    reliability: Reliability | None
    """None for groups and for scores that are no probabilities."""
