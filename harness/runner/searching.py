"""What is done with a unit of searches: a driver runs them, and every reply is told at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.policies.policy import Policy
from harness.prms.prm import Prm
from harness.runner.search_plan import SearchPlan
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Act, Found, Replies, Said
from harness.sandbox.choice import SandboxChoice
from harness.search.driver import Driver, Job
from harness.types import Agree, Agreed, Attempt, Budget, Draft, Entry, Problem


@dataclass(frozen=True, slots=True)
class Owed:
    """A search to run, or to go on with."""

    problem: Problem
    replica: int
    recorded: tuple[Entry, ...]
    """Replies that it had got before it was interrupted."""


@dataclass(frozen=True, slots=True)
class Searching:
    """Runs the searches of one plan."""

    plan: SearchPlan
    """Its models are those below, and it has no problems: they come with the units."""
    policy: Model[Policy]
    prm: Model[Prm] | None
    workers: int | None
    """Grading processes, where methods ask for classes of answers and all is done here."""
    sandbox: SandboxChoice | None

    @classmethod
    def of(cls, plan: SearchPlan, workers: int | None, sandbox: SandboxChoice | None) -> Searching:
        """Return the work of a plan."""
        policy = Model.policy(plan.policy)
        return cls(plan, policy, Model.prm(plan.prm) if plan.prm else None, workers, sandbox)

    @property
    def travels(self) -> bool:
        """Not if the drafts or scores are recorded."""
        return self.policy.travels and (self.prm is None or self.prm.travels)

    def at(self, station: Station) -> Act[tuple[Owed, ...]]:
        """Return what runs the searches of a unit."""
        policy = station.model(self.policy)
        prm = station.steering(self.prm) if self.prm else None
        plan = replace(self.plan, policy=policy, prm=prm)

        def search(unit: tuple[Owed, ...]) -> Iterator[Said]:
            agree = _Agreement(self, unit, station)
            concurrency = 1 if plan.alone else plan.config.concurrency
            driver = Driver(policy, prm, agree, read=_reader(plan), concurrency=concurrency)
            if plan.alone:  # what loads at first use, a sandbox too, is nobody's latency
                list(Driver(policy, prm, agree).run(_jobs(plan, [replace(unit[0], recorded=())])))
            last = time.perf_counter()
            for event in driver.events(_jobs(plan, unit)):
                if isinstance(event, Attempt):
                    now = time.perf_counter()
                    yield Found(event, now - last)
                    last = now
                else:
                    yield Replies(event)

        return search

    def __reduce__(self) -> tuple[Callable[..., Searching], tuple[object, ...]]:
        """Leave models and problems behind; the policy and the PRM travel on their own."""
        bare = replace(
            self.plan,
            policy=None,  # type: ignore[arg-type]
            prm=None,
            problems=(),
            task=replace(self.plan.task, problems=()),
        )
        return Searching, (bare, self.policy, self.prm, self.workers, self.sandbox)


def _reader(plan: SearchPlan) -> Callable[[Draft], Draft]:
    """Return how drafts are cut for the PRM: by the task's rule, as everywhere else."""

    def read(draft: Draft) -> Draft:
        steps = tuple(plan.task.steps.cut(draft.text))
        return Draft(steps, draft.finish, draft.tokens)

    return read


def _jobs(plan: SearchPlan, unit: Sequence[Owed]) -> Iterator[Job]:
    config = plan.config
    budget = Budget(config.policy_tokens, config.flops, config.seconds)
    for one in unit:
        yield Job(
            one.problem.id,
            lambda one=one: plan.spec.search(  # type: ignore[misc]
                plan.setting(one.problem, one.replica)
            ),
            plan.choice,
            one.replica,
            plan.seed,
            budget,
            plan.vote_weight,
            one.recorded,
        )


class _Agreement:
    """Sorts drafts by answer for methods that ask; the grader is opened with the first question."""

    def __init__(self, work: Searching, unit: Sequence[Owed], station: Station) -> None:
        self._work, self._station = work, station
        self._problems = {one.problem.id: one.problem for one in unit}

    def __call__(self, requests: Sequence[Agree]) -> list[Agreed]:
        """Answer; programs run once each, on public inputs."""
        work = self._work
        kind = work.plan.task.kind
        grader = self._station.grader(kind, work.workers, work.sandbox)
        pool = [
            (self._problems[request.question.id], [draft.text for draft in request.drafts])
            for request in requests
        ]
        runs = kind.startswith("code")
        return [
            Agreed(tuple(classes), len(classes) if runs else 0)
            for classes in grader.agreement(pool)
        ]
