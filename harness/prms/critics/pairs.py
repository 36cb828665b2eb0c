"""Critics that compare: of two solutions, how probable it is that each is the better one.

Judges prefer what they read first, or last. So every other chain sees the two in the other order,
and with an even number of chains both orders weigh the same. Where no chain says which is better,
both have 1/2, and `StepScores.unparsed` is 1. A solution without steps is worse than one with some,
and nobody has to be asked. What a comparison took is charged to the two in halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.prms.critics.chains import Chain
from harness.prms.critics.critic import CriticPrm, Finding, spent
from harness.prms.critics.questions import Case, pair
from harness.prms.critics.recipe import with_recipe
from harness.prms.critics.verdicts import Verdict, combined
from harness.prms.critics.writer import Writer
from harness.prms.prm import check_steps, in_pairs
from harness.types import Judge, Judged, Spec, StepScores

_Key = tuple[int, tuple[str, ...], tuple[str, ...]]
"""Number of the request, and the two that are compared."""
_Scores = tuple[StepScores | None, StepScores | None]


def open_critic(spec: Spec, open_writer: Callable[[str], Writer]) -> CriticPrm:
    """Open a critic of single solutions or of pairs, as its recipe says; raises as they do."""
    compares = with_recipe(spec).options.get("per") == "pair"
    return (PairCritic if compares else CriticPrm)(spec, open_writer)


class PairCritic(CriticPrm):
    """A model that writes before it says which of two solutions is better."""

    @property
    def unit_rows(self) -> int:
        """As many drafts as give the writer what it likes: two of them share their chains."""
        return 2 * super().unit_rows

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Compare, two drafts at a time; see `Prm.judge`."""
        for request in requests:
            check_steps(request)
        keys = [
            [(number, one.steps, other.steps) for one, other in in_pairs(request.drafts)]
            for number, request in enumerate(requests)
        ]
        wanted = list(dict.fromkeys(key for own in keys for key in own if key[1] and key[2]))
        cases = [pair(self._recipe, requests[n].question, *both) for n, *both in wanted]
        findings = dict(zip(wanted, self._find(cases) if cases else (), strict=True))
        return [self._compared(own, findings) for own in keys]

    def _verdicts(self, one: Case, chains: Sequence[Chain]) -> list[Verdict | None]:
        """Return each chain's verdict on the first of the pair, whichever it was shown first."""
        said = super()._verdicts(one, chains)
        said[1::2] = [None if verdict is None else (1 - verdict[0],) for verdict in said[1::2]]
        return said

    def _compared(self, keys: Sequence[_Key], findings: Mapping[_Key, Finding]) -> Judged:
        """Return the scores of one request's drafts and what they cost."""
        scores = [one for key in keys for one in self._both(key, findings.get(key))]
        return Judged(tuple(scores), spent([findings[key] for key in keys if key in findings]))

    def _both(self, key: _Key, found: Finding | None) -> _Scores:
        """Return the scores of a pair."""
        if found is None:
            only = StepScores((1.0,), self.semantics, tokens=0, flops=(0,))
            return (only if key[1] else None), (only if key[2] else None)
        verdict = combined(self._recipe.combine, found.verdicts)
        (first,) = verdict or (0.5,)
        one, other = (
            StepScores(
                (value,),
                self.semantics,
                truncated=any(chain.truncated for chain in found.chains),
                tokens=(found.read + found.decoded + place) // 2,
                flops=None if found.flops is None else ((found.flops + place) // 2,),
                unparsed=found.verdicts.count(None) / len(found.verdicts),
            )
            for place, value in enumerate((first, 1 - first))
        )
        return one, other
