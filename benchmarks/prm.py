"""Scoring with an embedded PRM, beside the bare model that reads a padded row per solution."""

from __future__ import annotations

import time

from harness.problems import load
from harness.registry import open_policy, open_prm
from harness.types import Draft, Extend, Judge, Sampling

PROBLEMS, SAMPLES = 24, 16


def main() -> None:
    import torch
    from transformers import AutoModelForTokenClassification

    from harness.adapters.checkpoint import EMBEDDED
    from harness.adapters.memory import plan
    from harness.segment import parse

    problems = load("chain_arithmetic", limit=PROBLEMS)[0].problems
    policy, cut = open_policy("embedded"), parse("delimiter:\n").cut
    drafts = (Draft(),) * SAMPLES
    replies = policy.extend(
        [Extend(p.question, drafts, Sampling(max_tokens=256)) for p in problems]
    )
    requests = []
    for problem, reply in zip(problems, replies, strict=True):
        # Different texts only: equal drafts are scored once, which is not what is measured here.
        texts = dict.fromkeys(draft.text for draft in reply.drafts if draft.text)
        requests.append(Judge(problem.question, tuple(Draft(cut(text), "stop") for text in texts)))
    prm = open_prm("prm-math-large")
    prm.judge(requests[:1])  # loads the model
    start = time.perf_counter()
    judged = prm.judge(requests)
    seconds = time.perf_counter() - start
    tokens = sum(reply.tokens.prefill_computed for reply in judged)
    solutions = sum(len(request.drafts) for request in requests)

    model = AutoModelForTokenClassification.from_pretrained(
        EMBEDDED / "prm-math-large", dtype=torch.float32
    ).eval()
    lengths = [scores.tokens for reply in judged for scores in reply.scores]
    batches = [[lengths[i] for i in batch] for batch in plan(lengths, 2048)]
    with torch.inference_mode():
        model(input_ids=torch.ones((8, 256), dtype=torch.long))
        start = time.perf_counter()
        for batch in batches:
            model(input_ids=torch.randint(4, 40, (len(batch), max(batch))))
        rows = time.perf_counter() - start
    print(f"{solutions} solutions, {sum(lengths):,} tokens, {tokens:,} computed")
    for name, read, spent in (
        ("this PRM", tokens, seconds),
        ("one row per solution", sum(lengths), rows),
    ):
        print(f"{name:<20} {read / spent:9,.0f} tokens/s  {solutions / spent:7.0f} solutions/s")
    print(f"{'':<20} ratio {rows / seconds:.2f} in solutions")


if __name__ == "__main__":
    main()
