"""The few problems that a reader can look at: drawn by the board's seed, never by scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.boards.pools import FrozenPool
from harness.boards.scores import PoolScores
from harness.boards.standing import Sample, Scored, Solution
from harness.runner.first_error import labels_every_step
from harness.types import GIVEN_KINDS, Problem

SOLUTIONS = 4
"""Candidates shown of a problem, right and wrong ones in turn."""
MAX_TEXT = 12_000
"""Characters of a problem with its shown candidates; longer ones are passed over."""
MAX_ALL = 400_000
"""Characters of all that is shown on a board."""
DIGITS = 4


def samples(pools: Mapping[str, FrozenPool], each: int, seed: int) -> tuple[Sample, ...]:
    """Return up to `each` problems of every pool."""
    found: list[Sample] = []
    room = MAX_ALL
    for name, pool in pools.items():
        rng = np.random.default_rng([seed, int(pool.digest[:8], 16)])
        order = rng.permutation(len(pool.problems))[: 3 * each].tolist()
        wanted = {pool.problems[row].id for row in order}
        drafts, answers = pool.read_drafts(wanted), pool.read_answers(wanted)
        taken = 0
        for row in order:
            problem = pool.problems[row]
            chosen = _chosen(pool, row, rng)
            texts = drafts[problem.id]
            size = len(problem.prompt) + sum(len(texts[i].text) for i in chosen)
            if taken == each or size > min(MAX_TEXT, room):
                continue
            taken, room = taken + 1, room - size
            found.append(
                Sample(
                    f"{name}/{problem.id}",
                    name,
                    problem.id,
                    problem.prompt,
                    _facts(problem),
                    tuple(
                        Solution(
                            index,
                            texts[index].steps,
                            _verdict(pool, row, index),
                            answers.get((problem.id, index)),
                            int(pool.labels[row]) if pool.kind == "steps" else None,
                            _wrong(problem),
                        )
                        for index in chosen
                    ),
                )
            )
    return tuple(found)


def _chosen(pool: FrozenPool, row: int, rng: np.random.Generator) -> list[int]:
    """Return the candidates to show, as evenly right and wrong as there are."""
    there = np.flatnonzero(pool.present[row])
    if pool.kind in GIVEN_KINDS:
        return [int(index) for index in there[:SOLUTIONS]]
    order = [int(index) for index in rng.permutation(there)]
    right = [index for index in order if pool.correct[row, index] == 1]
    others = [index for index in order if pool.correct[row, index] != 1]
    half = SOLUTIONS // 2
    first = [*right[: max(half, SOLUTIONS - len(others))]]
    return sorted([*first, *others[: SOLUTIONS - len(first)]])


def _facts(problem: Problem) -> dict[str, Any]:
    """Return what is known of a problem: its facts and, where there is one, its kind of error."""
    reference: Any = problem.reference
    labelled = {"category": reference["category"]} if labels_every_step(problem) else {}
    return {**problem.meta, **labelled}


def _wrong(problem: Problem) -> tuple[int, ...] | None:
    if not labels_every_step(problem):
        return None
    reference: Any = problem.reference
    return tuple(sorted(reference["wrong"]))


def _verdict(pool: FrozenPool, row: int, index: int) -> bool | None:
    value = pool.correct[row, index]
    return None if np.isnan(value) else bool(value)


def scored(shown: Sequence[Sample], pool: FrozenPool, scores: PoolScores) -> tuple[Scored, ...]:
    """Return a PRM's step scores (of its first replica) of a pool's samples, to four decimals."""
    found = []
    for sample in shown:
        row = pool.row(sample.problem)
        before = int(pool.present[:row].sum())
        number = before + np.cumsum(pool.present[row]) - 1
        own = tuple(_scores(scores, int(number[one.index])) for one in sample.solutions)
        found.append(Scored(sample.id, own))
    return tuple(found)


def _scores(scores: PoolScores, at: int) -> tuple[float, ...] | None:
    start, end = scores.offsets[at : at + 2]
    return tuple(round(x, DIGITS) for x in scores.values[start:end].tolist()) or None
