"""`grade`: grade a run's candidates again; nothing is generated or scored again."""

from __future__ import annotations

from harness.cli import options


def grade(run: options.RunFolderArgument) -> None:
    """Grade every candidate of a run anew, for instance after an update of the grader."""
    from harness.cli.progress import TerminalProgress
    from harness.cli.report import show_results
    from harness.runner.extend import regrade
    from harness.runner.report import make_report
    from harness.store.format import RunFolder

    folder = RunFolder(run)
    with TerminalProgress() as progress:
        regrade(folder, progress)
        made = make_report(folder, progress)
    show_results(folder, made)
