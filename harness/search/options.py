"""Options of search methods: few, typed, each with its reason. ``beam,width=8,agg=min`` sets them.

A method's options are a frozen pydantic model; ``show method`` prints the
descriptions of its fields.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from harness.types import Choice


class Options(BaseModel):
    """Options of a method without any of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchOptions(Options):
    """What every method that is steered by a PRM has."""

    agg: str | None = Field(
        None, description="from step scores to a draft's score; none: the PRM's declared one"
    )
    choice: Choice = Field("best", description="how the answer is chosen from finished candidates")
