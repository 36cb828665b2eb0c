"""``pav:VALUE+PROVER``: one PRM says how good a solution is, another how far a step brought it.

Process advantage verifiers (arXiv:2410.08146) rank partial solutions by ``Q + α · A``: Q is the
value under the policy that writes, A what the step gained under another policy, the prover. The
scores are Q's, and with them the choice among whole solutions; the prover's gains go along
(`StepScores.progress`), and ``beam,rank=advantage,alpha=α`` ranks by both. No such pair is
published.

A prover whose numbers are advantages gives them as they are; of values and probabilities the gain
is the difference between a step and the one before it. A first step's is its own number: what would
be taken off is the same for all first steps. Members are written as those of an ensemble.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.adapters.options import Options
from harness.prms.joint import Joint, tokens_of
from harness.prms.prm import Prm
from harness.types import Json, Semantics, Spec, StepScores

_VALUES: tuple[Semantics, ...] = ("p_correct", "value")
_PROVERS: tuple[Semantics, ...] = (*_VALUES, "advantage")


class PavPrm(Joint):
    """A value and a prover as one PRM.

    Raises:
        ConfigError: not two members, numbers that are no values or have no differences.
    """

    def __init__(self, spec: Spec, open_: Callable[[str], Prm]) -> None:
        options = Options(spec, "PRM")
        super().__init__(spec, open_)
        if len(self._members) != 2:
            raise self._unfit("it is a value and a prover, as in VALUE+PROVER")
        self._value, self._prover = self._members
        for member, legal in ((self._value, _VALUES), (self._prover, _PROVERS)):
            if member.semantics not in legal:
                role = "value" if member is self._value else "prover"
                raise self._unfit(
                    f"{member.spec.name} gives {member.semantics!r} and is the {role}; legal: "
                    f"{', '.join(legal)}"
                )
        value = self._value
        self._declare(options, value.semantics, value.aggregation, value.threshold)

    def identity(self) -> dict[str, Json]:
        """Both members'."""
        return {
            "adapter": "pav",
            "value": self._value.identity(),
            "prover": self._prover.identity(),
        }

    def _score(self, own: tuple[StepScores | None, ...]) -> StepScores | None:
        value, prover = own
        if value is None or prover is None:
            return None
        gains = np.array(prover.values)
        if self._prover.semantics != "advantage":
            gains = np.diff(gains, prepend=0.0)
        return StepScores(
            value.values,
            value.semantics,
            raw=value.raw,
            truncated=value.truncated or prover.truncated,
            tokens=tokens_of([value, prover]),
            progress=tuple(gains.tolist()),
        )
