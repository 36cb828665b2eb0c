"""Do what a plan asks for and what is still owed of it: generate, grade, score."""

from __future__ import annotations

import itertools
import logging
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.config import deciding
from harness.digest import SHORT, digest
from harness.errors import ConfigError, writing
from harness.files import exclusive
from harness.policies.policy import Policy
from harness.prms.fake import Truth
from harness.prms.prm import Prm
from harness.provenance import append_entry, provenance
from harness.runner.generate import generate
from harness.runner.grade import Grading, grade
from harness.runner.launch import Launch
from harness.runner.plan import Plan, PoolPlan, ScorePlan
from harness.runner.progress import Observed, Progress
from harness.runner.score import score
from harness.runner.search import run_searches
from harness.runner.spread.local import Local
from harness.runner.spread.work import Executor
from harness.runner.truth import RunTruth
from harness.sandbox.choice import SandboxChoice
from harness.store.format import PoolFolder, RunFolder
from harness.store.published import write_published
from harness.store.sweepfile import (
    PoolEntry,
    ScoreEntry,
    SweepFile,
    check_same,
    read_sweep,
    write_sweep,
)
from harness.telemetry.telemetry import Telemetry
from harness.types import Json, Kind

logger = logging.getLogger(__name__)


def default_out(plan: Plan) -> Path:
    """Return the run folder of a sweep that names none: predictable from its settings."""
    return Path("runs") / f"{plan.sweep.name}-{sweep_file(plan).digest[:SHORT]}"


def execute(
    plan: Plan,
    out: Path,
    truth: RunTruth,
    progress: Progress,
    arguments: Sequence[str],
    workers: int | None = None,
    sandbox: SandboxChoice | None = None,
    telemetry: Telemetry | None = None,
    executor: Executor | None = None,
) -> RunFolder:
    """Run a sweep in `out`, or what is left of it.

    Args:
        plan: what to do.
        out: the run folder; created, or continued if it holds the same sweep.
        truth: the one that the plan's PRMs were opened with.
        progress: hears of every stage.
        arguments: the command line, for the record.
        workers: grading processes; None is one per core.
        sandbox: where programs run; None is the best that works on this machine.
        telemetry: hears of all that is done, and may set limits.
        executor: who does the work, and tells `telemetry`; None is this process.

    Raises:
        InfrastructureError: programs are to be graded and no sandbox works here; nothing has been
            written then.
        ConfigError: a limit on operations, and nobody knows how many a model needs.
        LimitReached: a limit of `telemetry`; what was finished is kept.
    """
    telemetry = telemetry or Telemetry()
    _check_limits(plan, telemetry)
    isolation = check_sandbox([pool.task.kind for pool in plan.pools], sandbox)
    run = RunFolder(out)
    with exclusive(out):
        wanted = sweep_file(plan)
        if run.sweep.exists():
            found = read_sweep(run)
            # PRMs that `score` added stay; the rest must be what was asked for.
            check_same(run, found, wanted.with_scores(tuple(found.config["prms"]), ()))
            prms = tuple(wanted.config["prms"])
            wanted = found.finished(run).named(wanted).with_scores(prms, wanted.scores)
        write_sweep(run, wanted)
        write_published(run, plan.sweep.published)
        with logged(run), telemetry.recording(run.telemetry):
            launch = Launch(
                Observed(progress, telemetry),
                telemetry,
                executor or Local(telemetry),
                workers,
                sandbox,
                plan.sweep.include,
                plan.sweep.unit,
            )
            _record(plan, run, arguments, isolation)
            _work(plan, run, truth, launch)
    return run


def _check_limits(plan: Plan, telemetry: Telemetry) -> None:
    """Refuse a limit on operations where they cannot be counted.

    Raises:
        ConfigError: names the first model whose shape is unknown.
    """
    if telemetry.limits.flops is None:
        return
    policies = [p.policy for p in plan.pools] + [s.policy for s in plan.searches]
    prms = [s.prm for s in plan.scores] + [s.prm for s in plan.searches]
    models: list[Policy | Prm] = [p for p in policies if p is not None and p.max_samples is None]
    models += [prm for prm in prms if prm is not None and prm.live]
    for model in models:
        if model.architecture is None:
            raise ConfigError(
                f"--max-flops: nobody knows what a token of {model.spec.name} "
                f"({model.spec.adapter}) costs; leave the limit out or use --max-seconds"
            )


