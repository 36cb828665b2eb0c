"""What a plan would cost: counts, upper bounds, and expectations where something was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import DataError
from harness.runner.plan import Plan, PoolPlan, ScorePlan
from harness.runner.search_plan import SearchPlan
from harness.runner.standins import StandIn
from harness.runner.units import finished
from harness.store.format import RunFolder
from harness.store.log import Unit, ledger_path, read_ledger
from harness.types import Tokens

Counted = Literal["drafts", "searches"]
"""What is counted: how many drafts a search writes is not known beforehand."""


@dataclass(frozen=True, slots=True)
class StageCost:
    """One line of `plan`. None is unknown."""

    stage: str
    task: str
    by: str
    """The policy or PRM."""
    problems: int
    count: int
    """Of `unit`, in all."""
    unit: Counted
    done: int
    """Of `unit`, in the run folder already."""
    tokens_max: int | None
    """Tokens left to decode if every draft reaches max_tokens; 0 for recorded drafts."""
    tokens_expected: float | None
    """Tokens left, by the measured mean per draft: decoded by policies, all those of PRMs."""
    flops_max: float | None
    seconds_expected: float | None
    """By the measured seconds per draft of this run."""


def estimate(plan: Plan, run: RunFolder) -> list[StageCost]:
    """Return one line per stage of a plan; reads ledgers, loads no model."""
    asked = [pool for pool in plan.pools if pool.policy is not None]
    costs = [generation(pool, run) for pool in asked]
    costs += [grading(pool, run) for pool in asked]
    costs += [scoring(entry, run) for entry in plan.scores]
    return costs + [searching(search, run) for search in plan.searches]


def generation(pool: PoolPlan, run: RunFolder) -> StageCost:
    """Return what is left to write of a pool."""
    policy = pool.policy
    assert policy is not None  # tasks of kind steps generate nothing
    folder = run.pool(pool.task.name, pool.name, pool.header.digest)
    units = _units(folder.candidates)
    drafts = len(pool.problems) * pool.samples
    done = len(finished({u.name: u for u in units})) * pool.samples
    left = drafts - done
    recorded = policy.max_samples is not None
    # A size in words is no bound.
    architecture = None if isinstance(policy, StandIn) else policy.architecture
    limit = pool.sampling.max_tokens
    return StageCost(
        "generate",
        pool.task.name,
        pool.name,
        len(pool.problems),
        drafts,
        "drafts",
        done,
        0 if recorded else left * limit,
        0.0 if recorded or not left else _scaled(_total(units).decode, done, left),
        0.0
        if recorded or not left
        else None
        if architecture is None
        # An upper bound: as if every prompt were as long as the draft.
        else left * architecture.decode(limit, limit),
        0.0 if not left else _scaled(sum(u.seconds for u in units), done, left),
    )


def grading(pool: PoolPlan, run: RunFolder) -> StageCost:
    """Return what is left to grade of a pool."""
    folder = run.pool(pool.task.name, pool.name, pool.header.digest)
    units = _units(folder.grades)
    drafts = len(pool.problems) * pool.samples
    done = len(finished({u.name: u for u in units})) * pool.samples
    left = drafts - done
    return StageCost(
        "grade",
        pool.task.name,
        pool.name,
        len(pool.problems),
        drafts,
        "drafts",
        done,
        0,
        0.0,
        0.0,
        0.0 if not left else _scaled(sum(u.seconds for u in units), done, left),
    )


def scoring(entry: ScorePlan, run: RunFolder) -> StageCost:
    """Return what is left to score of a pool."""
    source = entry.source
    path = run.scores(source.task, source.policy, entry.prm.spec.name, entry.header.digest)
    units = _units(path)
    rows = 1 if source.kind == "steps" else source.samples
    drafts = len(source.problems) * rows
    done = len(finished({u.name: u for u in units})) * rows
    left = drafts - done
    return StageCost(
        "score",
        source.task,
        entry.prm.spec.name,
        len(source.problems),
        drafts,
        "drafts",
        done,
        None if left else 0,
        0.0 if not left else _scaled(_read(units), done, left),
        None if left else 0.0,
        0.0 if not left else _scaled(sum(u.seconds for u in units), done, left),
    )


def searching(plan: SearchPlan, run: RunFolder) -> StageCost:
    """Return what is left of a search.

    A search has no bound of its own on tokens: how far it goes is decided by scores.
    """
    folder = plan.entry.folder(run)
    units = _units(folder.attempts)
    attempts = len(plan.problems) * plan.replicas
    done = len(finished({u.name: u for u in units}))
    left = attempts - done
    limit = plan.config.policy_tokens
    return StageCost(
        "time" if plan.alone else "search",
        plan.task.name,
        f"{plan.spec.name} n={plan.n}" + (f" · {plan.prm_name}" if plan.prm_name else ""),
        len(plan.problems),
        attempts,
        "searches",
        done,
        0 if not left else None if limit is None else left * limit,
        0.0 if not left else _scaled(_total(units).decode, done, left),
        0.0 if not left else None if plan.config.flops is None else left * plan.config.flops,
        0.0 if not left else _scaled(sum(u.seconds for u in units), done, left),
    )


def _units(path: Path) -> Sequence[Unit]:
    """Return the finished units of a log; none if there is no log yet."""
    if not ledger_path(path).exists():
        return ()
    try:
        return read_ledger(path)[1]
    except DataError:
        return ()


def _total(units: Sequence[Unit]) -> Tokens:
    return sum((tokens for unit in units for tokens in unit.usage.values()), Tokens())


def _read(units: Sequence[Unit]) -> int:
    """Return the tokens that a PRM read, and wrote."""
    total = _total(units)
    return total.prefill_logical + total.decode


def _scaled(measured: float, done: int, left: int) -> float | None:
    """Return the cost of what is left at the measured rate; unknown if nothing was measured."""
    return measured / done * left if done and measured else None
