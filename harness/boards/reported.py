"""Figures that somebody typed: can they be at all, and are they what the scores give?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.boards.definition import BoardDefinition
from harness.boards.documents import line_of
from harness.boards.findings import Finding
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome
from harness.boards.standing import Column
from harness.errors import nearest
from harness.stats import f1_possible


def typed_findings(
    path: Path,
    reported: Mapping[str, float],
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    computed: Mapping[str, Outcome],
    scored: bool,
) -> list[Finding]:
    """Return what is wrong with typed figures.

    Args:
        path: The file that they stand in, under ``reported``.
        reported: Column → share.
        board: Whose columns they are.
        pools: Those that are there.
        computed: Column → what was recomputed.
        scored: Whether there are scores at all; without, the figures are all there is.
    """
    columns = {column.id: column for column in board.columns()}
    findings = []
    for id_, typed in reported.items():
        line = line_of(path, "reported", id_)
        column = columns.get(id_)
        if column is None:
            findings.append(
                Finding(path, f"the board has no column {id_!r}", nearest(id_, columns), line)
            )
            continue
        if not 0 <= typed <= 1:
            findings.append(
                Finding(path, f"{id_} is {typed}", "type a share between 0 and 1", line)
            )
            continue
        pool = pools.get(column.pool or "")
        if pool is not None and (reason := impossible(typed, column, pool, scored)):
            findings.append(
                Finding(path, f"{id_} cannot be {typed}: {reason}", "type what was measured", line)
            )
        elif id_ in computed:
            value = computed[id_].figure.value
            if not abs(value - typed) <= tolerance(typed):
                findings.append(
                    Finding(
                        path,
                        f"{id_} is typed as {typed}, the scores give {value:.6g}",
                        "type that, or leave it out",
                        line,
                    )
                )
        elif scored:
            findings.append(
                Finding(
                    path,
                    f"{id_} is typed, but there are no scores behind it",
                    "submit the scores of that pool, or leave it out",
                    line,
                )
            )
    return findings


def impossible(typed: float, column: Column, pool: FrozenPool, scored: bool) -> str:
    """Return why a share cannot come out of a pool, empty where it can.

    A share of n things is k/n. An expected accuracy over subsets is not: best-of-n is looked at
    only at the full budget, where one candidate is chosen (short of ties, which scores would show);
    votes and searches share ties as a rule.
    """
    digits = decimals(typed)
    if column.metric in ("acc_error", "acc_correct", "f1"):
        errors = int((pool.labels >= 0).sum())
        correct = len(pool.labels) - errors
        if column.metric == "f1":
            possible = f1_possible(100 * typed, errors, correct, max(0, digits - 2))
            return "" if possible else f"no counts of {errors} and {correct} solutions give it"
        n = errors if column.metric == "acc_error" else correct
    elif column.method == "best_of_n" and column.budget == pool.card.samples and not scored:
        n = len(pool.problems)
    else:
        return ""
    return "" if is_share(typed, n, digits) else f"it is no k/{n}"


def is_share(typed: float, n: int, digits: int) -> bool:
    """Whether some k of n prints as `typed` with so many decimals."""
    return bool(abs(round(typed * n) / n - typed) <= 0.5 * 10**-digits * (1 + 1e-9) + 1e-12)


def decimals(typed: float) -> int:
    """Return the decimals that a number was typed with."""
    mantissa, _, exponent = repr(float(typed)).partition("e")
    return max(0, len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0))


def tolerance(typed: float) -> float:
    """Return by how much a figure may differ that was rounded where it was typed."""
    return 0.5 * 10.0 ** -max(3, decimals(typed)) * (1 + 1e-9) + 1e-9
