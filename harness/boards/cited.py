"""Rows that cite: the catalogue's published figures, each with its source, none of them ranked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from harness.adapters.entries import Entry as CatalogueEntry
from harness.boards.definition import BoardDefinition
from harness.boards.pools import FrozenPool
from harness.boards.reported import decimals
from harness.boards.standing import Card, Entry, Link, Value
from harness.prms.catalog import entries
from harness.stats import f1_possible
from harness.store.format import slug

_ARXIV = re.compile(r"^arXiv:(\d{4}\.\d{4,5})$")
_UNITS = {"B": 10**9, "M": 10**6}


def cited_entries(
    board: BoardDefinition, pools: Mapping[str, FrozenPool] = MappingProxyType({})
) -> list[Entry]:
    """Return one row per PRM of the catalogue with figures that the board cites.

    Figures that no counts on a pool (of those that are there) give are cited with a remark.
    """
    found = []
    for name, entry in entries().items() if board.cited else ():
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
                    remarks=(
                        f"Figures as published in {entry.source}; not recomputed here.",
                        *_impossible(board, pools, entry),
                    ),
                )
            )
    return found


def _impossible(
    board: BoardDefinition, pools: Mapping[str, FrozenPool], entry: CatalogueEntry
) -> Iterator[str]:
    """Yield a sentence for every F1 that cannot come out of the board's pool."""
    columns = {column.id: column for column in board.columns()}
    for benchmark, parts in board.cited.items():
        for part, id_ in parts.items():
            figure, column = entry.published.get(benchmark, {}).get(part), columns[id_]
            pool = pools.get(column.pool or "")
            if figure is None or pool is None or column.metric != "f1":
                continue
            errors = int((pool.labels >= 0).sum())
            correct = len(pool.labels) - errors
            if not f1_possible(figure, errors, correct, decimals(figure)):
                yield (
                    f"{part} {figure} is no F1 of {errors} solutions with and {correct} without "
                    "an error: it was measured on something else."
                )


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
