"""Time the estimators on a full sweep: `python -m benchmarks.estimators`, on one core.

500 problems x 256 candidates x 10 PRMs x 10 aggregations x 8 budgets: best-of-n and weighted vote
for each, majority vote and pass@n, and a 95 % interval for every cell. The yardstick is the loop
that a script would do, drawing 100 subsets per problem and budget in plain Python; it would take a
quarter of an hour, so it is timed on 12 of its 50,000 (problem, scoring) pairs and scaled up.
"""

from __future__ import annotations

import os

# Before numpy is imported, which reads them: the figures are for one core.
os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")})

import random
import resource
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import scipy.sparse  # noqa: F401  (imported at first use otherwise, and then counted)

from harness.stats import best_of_n, estimate, pass_at_n, vote
from harness.stats.best_of_n import Bools, Floats, Ints

PROBLEMS, CANDIDATES, PRMS, AGGREGATIONS, DRAWS = 500, 256, 10, 10, 100
BUDGETS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Pool:
    """A synthetic pool with the marks of real ones: unequal difficulty, popular wrong answers."""

    classes: Ints
    correct: Floats
    present: Bools
    scores: Floats
    """(PRMs x aggregations, problems, candidates)."""


def synthetic(seed: int = 0) -> Pool:
    """Draw a pool. Answers follow a Zipf law per problem; the right one has any rank in it."""
    rng = np.random.default_rng(seed)
    shape = (PROBLEMS, CANDIDATES)
    exponents = rng.uniform(1.3, 3.0, PROBLEMS)
    classes = np.stack([np.minimum(rng.zipf(a, CANDIDATES), 80) for a in exponents])
    right = rng.choice([1, 1, 1, 2, 2, 3, 4, 6, 90], PROBLEMS)
    correct = (classes == right[:, None]).astype(float)
    scores = np.empty((PRMS * AGGREGATIONS, *shape))
    for k in range(PRMS * AGGREGATIONS):
        skill = 0.5 + (k // AGGREGATIONS) / PRMS
        scores[k] = 1 / (1 + np.exp(-rng.normal(skill * (2 * correct - 1), 1.5)))
    # Heads in bfloat16 give few distinct values: a tenth of the scorings is coarse.
    scores[::10] = np.round(scores[::10] * 128) / 128
    return Pool(classes, correct, np.ones(shape, bool), scores)


def plain(pool: Pool, scorings: range, problems: range, seed: int = 0) -> float:
    """Seconds of a plain loop over seeded subsets for a part of the sweep."""
    rng = random.Random(seed)
    start = time.process_time()
    for k in scorings:
        for p in problems:
            scores, classes = pool.scores[k, p].tolist(), pool.classes[p].tolist()
            correct = pool.correct[p].tolist()
            for n in BUDGETS:
                best = voted = 0.0
                for _ in range(DRAWS):
                    subset = rng.sample(range(CANDIDATES), n)
                    best += correct[max(subset, key=scores.__getitem__)]
                    sums: dict[int, float] = defaultdict(float)
                    for i in subset:
                        sums[classes[i]] += scores[i]
                    winner = max(sums, key=sums.__getitem__)
                    voted += next(correct[i] for i in subset if classes[i] == winner)
    return time.process_time() - start


def timed(rows: list[tuple[str, float, float]], name: str, start: tuple[float, float]) -> None:
    """Add a row: wall and processor seconds since `start`."""
    rows.append((name, time.perf_counter() - start[0], time.process_time() - start[1]))


def now() -> tuple[float, float]:
    """Wall and processor clock."""
    return time.perf_counter(), time.process_time()


def main() -> None:
    """Run the sweep and print a table."""
    pool = synthetic()
    rows: list[tuple[str, float, float]] = []
    whole = start = now()
    best = best_of_n(pool.scores, pool.correct, pool.present, BUDGETS)
    ceiling = pass_at_n(pool.correct, pool.present, BUDGETS)
    timed(rows, "best-of-n (100 scorings) and pass@n, exact", start)
    start = now()
    # The majority vote is one more weighting, which costs next to nothing beside the others.
    weights = np.concatenate([pool.scores, np.ones((1, PROBLEMS, CANDIDATES))])
    votes = vote(pool.classes, pool.correct, pool.present, BUDGETS, weights, draws=DRAWS)
    timed(rows, "weighted vote (100 weightings) and majority", start)
    start = now()
    cells = np.concatenate([best, votes.value, ceiling[None]])
    made = [estimate(cells[k, :, b]) for k, b in np.ndindex(len(cells), len(BUDGETS))]
    timed(rows, f"intervals ({len(made)} cells)", start)
    timed(rows, "whole sweep", whole)

    part = plain(pool, range(3), range(0, PROBLEMS, 125))
    scaled = part * (PRMS * AGGREGATIONS * PROBLEMS) / (3 * 4)
    print(f"{PROBLEMS} problems x {CANDIDATES} candidates x {PRMS} PRMs x {AGGREGATIONS}", end=" ")
    print(f"aggregations x {len(BUDGETS)} budgets, {DRAWS} draws, one core\n")
    print(f"{'':48}{'wall s':>8}{'CPU s':>8}")
    for name, wall, cpu in rows:
        print(f"{name:48}{wall:8.2f}{cpu:8.2f}")
    print(f"{'plain loop over subsets, scaled from 12 of 50,000':48}{'':8}{scaled:8.0f}")
    print(f"\nplain loop / this: {scaled / rows[-1][2]:,.0f}", end="   ")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MB, of which scores {2 * pool.scores.nbytes / 2**20:,.0f} MB")
    print(f"largest Monte-Carlo error of a vote's mean: {mc_error(votes.error):.4f}")


def mc_error(error: Floats) -> float:
    """Largest standard error, over cells, of a mean over problems that comes from drawing."""
    return float(np.sqrt((error**2).sum(axis=1)).max() / error.shape[1])


if __name__ == "__main__":
    main()
