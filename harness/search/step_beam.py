"""AlphaMath's step-level beam search, and its narrowest case, guided greedy search.

``SBS(B1, B2)`` keeps B1 beams and writes B2 steps for each; ranked by the PRM's score, the best B1
of all go on, one less for each that has finished. (Chen et al. 2024, arXiv 2405.03553;
Super_MARIO.) With one beam it is the guided greedy search of the Qwen2.5-Math-PRM paper
(arXiv 2501.07301): n candidates for each step, the best goes on.
"""

from __future__ import annotations

from pydantic import Field

from harness.search.beam import narrow
from harness.search.moves import Search
from harness.search.options import StepOptions
from harness.search.setting import Setting


class StepBeamOptions(StepOptions):
    """Options of step-level beam search."""

    beams: int = Field(
        2, ge=1, description="B1: beams kept; B2 = n // B1 steps are written for each"
    )
    max_steps: int = Field(
        8, ge=1, description="steps of a solution at most; the last one is written to the end"
    )

    def smallest(self) -> int:
        """A step for each beam."""
        return self.beams


def step_beam(setting: Setting, options: StepBeamOptions) -> Search:
    """Search with B1 beams of n // B1 children."""
    yield from narrow(
        setting,
        beams=options.beams,
        children=max(1, setting.n // options.beams),
        max_steps=options.max_steps,
    )


class GuidedGreedyOptions(StepOptions):
    """Options of guided greedy search."""


def guided_greedy(setting: Setting, options: GuidedGreedyOptions) -> Search:
    """Follow the best of n steps, step by step."""
    yield from narrow(setting, beams=1, children=setting.n, max_steps=options.max_steps)
