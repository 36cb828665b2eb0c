"""A comparison from two sides of runs to its folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import harness
from harness.digest import SHORT, digest
from harness.reporting.page import About
from harness.reporting.versus_report import VersusReport, write_versus
from harness.runner.sides import Side
from harness.runner.versus import compare_sides
from harness.store.format import slug


def make_comparison(
    a: Side,
    b: Side,
    command: Sequence[str],
    *,
    tasks: Sequence[str] = (),
    budgets: Sequence[int] = (),
    wanted: float | None = None,
    out: Path | None = None,
) -> VersusReport:
    """Compare two sides and write tables, figures and page.

    Args:
        a, b: of `harness.runner.sides.sides`.
        command: what the user typed.
        tasks, budgets: those compared; all that both have if empty.
        wanted: a difference, as a share, to say how many problems it needs.
        out: the folder; by default one under ``compare/`` in the first run's folder, named after
            the sides and a digest of what is compared.

    Raises:
        ConfigError: the two cannot be compared, and why; nothing is written.
        DataError: a file of a run is missing or torn.
    """
    compared = compare_sides(a, b, tasks, budgets)
    first = compared.tasks[0]
    asked = [[s.sweep.digest, s.policy, s.prm, s.method] for s in (a, b)]
    key = digest([*asked, sorted(tasks), sorted(budgets)])[:SHORT]
    name = f"{slug(first.a)}-vs-{slug(first.b)}-{key}"
    about = About(
        title=f"{first.a} against {first.b}",
        command=shlex.join(command),
        digest=key,
        date="",
        versions=(("prm-harness", harness.__version__),),
        facts=compared.shared,
    )
    folder = out or a.run.root / "compare" / name
    return write_versus(compared.tasks, about, folder, wanted)
