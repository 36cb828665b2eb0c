"""From a run's files to result rows: every method at every budget, with intervals and cost.

Costs at budget n are n times the mean over the pool's candidates of the same problem (the
expectation over subsets), plus the prompt once. Seconds are throughput seconds: the measured time
of the calls, shared among their candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.curve import Curve
from harness.prms.aggregate import vote_weight
from harness.reporting.step_curves import StepCurves
from harness.runner.arrays import Floats, PoolArrays, ScoreArrays, load_pool, load_scores
from harness.runner.curves import all_curves
from harness.runner.first_error import first_error_results
from harness.runner.outcomes import search_rows, with_estimate
from harness.runner.pool_cost import PoolCost
from harness.runner.preference import preference_rows
from harness.runner.prm_score import prm_score_rows
from harness.runner.solution_scores import solution_rows
from harness.search.methods import METHODS, parse_method
from harness.stats import best_of_n, compare, estimate, pass_at_n, vote
from harness.store.format import RunFolder
from harness.store.sweepfile import SweepFile, read_sweep
from harness.types import GIVEN_KINDS, Duel, ResultRow

VOTE_DRAWS = 100
"""Subsets per problem and budget for votes; see `harness.stats.votes`. Over 500 problems they add
an error of 0.14 points to one of about 2 points from the choice of problems."""


@dataclass(frozen=True)
class Results:
    """All that a run says."""

    rows: tuple[ResultRow, ...]
    duels: tuple[Duel, ...]
    """Every PRM's choice against the majority vote, paired, at the largest budget."""
    curves: tuple[Curve, ...] = ()
    """Accuracy and cost per problem of every method that answers, by its declared aggregation."""
    steps: tuple[StepCurves, ...] = ()
    """What is drawn of the scores of given steps."""


@dataclass(frozen=True)
class _Curve:
    """One method on one pool: a row without its numbers, and the values behind them."""

    row: ResultRow
    values: Floats
    """(P, B)"""
    cost: PoolCost

    def per_problem(self, problems: Sequence[str], budgets: Sequence[int]) -> Curve:
        """Return it as the analysis of costs reads it."""
        row = self.row
        place = (row.task, row.policy or "", row.prm, row.method, row.aggregation)
        costs = self.cost.per_problem(budgets)
        return Curve(*place, tuple(problems), tuple(budgets), self.values, costs)


def evaluate(run: RunFolder, part: SweepFile | None = None) -> Results:
    """Return every result of a run, or of a part of it, from its files alone.

    `part` is the run's own sweep file with fewer pools, scores, searches or methods.

    Raises:
        DataError: something is missing or torn.
    """
    sweep = part or read_sweep(run)
    asked = {parse_method(text).method.name for text in sweep.config["methods"]}
    methods = [name for name in METHODS if name in asked]
    rows: list[ResultRow] = []
    duels: list[Duel] = []
    answering: list[Curve] = []
    for entry in sweep.pools:
        if entry.kind in GIVEN_KINDS:
            continue
        pool = load_pool(run, entry)
        if entry.greedy:
            greedy = _greedy(sweep, pool)
            rows.extend(_rows(greedy, [1]))
            answering.extend(_answering([greedy], pool, [1]))
            continue
        scored = [
            load_scores(run, sweep, found, pool.problems, pool.correct.shape)
            for found in sweep.scores
            if found.pool == entry.digest
        ]
        budgets = budgets_of(sweep, entry.samples)
        curves = list(_curves(sweep, pool, scored, budgets, methods))
        rows.extend(row for curve in curves for row in _rows(curve, budgets))
        if "best_of_n" in methods:
            row, seed = _row(sweep, pool, "best_of_n"), int(sweep.config["seed"])
            rows.extend(solution_rows(row, pool, scored, budgets, seed))
        duels.extend(_duels(curves, budgets[-1]))
        answering.extend(_answering(curves, pool, budgets))
    steps: list[StepCurves] = []
    if "first_error" in methods:
        judged, steps = first_error_results(run, sweep)
        rows += judged
    if "prm_score" in methods:
        rows.extend(prm_score_rows(run, sweep))
    if "preference" in methods:
        rows.extend(preference_rows(run, sweep))
    searched, searches = search_rows(run, sweep)
    costs = all_curves(answering, searches)
    return Results((*rows, *searched), tuple(duels), costs, tuple(steps))


def _answering(
    curves: Sequence[_Curve], pool: PoolArrays, budgets: Sequence[int]
) -> Iterator[Curve]:
    """Yield the curves that a report compares by cost: no ceiling, and no other aggregation."""
    names = [problem.id for problem in pool.problems]
    for curve in curves:
        if curve.row.headline and curve.row.metric == "accuracy":
            yield curve.per_problem(names, budgets)


def budgets_of(sweep: SweepFile, samples: int) -> list[int]:
    """Return the budgets asked for, or 1, 2, 4 … and the pool's own size."""
    asked = sweep.config.get("budgets")
    if asked:
        return [int(n) for n in asked if n <= samples]
    return sorted({*(2**i for i in range(samples.bit_length()) if 2**i <= samples), samples})


