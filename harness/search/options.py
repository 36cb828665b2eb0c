"""Options of search methods: few, typed, each with its reason. ``beam,width=8,agg=min`` sets them.

A method's options are a frozen pydantic model; ``show method`` prints the descriptions of its
fields. What a method cannot work with is said by its options too, before anything has run: `check`
(the meaning of the PRM's scores), `smallest` (the budget), `needs` (abilities of the policy).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from harness.policies.policy import Ability
from harness.prms import aggregate
from harness.types import Choice, Semantics


class Options(BaseModel):
    """Options of a method without any of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def check(self, semantics: Semantics | None) -> None:
        """Refuse a PRM whose scores do not mean what the method needs; None: there is no PRM.

        Raises:
            ConfigError: says what would do.
        """

    def smallest(self) -> int:
        """Return the smallest budget, in candidates, that the method can work with."""
        return 1

    def needs(self) -> frozenset[Ability]:
        """Return what these options ask of a policy beyond what the method does."""
        return frozenset()


class ScoredOptions(Options):
    """What every method has that looks at scores."""

    agg: str | None = Field(
        None, description="from step scores to a draft's score; none: the PRM's declared one"
    )

    def check(self, semantics: Semantics | None) -> None:
        """Refuse an aggregation that the scores' meaning forbids."""
        if self.agg is not None and semantics is not None:
            aggregate.check(self.agg, semantics)


class SearchOptions(ScoredOptions):
    """What every method that is steered by a PRM has."""

    choice: Choice = Field("best", description="how the answer is chosen from finished candidates")


class StepOptions(SearchOptions):
    """What every method that writes step by step has."""

    max_steps: int = Field(
        40, ge=1, description="steps of a solution at most; the last one is written to the end"
    )
