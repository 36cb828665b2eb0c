"""`plan --device`: what a run would take there, and where every figure is from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from harness.config import Sweep
    from harness.runner.forecast import Forecast


def show(
    sweep: Sweep,
    data_dir: Path | None,
    places: Mapping[tuple[str, str], str],
    name: str,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print the forecast of a sweep on a device.

    Raises:
        ConfigError: no such device, or what `make_plan` refuses.
    """
    from harness.forecast.throughput import throughputs
    from harness.registry import open_policy
    from harness.runner.execute import default_out
    from harness.runner.forecast import Forecaster, total
    from harness.runner.plan import make_plan
    from harness.runner.standins import Opener
    from harness.runner.truth import RunTruth
    from harness.store.format import RunFolder

    device = throughputs().device(name)
    opener, truth = Opener(sweep.engine, name.lower() != "cpu"), RunTruth(sweep.engine)
    plan = make_plan(
        sweep,
        data_dir,
        lambda text: opener.policy(text, partial(open_policy, engine=sweep.engine)),
        lambda text: opener.prm(text, truth.open_prm),
        places,
    )
    folder = RunFolder(out or default_out(plan))
    forecaster = Forecaster(device, folder)
    lines = forecaster.lines(plan)
    if as_json:
        made = {
            "device": asdict(device),
            "lines": [{**asdict(line), "hours": line.hours} for line in lines],
            "total": {**asdict(total(lines)), "hours": total(lines).hours},
            "notes": forecaster.notes,
        }
        typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
        return

    console = output.console()
    for task in dict.fromkeys(line.task for line in lines):
        console.print(_table(f"task {task}", [line for line in lines if line.task == task]))
    console.print(_table("in all", [total(lines)]))
    whole = total(lines).hours
    typer.echo(
        f"on {device.title}, one thing after the other: "
        + (f"{_number(whole)} hours" if whole is not None else "unknown (? above)")
    )
    typer.echo("written: tokens by policies; read: tokens by PRMs; h: hours; ?: not known")
    _sources({**forecaster.notes, f"{device.name}: {device.title}": device.source})
    if opener.missing:
        typer.echo("models that are not on this machine: finished work was not looked for")
    else:
        typer.echo(f"run folder: {folder.root}")


def _sources(notes: Mapping[str, str]) -> None:
    """Print how figures came about, and their sources by number."""
    sources = list(dict.fromkeys(filter(None, notes.values())))
    typer.echo("\nfigures:")
    for note, source in notes.items():
        typer.echo(f"- {note}" + (f" [{sources.index(source) + 1}]" if source else ""))
    typer.echo("\nsources:")
    for number, source in enumerate(sources, start=1):
        typer.echo(f"[{number}] {source}")
    typer.echo("")


def _table(title: str, lines: Sequence[Forecast]) -> Table:
    """Return the table of some lines."""
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        collapse_padding=True,
        header_style="bold",
    )
    table.add_column("work", overflow="fold", min_width=24)
    for column in ("drafts", "written", "read", "FLOPs", "policy h", "PRM h", "grade h"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        numbers = (
            line.policy_tokens,
            line.prm_tokens,
            line.flops,
            line.policy_hours,
            line.prm_hours,
            line.grading_hours,
        )
        drafts = f"{line.drafts:,}" if line.task else ""
        table.add_row(line.work, drafts, *map(_number, numbers))
    return table


def _number(value: float | None) -> str:
    """Return a short number; a question mark for what is not known."""
    if value is None:
        return "?"
    if value == 0 or value >= 100:
        return f"{value:,.0f}" if value < 1e5 else f"{value:.1e}".replace("e+", "e")
    return f"{value:.2g}" if value >= 0.001 else "<0.001"
