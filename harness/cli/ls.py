"""`ls`: what there is, by name."""

from __future__ import annotations

import json
from enum import StrEnum

import typer

from harness.cli import options


class What(StrEnum):
    """Kinds of things that have names."""

    tasks = "tasks"
    prms = "prms"
    methods = "methods"
    policies = "policies"
    presets = "presets"


def ls(
    what: What,
    include_path: options.Include = [],  # noqa: B006 - typer copies defaults
    as_json: options.AsJson = False,
) -> None:
    """List tasks, PRMs, methods, policies or presets."""
    rows = listing(what, include_path)
    if as_json:
        typer.echo(json.dumps([{"name": name, **facts} for name, facts in rows], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for _, facts in rows for key in facts))
    table = Table("name", *columns, box=None, pad_edge=False, header_style="bold")
    for name, facts in rows:
        table.add_row(name, *(facts.get(key, "") for key in columns))
    Console().print(table)


def listing(what: What, include: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Return (name, facts) of everything of a kind; loads no data set and no model."""
    if what is What.tasks:
        from pathlib import Path

        from harness.problems import describe

        return describe(tuple(Path(folder) for folder in include))
    if what is What.methods:
        from harness.search.methods import METHODS

        return [
            (m.name, {"needs PRM": "yes" if m.needs_prm else "no", "source": m.source})
            for m in METHODS.values()
        ]
    if what is What.presets:
        from harness.config import load_sweep, preset_names

        return [(n, {"tasks": ", ".join(load_sweep(n, {}).tasks)}) for n in preset_names()]
    if what is What.prms:
        from harness.prms import catalog as prms

        return prms.describe()
    from harness.policies import catalog as policies

    return policies.describe()
