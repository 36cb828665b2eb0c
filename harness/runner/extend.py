"""Add to a finished run: another PRM's scores, or new grades. Reads the run folder alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from harness.config import Engine, RayConfig
from harness.errors import ConfigError, unknown
from harness.files import exclusive
from harness.provenance import append_entry, provenance
from harness.runner.execute import check_sandbox, score_entries, score_pools
from harness.runner.grade import Grading, grade
from harness.runner.launch import Launch
from harness.runner.plan import PoolSource, ScorePlan, check_prm, score_plan
from harness.runner.progress import Observed, Progress
from harness.runner.shares import check_shares
from harness.runner.spread.choice import executor_of
from harness.runner.spread.need import check_room
from harness.runner.spread.work import Say, unsaid
from harness.runner.truth import RunTruth
from harness.sandbox.choice import SandboxChoice
from harness.store.format import PoolFolder, RunFolder
from harness.store.log import ledger_path, read_ledger
from harness.store.sweepfile import SweepFile, read_sweep, write_sweep
from harness.telemetry.telemetry import Telemetry
from harness.types import GIVEN_KINDS


def pool_sources(run: RunFolder, sweep: SweepFile) -> list[PoolSource]:
    """Return the pools of a run as things that a PRM can score."""
    sources = []
    for entry in sweep.pools:
        problems = entry.folder(run).read_problems()
        sources.append(
            PoolSource(
                entry.task,
                entry.policy,
                entry.kind,
                entry.samples,
                entry.greedy,
                entry.digest,
                problems,
            )
        )
    return sources


def add_prms(
    run: RunFolder,
    texts: Sequence[str],
    progress: Progress,
    arguments: Sequence[str],
    engine: str = "default",
    ray: RayConfig | None = None,
    telemetry: Telemetry | None = None,
    say: Say = unsaid,
) -> None:
    """Score every pool of a run with further PRMs.

    Args:
        run: A finished run.
        texts: PRMs as on the command line.
        progress: Hears of every stage.
        arguments: The command line, for the record.
        engine: What the PRMs run on, as of a sweep.
        ray: How `engine` ``ray`` uses a cluster.
        telemetry: Hears of all that is done.
        say: Tells the user of lost workers.

    Raises:
        ConfigError: no PRM named, or one that does not go with the run; no such engine.
        MissingDependency: the engine is not installed.
    """
    if not texts:
        raise ConfigError("no PRM; give --prm NAME (run-benchmark ls prms)")
    if engine not in get_args(Engine):
        raise unknown("engine", engine, get_args(Engine))
    ray = ray or RayConfig()
    check_room(engine, ray)
    with exclusive(run.root):
        sweep = read_sweep(run)
        sources = [s for s in pool_sources(run, sweep) if not s.greedy]
        truth = RunTruth(engine)
        prms = [truth.open_prm(text) for text in texts]
        for prm in prms:
            check_prm(prm, sources, sweep.config.get("aggregations") or ())
        names = dict(zip((prm.spec.name for prm in prms), texts, strict=True))
        check_shares([(prm,) for prm in prms], {"PRM": names}, engine)
        plans: list[ScorePlan] = [score_plan(s, prm) for prm in prms for s in sources]
        extended = sweep.finished(run).with_scores(tuple(texts), score_entries(plans))
        append_entry(run.provenance, provenance(arguments, [prm.describe() for prm in prms]))
        truth.learn(run, sources)
        telemetry = telemetry or Telemetry()
        with (
            telemetry.recording(run.telemetry),
            executor_of(engine, ray, telemetry, say) as executor,
        ):
            launch = Launch(Observed(progress, telemetry), telemetry, executor)
            score_pools(plans, run, launch, truth.look_up)
        # Named when they are there: a PRM that fails leaves the run as it was.
        write_sweep(run, extended)


def regrade(
    run: RunFolder,
    progress: Progress,
    arguments: Sequence[str],
    sandbox: SandboxChoice | None = None,
) -> None:
    """Grade every candidate again; the old grades stay until the new ones are complete.

    Args:
        run: A run.
        progress: Hears of every pool.
        arguments: The command line, for the record.
        sandbox: Where programs run; None is the best that works on this machine.
    """
    with exclusive(run.root):
        sweep = read_sweep(run)
        pools, include = sweep.pools, sweep.config.get("include") or ()
        isolation = check_sandbox([entry.kind for entry in pools], sandbox)
        append_entry(run.provenance, provenance(arguments, sandbox=isolation))
        launch = Launch(progress, sandbox=sandbox, include=include)
        for entry in pools:
            if entry.kind in GIVEN_KINDS:
                continue
            folder = entry.folder(run)
            pool, _ = read_ledger(folder.candidates)
            fresh = folder.root / "grades.new.jsonl"
            work = Grading.of(entry.kind, launch)
            grade(folder, pool, folder.read_problems(), work, launch, path=fresh)
            launch.executor.release()
            _replace(folder, fresh_name="grades.new.jsonl")


def _replace(folder: PoolFolder, fresh_name: str) -> None:
    """Put new grades in the place of the old ones. Killed between the two renames, the next
    `grade` or `run` finds a ledger that fits neither and grades again."""
    fresh = folder.root / fresh_name
    ledger_path(folder.grades).unlink(missing_ok=True)
    fresh.replace(folder.grades)
    ledger_path(fresh).replace(ledger_path(folder.grades))