@contextmanager
def logged(run: RunFolder) -> Iterator[None]:
    """Write what the harness logs to the run's log as well."""
    root = logging.getLogger("harness")
    with writing(run.log):
        run.log.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(run.log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _record(
    plan: Plan, run: RunFolder, arguments: Sequence[str], isolation: dict[str, Json] | None
) -> None:
    """Write down what this launch works with."""
    logger.info("launch: %s", shlex.join(arguments))
    models: list[Policy | Prm] = [p.policy for p in plan.pools if p.policy]
    models += [s.prm for s in plan.scores]
    models += [s.policy for s in plan.searches]
    described = {id(model): model.describe() for model in models}
    append_entry(run.provenance, provenance(arguments, list(described.values()), isolation))


def _work(plan: Plan, run: RunFolder, truth: RunTruth, launch: Launch) -> None:
    """Do the stages, one engine in memory at a time."""
    for policy, pools in itertools.groupby(plan.pools, key=lambda pool: pool.policy):
        if policy is None:
            for pool in pools:
                _write_given(pool, run)
            continue
        for pool in pools:
            generate(
                _folder(pool, run),
                pool.header,
                pool.problems,
                policy,
                pool.sampling,
                pool.samples,
                pool.task.steps,
                launch,
            )
    launch.executor.release()
    grade_pools(plan.pools, run, launch)
    truth.learn(run, [pool.source for pool in plan.pools if not pool.greedy])
    score_pools(plan.scores, run, launch, truth.look_up)
    run_searches(plan.searches, run, launch)


def check_sandbox(kinds: Iterable[Kind], sandbox: SandboxChoice | None) -> dict[str, Json] | None:
    """Make sure, before any work is done, that programs can be run if there will be any.

    Returns:
        What isolates them; None: there will be none.

    Raises:
        InfrastructureError: no sandbox works here.
    """
    if any(kind.startswith("code") for kind in kinds):
        return (sandbox or SandboxChoice()).check()
    return None


def grade_pools(pools: Sequence[PoolPlan], run: RunFolder, launch: Launch) -> None:
    """Grade every pool that has candidates, one kind after the other."""
    asked = [pool for pool in pools if pool.policy is not None]
    for kind in dict.fromkeys(pool.task.kind for pool in asked):
        for pool in asked:
            if pool.task.kind == kind:
                work = Grading.of(kind, launch, pool.policy)
                grade(_folder(pool, run), pool.header, pool.problems, work, launch)
        launch.executor.release()


def score_pools(
    scores: Sequence[ScorePlan], run: RunFolder, launch: Launch, truth: Truth | None = None
) -> None:
    """Let every PRM score its pools, one PRM at a time."""
    for prm, own in itertools.groupby(scores, key=lambda entry: entry.prm):
        for entry in own:
            source = entry.source
            folder = run.pool(source.task, source.policy, source.digest)
            path = run.scores(source.task, source.policy, prm.spec.name, entry.header.digest)
            score(path, entry.header, folder, source.problems, prm, launch, truth)
        launch.executor.release()


def _write_given(pool: PoolPlan, run: RunFolder) -> None:
    """Write the problems of a task that brings its solutions."""
    folder = _folder(pool, run)
    if not folder.problems.exists():
        folder.write_problems(pool.problems)


def _folder(pool: PoolPlan, run: RunFolder) -> PoolFolder:
    return run.pool(pool.task.name, pool.name, pool.header.digest)


def sweep_file(plan: Plan) -> SweepFile:
    """Return what sweep.json says of a plan."""
    config = plan.sweep.model_dump(mode="json")
    pools = tuple(
        PoolEntry(
            task=pool.task.name,
            task_version=pool.task.version,
            kind=pool.task.kind,
            domain=pool.task.domain,
            policy=pool.name,
            samples=pool.samples,
            greedy=pool.greedy,
            n_total=pool.task.total,
            digest=pool.header.digest,
        )
        for pool in plan.pools
    )
    identity = digest({"config": deciding(config), "pools": [pool.digest for pool in pools]})
    searches = tuple(search.entry for search in plan.searches)
    return SweepFile(config, plan.groups, pools, score_entries(plan.scores), identity, searches)


def score_entries(scores: Sequence[ScorePlan]) -> tuple[ScoreEntry, ...]:
    """Return what sweep.json says of score plans."""
    return tuple(
        ScoreEntry(
            prm=entry.prm.spec.name,
            pool=entry.source.digest,
            aggregation=entry.prm.aggregation,
            digest=entry.header.digest,
        )
        for entry in scores
    )
