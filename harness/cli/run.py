"""`run`: do a sweep, or what is left of it, and show the result."""

from __future__ import annotations

import sys
from functools import partial

import typer

from harness.cli import options, output


def run(
    preset: options.Preset = None,
    tasks: options.Tasks = [],  # noqa: B006 - typer copies defaults
    policy: options.Policies = [],  # noqa: B006
    prm: options.Prms = [],  # noqa: B006
    method: options.Methods = [],  # noqa: B006
    budget: options.PoolBudgets = [],  # noqa: B006
    seed: options.Seed = None,
    limit: options.Limit = None,
    out: options.Out = None,
    data_dir: options.DataDir = None,
    include_path: options.Include = [],  # noqa: B006
    setting: options.Settings = [],  # noqa: B006
    full: options.Full = False,
    engine: options.Engine = None,
    ray_address: options.RayAddress = None,
    sandbox: options.SandboxName = "auto",
    sandbox_url: options.SandboxUrl = None,
    unsafe_local_code: options.UnsafeLocalCode = False,
    max_seconds: options.MaxSeconds = None,
    max_flops: options.MaxFlops = None,
    trace: options.TraceFile = None,
) -> None:
    """Benchmark policies, PRMs and methods on tasks.

    Everything finished is on the disk at once: the same command again goes on where it stopped.

    Examples:

      run-benchmark run embedded

      run-benchmark run math500 --policy pool:candidates.jsonl --prm recorded:scores.jsonl

      run-benchmark run processbench --prm recorded:scores.jsonl.gz,covers=prefix
    """
    from harness.cli.main import command_line
    from harness.cli.notes import say, say_notes
    from harness.cli.progress import TerminalProgress
    from harness.cli.stopped import tell
    from harness.config import load_sweep, places
    from harness.errors import LimitReached
    from harness.paths import data_folder
    from harness.registry import open_policy
    from harness.runner.execute import default_out, execute
    from harness.runner.plan import make_plan
    from harness.runner.report import make_report
    from harness.runner.spread.choice import executor_of
    from harness.runner.spread.need import check_room
    from harness.runner.truth import RunTruth
    from harness.sandbox.choice import SandboxChoice
    from harness.telemetry.limits import Limits
    from harness.telemetry.telemetry import Telemetry
    from harness.telemetry.trace import Trace

    telemetry = Telemetry(Limits(max_seconds, max_flops))
    preset, tasks = options.source(preset, tasks, include_path)
    given = options.overrides(
        tasks=tasks,
        policies=policy,
        prms=prm,
        methods=method,
        budgets=budget,
        seed=seed,
        limit=limit,
        include=include_path,
        engine=engine,
        ray_address=ray_address,
        settings=setting,
    )
    sweep = load_sweep(preset, given, full)
    check_room(sweep.engine, sweep.ray)
    truth = RunTruth(sweep.engine)
    policies = partial(open_policy, engine=sweep.engine)
    with output.busy(output.READING):
        plan = make_plan(sweep, data_folder(data_dir), policies, truth.open_prm, places(preset))
    say_notes(plan, given)
    folder = out or default_out(plan)
    typer.echo(f"run folder: {folder}", err=True)
    choice = SandboxChoice(sandbox, sandbox_url, unsafe_local_code)
    telemetry.trace = Trace(trace) if trace else None
    try:
        with (
            telemetry,
            TerminalProgress(telemetry) as progress,
            executor_of(sweep.engine, sweep.ray, telemetry, say) as executor,
        ):
            finished = execute(
                plan,
                folder,
                truth,
                progress,
                command_line(),
                sandbox=choice,
                telemetry=telemetry,
                executor=executor,
            )
            made = make_report(finished, progress)
    except LimitReached:
        tell(plan, folder)
        raise
    from harness.cli.report import show_results

    show_results(finished, made)
    sys.stdout.flush()
