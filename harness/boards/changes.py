"""What a change does to a board: the ranks before and after, for the summary of a pull request."""

from __future__ import annotations

import json
from pathlib import Path

from harness.boards.standing import Board, Entry, from_json
from harness.errors import DataError
from harness.reporting import text
from harness.reporting.cells import percent_cell
from harness.reporting.table import Cell, Column, Table


def read_board(path: Path) -> Board:
    """Read a board.json.

    Raises:
        DataError: not there, or no board.
    """
    try:
        return from_json(json.loads(path.read_text("utf-8")), str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a built board ({error})") from None


def changes(before: Board | None, after: Board) -> Table:
    """Return the new board's ranked entries with the ranks that they had."""
    old = {entry.id: entry for entry in before.entries} if before else {}
    same = before is None or before.version == after.version
    gone = sorted(old.keys() - {entry.id for entry in after.entries})
    notes = [f"No longer there: {', '.join(gone)}."] if gone else []
    if not same:
        notes.append("The board has another version: figures before and after do not compare.")
    return Table(
        name="changes",
        title=f"{after.title}, version {after.version}",
        columns=(
            Column("rank", "right"),
            Column("before", "right"),
            Column("PRM"),
            Column("trust"),
            Column("group", "right"),
            Column("score %", "right"),
            Column("95\u00a0% interval", "right"),
            Column("change, points", "right"),
        ),
        rows=tuple(_row(entry, old.get(entry.id)) for entry in after.ranked),
        notes=tuple(notes),
    )


def _row(entry: Entry, old: Entry | None) -> tuple[Cell, ...]:
    place = entry.place
    assert place is not None
    had = old.place if old else None
    moved = f"{100 * (place.score - had.score):+.1f}" if had else text.UNKNOWN
    return (
        Cell(str(place.rank), place.rank),
        Cell(str(had.rank) if had else "new" if old is None else text.UNKNOWN),
        Cell(entry.name),
        Cell(
            entry.trust
            if old is None or old.trust == entry.trust
            else f"{old.trust} → {entry.trust}"
        ),
        Cell(str(place.group)),
        percent_cell(place.score),
        Cell(text.interval(place.low, place.high)),
        Cell(moved),
    )
