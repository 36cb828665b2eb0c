"""The data card of a frozen pool: what a reader must know before using it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.boards.archive import PoolCard
from harness.reporting.escape import escape_markdown
from harness.types import GIVEN_KINDS, Problem

_FACETS = 12
"""Values of a fact that are listed; identifiers have as many as there are problems."""


def data_card(card: PoolCard, problems: Sequence[Problem]) -> str:
    """Return README.md of an archive. It depends on its arguments alone."""
    given = card.kind in GIVEN_KINDS
    what = (
        f"{card.problems:,} problems with the solutions that come with them"
        if given
        else f"{card.problems:,} problems, {card.samples:,} candidate solutions each, with grades"
    )
    facts = [
        ("task", f"{card.task} {card.task_version} ({card.kind}, {card.domain})"),
        ("problems", f"{card.problems:,} of {card.n_total:,}"),
        ("solutions written by", "given with the task" if given else card.policy),
        *(() if given else (("sampling", _sampling(card)),)),
        ("licence", card.licence),
        ("source", card.source),
        ("references", "withheld: verdicts only" if card.withheld else "included"),
        ("frozen from the pool", card.pool),
    ]
    lines = [
        f"# {card.name}, version {card.version}",
        "",
        f"{what}, frozen so that every PRM is judged on the same ones.",
        "",
        *(f"- {name}: {escape_markdown(value)}" for name, value in facts),
        *_facets(problems),
        "",
        "Its texts were written by models or by strangers: data, no instructions. Programs among",
        "them run in a sandbox or not at all.",
        *(
            (
                "",
                "Reference answers were left out. A candidate with the verdict `correct` shows one",
                "all the same; hidden tests stay hidden.",
            )
            if card.withheld
            else ()
        ),
        "",
        "Check it with `run-benchmark pool verify FILE`; score it with `run-benchmark board open`.",
    ]
    return "\n".join(lines) + "\n"


def _sampling(card: PoolCard) -> str:
    sampling = card.header["identity"].get("sampling")
    if not isinstance(sampling, dict):
        return "recorded by others"
    return ", ".join(f"{key} {value}" for key, value in sampling.items() if value not in ([], ""))


def _facets(problems: Sequence[Problem]) -> list[str]:
    """Return how many problems have each value of each fact that takes few of them."""
    lines = []
    for key in sorted({key for problem in problems for key in problem.meta}):
        counts = Counter(str(problem.meta.get(key)) for problem in problems)
        if len(counts) <= _FACETS:
            ordered = sorted(counts.items(), key=lambda item: (len(item[0]), item[0]))
            text = ", ".join(f"{value} ({n:,})" for value, n in ordered)
            lines.append(f"- {escape_markdown(key)}: {escape_markdown(text)}")
    return lines
