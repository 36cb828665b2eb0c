"""`plan --device`: what a run would take there, and where every figure is from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from harness.config import Sweep
    from harness.runner.expected import Forecast, Missing
    from harness.runner.standins import StandIn
    from harness.store.format import RunFolder


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
    from harness.runner.execute import default_out
    from harness.runner.expected import at_least, total
    from harness.runner.forecast import Forecaster
    from harness.runner.standins import plan_ahead
    from harness.store.format import RunFolder

    device = throughputs().device(name)
    with output.busy(output.READING):
        plan, opener = plan_ahead(sweep, data_dir, places, gpu=name.lower() != "cpu")
    folder = RunFolder(out or default_out(plan))
    forecaster = Forecaster(device, folder)
    lines = forecaster.lines(plan)
    notes = {**forecaster.notes, **dict.fromkeys(opener.unchecked, "")}
    if as_json:
        made = {
            "device": asdict(device),
            "lines": [line.figures() for line in lines],
            "total": total(lines).figures(),
            "at_least": at_least(lines).figures(),
            "missing": [asdict(one) for one in forecaster.missing],
            "misfits": forecaster.misfits,
            "speeds": forecaster.speeds,
            "notes": notes,
        }
        typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
        return

    console = output.console()
    for task in dict.fromkeys(line.task for line in lines):
        console.print(_table(f"task {task}", [line for line in lines if line.task == task]))
    console.print(_table("in all", [total(lines)], at_least(lines)))
    whole = _number(total(lines).hours, at_least(lines).hours)
    typer.echo(f"on {device.title}, one thing after the other: {_hours(whole)}")
    for engine, measured in forecaster.speeds.items():
        said = f"hours are at the speed of {measured}, as nobody measured {engine} on {device.name}"
        slower = (engine, measured) == ("transformers", "vllm")
        typer.echo(f"{said}: expect more, or choose --engine vllm" if slower else said)
    for text in forecaster.misfits:
        typer.echo(f"{text}; hours are as if there were room")
    _say_missing(forecaster.missing)
    typer.echo(
        "written: tokens by policies; read: tokens by PRMs; h: hours; ?: not known; "
        "≥: the sum of what is known"
    )
    _sources({**notes, f"{device.name}: {device.title}": device.source})
    say_folder(opener.missing, folder)


def say_folder(missing: Sequence[StandIn], folder: RunFolder) -> None:
    """Print where the run would be, or that this cannot be told without its models."""
    if not missing:
        typer.echo(f"run folder: {folder.root}")
        return
    names = ", ".join(dict.fromkeys(model.spec.name for model in missing))
    typer.echo(f"not on this machine, so that finished work was not looked for: {names}")


def _hours(number: str) -> str:
    """Return hours in words."""
    if number == "?":
        return "not known"
    return f"at least {number[1:]} hours" if number.startswith("≥") else f"{number} hours"


def _say_missing(missing: Sequence[Missing]) -> None:
    """Print what is not known, the columns that lack it, and how to know it."""
    for one in missing:
        columns = [name for name, fields in _COLUMNS.items() if fields & set(one.figures)]
        typer.echo(f"not known: {one.what} ({', '.join(columns)}); {one.way}")


_COLUMNS = {
    "written": {"policy_tokens"},
    "read": {"prm_tokens"},
    "FLOPs": {"policy_flops", "prm_flops"},
    "policy h": {"policy_hours"},
    "PRM h": {"prm_hours"},
    "grade h": {"grading_hours"},
}
"""Columns of figures, and the fields of a `Forecast` that they add up."""


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


def _table(title: str, lines: Sequence[Forecast], least: Forecast | None = None) -> Table:
    """Return the table of some lines; `least`: what is known of a single one, if not itself."""
    from rich.markup import escape
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
    counts = ["" if line.count is None else output.counted(line.count, line.unit) for line in lines]
    longest = max(len(word) for count in counts for word in ("drafts", *count.split()))
    narrow = output.console().width < _ROOM
    table.add_column("drafts", justify="right", width=longest if narrow else None)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for line, count in zip(lines, counts, strict=True):
        table.add_row(escape(line.work), count, *_numbers(line, least or line.known()))
    return table


def _numbers(line: Forecast, least: Forecast) -> list[str]:
    """Return the figures of a line, column by column; `least` is what is known of them."""
    return [
        _number(getattr(line, name), getattr(least, name))
        for name in (
            "policy_tokens", "prm_tokens", "flops", "policy_hours", "prm_hours", "grading_hours"
        )
    ]  # fmt: skip


def _number(value: float | None, least: float | None) -> str:
    """Return a short number; of one that is not known the least, or a question mark."""
    if value is not None:
        return _short(value) if value == 0 or value >= _LITTLE else f"<{_LITTLE}"
    if least is None or least < _LITTLE:
        return "?"
    digit = 10.0 ** (math.floor(math.log10(least)) - 1)
    floored = math.floor(least / digit) * digit
    return f"≥{_short(floored)}"


_LITTLE = 0.001
_ROOM = 100
"""Columns of a terminal that has room for a number and its unit on one line."""


def _short(value: float) -> str:
    """Return a number in two digits, or in thousands."""
    if value == 0 or value >= 100:
        return f"{value:,.0f}" if value < 1e5 else f"{value:.1e}".replace("e+", "e")
    return f"{value:.2g}"
