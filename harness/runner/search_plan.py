"""What a sweep has to search: which method on which task, with which PRM, under which digest.

A search's digest covers the task and the problems taken, the identities of policy and PRM, the
sampling, the method with its options, its budget and where steps end. Replicas are no part of it:
more of them are more attempts of the same search.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from harness.config import SearchConfig, Sweep
from harness.digest import digest
from harness.errors import ConfigError, unknown
from harness.prms.aggregate import aggregate, vote_weight
from harness.problems import Task
from harness.problems.load import subset
from harness.search.methods import MethodSpec
from harness.search.setting import Setting
from harness.segment.cut import cut_of, parse_cut
from harness.store.log import Header
from harness.store.sweepfile import SearchEntry
from harness.types import GIVEN_KINDS, Choice, Cut, Json, Problem, Sampling, StepScores

if TYPE_CHECKING:
    from harness.policies.policy import Policy
    from harness.prms.prm import Prm

_NEEDS = {
    "continue": "continue a draft that has text already",
    "logprobs": "say how probable its tokens were",
}


@dataclass(frozen=True)
class SearchPlan:
    """One method on one task, with one policy and one PRM (or none)."""

    task: Task
    problems: tuple[Problem, ...]
    policy: Policy
    prm: Prm | None
    spec: MethodSpec
    n: int
    """Candidates that the search may come up with."""
    sampling: Sampling
    cut: Cut
    config: SearchConfig
    seed: int
    alone: bool
    """Timed: one problem at a time."""
    header: Header

    @property
    def prm_name(self) -> str | None:
        """The PRM's name."""
        return self.prm.spec.name if self.prm else None

    @property
    def aggregation(self) -> str | None:
        """From step scores to a draft's score."""
        return aggregation_of(self.spec, self.prm)

    @property
    def choice(self) -> Choice:
        """How the answer is chosen from what was found."""
        return self.spec.choice

    @property
    def replicas(self) -> int:
        """Repetitions; timing needs one."""
        return 1 if self.alone else self.config.replicas

    @property
    def entry(self) -> SearchEntry:
        """What sweep.json says of it."""
        return SearchEntry(
            task=self.task.name,
            task_version=self.task.version,
            kind=self.task.kind,
            domain=self.task.domain,
            policy=self.policy.spec.name,
            prm=self.prm_name,
            method=self.spec.name,
            base=self.spec.method.name,
            curve=self.spec.method.curve,
            aggregation=self.aggregation,
            n=self.n,
            replicas=self.replicas,
            alone=self.alone,
            n_total=self.task.total,
            digest=self.header.digest,
        )

    def setting(self, problem: Problem, replica: int) -> Setting:
        """Return what the method is told about a problem."""
        prm, aggregation = self.prm, self.aggregation
        seed = digest([self.seed, self.task.name, problem.id, replica])

        def score(scores: StepScores) -> float:
            return aggregate(aggregation or "min", scores.values)

        return Setting(
            question=problem.question,
            n=self.n,
            sampling=self.sampling,
            cut=self.cut,
            aggregate=score,
            semantics=prm.semantics if prm else "p_correct",
            random=random.Random(seed),
        )

    def vote_weight(self, score: float) -> float:
        """Return the weight with which a candidate of this score votes."""
        return weight_in_vote(self.prm, score)


def search_plans(
    sweep: Sweep,
    specs: Sequence[MethodSpec],
    tasks: Sequence[Task],
    policies: Sequence[Policy],
    prms: Sequence[Prm],
) -> list[SearchPlan]:
    """Return every search of a sweep.

    Raises:
        ConfigError: a policy, PRM, option or budget that the method cannot work with.
    """
    searched = [spec for spec in specs if not spec.method.pooled]
    timed = [spec for spec in specs if spec.method.search] if sweep.search.latency else []
    if not searched and not timed:
        return []
    steering = _steering(sweep.search, prms)
    plans: list[SearchPlan] = []
    for task in tasks:
        if task.kind in GIVEN_KINDS:
            continue
        for policy in policies:
            for spec in searched:
                plans.extend(_plans(sweep, task, policy, spec, steering))
            if policy.max_samples is None:
                for spec in timed:
                    plans.extend(_plans(sweep, task, policy, spec, steering, alone=True))
    return plans


def _steering(config: SearchConfig, prms: Sequence[Prm]) -> list[Prm]:
    """Return the PRMs that steer."""
    names = [prm.spec.name for prm in prms]
    for name in config.prms or ():
        if name not in names:
            raise unknown("PRM of search.prms", name, names)
    return [prm for prm in prms if config.prms is None or prm.spec.name in config.prms]


