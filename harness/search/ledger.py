"""What each request of a search costs. The driver alone calls this, so no method can under-report.

Operations (FLOPs) follow from the models' shapes (`harness.cost`) and are those of an engine that
keeps what it has read on the way to a draft: the prompt is read by the policy once per problem, a
decoded token is computed once, and a PRM reads of a draft only what lies beyond the longest
beginning of it (whole steps) that it judged before in the same search. A draft without such a
beginning pays for its whole input, prompt included. A critic says itself what each step's verdict
took (`StepScores.flops`). Where drafts are compared, all of both is read for every pair, and the
same pair once. So the figure does not depend on an engine's
cache, on batches or on interruptions; what went through the model in fact is
`Tokens.prefill_computed`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harness.cost import Architecture
from harness.prms.prm import in_pairs
from harness.types import Extend, Extended, Judge, Judged, StepScores, Usage


@dataclass(slots=True)
class Ledger:
    """The bill of one search."""

    policy: Architecture | None
    prm: Architecture | None
    pairs: bool = False
    """The PRM judges drafts two by two."""
    spent: Usage = field(default_factory=Usage)
    _prompt: int | None = None
    """Tokens of the prompt, once it was read."""
    _read: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Steps that the PRM has read → tokens of that input."""
    _compared: set[tuple[tuple[str, ...], ...]] = field(default_factory=set)
    """Pairs that it has judged."""

    def extended(self, request: Extend, reply: Extended) -> None:
        """Charge what the policy wrote."""
        flops = math.nan
        if self.policy is not None:
            flops = float(self._extended(self.policy, request, reply))
        self.spent += Usage(policy=reply.tokens, flops=flops)

    def _extended(self, shape: Architecture, request: Extend, reply: Extended) -> int:
        """Return the operations of one reply."""
        total = 0
        prompt = self._prompt
        if prompt is None:
            # Texts of drafts are no longer than what their tokens say; a first request has none.
            begun = sum(draft.tokens or 0 for draft in request.drafts)
            prompt = max(1, (reply.tokens.prefill_logical - begun) // max(1, reply.tokens.calls))
            self._prompt = prompt
            total += shape.prefill(prompt)
        each = request.alternatives or 1
        for place, draft in enumerate(reply.drafts):
            before = request.drafts[min(place // each, len(request.drafts) - 1)].tokens or 0
            if request.alternatives:
                # One reading of the last token gives all alternatives of a draft.
                total += shape.decode(prompt + before, 1) if place % each == 0 else 0
                continue
            total += shape.decode(prompt + before, max(0, (draft.tokens or 0) - before))
        return total

    def judged(self, request: Judge, reply: Judged) -> None:
        """Charge what the PRM read."""
        flops = self._judged_pairs(request, reply) if self.pairs else self._judged(request, reply)
        self.spent += Usage(prm=reply.tokens, flops=flops)

    def _judged(self, request: Judge, reply: Judged) -> float:
        """Return the operations of one reply."""
        flops = 0.0
        for draft, scores in zip(request.drafts, reply.scores, strict=True):
            if scores is None:
                continue
            if self.prm is None or scores.tokens is None:
                flops = math.nan
                continue
            ends = range(len(draft.steps), 0, -1)
            end = next((end for end in ends if draft.steps[:end] in self._read), 0)
            known = self._read.get(draft.steps[:end], 0)
            if scores.flops is not None:
                flops += _new(scores.flops, end, len(draft.steps))
            else:
                new = max(0, scores.tokens - known)
                outputs = max(0, len(scores.values) - end)
                flops += self.prm.prefill(new, cached=known, outputs=outputs)
            self._read.setdefault(draft.steps, scores.tokens)
        return flops

    def _judged_pairs(self, request: Judge, reply: Judged) -> float:
        """Return the operations of one reply of a PRM that compares."""
        flops = 0.0
        for drafts, both in zip(in_pairs(request.drafts), in_pairs(reply.scores), strict=True):
            pair = tuple(draft.steps for draft in drafts)
            if pair in self._compared:
                continue
            self._compared.add(pair)
            flops += sum(flops_of(one, self.prm) for one in both if one is not None)
        return flops

    def ran(self, executions: int) -> None:
        """Charge programs that were run to choose."""
        self.spent += Usage(executions=executions)


def flops_of(scores: StepScores, architecture: Architecture | None) -> float:
    """Return the operations that a draft's scores took by themselves, NaN where they are not
    known."""
    if scores.flops is not None:
        return float(sum(scores.flops))
    if scores.tokens is None or architecture is None:
        return math.nan
    return float(architecture.prefill(scores.tokens, outputs=len(scores.values)))


def _new(flops: tuple[int, ...], known: int, steps: int) -> int:
    """Return a critic's operations for a draft of which so many steps were judged before."""
    return 0 if known == steps else sum(flops[min(known, len(flops) - 1) :])
