"""From the attempts of searches to result rows: accuracy and cost where each search stood.

What an attempt says at a budget is worked out in `harness.runner.standing`; attempts that the
infrastructure failed are left out.

Costs are means per problem. Seconds of searches that ran side by side are throughput seconds: the
measured time of the whole search, shared among problems and marks by the tokens that went through
the models. Latency is measured on attempts that ran alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from harness.errors import DataError
from harness.runner.standing import Standing, budgets_of, stand
from harness.search.methods import METHODS
from harness.stats import estimate
from harness.store.format import RunFolder
from harness.store.log import read_ledger
from harness.store.sweepfile import SearchEntry, SweepFile
from harness.types import Attempt, Estimate, Grade, ResultRow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SearchCurve:
    """One search over its problems: (replicas, problems, budgets) correctness and costs."""

    entry: SearchEntry
    problems: tuple[str, ...]
    budgets: tuple[int, ...]
    correct: Floats
    """(R, P, B); NaN where an attempt is left out."""
    usage: Mapping[str, Floats]
    """(R, P, B) per kind of cost, by the names of `ResultRow`."""
    ungraded: int
    truncated: float | None


def load_curve(run: RunFolder, entry: SearchEntry, seed: int) -> SearchCurve:
    """Read a search's attempts and grades.

    Raises:
        DataError: attempts or grades are missing; the run was interrupted.
    """
    folder = entry.folder(run)
    problems = folder.pool.read_problems()
    attempts = folder.read_attempts()
    _, units = read_ledger(folder.attempts)
    if len(attempts) < len(problems) * entry.replicas:
        raise DataError(
            f"{folder.attempts}: {len(attempts)} of {len(problems) * entry.replicas} searches are "
            "done; the run was interrupted: give its command again"
        )
    grades: dict[str, list[Grade]] = {}
    if not entry.alone:
        for name, _, grade in folder.read_grades():
            grades.setdefault(name, []).append(grade)
    budgets = budgets_of(entry)
    shape = entry.replicas, len(problems), len(budgets)
    correct = np.full(shape, np.nan)
    usage = {name: np.full(shape, np.nan) for name in _COSTS}
    for column, problem in enumerate(problems):
        rest = grades.get(problem.id, [])
        for replica in range(entry.replicas):
            attempt = attempts[problem.id, replica]
            own, rest = rest[: len(attempt.found)], rest[len(attempt.found) :]
            if attempt.failure:
                continue
            for place, budget in enumerate(budgets):
                rng = np.random.default_rng([seed, column, replica, budget])
                standing = stand(entry, attempt, own, budget, rng)
                correct[replica, column, place] = standing.correct
                for name, value in _costs(standing).items():
                    usage[name][replica, column, place] = value
    _drop_partial(correct, usage, attempts, [problem.id for problem in problems])
    if not entry.alone:
        usage["seconds_per_problem"] = _throughput(sum(u.seconds for u in units), usage)
    found = [one for attempt in attempts.values() for one in attempt.found]
    return SearchCurve(
        entry,
        tuple(problem.id for problem in problems),
        budgets,
        correct,
        usage,
        sum(grade.verdict == "ungraded" for own in grades.values() for grade in own),
        sum(one.draft.finish == "length" for one in found) / len(found) if found else None,
    )


def _drop_partial(
    correct: Floats,
    usage: Mapping[str, Floats],
    attempts: Mapping[tuple[str, int], Attempt],
    problems: Sequence[str],
) -> None:
    """Leave out budgets at which some searches had no candidate yet, though they had later: a mean
    over the quick ones would be a mean over the easy ones."""
    for replica in range(correct.shape[0]):
        for column, problem in enumerate(problems):
            if attempts[problem, replica].failure:
                continue
            early = np.isnan(usage["policy_tokens"][replica, column])
            correct[:, :, early] = np.nan
            for values in usage.values():
                values[:, :, early] = np.nan


_COSTS = (
    "policy_tokens",
    "policy_prompt_tokens",
    "policy_prompt_computed",
    "prm_tokens",
    "prm_tokens_computed",
    "flops",
    "executions",
    "seconds_per_problem",
)


def _costs(standing: Standing) -> dict[str, float]:
    usage, share = standing.usage, standing.share
    # A server, or one's own function, does not tell what it reads; whatever reads, reads something.
    told = not usage.prm.calls or usage.prm.prefill_logical + usage.prm.decode > 0
    read = share if told else math.nan
    return {
        "policy_tokens": share * usage.policy.decode,
        "policy_prompt_tokens": share * usage.policy.prefill_logical,
        "policy_prompt_computed": share * usage.policy.prefill_computed,
        "prm_tokens": read * (usage.prm.prefill_logical + usage.prm.decode),
        "prm_tokens_computed": read * (usage.prm.prefill_computed + usage.prm.decode),
        "flops": share * usage.flops,
        "executions": share * usage.executions + standing.executions,
        "seconds_per_problem": share * usage.seconds,
    }


def _throughput(seconds: float, usage: Mapping[str, Floats]) -> Floats:
    """Share the measured seconds of a whole search by the tokens that went through the models."""
    read = np.nan_to_num(usage["prm_tokens_computed"])  # by whoever tells
    work: Floats = usage["policy_tokens"] + usage["policy_prompt_computed"] + read
    total = np.nansum(work[..., -1])
    shared: Floats = work * (seconds / total) if total else np.full(work.shape, np.nan)
    return shared


def search_rows(run: RunFolder, sweep: SweepFile) -> tuple[list[ResultRow], list[SearchCurve]]:
    """Return the result rows of every search of a run, and its curves."""
    rows: list[ResultRow] = []
    curves: list[SearchCurve] = []
    seed = int(sweep.config["seed"])
    for entry in sweep.searches:
        curve = load_curve(run, entry, seed)
        curves.append(curve)
        rows.extend(_rows(sweep, curve))
    return rows, curves


def _rows(sweep: SweepFile, curve: SearchCurve) -> Iterator[ResultRow]:
    entry = curve.entry
    for place, budget in enumerate(curve.budgets):
        row = _row(sweep, curve, budget)
        correct = curve.correct[:, :, place]
        if np.isnan(curve.usage["policy_tokens"][:, :, place]).all():
            continue
        used = ~np.isnan(curve.usage["policy_tokens"][:, :, place])
        if not entry.alone:
            used &= ~np.isnan(correct)
        costs = {
            name: known_mean(values[:, :, place][used]) for name, values in curve.usage.items()
        }
        row = replace(row, **{**costs, "executions": round(costs["executions"] or 0)})  # type: ignore[arg-type]
        if entry.alone:
            seconds = curve.usage["seconds_per_problem"][0, :, place]
            yield with_estimate(row, mean_seconds(seconds))
            continue
        per_problem = over_replicas(correct)
        yield with_estimate(row, estimate(per_problem))


def over_replicas(values: Floats) -> Floats:
    """Return the mean over replicas, (P,), of those that are known."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean = np.full(len(count), np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def mean_seconds(seconds: Floats) -> Estimate:
    """Return the mean of measured seconds with Student's t interval: a latency has no upper
    bound, so the intervals of accuracies do not fit."""
    kept = seconds[~np.isnan(seconds)]
    n = len(kept)
    mean = float(kept.mean()) if n else math.nan
    if n < 2:
        return Estimate(mean, math.nan, math.nan, n, n, "none")
    half = float(scipy_stats.t.ppf(0.975, n - 1) * kept.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, max(0.0, mean - half), mean + half, n, n, "t")


def known_mean(values: Floats) -> float | None:
    """Return the mean; None if any is unknown or there is none."""
    return None if not values.size or np.isnan(values).any() else float(values.mean())


def _row(sweep: SweepFile, curve: SearchCurve, budget: int) -> ResultRow:
    entry = curve.entry
    return ResultRow(
        task=entry.task,
        task_version=entry.task_version,
        domain=entry.domain,
        policy=entry.policy,
        prm=entry.prm,
        method=entry.method,
        aggregation=entry.aggregation,
        budget=budget,
        metric="latency_seconds" if entry.alone else METHODS[entry.base].metric,
        n_total=entry.n_total,
        n_ungraded=curve.ungraded,
        replicas=entry.replicas,
        seconds_kind="latency" if entry.alone else "throughput",
        truncated_share=curve.truncated,
        run_digest=sweep.digest,
    )


def with_estimate(row: ResultRow, found: Estimate) -> ResultRow:
    """Return `row` with a value and its interval; what is not known stays absent."""

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return replace(
        row,
        value=found.value,
        ci_low=known(found.low),
        ci_high=known(found.high),
        ci_method=found.method,
        n_problems=found.n,
    )
