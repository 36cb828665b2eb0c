"""`report`: make tables, figures and the page again, from a run's files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli import options

if TYPE_CHECKING:
    from harness.store.format import RunFolder


def report(run: options.RunFolderArgument) -> None:
    """Rebuild results.csv, the tables, the figures and the page of a run."""
    from harness.cli.progress import TerminalProgress
    from harness.runner.report import make_report
    from harness.store.format import RunFolder

    folder = RunFolder(run)
    with TerminalProgress() as progress:
        make_report(folder, progress)
    show_results(folder)


def show_results(run: RunFolder) -> None:
    """Print the table of a run and where its files are."""
    from rich.console import Console

    from harness.reporting.frames import read_results
    from harness.reporting.render import print_table
    from harness.reporting.tables import all_tables

    console = Console()
    for table in all_tables(read_results(run.results)):
        print_table(table, console)
    typer.echo(f"results  {run.results}")
    typer.echo(f"page     {(run.report / 'index.html').resolve().as_uri()}")