def _greedy(sweep: SweepFile, pool: PoolArrays) -> _Curve:
    return _Curve(_row(sweep, pool, "greedy"), pool.correct, PoolCost.of(pool))


def _curves(
    sweep: SweepFile,
    pool: PoolArrays,
    scored: Sequence[ScoreArrays],
    budgets: Sequence[int],
    methods: Sequence[str],
) -> Iterator[_Curve]:
    """Yield every method on one pool, under every PRM and aggregation that it can use."""
    votes = _votes(sweep, pool, scored, budgets, methods)
    cost = PoolCost.of(pool)
    if "majority" in methods:
        yield _Curve(_row(sweep, pool, "majority"), votes[None, None], cost)
    if "pass_at_n" in methods:
        values = pass_at_n(pool.correct, pool.present, budgets)
        yield _Curve(_row(sweep, pool, "pass_at_n"), values, cost)
    for scores in scored:
        cost = PoolCost.of(pool, scores)
        names = list(scores.scores)
        found = {}
        if "weighted_vote" in methods:
            found["weighted_vote"] = [votes[scores.entry.prm, name] for name in names]
        if "best_of_n" in methods:
            stacked = np.stack([scores.scores[name] for name in names])
            present = pool.present & scores.covered[:, None]
            found["best_of_n"] = list(best_of_n(stacked, pool.correct, present, budgets))
        for method, values_of in found.items():
            for name, values in zip(names, values_of, strict=True):
                row = replace(
                    _row(sweep, pool, method),
                    prm=scores.entry.prm,
                    aggregation=name,
                    headline=name == scores.entry.aggregation,
                )
                yield _Curve(row, values, cost)


def _duels(curves: Sequence[_Curve], budget: int) -> Iterator[Duel]:
    """Compare every PRM's methods, by its declared aggregation, with the majority vote."""
    votes = next((c.values[:, -1] for c in curves if c.row.method == "majority"), None)
    for curve in curves:
        row = curve.row
        if votes is None or row.prm is None or not row.headline or row.policy is None:
            continue
        found = compare(f"{row.method} {row.prm}", "majority", curve.values[:, -1], votes)
        yield Duel(row.task, row.policy, row.prm, row.method, budget, found)


def _votes(
    sweep: SweepFile,
    pool: PoolArrays,
    scored: Sequence[ScoreArrays],
    budgets: Sequence[int],
    methods: Sequence[str],
) -> dict[tuple[str | None, str | None], Floats]:
    """Return (PRM, aggregation) → (P, B); (None, None) is the majority, every weight being 1.

    All ballots of a pool are counted over the same subsets in one call: half of the time of a vote
    goes into the subsets.
    """
    ballots: dict[tuple[str | None, str | None], Floats] = {}
    if "majority" in methods:
        ballots[None, None] = np.ones(pool.correct.shape)
    if "weighted_vote" in methods:
        for scores in scored:
            for name, values in scores.scores.items():
                # Without scores a candidate has no weight; its answer can win by others' votes.
                known = np.isfinite(values)
                weight = vote_weight(np.where(known, values, 0.0), scores.semantics)
                ballots[scores.entry.prm, name] = np.where(known, weight, 0.0)
    if not ballots:
        return {}
    counted = vote(
        pool.classes,
        pool.correct,
        pool.present,
        budgets,
        np.stack(list(ballots.values())),
        draws=VOTE_DRAWS,
        seed=int(sweep.config["seed"]),
    ).value
    found = dict(zip(ballots, counted, strict=True))
    # Nobody voting is wrong where candidates were graded and none has an answer; where none was
    # graded, nothing is known.
    ungraded = np.isnan(pool.correct).all(axis=1)
    for values in found.values():
        values[ungraded] = np.nan
    for scores in scored:
        for name in scores.scores if "weighted_vote" in methods else ():
            found[scores.entry.prm, name][~scores.covered] = np.nan
    return found


def _rows(curve: _Curve, budgets: Sequence[int]) -> Iterator[ResultRow]:
    """Yield one row per budget. Without one grade the value stays absent."""
    row = curve.row
    for column, budget in enumerate(budgets):
        own = curve.values[:, column]
        if np.isnan(own).all():
            yield replace(row, budget=budget)
            continue
        made = with_estimate(replace(row, budget=budget), estimate(own))
        yield curve.cost.at(made, budget, own, judged=row.prm is not None)


def _row(sweep: SweepFile, pool: PoolArrays, method: str) -> ResultRow:
    """Return a row with everything that does not depend on budget or PRM."""
    entry = pool.entry
    return ResultRow(
        task=entry.task,
        task_version=entry.task_version,
        domain=entry.domain,
        policy=entry.policy,
        method=method,
        metric=METHODS[method].metric,
        n_total=entry.n_total,
        n_ungraded=int(np.isnan(pool.correct).sum()),
        truncated_share=float(pool.length.mean()),
        run_digest=sweep.digest,
    )
