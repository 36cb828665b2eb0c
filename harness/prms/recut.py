"""``steps=RULE``: any PRM reads solutions that are cut otherwise than the task cuts them.

The rules stand in `harness.segment.recut`. With ``steps=whole`` the PRM gives one score per
solution; in the ablation of the particle-filter paper (arXiv:2502.01618) this was the best way to
rank solutions, and aggregations then all agree. With any other rule there is a score per step of
that rule. None of them names a step of the task, so a first-error metric has nothing to find. An
outcome model (a recipe's ``inputs=whole``) gives one number by itself, and has no step scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.prm import Covers, Prm, check_steps
from harness.segment.recut import parse_recut
from harness.types import Json, Judge, Judged, Semantics, Spec


def open_prm(spec: Spec, adapter: Callable[[Spec], Prm]) -> Prm:
    """Open a PRM, heeding the option ``steps=RULE`` that all of them have.

    Args:
        spec: As the user wrote it.
        adapter: The adapter's class; it gets the spec without ``steps``.

    Raises:
        UserError: whatever the adapter refuses, a rule that does not exist, ``steps=each`` of an
            outcome model.
    """
    only = {key: value for key, value in spec.options.items() if key == "steps"}
    rule = Options(replace(spec, options=only), "PRM").text("steps", "each") or "each"
    parse_recut(rule)
    rest = {key: value for key, value in spec.options.items() if key != "steps"}
    inner = adapter(replace(spec, options=rest))
    if inner.covers == "whole" and "steps" in only:
        if rule != "whole":
            raise ConfigError(f"PRM {spec.name} judges whole solutions; it has no scores of steps")
        return inner
    return inner if rule == "each" else RecutPrm(spec, inner, rule)


class RecutPrm:
    """A PRM that is given every solution cut by another rule."""

    def __init__(self, spec: Spec, inner: Prm, rule: str) -> None:
        self.spec = spec
        self._inner = inner
        self._rule, self._cut = rule, parse_recut(rule)

    @property
    def semantics(self) -> Semantics:
        """The inner PRM's."""
        return self._inner.semantics

    @property
    def aggregation(self) -> str:
        """The inner PRM's; of a single score all aggregations are the same ranking."""
        return self._inner.aggregation

    @property
    def threshold(self) -> float | None:
        """The inner PRM's."""
        return self._inner.threshold

    @property
    def covers(self) -> Covers:
        """``whole``, or ``own``."""
        return "whole" if self._rule == "whole" else "own"

    @property
    def architecture(self) -> Architecture | None:
        """The inner PRM's."""
        return self._inner.architecture

    @property
    def unit_rows(self) -> int:
        """The inner PRM's."""
        return self._inner.unit_rows

    @property
    def live(self) -> bool:
        """The inner PRM's."""
        return self._inner.live

    def identity(self) -> dict[str, Json]:
        """The inner PRM's, and the rule."""
        return {**self._inner.identity(), "steps": self._rule}

    def describe(self) -> dict[str, Json]:
        """The inner PRM's."""
        return self._inner.describe()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score solutions as the rule cuts them: one number per step of that rule."""
        for request in requests:
            check_steps(request)
        recut = [
            replace(
                request,
                drafts=tuple(
                    replace(draft, steps=self._cut(draft.steps)) for draft in request.drafts
                ),
            )
            for request in requests
        ]
        return self._inner.judge(recut)

    def remember(self, on: bool) -> None:
        """As the PRM inside does."""
        self._inner.remember(on)

    def close(self) -> None:
        """Close the inner PRM."""
        self._inner.close()
