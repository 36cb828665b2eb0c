"""The driver of searches: what a request costs beside the engines, memory, and what sharing gains.

The instant engines answer at once with text made up beforehand, so all time is the driver's and
the method's. The last part runs the embedded models: all problems together through the policy's
stream, against one problem at a time, and against the policy alone with all prompts at once, which
is the limit; methods named as arguments are run there alone.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import product

from harness.cost import Architecture
from harness.policies.batches import BatchStream
from harness.policies.policy import Ability, Policy
from harness.prms.aggregate import aggregate
from harness.prms.prm import Covers
from harness.search.driver import Driver, Job
from harness.search.methods import parse_method
from harness.search.setting import Setting
from harness.types import (
    Agree,
    Agreed,
    Cut,
    Draft,
    Extend,
    Extended,
    Json,
    Judge,
    Judged,
    Question,
    Sampling,
    Semantics,
    Spec,
    StepScores,
    Tokens,
)

METHODS = ("best_of_n", "beam", "dvts", "rebase", "mcts", "particle", "adaptive_best_of_n")
STEPS, N = 6, 16
EMBEDDED = {"best_of_n": 0.9, "beam": 0.6, "dvts": 0.6, "rebase": 0.6, "mcts": 0.5, "particle": 0.6}
"""Method -> share of the policy's tokens per second to be reached, the policy being given at once
all that the method has under way: n drafts of each problem, of MCTS one."""


class Instant:
    """A policy and a PRM that take no time; solutions of six steps."""

    spec = Spec("instant", "fake", "instant")
    max_samples: int | None = None
    unit_rows = 1024
    architecture: Architecture | None = Architecture(1000, 1000, 10, 2, 8)
    abilities: frozenset[Ability] = frozenset({"continue"})
    semantics: Semantics = "p_correct"
    threshold: float | None = 0.5
    aggregation = "min"
    covers: Covers = "steps"
    live = True

    def __init__(self) -> None:
        self.scores = [random.Random(i).random() for i in range(101)]
        self.spent = 0.0

    def identity(self) -> dict[str, Json]:
        return {}

    def describe(self) -> dict[str, Json]:
        return {}

    def check(self, questions: Sequence[Question], samples: int) -> None: ...

    def load(self) -> None: ...

    def remember(self, on: bool) -> None: ...

    def close(self) -> None: ...

    def stream(self) -> BatchStream:
        return BatchStream(self.extend)

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        start = time.process_time()
        replies = [self._extend(request) for request in requests]
        self.spent += time.process_time() - start
        return replies

    def _extend(self, request: Extend) -> Extended:
        drafts = []
        for i, draft in enumerate(request.drafts):
            more = 1 if request.cut else STEPS - len(draft.steps)
            text = f"step {(request.sampling.seed + 7919 * i) % 1_000_003}\n"
            steps = (*draft.steps, *([text] * more))
            done = "stop" if len(steps) >= STEPS else None
            drafts.append(Draft(steps, done, (draft.tokens or 0) + 8 * more))
        return Extended(tuple(drafts), Tokens(len(drafts), 50, 50, 8 * len(drafts)))

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        start = time.process_time()
        replies = []
        for request in requests:
            found = tuple(
                StepScores(
                    tuple(self.scores[int(step[5:]) % 101] for step in d.steps),
                    "p_correct",
                    tokens=50 + 8 * len(d.steps),
                )
                for d in request.drafts
            )
            replies.append(Judged(found, Tokens(len(found), 50, 50)))
        self.spent += time.process_time() - start
        return replies


def same(requests: Sequence[Agree]) -> list[Agreed]:
    """Answers that never agree."""
    return [Agreed(tuple(range(len(request.drafts)))) for request in requests]


def jobs(
    method: str, questions: Sequence[Question], n: int, sampling: Sampling, cut: Cut, agg: str
) -> list[Job]:
    spec = parse_method(method)

    def job(question: Question) -> Job:
        setting = Setting(
            question,
            n,
            sampling,
            cut,
            aggregate=lambda scores: aggregate(agg, scores.values),
            random=random.Random(question.id),
        )
        return Job(question.id, lambda: spec.search(setting), "best")

    return [job(question) for question in questions]


def overhead(method: str, problems: int, concurrency: int) -> tuple[float, int]:
    """Milliseconds of the processor a request, beside the engine's own; number of requests."""
    engine = Instant()
    driver = Driver(engine, engine, same, concurrency=concurrency)
    questions = [Question("t", f"p{i}", "q") for i in range(problems)]
    todo = jobs(method, questions, N, Sampling(), Cut(("\n",)), "min")
    start = time.process_time()
    ended = sum(1 for _ in driver.run(todo))
    seconds = time.process_time() - start - engine.spent
    assert ended == problems
    return 1e3 * seconds / driver.timing.requests, driver.timing.requests


