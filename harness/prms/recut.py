"""``steps=RULE`` and ``probe=RULE``: any PRM reads solutions cut otherwise, or with steps added.

The rules stand in `harness.segment.recut`. With ``steps=whole`` the PRM gives one score per
solution; in the ablation of the particle-filter paper (arXiv:2502.01618) this was the best way to
rank solutions, and aggregations then all agree. With any other rule there is a score per step of
that rule. None of them names a step of the task, so a first-error metric has nothing to find. An
outcome model (a recipe's ``inputs=whole``) gives one number by itself, and has no step scores.

A probe (`harness.segment.probe`) adds steps that say nothing new to what the rule has cut; the
report compares its scores with those of the same PRM without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.prm import Covers, Prm, check_steps
from harness.segment.probe import parse_probe
from harness.segment.recut import Recut, parse_recut
from harness.types import Json, Judge, Judged, Semantics, Spec


def open_prm(spec: Spec, adapter: Callable[[Spec], Prm]) -> Prm:
    """Open a PRM, heeding the options ``steps=RULE`` and ``probe=RULE`` that all of them have.

    Args:
        spec: As the user wrote it.
        adapter: The adapter's class; it gets the spec without these two.

    Raises:
        UserError: whatever the adapter refuses, a rule that does not exist, ``steps=each`` of an
            outcome model.
    """
    only = {key: value for key, value in spec.options.items() if key in ("steps", "probe")}
    options = Options(replace(spec, options=only), "PRM")
    rule = options.text("steps", "each") or "each"
    probe = options.text("probe", "none") or "none"
    cut, pad = parse_recut(rule), parse_probe(probe)
    rest = {key: value for key, value in spec.options.items() if key not in only}
    inner = adapter(replace(spec, options=rest))
    if inner.covers == "pair" and only:
        raise ConfigError(
            f"PRM {spec.name} compares solutions as they are; leave out steps= and probe="
        )
    if probe != "none" and not inner.live:
        raise ConfigError(f"PRM {spec.name} is recorded and cannot score what probe={probe} adds")
    if inner.covers == "whole" and "steps" in only and rule != "whole":
        raise ConfigError(f"PRM {spec.name} judges whole solutions; it has no scores of steps")
    if probe == "none" and (rule == "each" or inner.covers == "whole"):
        return inner
    return RecutPrm(spec, inner, {"steps": rule, "probe": probe}, lambda steps: pad(cut(steps)))


class RecutPrm:
    """A PRM that is given every solution cut by another rule, or with steps added."""

    def __init__(self, spec: Spec, inner: Prm, rules: Mapping[str, str], cut: Recut) -> None:
        """Args: what the user wrote; the PRM; the two rules as written, and as a function."""
        self.spec = spec
        self._inner, self._cut = inner, cut
        usual = {"steps": "each", "probe": "none"}
        self._rules = {key: rule for key, rule in rules.items() if rule != usual[key]}

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
        whole = self._inner.covers == "whole" or self._rules == {"steps": "whole"}
        return "whole" if whole else "own"

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
        """The inner PRM's, and the rules."""
        return {**self._inner.identity(), **self._rules}

    def describe(self) -> dict[str, Json]:
        """The inner PRM's."""
        return self._inner.describe()

    def load(self) -> None:
        """Load the inner PRM."""
        self._inner.load()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score solutions as the rules have them: one number per step of theirs."""
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
