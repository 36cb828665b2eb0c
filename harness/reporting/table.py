"""A table as a value: columns, rows of cells, notes. It knows no output format."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Align = Literal["left", "right"]
Fold = Literal["never", "group", "same"]
"""What a sectioned table does with a column: print it · start a section where its value changes ·
name the value in the section's heading if each section has one value only."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its header and how it may be shown."""

    header: str
    align: Align = "left"
    fold: Fold = "never"
    rank: int = 0
    """Narrow outputs drop the columns of the highest rank first; 0 is never dropped."""
    short: str = ""
    """The header where space is short; the same if empty."""

    def with_value(self, value: str) -> str:
        """Return header and value as one phrase: ``problems 200``, ``truncated 1.2 %``."""
        name, percent, _ = self.header.partition(" %")
        return f"{name} {value}{percent}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: as text, and as it was, to sort by."""

    text: str
    raw: str | int | float | None = None
    """None sorts last."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under columns."""

    name: str
    """A file name without suffix."""
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    """Sentences to print below."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row)} cells, {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring rows of a table that share the values named in the heading."""

    heading: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Sectioned:
    """A table cut in sections, with the columns that are left to print."""

    columns: tuple[Column, ...]
    sections: tuple[Section, ...]


def sectioned(table: Table) -> Sectioned:
    """Return the table cut where a ``group`` column changes.

    Group columns, and ``same`` columns that never vary within a section, move to the headings.
    """
    group = [i for i, column in enumerate(table.columns) if column.fold == "group"]
    chunks = [
        tuple(rows) for _, rows in groupby(table.rows, key=lambda row: [row[i].text for i in group])
    ]
    same = [
        i
        for i, column in enumerate(table.columns)
        if column.fold == "same" and all(len({row[i].text for row in rows}) == 1 for rows in chunks)
    ]
    left = [i for i in range(len(table.columns)) if i not in {*group, *same}]
    sections = tuple(
        Section(
            ", ".join(table.columns[i].with_value(rows[0][i].text) for i in [*group, *same]),
            tuple(tuple(row[i] for i in left) for row in rows),
        )
        for rows in chunks
    )
    return Sectioned(tuple(table.columns[i] for i in left), sections)