def embedded(methods: Sequence[str], problems: int = 64) -> None:
    """All at once against one at a time, with the same engine."""
    from harness.problems import load
    from harness.registry import open_policy, open_prm

    task = load("chain_arithmetic", limit=problems)[0]
    questions = [problem.question for problem in task.problems]
    policy, prm = open_policy("embedded"), open_prm("prm-math-large")
    sampling, cut, alone = Sampling(max_tokens=256), Cut(("\n",)), 6

    def read(draft: Draft) -> Draft:
        return Draft(tuple(task.steps.cut(draft.text)), draft.finish, draft.tokens)

    limits: dict[int, tuple[float, float]] = {}
    for n, method in product((4, N), methods):
        rows = 1 if method == "mcts" else n
        if rows not in limits:
            together = limit(policy, [questions], rows, sampling)
            apart = limit(policy, [[one] for one in questions[:alone]], rows, sampling)
            limits[rows] = together, together / apart
            print(
                f"policy alone    {problems} problems × {rows:<2} drafts at once {together:10,.0f} "
                f"tokens/s   one problem at a time {apart:10,.0f}: {together / apart:.1f} times"
            )
        speeds: list[float] = []
        for some, concurrency in ((questions, problems), (questions[:alone], 1)):
            todo = jobs(method, some, n, sampling, cut, prm.aggregation)
            driver = Driver(policy, prm, same, read=read, concurrency=concurrency)
            if not speeds:
                list(Driver(policy, prm, same, read=read).run(todo[:2]))  # loads the models
            start = time.perf_counter()
            decoded = sum(one.usage.policy.decode for one in driver.run(todo))
            seconds = time.perf_counter() - start
            speeds.append(len(some) / seconds)
            timing = driver.timing
            own = timing.total - timing.policy - timing.prm - timing.agree
            if len(speeds) == 1:
                used = decoded / (seconds - timing.prm) / limits[rows][0]
            parts = {"policy": timing.policy, "PRM": timing.prm, "driver": own}
            print(
                f"{method:<15} n = {n:<2} {concurrency:>3} at once  {speeds[-1]:7.2f} problems/s  "
                f"{decoded / seconds:7,.0f} tokens/s  "
                + "  ".join(
                    f"{name} {100 * spent / seconds:.1f} %" for name, spent in parts.items()
                )
            )
        print(
            f"{'':<20} ratio {speeds[0] / speeds[1]:.1f} of at least 5 (the policy alone: "
            f"{limits[rows][1]:.1f}); {used:.2f} of the policy's "
            f"speed, the PRM's time apart, of at least {EMBEDDED.get(method, 0.5)}"
        )


def limit(policy: Policy, calls: Sequence[Sequence[Question]], n: int, sampling: Sampling) -> float:
    """Return the tokens per second of a policy that writes all of a call at once, call by call."""
    asked = [[Extend(question, (Draft(),) * n, sampling) for question in call] for call in calls]
    policy.extend(asked[0][:2])  # loads the model
    start = time.perf_counter()
    decoded = sum(reply.tokens.decode for call in asked for reply in policy.extend(call))
    return decoded / (time.perf_counter() - start)


def main() -> None:
    if sys.argv[1:2] == ["crowd"]:
        ms, requests = overhead(sys.argv[2], 10_000, 10_000)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{sys.argv[2]:<20} 10,000 problems at once  {ms:6.3f} ms a request of at most 1  "
            f"{peak:5.2f} GB of at most 2  ({requests:,} requests)"
        )
        return
    for method in () if sys.argv[1:] else METHODS:
        ms, requests = overhead(method, 64, 64)
        print(
            f"{method:<20} 64 problems at once      {ms:6.3f} ms a request of at most 1  "
            f"({requests:,} requests, n = {N})"
        )
    for method in () if sys.argv[1:] else ("beam", "mcts"):
        # A process of its own, so that its peak memory is its own.
        subprocess.run([sys.executable, "-m", "benchmarks.driver", "crowd", method], check=True)
    embedded(sys.argv[1:] or list(EMBEDDED))


if __name__ == "__main__":
    main()
