"""What the work that is left would take on a device: tokens, operations, hours.

A pool is written and graded once and scored once per PRM, whatever methods choose from it; a
search has a line of its own. Hours are those of one device that does one thing after the other:

* written tokens: solutions times their length, as measured in this run, else as usual
  (`harness.forecast.lengths`); a search writes n solutions, times what its method is known to need;
* read tokens: a prompt once per problem and stage, a solution once per PRM: engines remember;
* operations: as the tables count them (`harness.cost`); no cache saves any for a PRM on a pool.

What is not known is None, and the sums say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cost import Architecture
from harness.forecast.lengths import lengths
from harness.forecast.throughput import Device, Kind, throughputs
from harness.policies.policy import Policy
from harness.prms.prm import Prm
from harness.runner import estimate
from harness.runner.plan import Plan, PoolPlan, ScorePlan
from harness.runner.search_plan import SearchPlan
from harness.runner.standins import StandIn, named, parameters
from harness.store.format import RunFolder
from harness.types import GIVEN_KINDS, Problem


@dataclass(frozen=True, slots=True)
class Forecast:
    """One line. None is unknown."""

    task: str
    work: str
    """The policy and its pool, the PRM that scores it, or the search."""
    drafts: int
    """Left to do."""
    policy_tokens: float | None
    """Written."""
    prm_tokens: float | None
    """Read."""
    flops: float | None
    policy_hours: float | None
    prm_hours: float | None
    grading_hours: float | None

    @property
    def hours(self) -> float | None:
        """Of all three."""
        return _sum([self.policy_hours, self.prm_hours, self.grading_hours])


class Forecaster:
    """Makes lines for one device, and notes where figures are from."""

    def __init__(self, device: Device, run: RunFolder) -> None:
        self._device, self._run = device, run
        self._notes: dict[str, str] = {}
        self._measured: dict[str, float] = {}
        """Task → tokens per solution in this run."""

    @property
    def notes(self) -> dict[str, str]:
        """How figures came about, each once → its source; empty: it needs none."""
        return dict(self._notes)

    def lines(self, plan: Plan) -> list[Forecast]:
        """Return the lines of a plan, task by task."""
        asked = [pool for pool in plan.pools if pool.policy is not None]
        for pool in asked:
            self._learn(pool)
        made = [self._pool(pool) for pool in asked]
        domains = {pool.task.name: pool.task.domain for pool in plan.pools}
        made += [self._scores(entry, domains[entry.source.task]) for entry in plan.scores]
        made += [self._search(search) for search in plan.searches]
        order = list(dict.fromkeys(pool.task.name for pool in plan.pools))
        order += [line.task for line in made if line.task not in order]
        return sorted(made, key=lambda line: order.index(line.task))

    # --- lines ---

    def _pool(self, pool: PoolPlan) -> Forecast:
        policy = pool.policy
        assert policy is not None
        left = _left(estimate.generation(pool, self._run))
        graded = _left(estimate.grading(pool, self._run))
        limit = pool.sampling.max_tokens
        solution = self._solution(pool.task.name, pool.task.domain, limit) if left else 0.0
        prompt = self._prompt(pool.problems, pool.task.domain)
        rounds = left / max(1, pool.samples)  # problems
        written = left * solution
        if policy.max_samples is not None:
            written = 0.0
            hours: float | None = 0.0
            flops: float | None = 0.0
        else:
            shape = self._shape(policy)
            hours = self._hours(policy, shape, rounds * prompt, left * solution)
            flops = _writing(shape, prompt, solution, rounds, left)
        what = "greedy" if pool.greedy else f"pool of {pool.samples}"
        return Forecast(
            pool.task.name,
            f"{pool.name}: {what}",
            max(left, graded),
            written,
            0.0,
            flops,
            hours,
            0.0,
            self._grading(pool.task.name, pool.task.kind, graded),
        )

    def _scores(self, entry: ScorePlan, domain: str) -> Forecast:
        source, prm = entry.source, entry.prm
        left = _left(estimate.scoring(entry, self._run))
        rows = 1 if source.kind == "steps" else source.samples
        prompt = self._prompt(source.problems, domain)
        if source.kind in GIVEN_KINDS:
            texts = (draft.text for problem in source.problems for draft in problem.given)
            drafts = max(1, sum(len(problem.given) for problem in source.problems))
            solution = lengths().of_texts(texts, domain) / drafts
        else:
            solution = self._solution(source.task, domain, None) if left else 0.0
        read = left / max(1, rows) * prompt + left * solution
        work = f"{prm.spec.name} scores {source.policy}"
        if not prm.live:
            return Forecast(source.task, work, left, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        shape = self._shape(prm)
        flops = None if shape is None else left * float(shape.prefill(round(prompt + solution)))
        if self._unforeseen(prm):
            return Forecast(source.task, work, left, 0.0, None, None, 0.0, None, 0.0)
        hours = self._hours(prm, shape, read, 0.0)
        return Forecast(source.task, work, left, 0.0, read, flops, 0.0, hours, 0.0)

    def _search(self, search: SearchPlan) -> Forecast:
        policy, prm, task = search.policy, search.prm, search.task
        cost = estimate.searching(search, self._run)
        left = (cost.drafts - cost.done) // max(1, search.n)
        solution = self._solution(task.name, task.domain, search.sampling.max_tokens)
        prompt = self._prompt(search.problems, task.domain)
        method = search.spec.method.name
        usual = throughputs().factor(method)
        self._note(usual.note, usual.source)
        factor = usual.value
        written = factor * search.n * solution  # per search
        shape = self._shape(policy)
        count = factor * search.n
        flops = _writing(shape, prompt, solution, left, left * count)
        hours = self._hours(policy, shape, left * prompt, left * written)
        read: float | None = 0.0
        prm_hours: float | None = 0.0
        if prm is not None and left and self._unforeseen(prm):
            read = flops = prm_hours = None
        elif prm is not None:
            read = left * (prompt + written)
            judge = self._shape(prm)
            prm_hours = self._hours(prm, judge, read, 0.0)
            if flops is not None and judge is not None:
                each = judge.prefill(round(solution), cached=round(prompt))
                flops += left * (judge.prefill(round(prompt)) + count * each)
            else:
                flops = None
        return Forecast(
            task.name,
            " · ".join(filter(None, [f"{search.spec.name} n={search.n}", search.prm_name])),
            left,
            left * written,
            read,
            flops,
            hours,
            prm_hours,
            0.0 if search.alone else self._grading(task.name, task.kind, left * search.n),
        )

    # --- figures ---

    def _unforeseen(self, prm: Prm) -> bool:
        """Whether nobody knows beforehand what a PRM will have to do."""
        if prm.spec.adapter != "critic":
            return False
        self._note(f"{prm.spec.name} writes before it judges; how much is not known beforehand")
        return True

    def _learn(self, pool: PoolPlan) -> None:
        """Learn how long solutions are, if this run has some."""
        cost = estimate.generation(pool, self._run)
        if pool.greedy or not cost.tokens_expected:
            return
        mean = cost.tokens_expected / (cost.drafts - cost.done)
        self._measured[pool.task.name] = mean
        note = f"{mean:,.0f} tokens per solution, measured in {self._run.root}"
        self._note(f"{pool.task.name}: {note}")

    def _solution(self, task: str, domain: str, limit: int | None) -> float:
        """Return the tokens of a solution."""
        if task in self._measured:
            return self._measured[task]
        usual = lengths().solution(task, domain)
        self._note(usual.note, usual.source)
        return min(usual.value, limit or math.inf)

    def _prompt(self, problems: Sequence[Problem], domain: str) -> float:
        """Return the mean tokens of a prompt."""
        texts = (problem.prompt for problem in problems)
        return lengths().of_texts(texts, domain) / max(1, len(problems))

    def _shape(self, model: Policy | Prm) -> Architecture | None:
        """Return what a token costs; from the model's name where nothing else is known."""
        if model.architecture is not None:
            if isinstance(model, StandIn):
                self._note(f"{model.spec.name} is not on this machine; size {model.size}")
            return model.architecture
        size = named(model.spec)
        known = parameters(size)
        if known is None:
            self._note(f"nobody knows how large {model.spec.name} ({model.spec.adapter}) is")
            return None
        self._note(f"{model.spec.name}: size {size}")
        return Architecture(int(known), int(known), 0, 1, 0)

    def _hours(
        self, model: Policy | Prm, shape: Architecture | None, read: float, written: float
    ) -> float | None:
        """Return the hours to read and write so many tokens."""
        if not read and not written:
            return 0.0
        if shape is None:
            return None
        engine, total = _engine(model), 0.0
        room, needed = self._device.memory, 2 * shape.matrices / 1e9
        if room is not None and needed > room:
            self._note(
                f"{model.spec.name} does not fit: its weights need {needed:,.0f} GB in bfloat16, "
                f"{self._device.name} has {room:g}; hours are as if it did"
            )
        amounts: dict[Kind, float] = {"prefill": read, "decode": written}
        for kind, tokens in amounts.items():
            if not tokens:
                continue
            rate = throughputs().rate(kind, self._device.name, engine, shape.active)
            if rate is None:
                self._note(
                    f"{model.spec.name}: no model of nearly its size was measured, nothing to "
                    f"derive its {kind} from"
                )
                return None
            self._note(f"{model.spec.name} {rate.note}", rate.source)
            total += tokens / rate.value
        return total / 3600

    def _grading(self, task: str, kind: str, count: float) -> float | None:
        """Return the hours to grade so many solutions."""
        if not count:
            return 0.0
        rate = throughputs().grading(task, kind)
        if rate is None:
            self._note(f"{task}: nobody measured how fast it is graded")
            return None
        self._note(rate.note, rate.source)
        return count / rate.value / 3600

    def _note(self, text: str, source: str = "") -> None:
        self._notes[text] = " ".join(source.split())


def total(lines: Sequence[Forecast]) -> Forecast:
    """Return the sum of lines; what is unknown in any is unknown in it."""
    return Forecast(
        "",
        "all",
        sum(line.drafts for line in lines),
        _sum([line.policy_tokens for line in lines]),
        _sum([line.prm_tokens for line in lines]),
        _sum([line.flops for line in lines]),
        _sum([line.policy_hours for line in lines]),
        _sum([line.prm_hours for line in lines]),
        _sum([line.grading_hours for line in lines]),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _left(cost: estimate.StageCost) -> int:
    return cost.drafts - cost.done


def _engine(model: Policy | Prm) -> str:
    """Return the engine that measurements are looked up for; a server is taken for vLLM."""
    engine = str(model.spec.options.get("engine", model.spec.adapter))
    return "vllm" if engine in ("openai", "http", "https") else engine


def _writing(
    shape: Architecture | None, prompt: float, solution: float, problems: float, drafts: float
) -> float | None:
    """Return the operations to write drafts, each prompt read once."""
    if shape is None:
        return None
    each = shape.decode(round(prompt), round(solution))
    return problems * float(shape.prefill(round(prompt))) + drafts * float(each)
