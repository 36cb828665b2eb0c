"""What a search method is told about its task: all that it may know of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.types import Cut, Question, Sampling, Semantics, StepScores


@dataclass(frozen=True, slots=True)
class Setting:
    """One problem, as a method meets it. Nothing here opens a model, a file or a clock."""

    question: Question
    n: int
    """Budget in candidates: how many solutions the method may come up with."""
    sampling: Sampling
    """``max_tokens`` limits a whole solution, not a step. The driver sets the seed."""
    cut: Cut
    """Where a step that the policy writes ends."""
    aggregate: Callable[[StepScores], float] = field(default=lambda scores: min(scores.values))
    """A draft's score from its step scores: the PRM's declared aggregation, or the option
    ``agg``."""
    semantics: Semantics = "p_correct"
    random: random.Random = field(default_factory=lambda: random.Random(0))
    """The method's own draws (resampling, ties); seeded by (seed, problem, replica)."""
