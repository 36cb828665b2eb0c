"""What a critic needs of the model that writes for it: a part of what policies do.

PRMs know no policies. Whoever opens a critic (`harness.registry`) hands it one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.cost import Architecture
from harness.types import Extend, Extended, Json, Weigh, Weighed


class Writer(Protocol):
    """A model that writes; see `harness.policies.policy.Policy` for what each member owes."""

    @property
    def max_samples(self) -> int | None:
        """None if it can write anything; a recording cannot."""
        ...

    @property
    def unit_rows(self) -> int:
        """Drafts that it likes to have at work at once."""
        ...

    @property
    def architecture(self) -> Architecture | None:
        """What a token costs."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """Of interest here: ``continue``, ``chat`` and ``weigh``."""
        ...

    def identity(self) -> dict[str, Json]:
        """Everything that decides what it writes."""
        ...

    def describe(self) -> dict[str, Json]:
        """Facts that decide nothing."""
        ...

    def load(self) -> None:
        """Load what it works with."""
        ...

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Write."""
        ...

    def close(self) -> None:
        """Give back memory and processes."""
        ...


class Weighing(Writer, Protocol):
    """One with the ability ``weigh``."""

    def weigh(self, requests: Sequence[Weigh]) -> list[Weighed]:
        """Say how probable words would be."""
        ...
