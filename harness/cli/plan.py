"""`plan`: what a run would do, and what it would cost at most; nothing is generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from harness.cli import options, output

if TYPE_CHECKING:
    from rich.table import Table

    from harness.runner.estimate import StageCost


def plan(
    preset: options.Preset = None,
    tasks: options.Tasks = [],  # noqa: B006 - typer copies defaults
    policy: options.Policies = [],  # noqa: B006
    prm: options.Prms = [],  # noqa: B006
    method: options.Methods = [],  # noqa: B006
    budget: options.PoolBudgets = [],  # noqa: B006
    seed: options.Seed = None,
    limit: options.Limit = None,
    out: options.Out = None,
    data_dir: options.DataDir = None,
    include_path: options.Include = [],  # noqa: B006
    setting: options.Settings = [],  # noqa: B006
    full: options.Full = False,
    device: options.DeviceName = None,
    engine: options.Engine = None,
    ray_address: options.RayAddress = None,
    as_json: options.AsJson = False,
) -> None:
    """Count drafts, searches, tokens and FLOPs before a run; takes the options of `run`.

    All numbers but "done" are of what is left. Upper bounds hold if every candidate reaches
    max_tokens; a search has none unless it has a budget of tokens. Where the run folder holds
    finished work, what is left is expected to cost the same. Unknown is said, never zero.

    With --device: expected tokens, FLOPs and hours there, from measured throughputs, and where each
    figure is from. Models that are not on this machine are not downloaded, with it or without: with
    it, a catalogue entry or a name says how large they are.
    """
    from harness.cli.device import say_folder, show
    from harness.cli.notes import say_notes
    from harness.config import load_sweep, places
    from harness.paths import data_folder
    from harness.runner.estimate import estimate
    from harness.runner.execute import default_out
    from harness.runner.standins import plan_ahead
    from harness.store.format import RunFolder

    preset, tasks = options.source(preset, tasks, include_path)
    given = options.overrides(
        tasks=tasks,
        policies=policy,
        prms=prm,
        methods=method,
        budgets=budget,
        seed=seed,
        limit=limit,
        include=include_path,
        engine=engine,
        ray_address=ray_address,
        settings=setting,
    )
    sweep, data = load_sweep(preset, given, full), data_folder(data_dir)
    if device is not None:
        show(sweep, data, places(preset), device, out, as_json)
        return
    with output.busy(output.READING):
        made, opener = plan_ahead(sweep, data, places(preset))
    say_notes(made, given)
    folder = RunFolder(out or default_out(made))
    stages = estimate(made, folder)
    if as_json:
        typer.echo(json.dumps([asdict(stage) for stage in stages], indent=2))
        return

    console = output.console()
    for task in dict.fromkeys(stage.task for stage in stages):
        console.print(_table(task, [stage for stage in stages if stage.task == task]))
    typer.echo("?: not known before something was measured or loaded")
    say_folder(opener.missing, folder)


def _table(task: str, stages: Sequence[StageCost]) -> Table:
    """Return one task's stages; long names fold, numbers do not."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=f"task {task}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    table.add_column("stage", no_wrap=True)
    table.add_column("by")
    for column in ("drafts", "done", "tokens ≤", "expected", "FLOPs ≤", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for s in stages:
        table.add_row(
            s.stage,
            escape(s.by),
            output.counted(s.count, s.unit),
            f"{s.done:,}",
            _number(s.tokens_max),
            _number(s.tokens_expected),
            _number(s.flops_max),
            _number(s.seconds_expected),
        )
    return table


def _number(value: float | None) -> str:
    """Return a short number; a question mark for what is not known."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"
