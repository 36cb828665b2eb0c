"""Tables as text: GitHub Markdown, LaTeX with booktabs, a terminal.

Names come from users and models: everything is escaped for the format it is written in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import write_bytes
from harness.reporting.escape import escape_latex, escape_markdown, plain
from harness.reporting.table import Cell, Column, Table, sectioned

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_READABLE = 100
"""Columns of a line of prose; a table may take more."""


def markdown(table: Table) -> str:
    """Return the table in GitHub Markdown: heading, aligned pipe table, notes."""
    header = [escape_markdown(column.header) for column in table.columns]
    body = [[escape_markdown(cell.text) for cell in row] for row in table.rows]
    widths = [max(3, *(len(row[i]) for row in [header, *body])) for i in range(len(header))]
    right = [column.align == "right" for column in table.columns]
    rule = ["-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(w) if r else cell.ljust(w)
            for cell, w, r in zip(cells, widths, right, strict=True)
        )
        return "| " + " | ".join(padded) + " |"

    lines = [f"### {escape_markdown(table.title)}", "", line(header), line(rule), *map(line, body)]
    for note in table.notes:
        lines += ["", escape_markdown(note)]
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """Return a booktabs tabular with one section per task and policy; notes are comments.

    It is meant for ``\\input`` inside a table environment, which sets caption and size.
    """
    cut = sectioned(table)
    width = len(cut.columns)
    header = " & ".join(_latex_header(column) for column in cut.columns)
    lines = [
        f"% {escape_latex(table.title)}; needs \\usepackage{{booktabs}}",
        *(f"% {escape_latex(note)}" for note in table.notes),
        "\\begin{tabular}{" + "".join(column.align[0] for column in cut.columns) + "}",
        "\\toprule",
        header + r" \\",
    ]
    for section in cut.sections:
        lines.append("\\midrule")
        if section.heading:
            heading = f"\\textit{{{escape_latex(section.heading)}}}"
            lines += [f"\\multicolumn{{{width}}}{{l}}{{{heading}}} \\\\", "\\addlinespace[2pt]"]
        lines += [
            " & ".join(escape_latex(cell.text) for cell in row) + r" \\" for row in section.rows
        ]
    lines += ["\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


def write_tables(tables: Sequence[Table], folder: Path) -> tuple[Path, ...]:
    """Write every table as `<name>.md` and `<name>.tex` into `folder`; return the paths."""
    paths = []
    for table in tables:
        for suffix, render in ((".md", markdown), (".tex", latex)):
            path = folder / f"{table.name}{suffix}"
            write_bytes(path, render(table).encode("utf-8", "replace"))
            paths.append(path)
    return tuple(paths)


def print_table(table: Table, console: Console) -> None:
    """Print the table, one block per task and policy, in the width of the console.

    Columns that do not fit are left out, the least important first, and a line says which.
    """
    for part in terminal(table, console.width):
        console.print(part)


def terminal(table: Table, width: int) -> tuple[RenderableType, ...]:
    """Return the rich renderables that `print_table` prints for a console of `width` columns."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    cut = sectioned(table)
    rows = [row for section in cut.sections for row in section.rows]
    shown = _fitting(cut.columns, rows, width)
    parts: list[RenderableType] = [Text(plain(table.title), style="bold")]
    for section in cut.sections:
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for i in shown:
            column = cut.columns[i]
            grid.add_column(
                Text("\n".join(_header_lines(column))),
                justify=column.align,
                vertical="bottom",
                overflow="fold",
            )
        for row in section.rows:
            grid.add_row(*(Text(plain(row[i].text)) for i in shown))
        if section.heading:
            parts += [Text(""), _text(section.heading, width, "italic")]
        parts.append(grid)
    hidden = [column.header for i, column in enumerate(cut.columns) if i not in shown]
    notes = [*table.notes, *([f"Not shown for width: {', '.join(hidden)}."] if hidden else [])]
    parts += [Text(""), *(_text(note, width, "dim") for note in notes)]
    return tuple(parts)


def _fitting(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int
) -> tuple[int, ...]:
    """Return the places of the columns that fit, after dropping those of the highest ranks."""
    from rich.cells import cell_len

    needs = [
        max(cell_len(text) for text in [*_header_lines(column), *(row[i].text for row in rows)]) + 2
        for i, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    while sum(needs[i] for i in shown) > width + 2:
        rank = max(columns[i].rank for i in shown)
        if rank == 0:
            break
        shown.remove(next(i for i in reversed(shown) if columns[i].rank == rank))
    return tuple(shown)


def _header_lines(column: Column) -> list[str]:
    """Return the header broken at its first space that may break."""
    return plain(column.short or column.header).split(" ", 1)


def _latex_header(column: Column) -> str:
    return (
        f"\\multicolumn{{1}}{{{column.align[0]}}}{{{escape_latex(column.short or column.header)}}}"
    )


def _text(text: str, width: int, style: str) -> RenderableType:
    """Return a paragraph that breaks at ASCII spaces only, so that a number keeps its unit."""
    from rich.text import Text

    filled = textwrap.fill(plain(text).replace(" %", "\u00a0%"), min(width, _READABLE))
    return Text(filled, style=style)
