"""`show`: everything that is known of one thing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from harness.cli import options

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from harness.adapters.entries import Entry
    from harness.search.methods import Method
    from harness.types import Spec


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

        from harness.problems import lm_eval

        if name.startswith(lm_eval.PREFIX):
            _, path = lm_eval.find(lm_eval.parse(name).name, include)
            return f"--- {path}\n{path.read_text(encoding='utf-8')}"
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
        return _method(METHODS[name])
    if what is One.prm:
        from harness.prms.catalog import entries
    else:
        from harness.policies.catalog import entries
    from harness.errors import unknown

    if name not in entries():
        raise unknown(what.value, name, entries())
    entry = entries()[name]
    opened = entry.spec.options
    facts = {
        what.value: name,
        "about": entry.note,
        "trained on": ", ".join(entry.domains),
        "opened as": f"{entry.spec.adapter}:{entry.spec.target}",
        "options": ", ".join(f"{key}={value!r}" for key, value in opened.items()),
        "revision": _revision(entry.spec),
        "licence": entry.licence,
        "base": entry.base,
        "size": entry.size,
        "data": entry.data,
    }
    if what is One.prm:
        facts["threshold"] = _threshold(entry)
    if what is One.prm and "recipe" in opened:
        from harness.prms.recipe import families

        said = {**families()[str(opened["recipe"])], **opened}
        facts |= {f"  {key}": repr(value) for key, value in said.items() if key != "recipe"}
    if what is One.prm and entry.spec.adapter == "critic":
        from harness.prms.critics.recipe import families as critics

        said = {**critics()[entry.spec.target], **opened}
        facts |= {f"  {key}": repr(value) for key, value in said.items() if key != "model"}
    lines = [_facts({key: value for key, value in facts.items() if value})]
    if entry.published:
        lines.append("\npublished, in percent:")
        lines.append(_facts({f"  {name}": _figures(entry, name) for name in entry.published}))
    return "\n".join(lines)


def _figures(entry: Entry, benchmark: str) -> str:
    """Return what others state for a benchmark, and where."""
    figures = entry.published[benchmark].items()
    parts = ", ".join(f"{part} {figure:g}" for part, figure in figures)
    return f"{parts} ({entry.source_of(benchmark)})"


def _threshold(entry: Entry) -> str:
    """Return below which score a step is called wrong, or how those who measured it chose one."""
    from harness.adapters.options import Options
    from harness.prms import recipe
    from harness.prms.critics import recipe as critics

    if entry.threshold_rule == "tuned":
        return "chosen on GSM8K"
    if entry.spec.adapter == "critic":
        declared = critics.from_options(Options(critics.with_recipe(entry.spec), "PRM")).threshold
    else:
        declared = recipe.from_options(Options(recipe.with_recipe(entry.spec), "PRM")).threshold
    return "none declared" if declared is None else f"{declared:g}"


def _revision(spec: Spec) -> str:
    """Return which commit of the hub is opened; "" if it comes from elsewhere."""
    if spec.adapter != "transformers" or spec.target.startswith("embedded:"):
        return ""
    return str(spec.options.get("revision", "the newest; its commit stands in the run's record"))


def _method(method: Method) -> str:
    """Return what there is to say of a method, its options included."""
    works_on = "candidate pools" if method.pooled else "problems, by searching"
    facts = {
        "method": f"{method.name} ({method.title})",
        "about": method.about,
        "needs a PRM": _NEEDS[method.needs_prm + method.pairs],
        "works on": "solutions that come with a task" if method.given else works_on,
        "main metric": method.metric,
        "source": method.source,
    }
    if not method.pooled:
        facts["one of n is"] = method.unit
        facts["smaller budgets"] = _CURVES[method.curve]
        facts["needs a policy that can"] = ", ".join(sorted(method.abilities))
    if method.deviations:
        facts["departs from it"] = method.deviations
    lines = [_facts(facts)]
    options = method.options.model_fields
    if options:
        lines.append(f"\noptions, as in {method.name},{next(iter(options))}=…")
        rows = {
            f"  {name}={_shown(field.default)}": _described(field)
            for name, field in options.items()
        }
        lines.append(_facts(rows))
    return "\n".join(lines)


_NEEDS = ("no", "yes", "yes, one that judges solutions two by two, such as critic:pairwise")
_CURVES = {
    "runs": "each is a run of its own",
    "anytime": "the largest, stopped earlier",
    "groups": "parts of the largest",
}


def _shown(default: object) -> str:
    return "none" if default is None else str(default)


def _described(field: FieldInfo) -> str:
    """Return an option's description, with its values where they have names."""
    from typing import Literal, get_args, get_origin

    names = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    text = field.description or ""
    return f"{text} [{' | '.join(map(str, names))}]" if names else text


def _facts(facts: dict[str, str]) -> str:
    """Return one aligned line per fact."""
    width = max(map(len, facts))
    return "\n".join(f"{key:<{width}}  {value}" for key, value in facts.items())
