"""`grade`: grade a run's candidates again, or a samples file in EvalPlus's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli import options

if TYPE_CHECKING:
    from harness.runner.evalplus_file import Summary
    from harness.sandbox.choice import SandboxChoice

Run = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(help="Folder of a run.", show_default=False),
]
Samples = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--samples", help="JSON lines with task_id and solution or completion."),
]
TaskName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--task", "-t", help="Task of --samples: humaneval_plus or mbpp_plus."),
]
ResultsFolder = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", "-o", help="Folder of the results; default FILE-results."),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--allow-partial", help="Leave out problems without a sample, and samples of others."
    ),
]


def grade(
    run: Run = None,
    samples: Samples = None,
    task: TaskName = None,
    out: ResultsFolder = None,
    allow_partial: Partial = False,
    data_dir: options.DataDir = None,
    sandbox: options.SandboxName = "auto",
    sandbox_url: options.SandboxUrl = None,
    unsafe_local_code: options.UnsafeLocalCode = False,
) -> None:
    """Grade every candidate of a run anew, or a samples file as evalplus.evaluate does.

    Examples:

      run-benchmark grade runs/embedded-1a2b3c4d

      run-benchmark grade --samples samples.jsonl --task humaneval_plus
    """
    from harness.cli.progress import TerminalProgress
    from harness.errors import ConfigError
    from harness.sandbox.choice import SandboxChoice

    choice = SandboxChoice(sandbox, sandbox_url, unsafe_local_code)
    if (run is None) == (samples is None):
        raise ConfigError("name the folder of a run, or --samples FILE --task NAME")
    if run is not None:
        given = {"--task": task, "--out": out, "--allow-partial": allow_partial or None}
        unheeded = [name for name, value in given.items() if value is not None]
        if unheeded:
            raise ConfigError(
                f"{unheeded[0]} goes with --samples; of a run every candidate is graded again"
            )
        _regrade(run, choice)
        return
    assert samples is not None
    from harness.paths import data_folder
    from harness.problems import load
    from harness.runner.evalplus_file import TASKS, grade_file

    if task not in TASKS:
        raise ConfigError(f"--samples needs --task {' or --task '.join(TASKS)}")
    (loaded,) = load(task, data_dir=data_folder(data_dir))
    folder = out or samples.with_name(f"{samples.name.partition('.')[0]}-results")
    with TerminalProgress() as progress:
        made = grade_file(samples, loaded, folder, choice, progress, allow_partial=allow_partial)
    _show(made)


def _regrade(run: Path, choice: SandboxChoice) -> None:
    from harness.cli.main import command_line
    from harness.cli.progress import TerminalProgress
    from harness.cli.report import show_results
    from harness.runner.extend import regrade
    from harness.runner.report import make_report
    from harness.store.format import RunFolder

    folder = RunFolder(run)
    with TerminalProgress() as progress:
        regrade(folder, progress, command_line(), choice)
        made = make_report(folder, progress)
    show_results(folder, made)


def _show(made: Summary) -> None:
    part = "" if made.problems == made.problems_total else f" of {made.problems_total}"
    typer.echo(f"{made.task}: {made.samples} samples of {made.problems}{part} problems")
    if made.foreign:
        typer.echo(f"left out: {made.foreign} samples of problems that {made.task} does not have")
    if made.ungraded:
        typer.echo(f"ungraded: {made.ungraded} samples, left out: the sandbox lost them")
    for title, figures in (("base", made.base), ("base + plus", made.plus)):
        for k, found in figures.items():
            interval = f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"
            typer.echo(f"{title:<12} pass@{k:<4} {100 * found.value:5.1f} %  95 % {interval}")
    typer.echo(f"results  {made.results}")
