"""Operations that a unit of a pool or of its scores took, as the tables will count them."""

from __future__ import annotations

from harness.policies.policy import Policy
from harness.prms.prm import Prm
from harness.search.ledger import Ledger, flops_of
from harness.types import Extend, Extended, Judged


def written_flops(policy: Policy, request: Extend, reply: Extended) -> float:
    """Return those of one request for whole solutions; 0 for a recording, NaN if unknown."""
    if policy.max_samples is not None:
        return 0.0
    ledger = Ledger(policy.architecture, None)
    ledger.extended(request, reply)
    return ledger.spent.flops


def judged_flops(prm: Prm, reply: Judged) -> float:
    """Return those of one request's scores; 0 for a recording, NaN if unknown."""
    if not prm.live:
        return 0.0
    return sum((flops_of(one, prm.architecture) for one in reply.scores if one is not None), 0.0)
