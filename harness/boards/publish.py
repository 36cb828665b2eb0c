"""A built board as files: board.json, table.md, table.tex, results.csv, and the page.

A board that gets a new version keeps what the one before published, in ``v<version>/``; its page
leads links that were made for that version there, so that they hold for ever.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from harness.boards import site
from harness.boards.definition import main_columns
from harness.boards.standing import Board, Column, Entry, Value, dumps
from harness.errors import DataError
from harness.files import write_bytes, write_text
from harness.reporting import text
from harness.reporting.cells import percent_cell
from harness.reporting.render import latex, markdown
from harness.reporting.table import Cell, Table
from harness.reporting.table import Column as TableColumn

FIELDS = (
    "board",
    "version",
    "entry",
    "name",
    "role",
    "trust",
    "rank",
    "rank_low",
    "rank_high",
    "tie_group",
    "score",
    "score_low",
    "score_high",
    "task",
    "domain",
    "pool",
    "method",
    "budget",
    "metric",
    "ranked",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "replicas",
    "ungraded",
    "aggregation",
    "threshold",
    "prm_tokens",
    "policy_tokens",
    "flops",
    "seconds",
    "source",
)
"""Columns of results.csv: one line per entry and column that has a figure."""


def publish(board: Board, folder: Path) -> list[Path]:
    """Write everything; each file is replaced whole. Returns the paths.

    Raises:
        DataError: the folder holds a later version of the board, or something else.
    """
    table = board_table(board)
    files = {
        "board.json": dumps(board),
        "table.md": markdown(table),
        "table.tex": latex(table),
        "results.csv": results_csv(board),
    }
    kept = _keep_version_before(board, folder, [*files, site.NAME])
    for name, content in files.items():
        write_text(folder / name, content)
    return [*(folder / name for name in files), site.write(board, folder, kept)]


def _keep_version_before(board: Board, folder: Path, names: list[str]) -> tuple[int, ...]:
    """Copy what an earlier version published to its own folder; return all versions kept so far."""
    published = folder / "board.json"
    if published.exists():
        try:
            before = json.loads(published.read_bytes())["version"]
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{published}: not a built board; remove it or choose --out") from None
        if before > board.version:
            raise DataError(
                f"{published}: version {before} of the board, later than {board.version}; "
                "raise the version in its definition, or choose --out"
            )
        if before < board.version:
            for name in names:
                if (folder / name).exists():
                    write_bytes(folder / f"v{before}" / name, (folder / name).read_bytes())
    return tuple(
        version
        for version in range(1, board.version)
        if (folder / f"v{version}" / site.NAME).exists()
    )


def board_table(board: Board) -> Table:
    """Return the table of a board: ranked entries by rank, then the others."""
    ranked = [column for column in board.columns if column.ranked]
    shown = main_columns(board.columns)
    shown = shown if len(shown) > 1 else []
    columns = (
        TableColumn("rank", "right"),
        TableColumn("95\u00a0% ranks", "right"),
        TableColumn("group", "right"),
        TableColumn("PRM"),
        TableColumn("trust"),
        TableColumn("score %", "right"),
        TableColumn("95\u00a0% interval", "right"),
        *(TableColumn(_head(column), "right") for column in shown),
        TableColumn("PRM tokens", "right"),
    )
    return Table(
        name="table",
        title=f"{board.title}, version {board.version}",
        columns=columns,
        rows=tuple(_row(entry, shown, ranked) for entry in board.entries),
        notes=tuple(_notes(board)),
    )


def _head(column: Column) -> str:
    return f"{column.pool or column.task}, {column.title} %"


def _row(entry: Entry, shown: list[Column], ranked: list[Column]) -> tuple[Cell, ...]:
    place = entry.place
    values = {value.column: value for value in entry.values}
    tokens = [values[c.id].cost.prm_tokens for c in ranked if c.id in values and values[c.id].cost]
    known = [count for count in tokens if count is not None]
    mean = sum(known) / len(known) if known and len(known) == len(ranked) else None
    found = [values[c.id] for c in ranked if c.id in values]
    alone = found[0] if len(found) == len(ranked) == 1 else None
    score = sum(one.value for one in found) / len(ranked) if len(found) == len(ranked) else None
    return (
        Cell(str(place.rank) if place else text.UNKNOWN, place.rank if place else None),
        Cell(f"{place.rank_low}–{place.rank_high}" if place else text.UNKNOWN),
        Cell(str(place.group) if place else text.UNKNOWN),
        Cell(entry.name),
        Cell("reference" if entry.role == "reference" else entry.trust),
        percent_cell(place.score if place else score),
        Cell(
            text.interval(place.low, place.high)
            if place
            else text.interval(alone.low, alone.high)
            if alone
            else text.UNKNOWN
        ),
        *(percent_cell(values[c.id].value if c.id in values else None) for c in shown),
        Cell(text.count(mean)),
    )


def _notes(board: Board) -> Iterator[str]:
    yield f"Score: {board.ranking}. Aggregation: {board.aggregation}."
    yield (
        "Every number was recomputed from step scores on frozen pools, but for rows of trust "
        "published (cited, with their source in results.csv) and self-reported, which have no rank."
    )
    yield (
        "Entries of one group are not told apart from its best; ranks and groups hold for all "
        "entries together with 95 % (Holm over all pairs, paired by problem)."
    )
    yield f"Board {board.name}, version {board.version}, digest {board.digest[:16]}."
    yield from board.remarks


def results_csv(board: Board) -> str:
    """Return results.csv."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    columns = {column.id: column for column in board.columns}
    for entry in board.entries:
        for value in entry.values:
            writer.writerow(_cells(board, entry, columns[value.column], value))
    return out.getvalue()


def _cells(board: Board, entry: Entry, column: Column, value: Value) -> list[object]:
    place = entry.place
    at: list[object] = [None] * 7
    if place:
        at = [place.rank, place.rank_low, place.rank_high, place.group]
        at += [place.score, place.low, place.high]
    return [
        board.name,
        board.version,
        entry.id,
        entry.name,
        entry.role,
        entry.trust,
        *at,
        column.task,
        column.domain,
        column.pool,
        column.method,
        column.budget,
        column.metric,
        str(column.ranked).lower(),
        value.value,
        value.low,
        value.high,
        value.n,
        value.replicas,
        value.ungraded,
        value.aggregation,
        value.threshold,
        value.cost.prm_tokens,
        value.cost.policy_tokens,
        value.cost.flops,
        value.cost.seconds,
        value.source,
    ]
