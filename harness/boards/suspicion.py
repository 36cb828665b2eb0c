"""Scores that are too good, or somebody else's: what no single row shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.boards.findings import Finding
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Rule
from harness.boards.scores import PoolScores
from harness.boards.submission import scores_path

Floats = NDArray[np.float64]

Fingerprint = tuple[str, str]

FEWEST = 10
"""Problems with right and wrong candidates (or solutions with an error) that a perfect separation
must show in before it is remarkable."""


def suspicions(
    path: Path,
    pool: FrozenPool,
    scores: PoolScores,
    single: Floats,
    rule: Rule,
    baseline: bool = False,
) -> Iterator[Finding]:
    """Yield what looks odd in one PRM's scores of one pool.

    Args:
        path: The score file.
        pool: What was scored.
        scores: The scores.
        single: (R, P, N) of whole solutions.
        rule: How they are read.
        baseline: Whether it may say the same of everything; labels are as odd in a baseline.
    """
    graded = np.broadcast_to(~np.isnan(pool.correct), single.shape)
    truth = np.broadcast_to(pool.correct, single.shape)[graded]
    own = single[graded]
    if len(scores.values) and scores.values.min() == scores.values.max():
        if not baseline:
            yield Finding(
                path, "every score is the same", "submit it as role: baseline", level="warning"
            )
    elif _two_valued(own, truth):
        yield Finding(
            path,
            "the scores equal the labels: one value for right solutions, another for wrong ones",
            "a PRM does not see labels; submit what the model says",
        )
    elif pool.kind == "steps":
        yield from _perfect_steps(path, pool, scores, rule)
    elif _separated(single, np.broadcast_to(pool.correct, single.shape)):
        yield Finding(
            path,
            "in every problem each right candidate scores above each wrong one",
            "explain in note how labels were kept away; a person will look at it",
            level="warning",
        )


def _two_valued(own: Floats, truth: Floats) -> bool:
    right, wrong = own[truth == 1], own[truth == 0]
    if len(right) < FEWEST or len(wrong) < FEWEST:
        return False
    return bool(np.ptp(right) == 0 and np.ptp(wrong) == 0 and right[0] != wrong[0])


def _separated(single: Floats, truth: Floats) -> bool:
    least = np.where(truth == 1, single, np.inf).min(axis=-1)
    most = np.where(truth == 0, single, -np.inf).max(axis=-1)
    mixed = ((truth == 1).any(axis=-1)) & ((truth == 0).any(axis=-1))
    return bool(mixed.sum() >= FEWEST and (least > most)[mixed].all())


def _perfect_steps(
    path: Path, pool: FrozenPool, scores: PoolScores, rule: Rule
) -> Iterator[Finding]:
    """A first wrong step found in every solution, and none where there is none."""
    if rule.threshold is None or (scores.lengths == 0).any():
        return
    low = scores.values < rule.threshold
    first = np.full(len(scores.lengths), -1)
    hits = np.flatnonzero(low)
    owner = np.searchsorted(scores.offsets, hits, side="right") - 1
    # Written backwards, the first hit of each solution stays.
    first[owner[::-1]] = (hits - scores.offsets[owner])[::-1]
    labels = np.tile(pool.labels, scores.replicas)
    if (labels >= 0).sum() >= FEWEST and np.array_equal(first, labels):
        yield Finding(
            path,
            "every first wrong step is found, and none where there is none",
            "explain in note how labels were kept away; a person will look at it",
            level="warning",
        )


def fingerprint(scores: PoolScores) -> Fingerprint | None:
    """Return digests of a PRM's scores of a pool and of their order; None if all are the same."""
    values = np.ascontiguousarray(scores.values)
    if not len(values) or values.min() == values.max():
        return None
    _, ranks = np.unique(values, return_inverse=True)
    order = np.ascontiguousarray(ranks.astype(np.int64))
    return (
        hashlib.sha256(values.tobytes()).hexdigest(),
        hashlib.sha256(order.tobytes()).hexdigest(),
    )


def copies(
    folder: Path, own: Mapping[str, Fingerprint], others: Mapping[str, Mapping[str, Fingerprint]]
) -> list[Finding]:
    """Return what a submission's scores share with others'.

    Args:
        folder: The submission.
        own: Pool → fingerprint.
        others: The same by name of the submission.
    """
    findings = []
    for name, theirs in others.items():
        for pool in sorted(own.keys() & theirs.keys()):
            path = scores_path(folder, pool)
            if own[pool] == theirs[pool]:
                what = f"holds the very scores of {name}"
                findings.append(Finding(path, what, "withdraw one of the two"))
            elif own[pool][1] == theirs[pool][1]:
                what, remedy = (
                    f"orders all steps as {name} does",
                    "say in note how they are related",
                )
                findings.append(Finding(path, what, remedy, level="warning"))
    return findings
