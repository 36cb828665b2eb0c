"""What a sweep has to do: which pools, which scores, under which digests. Loads no model.

A pool's digest covers the task (its definition and the problems taken), the policy's identity, the
sampling and the number of samples; a score file's digest covers its pool and the PRM's identity.
So the same work has the same name everywhere, and different work never shares one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.config import Sweep, naming
from harness.digest import digest
from harness.errors import ConfigError, DataError, nearest
from harness.prms.aggregate import check as check_aggregation
from harness.prms.aggregate import threshold as threshold_of
from harness.prms.prm import check_alone
from harness.problems import Task, load
from harness.runner.first_error import labels_every_step
from harness.runner.search_plan import SearchPlan, search_plans
from harness.runner.shares import check_shares
from harness.search.methods import MethodSpec, parse_method
from harness.store.format import GIVEN
from harness.store.log import Header
from harness.types import GIVEN_KINDS, Draft, Json, Judge, Kind, Problem, Sampling

if TYPE_CHECKING:
    from harness.policies.policy import Policy
    from harness.prms.prm import Prm


_SAMPLES = 16
"""Candidates per problem where neither the sweep nor a recorded pool says how many."""


@dataclass(frozen=True)
class PoolPlan:
    """One pool: a task's problems, and the policy that answers them (None for given solutions)."""

    task: Task
    policy: Policy | None
    sampling: Sampling
    samples: int
    header: Header

    @property
    def name(self) -> str:
        """How the pool's policy is called."""
        return self.policy.spec.name if self.policy else GIVEN

    @property
    def problems(self) -> Sequence[Problem]:
        """The problems taken."""
        return self.task.problems

    @property
    def greedy(self) -> bool:
        """Whether this is the one candidate of the method greedy."""
        return self.header.facts.get("greedy") is True

    @property
    def source(self) -> PoolSource:
        """What a PRM needs of it."""
        return PoolSource(
            self.task.name,
            self.name,
            self.task.kind,
            self.samples,
            self.greedy,
            self.header.digest,
            self.problems,
        )


@dataclass(frozen=True)
class PoolSource:
    """A pool as a PRM meets it: its problems, and where its drafts are."""

    task: str
    policy: str
    kind: Kind
    samples: int
    greedy: bool
    digest: str
    problems: Sequence[Problem]


@dataclass(frozen=True)
class ScorePlan:
    """One PRM on one pool."""

    source: PoolSource
    prm: Prm
    header: Header


@dataclass(frozen=True)
class Plan:
    """All that a sweep needs, in the order in which it is done."""

    sweep: Sweep
    groups: Mapping[str, tuple[str, ...]]
    """Groups of tasks that were asked for, with their members."""
    pools: tuple[PoolPlan, ...]
    scores: tuple[ScorePlan, ...]
    searches: tuple[SearchPlan, ...] = ()


def make_plan(
    sweep: Sweep,
    data_dir: Path | None,
    open_policy: Callable[[str], Policy],
    open_prm: Callable[[str], Prm],
    places: Mapping[tuple[str, str], str] | None = None,
) -> Plan:
    """Resolve a sweep.

    Args:
        sweep: the settings.
        data_dir: folder of local data sets.
        open_policy: opens what a policy's name stands for.
        open_prm: the same for PRMs.
        places: where names stand in a file, for errors; from `harness.config.places`.

    Raises:
        ConfigError: an unknown name, or parts that do not go together.
        DataError: a data set that is not there or of another revision.
    """
    known = places or {}
    methods = [parse_method(text, known.get(("methods", text), "")) for text in sweep.methods]
    groups, tasks = _load_tasks(sweep, data_dir, known)
    policies, prms = [], []
    for text in sweep.policies:
        with naming(known.get(("policies", text))):
            policies.append(open_policy(text))
    for text in sweep.prms:
        with naming(known.get(("prms", text))):
            prms.append(open_prm(text))
    _check(sweep, methods, tasks, policies, prms)
    pools = [pool for task in tasks for pool in _pools(sweep, methods, task, policies)]
    sources = [pool.source for pool in pools if not pool.greedy]
    scores = []
    for prm in prms:
        own = sources
        if prm.covers == "pair" and any(spec.method.pairs for spec in methods):
            own = [source for source in sources if source.kind in GIVEN_KINDS]  # else it searches
        check_prm(prm, own, sweep.aggregations or ())
        scores += [score_plan(source, prm) for source in own]
    searches = search_plans(sweep, methods, tasks, policies, prms)
    check_shares(
        [*_searching(searches), *((entry.prm,) for entry in scores)],
        {
            "policy": dict(zip((one.spec.name for one in policies), sweep.policies, strict=True)),
            "PRM": dict(zip((one.spec.name for one in prms), sweep.prms, strict=True)),
        },
        sweep.engine,
    )
    return Plan(sweep, groups, tuple(pools), tuple(scores), tuple(searches))


def _searching(searches: Sequence[SearchPlan]) -> list[tuple[Policy | Prm, ...]]:
    """Return the models that search together."""
    return [(one.policy, one.prm) if one.prm else (one.policy,) for one in searches]


