"""What a run that stopped early has done, and what it owes: a line per stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.runner.plan import Plan


def tell(plan: Plan, folder: Path) -> None:
    """Print what is done and what is owed, on standard error."""
    from harness.cli.output import counted
    from harness.runner.estimate import estimate
    from harness.store.format import RunFolder

    for stage in estimate(plan, RunFolder(folder)):
        left, whole = stage.count - stage.done, counted(stage.count, stage.unit)
        state = f"{left:,} of {whole} owed" if left else f"all {whole} done"
        typer.echo(f"  {stage.stage} · {stage.by} · {stage.task}: {state}", err=True)
