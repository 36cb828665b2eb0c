"""``steps=whole``: any PRM judges the whole answer as a single step.

The draft's steps are joined before the PRM sees them, so it gives one score per solution. In the
ablation of the particle-filter paper (arXiv:2502.01618) this was the best way to rank solutions.
Aggregations then all agree, and a first-error metric has nothing to find. An outcome model (a
recipe's ``inputs=whole``) is such by itself, and has no step scores to give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.prm import Covers, Prm, check_steps
from harness.types import Json, Judge, Judged, Semantics, Spec


def open_prm(spec: Spec, adapter: Callable[[Spec], Prm]) -> Prm:
    """Open a PRM, heeding the option ``steps=each|whole`` that all of them have.

    Args:
        spec: As the user wrote it.
        adapter: The adapter's class; it gets the spec without ``steps``.

    Raises:
        UserError: whatever the adapter refuses, another value of ``steps``, ``steps=each`` of an
            outcome model.
    """
    only = {key: value for key, value in spec.options.items() if key == "steps"}
    steps = Options(replace(spec, options=only), "PRM").choice("steps", "each", ("each", "whole"))
    rest = {key: value for key, value in spec.options.items() if key != "steps"}
    inner = adapter(replace(spec, options=rest))
    if inner.covers == "whole" and "steps" in only:
        if steps == "each":
            raise ConfigError(f"PRM {spec.name} judges whole solutions; it has no scores of steps")
        return inner
    return WholePrm(spec, inner) if steps == "whole" else inner


class WholePrm:
    """A PRM that sees every solution as one step."""

    def __init__(self, spec: Spec, inner: Prm) -> None:
        self.spec = spec
        self._inner = inner

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
        """Always ``whole``."""
        return "whole"

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
        """The inner PRM's, and that it sees whole solutions."""
        return {**self._inner.identity(), "steps": "whole"}

    def describe(self) -> dict[str, Json]:
        """The inner PRM's."""
        return self._inner.describe()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score whole solutions: one number per draft."""
        for request in requests:
            check_steps(request)
        joined = [
            replace(
                request,
                drafts=tuple(
                    replace(draft, steps=(draft.text,) if draft.text else ())
                    for draft in request.drafts
                ),
            )
            for request in requests
        ]
        return self._inner.judge(joined)

    def remember(self, on: bool) -> None:
        """As the PRM inside does."""
        self._inner.remember(on)

    def close(self) -> None:
        """Close the inner PRM."""
        self._inner.close()