def _load_tasks(
    sweep: Sweep, data_dir: Path | None, places: Mapping[tuple[str, str], str]
) -> tuple[dict[str, tuple[str, ...]], list[Task]]:
    """Load every task once, in the order asked for."""
    groups: dict[str, tuple[str, ...]] = {}
    tasks: dict[str, Task] = {}
    for name in sweep.tasks:
        with naming(places.get(("tasks", name))):
            members = load(
                name,
                data_dir=data_dir,
                include=tuple(Path(folder) for folder in sweep.include),
                limit=sweep.limit,
                seed=sweep.seed,
            )
        if [task.name for task in members] != [name]:
            groups[name] = tuple(task.name for task in members)
        tasks.update({task.name: task for task in members})
    return groups, list(tasks.values())


def _check(
    sweep: Sweep,
    methods: Sequence[MethodSpec],
    tasks: Sequence[Task],
    policies: Sequence[Policy],
    prms: Sequence[Prm],
) -> None:
    """Refuse parts that do not go together, before any work is done."""
    for what, models in (("policies", policies), ("PRMs", prms)):
        names = [model.spec.name for model in models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(
                f"two {what} are called {twice[0]!r}; give one another name: …,name=OTHER"
            )
    asked = [task for task in tasks if task.kind not in GIVEN_KINDS]
    if asked and not policies:
        raise ConfigError(
            f"task {asked[0].name} needs a policy; give --policy NAME (run-benchmark ls policies)"
        )
    chosen, judged = sweep.tune_threshold_on, [t.name for t in tasks if t.kind == "steps"]
    if chosen is not None and chosen not in judged:
        raise ConfigError(
            f"tune_threshold_on: {chosen!r} is no task of kind steps of this run; "
            f"{nearest(chosen, judged)}"
        )
    without = next((prm for prm in prms if prm.threshold is None), None)
    if judged and chosen is None and without is not None:
        raise ConfigError(
            f"PRM {without.spec.name} names no score below which a step is wrong (semantics "
            f"{without.semantics}); give one, threshold=…, or a task to choose it on, "
            f"--set tune_threshold_on={judged[0]}"
        )
    names = [spec.name for spec in methods]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two methods are called {twice[0]!r}; give one another name: name=OTHER")
    for spec in methods:
        method = spec.method
        if method.given and len(asked) < len(tasks) and not prms:
            raise ConfigError(
                f"method {method.name} needs a PRM; give --prm NAME (run-benchmark ls prms)"
            )
        scored = bool(asked and prms) and method.needs_prm and not method.given
        if scored and not any(map(method.suits, prms)):
            method.check_pairs(prms[0])
    if asked and not any(spec.method.pairs for spec in methods):
        for prm in prms:
            check_alone(prm, f"the pool of {asked[0].name}")


def check_prm(prm: Prm, sources: Sequence[PoolSource], aggregations: Sequence[str]) -> None:
    """Refuse a PRM that cannot do what is asked of it.

    Raises:
        ConfigError: scores up to the first error cannot choose between candidates, nor whole
            answers' scores name a step, nor comparisons score single solutions; solutions without
            text cannot be read; an aggregation that the scores' meaning forbids.
        DataError: recorded scores are of other problems.
    """
    if prm.covers == "pair":
        _check_pairs(prm, sources)
    asked = [source.task for source in sources if source.kind != "steps"]
    if asked and prm.covers == "prefix":
        raise ConfigError(
            f"PRM {prm.spec.name} has only the scores up to the first wrong step (covers=prefix), "
            f"which cannot choose between candidates of {asked[0]}"
        )
    judged = [source.task for source in sources if source.kind == "steps"]
    labelled = [s.task for s in sources if all(map(labels_every_step, s.problems))]
    if labelled and prm.covers == "prefix":
        raise ConfigError(
            f"PRM {prm.spec.name} has only the scores up to the first wrong step (covers=prefix); "
            f"{labelled[0]} needs a score of every step"
        )
    if judged and prm.covers in ("whole", "own"):
        what, way = "judges whole answers", "leave out steps=whole, or tell a critic per=prefix"
        if prm.covers == "own":
            what, way = "cuts solutions its own way", "leave out steps= and probe="
        raise ConfigError(
            f"PRM {prm.spec.name} {what}: it names no wrong step in {judged[0]}; {way}"
        )
    blind = [source.task for source in sources if any(p.blind for p in source.problems)]
    if blind and (prm.live or prm.spec.adapter == "fake"):
        raise ConfigError(
            f"PRM {prm.spec.name} has to read solutions, and the data at hand has no texts of "
            f"those of {blind[0]}; run-benchmark show task {blind[0]} says where they are; "
            "--prm recorded:FILE needs none"
        )
    for aggregation in aggregations:
        check_aggregation(aggregation, prm.semantics)
    if prm.spec.adapter == "recorded" and sources and not any(_covers(prm, s) for s in sources):
        tasks = ", ".join(dict.fromkeys(source.task for source in sources))
        problems = {problem.id for source in sources for problem in source.problems}
        raise DataError(
            f"{prm.spec.target} has scores of none of the {len(problems)} problems of {tasks}; "
            "check that its ids are those of the task"
        )


def _check_pairs(prm: Prm, sources: Sequence[PoolSource]) -> None:
    """Refuse pools of which a PRM that compares cannot judge each problem's two solutions."""
    for source in sources:
        if source.kind != "preference":
            check_alone(prm, source.task)
        if any(len(problem.solutions) != 2 for problem in source.problems):
            raise ConfigError(
                f"PRM {prm.spec.name} judges solutions two by two (covers=pair), and "
                f"{source.task} has problems with more than two; choose another PRM, or "
                "--task rewardbench_math"
            )


def _covers(prm: Prm, source: PoolSource) -> bool:
    """Whether a recording has a score for any solution of a pool, whatever the texts are."""
    drafts = (Draft(),) * source.samples
    requests = (Judge(problem.question, drafts, blind=True) for problem in source.problems)
    return any(any(prm.judge([request])[0].scores) for request in requests)


def _pools(
    sweep: Sweep, methods: Sequence[MethodSpec], task: Task, policies: Sequence[Policy]
) -> list[PoolPlan]:
    """Return the pools that a task needs."""
    if task.kind in GIVEN_KINDS:
        problems = digest([problem.digest for problem in task.problems])
        identity: dict[str, Json] = {"task": task.digest, "problems": problems}
        header = Header("given", identity, _task_facts(task))
        most = max(len(problem.given) for problem in task.problems)
        return [PoolPlan(task, None, Sampling(), most, header)]
    plans = []
    for policy in policies:
        pooled = [spec.method for spec in methods if spec.method.pooled]
        sampled = [method for method in pooled if method.name != "greedy" and not method.given]
        if any(method.name == "greedy" for method in pooled) and policy.max_samples is None:
            plans.append(_pool(sweep, task, policy, samples=1, greedy=True))
        if sampled:
            plans.append(_pool(sweep, task, policy, _samples(sweep, policy), greedy=False))
    return plans


def _samples(sweep: Sweep, policy: Policy) -> int:
    """Return how many candidates a problem gets."""
    largest = max(sweep.budgets or (1,))
    # A recorded pool is used whole: more candidates make the estimates at small budgets better.
    samples = sweep.samples or policy.max_samples or (largest if sweep.budgets else _SAMPLES)
    if largest > samples:
        raise ConfigError(f"budget {largest} is larger than samples ({samples})")
    if policy.max_samples is not None and samples > policy.max_samples:
        raise ConfigError(
            f"policy {policy.spec.name} holds {policy.max_samples} candidates per problem, "
            f"not {samples}; lower --budget or samples"
        )
    return samples


def _pool(sweep: Sweep, task: Task, policy: Policy, samples: int, *, greedy: bool) -> PoolPlan:
    """Return the plan of one pool."""
    chosen = sweep.sampling
    sampling = replace(
        task.sampling,
        temperature=0.0 if greedy else chosen.temperature,
        top_p=1.0 if greedy else chosen.top_p,
        max_tokens=chosen.max_tokens or task.sampling.max_tokens,
        # Greedy decoding does not depend on the seed, so its digest must not either.
        seed=0 if greedy else sweep.seed,
    )
    policy.check([problem.question for problem in task.problems], samples)
    recorded = policy.max_samples is not None
    identity: dict[str, Json] = {
        "task": task.digest,
        "problems": digest([problem.digest for problem in task.problems]),
        "policy": policy.identity(),
        # A recorded pool was sampled by somebody else, whatever this run's settings say.
        "sampling": None if recorded else {**asdict(sampling), "stop": list(sampling.stop)},
        "samples": samples,
    }
    facts = {
        **_task_facts(task),
        "samples": samples,
        "greedy": greedy,
        "architecture": asdict(policy.architecture) if policy.architecture else None,
    }
    return PoolPlan(task, policy, sampling, samples, Header("candidates", identity, facts))


def _task_facts(task: Task) -> dict[str, Json]:
    """Return what tables say of a task."""
    return {
        "task": task.name,
        "task_version": task.version,
        "kind": task.kind,
        "domain": task.domain,
        "n_total": task.total,
    }


def score_plan(source: PoolSource, prm: Prm) -> ScorePlan:
    """Return the plan of one score file."""
    identity: dict[str, Json] = {"pool": source.digest, "prm": prm.identity()}
    facts: dict[str, Json] = {
        "task": source.task,
        "samples": source.samples,
        "semantics": prm.semantics,
        "aggregation": prm.aggregation,
        "covers": prm.covers,
        "architecture": asdict(prm.architecture) if prm.architecture else None,
    }
    if prm.threshold != threshold_of("p_correct"):  # where it is, the run has its say
        facts["threshold"] = prm.threshold
    return ScorePlan(source, prm, Header("scores", identity, facts))
