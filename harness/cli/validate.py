"""`validate`: check task definitions and gold answers, or whether a PRM keeps the contract."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options

Chosen = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(
        help="Tasks or groups; all of them if none is named. Or `prm` and PRMs.",
        show_default=False,
    ),
]


def validate(
    tasks: Chosen = None,
    data_dir: options.DataDir = None,
    include_path: options.Include = [],  # noqa: B006 - typer copies defaults
    as_json: options.AsJson = False,
) -> None:
    """Check every YAML strictly, load its data, and grade every gold answer: all must pass.

    `validate prm NAME …` tries whether PRMs keep the contract.
    """
    if tasks and tasks[0] == "prm":
        return _prms(tasks[1:], as_json)
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
        typer.echo(f"{_counted(len(reports), 'task')}, {_counted(errors, 'error')}")
    if errors:
        raise typer.Exit(2)


def _prms(texts: list[str], as_json: bool) -> None:
    """Try PRMs and say what each trial found.

    Raises:
        ConfigError: none is named, or one that does not exist.
    """
    from harness.errors import ConfigError
    from harness.registry import open_prm
    from harness.runner.conformance import conformance

    if not texts:
        raise ConfigError("validate prm: name one, as `run-benchmark ls prms` lists them")
    found, failed = [], 0
    for text in texts:
        prm = open_prm(text)
        trials = list(conformance(prm))
        prm.close()
        found.append({"prm": prm.spec.name, "trials": [asdict(one) for one in trials]})
        failed += sum(bool(one.said) for one in trials)
        if as_json:
            continue
        typer.echo(prm.spec.name if trials else f"{prm.spec.name}: a recording, nothing to try")
        for one in trials:
            typer.echo(f"  {'✗' if one.said else '✓'} {one.name}{one.said and ': ' + one.said}")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        typer.echo(f"{_counted(len(texts), 'PRM')}, {_counted(failed, 'fault')}")
    if failed:
        raise typer.Exit(2)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
