"""Rows that cite: the catalogue's published figures, each with its source, none of them ranked."""

from __future__ import annotations

import re

from harness.adapters.entries import Entry as CatalogueEntry
from harness.boards.definition import BoardDefinition
from harness.boards.standing import Card, Entry, Link, Value
from harness.prms.catalog import entries
from harness.store.format import slug

_ARXIV = re.compile(r"^arXiv:(\d{4}\.\d{4,5})$")
_UNITS = {"B": 10**9, "M": 10**6}


def cited_entries(board: BoardDefinition) -> list[Entry]:
    """Return one row per PRM of the catalogue with figures that the board cites."""
    found = []
    for name, entry in entries().items():
        values = [
            Value(
                column,
                entry.published[benchmark][part] / 100,
                None,
                None,
                None,
                source=entry.source,
            )
            for benchmark, parts in board.cited.items()
            for part, column in parts.items()
            if part in entry.published.get(benchmark, {})
        ]
        if values:
            found.append(
                Entry(
                    f"published-{slug(name)}",
                    f"{name} (published)",
                    "prm",
                    "published",
                    _card(entry),
                    tuple(values),
                    remarks=(f"Figures as published in {entry.source}; not recomputed here.",),
                )
            )
    return found


def _card(entry: CatalogueEntry) -> Card:
    matched = _ARXIV.match(entry.source)
    links = (Link("source", f"https://arxiv.org/abs/{matched[1]}"),) if matched else ()
    return Card(
        links=links,
        licence=entry.licence,
        model=entry.spec.target,
        base=entry.base,
        parameters=parameters(entry.size),
        recipe=str(entry.spec.options.get("recipe", "")),
        training_domains=entry.domains,
        training_data=(entry.data,) if entry.data else (),
        note=entry.note,
    )


def parameters(size: str) -> int | None:
    """Return the number behind ``7B`` or ``0.3M``, None for another text."""
    matched = re.fullmatch(r"([\d.]+)([BM])", size)
    return round(float(matched[1]) * _UNITS[matched[2]]) if matched else None
