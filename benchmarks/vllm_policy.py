"""vLLM as a policy: searches beside the bare engine, on the same engine and weights.

The bare engine is given every prompt at once, as many times as there are samples, and draws with
its own sampler. Best-of-N, beam search and MCTS run through the driver as a run's searches do; the
seconds of the PRM, a small one on transformers, are told apart. While it judges, the engine goes on
with what it has, so that time is not all lost to the policy: both shares are printed.

A search asks for many short pieces, each of which the engine has to take in anew, and which are not
all there at once. What that alone costs is told by the bare engine too: it is given every request
that the search made, all at once, to write as many tokens with its own sampler. A search that had
no cost of its own, and never had to wait for a judgement, would be as fast.

On a machine that others use speeds change within minutes: the bare engine runs before and after
each method, shares are of the mean of the two, and a figure is the median of three rounds. The
problems are fresh ones, drawn as those of `chain_arithmetic` are, of which there are 200.

    python -m benchmarks.vllm_policy [PROBLEMS [SAMPLES [ROUNDS]]]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any
from unittest.mock import patch

from benchmarks.driver import jobs, same
from harness.adapters.vllm import Engine
from harness.embedded import chain_arithmetic
from harness.embedded.chain_arithmetic import MIXES
from harness.embedded.splits import stream
from harness.policies.vllm import VllmPolicy
from harness.problems import load
from harness.registry import open_policy, open_prm
from harness.search.driver import Driver
from harness.types import Cut, Draft, Extend, Question, Sampling

SAMPLING = Sampling(max_tokens=256)

TARGETS = {"best_of_n": 0.95, "beam,width=4": 0.6, "mcts": 0.6}
"""What each has to reach of the bare engine's speed, without the seconds of the PRM."""

Asked = tuple[Sequence[int], int]
"""Tokens of a request, and how many the engine wrote for it."""


@dataclass(frozen=True)
class Run:
    """What a method did."""

    method: str
    decoded: int
    seconds: float
    judging: float
    """Seconds in the PRM."""
    asked: list[Asked]


@dataclass(frozen=True)
class Shares:
    """A method's tokens per second, as shares of the bare engine's."""

    whole: float
    own: float
    """Without the PRM's seconds."""
    most: float
    """What the bare engine makes of the method's requests, given all at once."""

    @classmethod
    def of(cls, run: Run, most: float, limit: float) -> Shares:
        """Args: what a method did; the bare engine's speeds on its requests and on its own."""
        own = run.decoded / (run.seconds - run.judging)
        return cls(run.decoded / run.seconds / limit, own / limit, most / limit)


def line(run: Run, found: Shares) -> str:
    """Say what a method did in one round."""
    speed = run.decoded / run.seconds
    return (
        f"{run.method:<15} {speed:7,.0f} tokens/s, {found.whole:.2f} of the bare engine; without "
        f"the PRM's {run.judging:.1f} of {run.seconds:.1f} s {found.own:.2f}; its "
        f"{len(run.asked):,} requests, all at once, {found.most:.2f}"
    )


def bare(policy: VllmPolicy, asked: Sequence[Asked], ends: bool = True) -> float:
    """Return the tokens per second of the engine alone, given everything at once.

    Args:
        policy: whose engine it is.
        asked: what is read, and most tokens to write.
        ends: whether a text ends at its end token; else exactly as many are written.
    """
    engine = policy._running()
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    params = [
        SamplingParams(
            temperature=SAMPLING.temperature,
            max_tokens=size,
            stop_token_ids=list(policy._ends.tokens) if ends else [],
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        for _, size in asked
    ]
    engine.forget()
    start = time.perf_counter()
    outputs = engine.run([ids for ids, _ in asked], params)
    decoded = sum(len(output.outputs[0].token_ids) for output in outputs)
    return decoded / (time.perf_counter() - start)


@contextmanager
def overheard(engine: Engine) -> Iterator[list[Asked]]:
    """Yield a list that holds, when the block has ended, all that was asked of an engine there."""
    submit, step = engine.submit, engine.step
    sent, written, asked = dict[str, Sequence[int]](), Counter[str](), list[Asked]()

    def submitting(ids: Sequence[int], params: Any, adapter: Any = None) -> str:
        name = submit(ids, params, adapter)
        sent[name] = ids
        return name

    def stepping() -> list[Any]:
        outputs = step()
        for output in outputs:
            written[output.request_id] += len(output.outputs[0].token_ids)
        return outputs

    with patch.object(engine, "submit", submitting), patch.object(engine, "step", stepping):
        yield asked
    asked += [(ids, written[name]) for name, ids in sent.items()]


def one_call(policy: VllmPolicy, questions: Sequence[Question], samples: int) -> float:
    """Return the tokens per second of the policy, asked for everything in one call."""
    requests = [Extend(question, (Draft(),) * samples, SAMPLING) for question in questions]
    start = time.perf_counter()
    decoded = sum(reply.tokens.decode for reply in policy.extend(requests))
    return decoded / (time.perf_counter() - start)


def main() -> None:
    problems, samples, rounds = (*map(int, sys.argv[1:4]), *(256, 16, 3)[len(sys.argv[1:4]) :])
    task = load("chain_arithmetic", limit=1)[0]
    chains = stream(chain_arithmetic.generate, MIXES["test"].levels, "test", "vllm_policy")
    questions = [
        Question(task.name, f"drawn-{i}", f"{chain.text}\n")
        for i, chain in enumerate(islice(chains, problems))
    ]
    policy, prm = open_policy("embedded,engine=vllm"), open_prm("prm-math-small")
    assert isinstance(policy, VllmPolicy)
    prompts = [(policy._encoding.asked(question), SAMPLING.max_tokens) for question in questions]

    def read(draft: Draft) -> Draft:
        return Draft(tuple(task.steps.cut(draft.text)), draft.finish, draft.tokens)

    def alone(rows: int = samples) -> float:
        speed = bare(policy, [prompt for prompt in prompts for _ in range(rows)])
        print(f"{'bare engine':<13} {rows:>3} drafts of each {speed:7,.0f} tokens/s", flush=True)
        return speed

    def search(method: str) -> Run:
        driver = Driver(policy, prm, same, read=read, concurrency=problems)
        todo = jobs(method, questions, samples, SAMPLING, Cut(("\n",)), prm.aggregation)
        start = time.perf_counter()
        with overheard(policy._running()) as asked:
            decoded = sum(one.usage.policy.decode for one in driver.run(todo))
            seconds = time.perf_counter() - start
        return Run(method, decoded, seconds, driver.timing.prm, asked)

    bare(policy, prompts[:4] * 4)  # starts the engine
    last, found = alone(), {method: list[Shares]() for method in TARGETS}
    call = one_call(policy, questions, samples)
    print(f"one call                        {call:7,.0f} tokens/s", flush=True)
    for _ in range(rounds):
        for method in TARGETS:
            run = search(method)
            most = bare(policy, run.asked, ends=False)
            before, last = last, alone()
            found[method].append(Shares.of(run, most, (before + last) / 2))
            print(line(run, found[method][-1]), flush=True)
    alone(1)
    policy.close()
    print(f"\nmedians of {rounds}    share   without the PRM's seconds   its requests at once")
    for method, target in TARGETS.items():
        whole, own, most = (
            statistics.median(getattr(one, field.name) for one in found[method])
            for field in fields(Shares)
        )
        print(f"{method:<15} {whole:6.2f}   {own:.2f} (at least {target})            {most:.2f}")


if __name__ == "__main__":
    main()
