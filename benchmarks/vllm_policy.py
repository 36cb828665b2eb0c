"""vLLM as a policy: searches beside the bare engine, on the same engine and weights.

The bare engine is given every prompt at once, as many times as there are samples, and draws with
its own sampler. Best-of-N, beam search and MCTS run through the driver as a run's searches do; the
seconds of the PRM, a small one on transformers, are told apart. While it judges, the engine goes on
with what it has, so that time is not all lost to the policy: both shares are printed.

    python -m benchmarks.vllm_policy [PROBLEMS [SAMPLES]]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from benchmarks.driver import jobs, same
from harness.policies.vllm import VllmPolicy
from harness.problems import load
from harness.registry import open_policy, open_prm
from harness.search.driver import Driver
from harness.types import Cut, Draft, Extend, Question, Sampling

METHODS = (("best_of_n", 0.95), ("beam,width=4", 0.6), ("mcts", 0.6))
"""Method, and the share of the bare engine's tokens per second to be reached."""
SAMPLING = Sampling(max_tokens=256)


def bare(policy: VllmPolicy, questions: Sequence[Question], samples: int) -> float:
    """Return the tokens per second of the engine alone."""
    engine = policy._running()
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    prompts = [policy._encoding.asked(question) for question in questions]
    params = SamplingParams(
        temperature=SAMPLING.temperature,
        max_tokens=SAMPLING.max_tokens,
        stop_token_ids=list(policy._ends.tokens),
        ignore_eos=True,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
    engine.forget()
    start = time.perf_counter()
    wanted = [prompt for prompt in prompts for _ in range(samples)]
    outputs = engine.run(wanted, [params] * len(wanted))
    decoded = sum(len(output.outputs[0].token_ids) for output in outputs)
    return decoded / (time.perf_counter() - start)


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

    def read(draft: Draft) -> Draft:
        return Draft(tuple(task.steps.cut(draft.text)), draft.finish, draft.tokens)

    bare(policy, questions[:4], 4)  # starts the engine
    alone = {rows: max(bare(policy, questions, rows) for _ in range(2)) for rows in (samples, 1)}
    for rows, speed in alone.items():
        print(f"bare engine     {problems} problems × {rows:<3} {speed:9,.0f} tokens/s")
    speed = max(whole(policy, questions, samples) for _ in range(2))
    print(f"one call        {problems} problems × {samples:<3} {speed:9,.0f} tokens/s  ", end="")
    print(f"{speed / alone[samples]:.2f} of the bare engine")
    for method, target in METHODS:
        driver = Driver(policy, prm, same, read=read, concurrency=problems)
        todo = jobs(method, questions, samples, SAMPLING, Cut(("\n",)), prm.aggregation)
        start = time.perf_counter()
        decoded = sum(one.usage.policy.decode for one in driver.run(todo))
        seconds, judging = time.perf_counter() - start, driver.timing.prm
        limit = alone[1 if method == "mcts" else samples]
        print(
            f"{method:<15} n = {samples:<3} {decoded / seconds:9,.0f} tokens/s  "
            f"{decoded / seconds / limit:.2f} of the bare engine; without the PRM's "
            f"{judging:.1f} of {seconds:.1f} s {decoded / (seconds - judging) / limit:.2f} "
            f"of at least {target}"
        )
    print(
        "MCTS writes one draft per problem at a time: it is set beside as much of the bare engine."
    )
    policy.close()


if __name__ == "__main__":
    main()
