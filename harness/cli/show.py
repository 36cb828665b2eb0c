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

        from harness.problems import card

        return card(name, tuple(Path(folder) for folder in include))
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
        from harness.prms import catalog as prms

        return _facts(prms.show(name))
    from harness.policies import catalog as policies

    return _facts(policies.show(name))


def _facts(facts: dict[str, str]) -> str:
    """Return one aligned line per fact."""
    width = max(map(len, facts))
    return "\n".join(f"{key:<{width}}  {value}" for key, value in facts.items())
