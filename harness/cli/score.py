"""`score`: let another PRM judge the pools that a run has; nothing is generated again."""

from __future__ import annotations

from harness.cli import options


def score(
    run: options.RunFolderArgument,
    prm: options.Prms,
    engine: options.Engine = None,
    ray_address: options.RayAddress = None,
) -> None:
    """Add PRMs to a finished run.

    Example: run-benchmark score runs/embedded-1a2b3c4d --prm prm-code
    """
    from harness.cli.main import command_line
    from harness.cli.notes import say
    from harness.cli.progress import TerminalProgress
    from harness.cli.report import show_results
    from harness.config import RayConfig
    from harness.runner.extend import add_prms
    from harness.runner.report import make_report
    from harness.store.format import RunFolder
    from harness.telemetry.telemetry import Telemetry

    folder, telemetry = RunFolder(run), Telemetry()
    with TerminalProgress(telemetry) as progress:
        ray = RayConfig(address=ray_address)
        add_prms(folder, prm, progress, command_line(), engine or "default", ray, telemetry, say)
        made = make_report(folder, progress)
    show_results(folder, made)
