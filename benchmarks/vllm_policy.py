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
each line, and shares are of the mean of the two.

    python -m benchmarks.vllm_policy [PROBLEMS [SAMPLES]]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.driver import jobs, same
from harness.adapters.vllm import Engine
from harness.policies.vllm import VllmPolicy
from harness.problems import load
from harness.registry import open_policy, open_prm
from harness.search.driver import Driver
from harness.types import Cut, Draft, Extend, Question, Sampling

METHODS = (("best_of_n", 0.95), ("beam,width=4", 0.6), ("mcts", 0.6))
"""Method, and the share of the bare engine's tokens per second to be reached."""
SAMPLING = Sampling(max_tokens=256)

Asked = tuple[Sequence[int], int]
"""Tokens of a request, and how many the engine wrote for it."""


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


def whole(policy: VllmPolicy, questions: Sequence[Question], samples: int) -> float:
    """Return the tokens per second of the policy, asked for everything in one call."""
    requests = [Extend(question, (Draft(),) * samples, SAMPLING) for question in questions]
    start = time.perf_counter()
    decoded = sum(reply.tokens.decode for reply in policy.extend(requests))
    return decoded / (time.perf_counter() - start)


def main() -> None:
    problems, samples = (*map(int, sys.argv[1:3]), *(256, 16)[len(sys.argv[1:3]) :])
    task = load("chain_arithmetic", limit=problems)[0]
    questions = [problem.question for problem in task.problems]
    policy, prm = open_policy("embedded,engine=vllm"), open_prm("prm-math-small")
    assert isinstance(policy, VllmPolicy)
    prompts = [(policy._encoding.asked(question), SAMPLING.max_tokens) for question in questions]

    def read(draft: Draft) -> Draft:
        return Draft(tuple(task.steps.cut(draft.text)), draft.finish, draft.tokens)

    def alone(rows: int = samples) -> float:
        return bare(policy, [prompt for prompt in prompts for _ in range(rows)])

    bare(policy, prompts[:4] * 4)  # starts the engine
    speeds = [alone(), whole(policy, questions, samples), alone()]
    limit = (speeds[0] + speeds[2]) / 2
    print(f"{problems} problems × {samples}; tokens/s of the bare engine before and after")
    print(
        f"one call        {speeds[1]:7,.0f} tokens/s, bare {speeds[0]:7,.0f} {speeds[2]:7,.0f}: ",
        end="",
    )
    print(f"{speeds[1] / limit:.2f} of the bare engine", flush=True)
    last = speeds[2]
    for method, target in METHODS:
        driver = Driver(policy, prm, same, read=read, concurrency=problems)
        todo = jobs(method, questions, samples, SAMPLING, Cut(("\n",)), prm.aggregation)
        start = time.perf_counter()
        with overheard(policy._running()) as asked:
            decoded = sum(one.usage.policy.decode for one in driver.run(todo))
        seconds, judging = time.perf_counter() - start, driver.timing.prm
        most = bare(policy, asked, ends=False)
        before, last = last, alone()
        limit = (before + last) / 2
        print(
            f"{method:<15} {decoded / seconds:7,.0f} tokens/s, bare {before:7,.0f} {last:7,.0f}: "
            f"{decoded / seconds / limit:.2f} of the bare engine; without the PRM's "
            f"{judging:.1f} of {seconds:.1f} s {decoded / (seconds - judging) / limit:.2f} of at "
            f"least {target}; the bare engine, given the same {len(asked):,} requests at once, "
            f"{most / limit:.2f}",
            flush=True,
        )
    few = alone(1)
    print(f"MCTS has one to four drafts of a problem at work; the bare engine with one {few:,.0f}")
    policy.close()


if __name__ == "__main__":
    main()
