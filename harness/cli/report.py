"""`report`: make tables, figures and the page again, from a run's files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli import options, output

if TYPE_CHECKING:
    from rich.console import Console

    from harness.reporting.report import Report
    from harness.store.format import RunFolder

_IN_FILES_ONLY = (
    "aggregations",
    "first_error_detail",
    "frontier_",
    "scaling",
    "solution_scores",
    "step_scores",
    "thresholds",
    "transfer",
    "winners",
)
"""Tables that are left to the page, by how their names begin: too long for a terminal, or a second
look at what the first tables say."""


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

    from harness.reporting.render import print_table

    console = output.console()
    left = [table for table in report.tables if table.name.startswith(_IN_FILES_ONLY)]
    for table in report.tables:
        if table not in left:
            print_table(table, console)
    _print_claims(report, console)
    typer.echo(f"results  {run.results}")
    if left:
        typer.echo(f"tables   {run.report / 'tables'}, {len(left)} more than shown")
    typer.echo(f"page     {(run.report / 'index.html').resolve().as_uri()}")


def _print_claims(report: Report, console: Console) -> None:
    """Print how often the run supports each published claim that it can test; the page has all."""
    from rich.text import Text

    from harness.reporting.escape import plain

    tested = [claim for claim in report.claims if claim.sentences]
    if not tested:
        return
    console.print(Text("Published claims", style="bold"))
    for claim in tested:
        console.print(Text(plain(f"- {claim.title} ({claim.source}): {claim.summary}")))
    console.print(Text(""))
