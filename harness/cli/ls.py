"""`ls`: what there is, by name."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from harness.cli import options, output

if TYPE_CHECKING:
    from harness.problems.definition import Definition


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
    from rich.table import Table

    columns = list(dict.fromkeys(key for _, facts in rows for key in facts))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    for column in columns:
        table.add_column(column)
    for name, facts in rows:
        table.add_row(name, *(facts.get(key, "") for key in columns))
    output.console().print(table)


def listing(what: What, include: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Return (name, facts) of everything of a kind; loads no data set and no model."""
    if what is What.tasks:
        from pathlib import Path

        from harness.problems.catalog import catalog

        known = catalog(tuple(Path(folder) for folder in include))
        tasks = [
            (
                name,
                {"kind": d.kind, "domain": d.domain, "version": d.version, "problems": _rows(d)},
            )
            for name, d in known.tasks.items()
        ]
        return tasks + [
            (name, {"kind": "group", "version": g.version, "members": ", ".join(g.members)})
            for name, g in known.groups.items()
        ]
    if what is What.methods:
        from harness.search.methods import METHODS

        return [
            (
                m.name,
                {
                    "needs PRM": "of pairs" if m.pairs else "yes" if m.needs_prm else "no",
                    "how": "on pools" if m.pooled else "search",
                    "options": " ".join(m.options.model_fields),
                    "source": m.source,
                },
            )
            for m in METHODS.values()
        ]
    if what is What.presets:
        from harness.config import load_sweep, preset_about, preset_names

        return [
            (n, {"tasks": ", ".join(load_sweep(n, {}).tasks), "about": preset_about(n)})
            for n in preset_names()
        ]
    if what is What.prms:
        from harness.prms.catalog import entries
    else:
        from harness.policies.catalog import entries
    return [
        (
            name,
            {
                "trained on": ", ".join(e.domains),
                "size": e.size,
                "note": e.note,
            },
        )
        for name, e in entries().items()
    ]


def _rows(definition: Definition) -> str:
    return "" if definition.rows is None else str(definition.rows)
