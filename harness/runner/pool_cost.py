"""What a method that chooses from a pool costs, problem by problem and budget by budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.curve import Axis
from harness.runner.arrays import Floats, PoolArrays, ScoreArrays
from harness.runner.outcomes import known_mean
from harness.types import ResultRow

VOTES = ("majority", "weighted_vote")
"""Methods that compare answers, and run programs to do so."""


@dataclass(frozen=True)
class PoolCost:
    """Costs per problem of all N candidates; NaN is unknown."""

    policy_tokens: Floats
    prm_tokens: Floats
    flops: Floats
    fixed_flops: Floats
    seconds: Floats
    samples: int
    code: bool
    """Candidates are programs: a vote runs each of them on public inputs."""

    @classmethod
    def of(cls, pool: PoolArrays, scores: ScoreArrays | None = None) -> PoolCost:
        """Add up what the policy did, and the PRM if there is one."""
        nothing = np.zeros(len(pool.problems))
        prm_tokens = scores.tokens.sum(axis=1) if scores else nothing
        return cls(
            pool.tokens.sum(axis=1),
            prm_tokens,
            pool.flops.sum(axis=1) + (scores.flops.sum(axis=1) if scores else nothing),
            pool.prompt_flops,
            pool.seconds + (scores.seconds if scores else nothing),
            pool.entry.samples,
            pool.entry.kind.startswith("code"),
        )

    def at(self, row: ResultRow, budget: int, used: Floats, judged: bool) -> ResultRow:
        """Return `row` with the mean costs of `budget` candidates over the problems `used`."""
        keep = ~np.isnan(used)
        share = budget / self.samples
        return replace(
            row,
            policy_tokens=known_mean(self.policy_tokens[keep] * share),
            prm_tokens=known_mean(self.prm_tokens[keep] * share) if judged else None,
            flops=known_mean(self.flops[keep] * share + self.fixed_flops[keep]),
            seconds_per_problem=(seconds := known_mean(self.seconds[keep] * share)),
            seconds_kind=None if seconds is None else "throughput",
            executions=budget if self.code and row.method in VOTES else 0,
        )

    def per_problem(self, budgets: Sequence[int]) -> dict[Axis, Floats]:
        """Return the (P, B) costs of each axis of which anything is known."""
        share = np.array(budgets) / self.samples
        policy, prm = (one[:, None] * share for one in (self.policy_tokens, self.prm_tokens))
        costs: dict[Axis, Floats] = {
            "policy_tokens": policy,
            "total_tokens": policy + prm,
            "flops": self.flops[:, None] * share + self.fixed_flops[:, None],
            "throughput_seconds": self.seconds[:, None] * share,
        }
        return {axis: cost for axis, cost in costs.items() if not np.isnan(cost).all()}
