"""A stream over a policy that only answers whole calls: what is waiting goes in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.types import Extend, Extended


class BatchStream:
    """Sends everything that was submitted in one call; see `harness.policies.policy.Stream`."""

    works_on = False
    at_once: int | None = None

    def __init__(self, extend: Callable[[Sequence[Extend]], list[Extended]]) -> None:
        self._extend = extend
        self._waiting: dict[int, Extend] = {}

    @property
    def rows(self) -> int:
        """Drafts that wait."""
        return sum(len(request.drafts) for request in self._waiting.values())

    def submit(self, ticket: int, request: Extend) -> None:
        """Hand in a request."""
        self._waiting[ticket] = request

    def collect(self) -> list[tuple[int, Extended]]:
        """Answer all that wait."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return []
        return list(zip(waiting, self._extend(list(waiting.values())), strict=True))

    def close(self) -> None:
        """Drop what waits."""
        self._waiting = {}
