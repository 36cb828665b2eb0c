"""A figure of others, as a configuration states it and a run keeps it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PublishedResult(BaseModel):
    """A figure of others that the sweep should give, set beside ours in the report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    policy: str | None = None
    """As tables call it: a catalogue name, or what ``name=`` says."""
    prm: str | None = None
    method: str
    aggregation: str | None = None
    """None: the one that the PRM declares."""
    budget: int | None = Field(default=None, ge=1)
    metric: str = "accuracy"
    value: float = Field(ge=0, le=100)
    """In percent."""
    source: str = Field(min_length=1)
    note: str = ""
    """What it was measured on, where that is not what we measure on."""
