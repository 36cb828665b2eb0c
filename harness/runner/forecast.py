"""What the work that is left would take on a device: tokens, operations, hours.

A pool is written and graded once and scored once per PRM, whatever methods choose from it; a
search has a line of its own. Hours are those of one device that does one thing after the other:

* written tokens: solutions times their length, as measured in this run, else as usual
  (`harness.forecast.lengths`); a search writes n solutions, times what its method is known to need;
* read tokens: a prompt once per problem and stage, a solution once per PRM: engines remember;
* operations: as the tables count them (`harness.cost`); no cache saves any for a PRM on a pool.

What is not known is None, in the sums too, and `Forecaster.missing` says why and how to know it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.forecast.lengths import lengths
from harness.forecast.throughput import Device, Kind, throughputs
from harness.policies.policy import Policy
from harness.prms.critics import recipe as critics
from harness.prms.prm import Prm
from harness.runner import estimate
from harness.runner.expected import Forecast, Missing
from harness.runner.models import models, parameters, size
from harness.runner.plan import Plan, PoolPlan, PoolSource, ScorePlan
from harness.runner.room import misfit, need
from harness.runner.search_plan import SearchPlan
from harness.runner.standins import StandIn
from harness.store.format import RunFolder
from harness.types import GIVEN_KINDS, Problem

Role = Literal["policy", "prm"]
"""Whose figures: the first words of their names in a `Forecast`."""

_TRY = "run-benchmark run … --limit 20 prints the seconds of its stage {}"
"""How to get a rough figure of what nobody measured."""


class Forecaster:
    """Makes lines for one device, and notes where figures are from."""

    def __init__(self, device: Device, run: RunFolder) -> None:
        self._device, self._run = device, run
        self._notes: dict[str, str] = {}
        self._missing: dict[Missing, None] = {}
        self._measured: dict[str, float] = {}
        """Task → tokens per solution in this run."""
        self._graded: dict[str, float] = {}
        """Task → solutions that this run graded per second."""
        self._critics: dict[str, Prm] = {}
        self._critiques: dict[str, int | None] = {}
        """Critic → critiques that it is to write; None: nobody knows how many."""
        self._misfits: dict[str, None] = {}
        self._speeds: dict[str, str] = {}
        self._engine = "default"

    @property
    def notes(self) -> dict[str, str]:
        """How figures came about, each once → its source; empty: it needs none."""
        return dict(self._notes)

    @property
    def missing(self) -> list[Missing]:
        """What is unknown in the lines made so far, each once."""
        return [*self._missing, *map(self._written_before, self._critics.values())]

    @property
    def misfits(self) -> list[str]:
        """Models of the lines made so far that have no room on the device, and what would help."""
        return list(self._misfits)

    @property
    def speeds(self) -> dict[str, str]:
        """Engine of the run that nobody measured on the device → the one whose speed is taken."""
        return dict(self._speeds)

    def lines(self, plan: Plan) -> list[Forecast]:
        """Return the lines of a plan, task by task."""
        self._engine = plan.sweep.engine
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
        what = "greedy" if pool.greedy else f"pool of {pool.samples}"
        line = Forecast(
            pool.task.name,
            f"{pool.name}: {what}",
            max(left, graded),
            grading_hours=self._grading(pool.task.name, pool.task.kind, graded),
        )
        if policy.max_samples is not None or not left:
            return line
        self._place(policy)
        shape, written = self._shape(policy, "policy"), left * solution
        return replace(
            line,
            policy_tokens=written,
            policy_flops=_writing(shape, prompt, solution, rounds, left),
            policy_hours=self._hours(policy, "policy", shape, rounds * prompt, written),
        )

    def _scores(self, entry: ScorePlan, domain: str) -> Forecast:
        source, prm = entry.source, entry.prm
        cost = estimate.scoring(entry, self._run)
        left = _left(cost)
        rows = 1 if source.kind == "steps" else source.samples
        prompt = self._prompt(source.problems, domain)
        if source.kind in GIVEN_KINDS:
            texts = (draft.text for problem in source.problems for draft in problem.given)
            drafts = max(1, sum(len(problem.given) for problem in source.problems))
            solution = lengths().of_texts(texts, domain) / drafts
        else:
            solution = self._solution(source.task, domain, None) if left else 0.0
        read = left / max(1, rows) * prompt + left * solution
        line = Forecast(source.task, f"{prm.spec.name} scores {source.policy}", left)
        if not prm.live or not left:
            return line
        self._place(prm)
        if self._unforeseen(prm, _critiques(prm, source) if left == cost.count else None):
            return replace(line, prm_tokens=None, prm_flops=None, prm_hours=None)
        shape = self._shape(prm, "prm")
        several = shape.models if shape else 1
        each = several * round(prompt + solution)
        flops = None if shape is None else left * float(shape.prefill(each))
        hours = self._hours(prm, "prm", shape, read, 0.0)
        return replace(line, prm_tokens=several * read, prm_flops=flops, prm_hours=hours)

    def _search(self, search: SearchPlan) -> Forecast:
        policy, prm, task = search.policy, search.prm, search.task
        cost = estimate.searching(search, self._run)
        left = _left(cost)
        name = " · ".join(filter(None, [f"{search.spec.name} n={search.n}", search.prm_name]))
        line = Forecast(task.name, name, left, "searches")
        if not left:
            return line
        self._place(policy, *([prm] if prm else []))
        solution = self._solution(task.name, task.domain, search.sampling.max_tokens)
        prompt = self._prompt(search.problems, task.domain)
        usual = throughputs().factor(search.spec.method.name)
        self._note(usual.note, usual.source)
        count = usual.value * search.n  # solutions that one search writes
        written = count * solution
        shape = self._shape(policy, "policy")
        graded = 0 if search.alone else left * search.n
        line = replace(
            line,
            policy_tokens=left * written,
            policy_flops=_writing(shape, prompt, solution, left, left * count),
            policy_hours=self._hours(policy, "policy", shape, left * prompt, left * written),
            grading_hours=self._grading(task.name, task.kind, graded),
        )
        if prm is None:
            return line
        if self._unforeseen(prm, None):
            return replace(line, prm_tokens=None, prm_flops=None, prm_hours=None)
        read, judge = left * (prompt + written), self._shape(prm, "prm")
        flops = None if judge is None else left * _steering(judge, prompt, solution, count)
        hours = self._hours(prm, "prm", judge, read, 0.0)
        several = judge.models if judge else 1
        return replace(line, prm_tokens=several * read, prm_flops=flops, prm_hours=hours)

    # --- figures ---

    def _unforeseen(self, prm: Prm, critiques: int | None) -> bool:
        """Whether nobody knows beforehand what a PRM will have to do; `critiques`: how often."""
        if prm.spec.adapter != "critic":
            return False
        known = self._critiques.get(prm.spec.name, 0)
        both = None if known is None or critiques is None else known + critiques
        self._critics[prm.spec.name], self._critiques[prm.spec.name] = prm, both
        return True

    def _written_before(self, prm: Prm) -> Missing:
        """Return what is missing of a critic, with the hours of 100 tokens where they are known."""
        way, shape = _TRY.format("score or search"), self._size(prm)
        count = self._critiques[prm.spec.name]
        engine = self._runs_on(prm)
        rate = shape and throughputs().rate("decode", self._device.name, engine, shape.active)
        if count and rate:
            hours = 100 * count / rate.value / 3600
            way += f"; every 100 tokens of its {count:,} critiques take {hours:.2g} hours to write"
        what = f"how much {prm.spec.name} writes before it judges"
        return Missing(what, ("prm_tokens", "prm_flops", "prm_hours"), way)

    def _learn(self, pool: PoolPlan) -> None:
        """Learn how long solutions are and how fast they are graded, if this run has some."""
        graded = estimate.grading(pool, self._run)
        if graded.seconds_expected:
            self._graded[pool.task.name] = _left(graded) / graded.seconds_expected
        cost = estimate.generation(pool, self._run)
        if pool.greedy or not cost.tokens_expected:
            return
        mean = cost.tokens_expected / _left(cost)
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

    def _shape(self, model: Policy | Prm, role: Role) -> Architecture | None:
        """Return what a token costs; None, and said, where neither shape nor size is known."""
        found = self._size(model)
        if found is None:
            self._miss(
                f"how large {model.spec.name} ({model.spec.adapter}) is",
                (f"{role}_flops", f"{role}_hours"),
                "say it in a name: …,name=SOMETHING-7B",
            )
        return found

    def _size(self, model: Policy | Prm) -> Architecture | None:
        """Return a model's shape, or one of the size that its name states; None: unknown."""
        if model.architecture is not None:
            if isinstance(model, StandIn):
                self._note(f"{model.spec.name} is not on this machine; size {model.size}")
            return model.architecture
        words = size(model.spec, self._engine)
        known = parameters(words)
        if known is None:
            return None
        self._note(f"{model.spec.name}: size {words}")
        return Architecture(int(known), int(known), 0, 1, 0, models=words.count("+") + 1)

    def _place(self, *together: Policy | Prm) -> None:
        """Say of models that are at work at the same time if they have no room on the device."""
        room = self._device.memory
        if room is None:
            return
        needs = []
        for model in together:
            shape = model.architecture
            found = need(model.spec, self._engine, shape.matrices if shape else None, room)
            if found is not None:
                needs.append(found)
            if found is not None and found.gigabytes is None:
                self._note(f"{found.name}: how much memory its {found.words} take is not known")
            elif found is not None and found.cards > 1:
                cards = f"{found.cards} cards; hours are those of one that does it all"
                self._note(f"{found.name}: {found.words}, spread over {cards}")
        alone = [text for one in needs if (text := misfit([one], self._device))]
        both = misfit(needs, self._device) if needs and not alone else ""
        self._misfits |= dict.fromkeys([*alone, *filter(None, [both])])

    def _hours(
        self,
        model: Policy | Prm,
        role: Role,
        shape: Architecture | None,
        read: float,
        written: float,
    ) -> float | None:
        """Return the hours to read and write so many tokens."""
        if not read and not written:
            return 0.0
        if shape is None:
            return None
        engine, total = self._runs_on(model), 0.0
        amounts: dict[Kind, float] = {"prefill": read, "decode": written}
        for kind, tokens in amounts.items():
            if not tokens:
                continue
            rate = throughputs().rate(kind, self._device.name, engine, shape.active)
            if rate is None:
                verb = "writes" if kind == "decode" else "reads"
                self._miss(
                    f"how fast {model.spec.name} {verb}: no model of nearly its size was measured",
                    (f"{role}_hours",),
                    _TRY.format("generate" if role == "policy" else "score"),
                )
                return None
            if rate.engine != engine:
                self._speeds[engine] = rate.engine
            self._note(f"{model.spec.name} {rate.note}", rate.source)
            total += tokens / rate.value
        return total / 3600

    def _runs_on(self, model: Policy | Prm) -> str:
        """Return the engine that measurements are looked up for; a server is taken for vLLM."""
        (first, *_) = models(model.spec, self._engine) or [model.spec]
        for one in models(model.spec, self._engine):
            if (scheme := one.options.get("quantization")) is not None:
                self._note(f"{one.name}: speed as in bfloat16; nobody measured it in {scheme}")
        return "vllm" if first.adapter in ("openai", "http", "https") else first.adapter

    def _grading(self, task: str, kind: str, count: float) -> float | None:
        """Return the hours to grade so many solutions."""
        if not count:
            return 0.0
        if own := self._graded.get(task):
            self._note(f"{task}: {own:,.0f} solutions graded per second, in {self._run.root}")
            return count / own / 3600
        rate = throughputs().grading(task, kind)
        if rate is None:
            self._miss(f"how fast {task} is graded", ("grading_hours",), _TRY.format("grade"))
            return None
        self._note(rate.note, rate.source)
        return count / rate.value / 3600

    def _note(self, text: str, source: str = "") -> None:
        self._notes[text] = " ".join(source.split())

    def _miss(self, what: str, figures: tuple[str, ...], way: str) -> None:
        self._missing[Missing(what, figures, way)] = None


def _left(cost: estimate.StageCost) -> int:
    return cost.count - cost.done


def _critiques(prm: Prm, source: PoolSource) -> int | None:
    """Return how many critiques of a pool a critic is to write; None: its steps are not known."""
    if prm.spec.adapter != "critic" or source.kind != "steps":
        return None
    recipe = critics.from_options(Options(critics.with_recipe(prm.spec), "PRM"))
    steps = sum(len(problem.steps) for problem in source.problems)
    each = len(source.problems) if recipe.per == "solution" else steps
    return each * recipe.chains


def _writing(
    shape: Architecture | None, prompt: float, solution: float, problems: float, drafts: float
) -> float | None:
    """Return the operations to write drafts, each prompt read once."""
    if shape is None:
        return None
    each = shape.decode(round(prompt), round(solution))
    return problems * float(shape.prefill(round(prompt))) + drafts * float(each)


def _steering(shape: Architecture, prompt: float, solution: float, count: float) -> float:
    """Return the operations to read a prompt, and so many solutions after it."""
    before, after = shape.models * round(prompt), shape.models * round(solution)
    return shape.prefill(before) + count * shape.prefill(after, cached=before)
