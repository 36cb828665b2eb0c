"""`validate`: check task definitions, and that every gold answer passes its own grader."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options

Chosen = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(help="Tasks or groups; all of them if none is named.", show_default=False),
]


def validate(
    tasks: Chosen = None,
    data_dir: options.DataDir = None,
    include_path: options.Include = [],  # noqa: B006 - typer copies defaults
    as_json: options.AsJson = False,
) -> None:
    """Check every YAML strictly, load its data, and grade every gold answer: all must pass."""
    from harness.cli.progress import TerminalProgress
    from harness.paths import data_folder
    from harness.runner.validation import validate_tasks

    include = tuple(Path(folder) for folder in include_path)
    with TerminalProgress() as progress:
        reports = validate_tasks(tasks or [], data_folder(data_dir), include, progress)
    errors = sum(f.level == "error" for r in reports for f in r.findings)
    if as_json:
        typer.echo(json.dumps([asdict(r) for r in reports], indent=2))
    else:
        for report in reports:
            typer.echo(f"{'✗' if report.failed else '✓'} {report.task:<28} {report.summary}")
            for finding in report.findings:
                typer.echo(f"    {finding.level}: {finding.where}: {finding.message}")
        typer.echo(f"{len(reports)} tasks, {errors} errors")
    if errors:
        raise typer.Exit(2)
