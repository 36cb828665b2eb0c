"""What the page shows of single problems: inert records that the runner fills."""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Finish, Verdict


@dataclass(frozen=True, slots=True)
class SampleCandidate:
    """One candidate solution as a PRM saw it and a grader judged it."""

    index: int
    """Its place among the problem's candidates, from 0."""
    steps: tuple[str, ...]
    step_scores: tuple[float, ...] | None
    """One score per step; None where the PRM gave none."""
    score: float | None
    """The step scores aggregated."""
    verdict: Verdict | None
    """None where no verdict was asked for, as on a solution that is only judged step by step."""
    answer: str | None
    """The final answer that was found in the text."""
    finish: Finish | None
    given: bool = False
    """It came with the task: nobody looked for an answer in it."""
    chosen_by: tuple[str, ...] = ()
    """Names of the methods whose choice, at the largest budget, was this candidate."""

    def __post_init__(self) -> None:
        if self.step_scores is not None and len(self.step_scores) != len(self.steps):
            raise ValueError(
                f"candidate {self.index}: {len(self.step_scores)} scores "
                f"for {len(self.steps)} steps"
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """One problem with some of its candidates under one PRM."""

    task: str
    policy: str
    prm: str | None
    aggregation: str | None
    problem: str
    """The problem's id."""
    prompt: str
    reference: str
    """The gold answer as text."""
    candidates: tuple[SampleCandidate, ...]
    """Those to show; the page sorts them by score."""
    n_candidates: int
    """How many the pool holds for this problem."""
