"""`report`: make tables, figures and the page again, from a run's files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from harness.reporting.report import Report
    from harness.store.format import RunFolder

_IN_FILES_ONLY = ("aggregations", "frontier_")
"""Tables too long for a terminal, by how their names begin."""


def report(run: options.RunFolderArgument) -> None:
    """Rebuild results.csv, the tables, the figures and the page of a run."""
    from harness.cli.progress import TerminalProgress
    from harness.runner.report import make_report
    from harness.store.format import RunFolder

    folder = RunFolder(run)
    with TerminalProgress() as progress:
        made = make_report(folder, progress)
    show_results(folder, made)


def show_results(run: RunFolder, report: Report) -> None:
    """Print the tables of a run and where its files are."""
    from rich.console import Console

    from harness.reporting.render import print_table

    console = Console()
    for table in report.tables:
        if not table.name.startswith(_IN_FILES_ONLY):
            print_table(table, console)
    if report.claims:
        _print_claims(report, console)
    typer.echo(f"results  {run.results}")
    typer.echo(f"page     {(run.report / 'index.html').resolve().as_uri()}")


def _print_claims(report: Report, console: Console) -> None:
    """Print what the run says of published claims: sentences where it says something."""
    from rich.text import Text

    from harness.reporting.escape import plain

    console.print(Text("Published claims", style="bold"))
    for claim in report.claims:
        console.print(Text(""))
        console.print(Text(plain(f"{claim.title} ({claim.source})"), style="italic"))
        console.print(Text(plain(claim.summary)))
        for sentence in claim.telling:
            console.print(Text(plain(f"- {sentence}")))
    console.print(Text(""))
