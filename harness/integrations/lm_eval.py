"""A search as an lm-eval model: any of its tasks that generate then runs under search.

::

    import harness.integrations.lm_eval
    import lm_eval

    lm_eval.simple_evaluate(
        model="prm-harness",
        model_args={"policy": "embedded", "prm": "prm-mixed", "method": "beam,width=4", "n": 16,
                    "temperature": 1.0, "steps": "delimiter:\\n"},
        tasks=["gsm8k"],
    )

or ``model=SearchLM(...)``, an instance. Stop strings, ``max_gen_toks`` and the temperature are the
task's ``generation_kwargs`` (``gen_kwargs=`` changes them, as for any model). The policy applies
its own chat template. What was spent is in `SearchLM.usage`, and in lm-eval's results under
``config``.

Votes count answers as our grader of mathematics finds and compares them; texts in which it finds
none are equal if they read the same. Of equal scores the first candidate's wins, where our own runs
share ties in expectation.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

# This import fills the registry of models too: whoever registers one before leaves it empty.
from lm_eval.models.utils import normalize_gen_kwargs

from harness import segment
from harness.digest import digest
from harness.errors import ConfigError, InfrastructureError
from harness.grading import MathGrader
from harness.integrations.choice import classes_of, elected
from harness.prms.aggregate import aggregate
from harness.registry import open_policy, open_prm
from harness.runner.search_plan import (
    aggregation_of,
    check_abilities,
    check_steering,
    weight_in_vote,
)
from harness.search.driver import Driver, Job
from harness.search.methods import parse_method
from harness.search.moves import Search
from harness.search.setting import Setting
from harness.segment.cut import cut_of
from harness.types import Draft, Json, Question, Sampling, StepScores, Usage

__all__ = ["SearchLM"]

_GREEDY = ("greedy", "value_guided")
"""Methods that are of use at temperature 0; the others draw candidates that must differ."""


@register_model("prm-harness")
class SearchLM(LM):  # type: ignore[misc]
    """A policy, a search method and a PRM as one language model that only generates.

    Raises:
        ConfigError: an unknown name or option, a budget that is too small, parts that do not go
            together.
    """

    def __init__(
        self,
        policy: str,
        prm: str | None = None,
        method: str = "best_of_n",
        n: int = 16,
        *,
        steps: str = "delimiter:\n\n",
        temperature: float | None = None,
        top_p: float | None = None,
        id: str | None = None,
        seed: int = 0,
        concurrency: int = 64,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        """Make the model; weights are loaded with the first request.

        Args:
            policy: as after ``--policy``.
            prm: as after ``--prm``; None for methods that need none.
            method: as after ``--method``, with its options.
            n: candidates per request; one for ``greedy``.
            steps: where a step ends, in the form of a task's ``metadata.steps``.
            temperature: None: the task's.
            top_p: None: the task's.
            id: column of the documents with the problem's id, by which recorded policies and PRMs
                know it; None: the document's number.
            seed: of sampling.
            concurrency: searches under way at once; changes speed only.
            batch_size: lm-eval always gives one; the policy's and the PRM's own options count here.
            max_batch_size: the same.
            device: refused: it is an option of the policy and of the PRM.
        """
        super().__init__()
        if device is not None:
            raise ConfigError(f"device={device!r}: say it to each model: policy='NAME,device=…'")
        self._method = parse_method(method)
        if self._method.method.search is None:
            raise ConfigError(f"method {self._method.method.name} chooses no answer to return")
        self._policy = open_policy(policy)
        self._prm = open_prm(prm) if prm is not None else None
        if self._method.method.needs_prm and self._prm is None:
            raise ConfigError(f"method {self._method.method.name} needs a PRM: prm='NAME'")
        if self._prm is not None and self._method.method.needs_prm:
            self._method.method.check_pairs(self._prm)
        self._n = 1 if self._method.method.name == "greedy" else n
        self._method.check(self._n, self._prm.semantics if self._prm else None)
        if not self._method.method.pooled:
            check_abilities(self._method, self._policy)
            check_steering(self._method, self._prm)
        # A line end cannot be typed in a string of arguments.
        self._steps = segment.parse(steps.replace("\\n", "\n"))
        self._temperature, self._top_p = temperature, top_p
        self._id, self._seed, self._concurrency = id, seed, concurrency
        self._grader = MathGrader()
        self.usage: dict[str, Usage] = {}
        """What was spent, by task."""

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Search an answer to each request; see lm-eval's `LM`.

        Raises:
            ConfigError: a task that asks for greedy text, of a method that draws candidates.
            InfrastructureError: an engine failed: no answer is not a wrong answer.
        """
        from tqdm import tqdm

        jobs = list(self._jobs(requests))
        driver = Driver(
            self._policy,
            self._prm,
            lambda asked: classes_of(self._grader, asked),
            read=self._read,
            concurrency=self._concurrency,
        )
        texts = [""] * len(jobs)
        shown = tqdm(total=len(jobs), disable=disable_tqdm, desc=f"Running {self._method.name}")
        with shown, self._grader:
            for attempt in driver.run(jobs):
                place = int(attempt.problem)
                if attempt.failure:
                    raise InfrastructureError(attempt.failure)
                task = str(requests[place].task_name)
                self.usage[task] = self.usage.get(task, Usage()) + attempt.usage
                texts[place] = elected(attempt, self._grader)
                self.cache_hook.add_partial("generate_until", requests[place].args, texts[place])
                shown.update()
        return texts

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Any:
        """Refuse; see lm-eval's `LM`.

        Raises:
            ConfigError: always.
        """
        tasks = ", ".join(sorted({str(request.task_name) for request in requests}))
        raise ConfigError(
            f"prm-harness writes answers and weighs none: {tasks} asks for log-likelihoods; take "
            "tasks with output_type: generate_until"
        )

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
        """Refuse; see lm-eval's `LM`.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("the policy applies its own chat template: leave out apply_chat_template")

    def get_model_info(self) -> dict[str, Json]:
        """Return what lm-eval writes into ``config`` of its results, the tokens spent included."""
        return {
            "policy": self._policy.identity(),
            "prm": self._prm.identity() if self._prm else None,
            "method": self._method.name,
            "n": self._n,
            "steps": self._steps.spec,
            "seed": self._seed,
            "usage": {task: asdict(used) for task, used in self.usage.items()},
        }

    def close(self) -> None:
        """Give back what policy and PRM hold; the model may be used again."""
        self._policy.close()
        if self._prm is not None:
            self._prm.close()

    def _jobs(self, requests: Sequence[Any]) -> Iterator[Job]:
        """Yield one search per request, named by its place: a request may come several times."""
        seen: Counter[tuple[str, int]] = Counter()
        for place, request in enumerate(requests):
            prompt, kwargs = request.args
            task, number = str(request.task_name), int(request.doc_id)
            replica = seen[task, number]
            seen[task, number] += 1
            question = Question(task, self._named(request), prompt)
            setting = self._setting(question, self._sampling(task, kwargs), replica)
            yield Job(
                str(place),
                lambda setting=setting: self._search(setting),  # type: ignore[misc]
                self._method.choice,
                replica,
                self._seed,
                vote_weight=lambda score: weight_in_vote(self._prm, score),
            )

    def _named(self, request: Any) -> str:
        """Return the problem's id."""
        if self._id is None:
            return str(request.doc_id)
        if self._id not in request.doc:
            raise ConfigError(f"id={self._id!r}: task {request.task_name} has no such column")
        return str(request.doc[self._id])

    def _search(self, setting: Setting) -> Search:
        return self._method.search(setting)

    def _setting(self, question: Question, sampling: Sampling, replica: int) -> Setting:
        aggregation = aggregation_of(self._method, self._prm) or "min"

        def score(scores: StepScores) -> float:
            return aggregate(aggregation, scores.values)

        seed = digest([self._seed, question.task, question.id, replica])
        return Setting(
            question=question,
            n=self._n,
            sampling=sampling,
            cut=cut_of(self._steps),
            aggregate=score,
            semantics=self._prm.semantics if self._prm else "p_correct",
            random=random.Random(seed),
        )

    def _sampling(self, task: str, kwargs: dict[str, Any]) -> Sampling:
        """Return how a request's text is sampled: as its task says, but for what we were told."""
        said = normalize_gen_kwargs(kwargs)
        temperature = said.get("temperature", 0.0)
        if self._temperature is not None:
            temperature = self._temperature
        if not temperature and self._method.method.name not in _GREEDY:
            raise ConfigError(
                f"task {task} asks for greedy text, of which {self._method.method.name} would draw "
                "the same again and again; give temperature=0.8, or method='greedy'"
            )
        top_p = float(said.get("top_p", 1.0)) if self._top_p is None else self._top_p
        stops = tuple(stop for stop in said["until"] if stop)
        return Sampling(float(temperature), top_p, said["max_gen_toks"], stops)

    def _read(self, draft: Draft) -> Draft:
        """Cut a draft the way the PRM is to read it."""
        return replace(draft, steps=tuple(self._steps.cut(draft.text)), logprobs=None)
