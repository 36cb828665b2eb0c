"""`show`: everything that is known of one thing."""

from __future__ import annotations

from enum import StrEnum

import typer

from harness.cli import options


class One(StrEnum):
    """Kinds of things that can be shown."""

    task = "task"
    prm = "prm"
    method = "method"
    policy = "policy"
    preset = "preset"


def show(
    what: One,
    name: str,
    include_path: options.Include = [],  # noqa: B006 - typer copies defaults
) -> None:
    """Show one task, PRM, method, policy or preset; loads no data set and no model."""
    typer.echo(_text(what, name, include_path).rstrip())


def _text(what: One, name: str, include: list[str]) -> str:
    """Return what there is to say."""
    if what is One.task:
        from pathlib import Path

        from harness.problems.catalog import catalog

        found = catalog(tuple(Path(folder) for folder in include)).get(name)
        card = found.card.read_text(encoding="utf-8") if found.card.is_file() else "no card\n"
        return f"{card}\n--- {found.path}\n{found.path.read_text(encoding='utf-8')}"
    if what is One.preset:
        from harness.config import preset_text

        return preset_text(name)
    if what is One.method:
        from harness.errors import unknown
        from harness.search.methods import METHODS

        if name not in METHODS:
            raise unknown("method", name, METHODS)
        method = METHODS[name]
        return _facts(
            {
                "method": f"{method.name} ({method.title})",
                "about": method.about,
                "needs a PRM": "yes" if method.needs_prm else "no",
                "works on": "tasks of kind steps" if method.steps else "candidate pools",
                "main metric": method.metric,
                "source": method.source,
            }
        )
    if what is One.prm:
        from harness.prms.catalog import entries
    else:
        from harness.policies.catalog import entries
    from harness.errors import unknown

    if name not in entries():
        raise unknown(what.value, name, entries())
    entry = entries()[name]
    return _facts(
        {
            what.value: name,
            "about": entry.note,
            "trained on": ", ".join(entry.domains),
            "opened as": f"{entry.spec.adapter}:{entry.spec.target}",
            "options": ", ".join(f"{key}={value}" for key, value in entry.spec.options.items()),
            "licence": entry.licence,
        }
    )


def _facts(facts: dict[str, str]) -> str:
    """Return one aligned line per fact."""
    width = max(map(len, facts))
    return "\n".join(f"{key:<{width}}  {value}" for key, value in facts.items())
