"""Findings on the terminal: all of them, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.boards.findings import Finding


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings, errors first."""
    for finding in sorted(findings, key=lambda finding: finding.level):
        typer.echo(f"{finding.level}: {finding.text}", err=True)


@contextmanager
def exit_with_findings() -> Iterator[None]:
    """Print every finding of a check that failed, then exit with code 2."""
    from harness.boards.findings import Findings

    try:
        yield
    except Findings as error:
        show_findings(error.findings)
        raise typer.Exit(2) from None


def board_of(submission: Path) -> str:
    """Return the board that a submission says it is for.

    Raises:
        Findings: it cannot be read.
    """
    from harness.boards.documents import read_mapping
    from harness.boards.findings import Finding, Findings
    from harness.boards.submission import FILE

    path = submission / FILE
    data, findings = read_mapping(path)
    if findings:
        raise Findings(findings)
    board = data.get("board")
    if not isinstance(board, str):
        raise Findings([Finding(path, "names no board", "add board: NAME (board ls)", 1)])
    return board