def _plans(
    sweep: Sweep,
    task: Task,
    policy: Policy,
    spec: MethodSpec,
    prms: Sequence[Prm],
    *,
    alone: bool = False,
) -> Iterator[SearchPlan]:
    method = spec.method
    if not alone or not method.pooled:
        check_abilities(spec, policy)
    if method.needs_prm and not prms:
        raise ConfigError(f"method {method.name} needs a PRM; give --prm NAME")
    budgets = sweep.search.budgets
    if method.name == "greedy":
        budgets = (1,)
    elif method.curve != "runs":
        budgets = budgets[-1:]
    # A PRM that does not suit the method is for others, unless there is no other.
    suited = [prm for prm in prms if method.suits(prm)] or prms
    for prm in suited if method.needs_prm else (None,):
        check_steering(spec, prm)
        for n in budgets:
            spec.check(n, prm.semantics if prm else None)
            yield _plan(sweep, task, policy, prm, spec, n, alone=alone)


def check_steering(spec: MethodSpec, prm: Prm | None) -> None:
    """Refuse a PRM that cannot steer.

    Raises:
        ConfigError: it holds scores of given drafts, or judges in pairs what needs scores of single
            ones, or the other way round.
    """
    if prm is not None:
        spec.method.check_pairs(prm)
    if prm is not None and (not prm.live or prm.covers == "prefix"):
        raise ConfigError(
            f"PRM {prm.spec.name} ({prm.spec.adapter}) holds scores of given drafts and cannot "
            f"steer {spec.method.name}; name those that can: --set search.prms=[NAME]"
        )


def check_abilities(spec: MethodSpec, policy: Policy) -> None:
    """Refuse a policy that cannot do what the method asks of it.

    Raises:
        ConfigError: names the first thing that it cannot.
    """
    for ability in sorted(spec.abilities - policy.abilities):
        raise ConfigError(
            f"method {spec.method.name} needs a policy that can {_NEEDS[ability]}; "
            f"{policy.spec.name} ({policy.spec.adapter}) cannot: leave the method out or "
            "choose another policy"
        )


def weight_in_vote(prm: Prm | None, score: float) -> float:
    """Return the weight with which a candidate votes that a PRM (or none) gave this score."""
    if prm is None:
        return 1.0
    if score == -float("inf"):
        return 0.0
    return float(vote_weight(score, prm.semantics))  # type: ignore[arg-type]


def aggregation_of(spec: MethodSpec, prm: Prm | None) -> str | None:
    """Return how the method makes one score of a PRM's step scores; None without a PRM."""
    if prm is None:
        return None
    return getattr(spec.options, "agg", None) or prm.aggregation


def _plan(
    sweep: Sweep,
    task: Task,
    policy: Policy,
    prm: Prm | None,
    spec: MethodSpec,
    n: int,
    *,
    alone: bool,
) -> SearchPlan:
    config, chosen = sweep.search, sweep.sampling
    limit = config.latency if alone else config.limit
    problems = task.problems if limit is None else subset(task.problems, limit, sweep.seed)
    sampling = replace(
        task.sampling,
        temperature=chosen.temperature,
        top_p=chosen.top_p,
        max_tokens=chosen.max_tokens or task.sampling.max_tokens,
        seed=0,
    )
    cut = cut_of(task.steps) if config.cut is None else parse_cut(config.cut)
    identity: dict[str, Json] = {
        "task": task.digest,
        "problems": digest([problem.digest for problem in problems]),
        "policy": policy.identity(),
        "prm": prm.identity() if prm else None,
        "method": spec.method.name,
        "options": spec.options.model_dump(mode="json"),
        "aggregation": aggregation_of(spec, prm),
        "n": n,
        "sampling": {**asdict(sampling), "stop": list(sampling.stop)},
        "seed": sweep.seed,
        "cut": {**asdict(cut), "delimiters": list(cut.delimiters)},
        "read": task.steps.spec,
        "budget": [config.policy_tokens, config.flops, config.seconds],
        "alone": alone,
    }
    facts: dict[str, Json] = {
        "task": task.name,
        "policy": policy.spec.name,
        "prm": prm.spec.name if prm else None,
        "method": spec.name,
        "policy_architecture": asdict(policy.architecture) if policy.architecture else None,
        "prm_architecture": asdict(prm.architecture) if prm and prm.architecture else None,
    }
    header = Header("attempts", identity, facts)
    return SearchPlan(
        task, problems, policy, prm, spec, n, sampling, cut, config, sweep.seed, alone, header
    )
