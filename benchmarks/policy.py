"""Sampling with the embedded policy: our loop beside the library's own `generate`, same model."""

from __future__ import annotations

import time

from harness.problems import load
from harness.registry import open_policy
from harness.types import Draft, Extend, Sampling

PROBLEMS, SAMPLES = 16, 32


def main() -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from harness.adapters.checkpoint import EMBEDDED

    problems = load("chain_arithmetic", limit=PROBLEMS)[0].problems
    policy = open_policy("embedded")
    sampling = Sampling(max_tokens=256)
    requests = [Extend(p.question, (Draft(),) * SAMPLES, sampling) for p in problems]
    policy.extend(requests[:1])  # loads the model
    start = time.perf_counter()
    decoded = sum(reply.tokens.decode for reply in policy.extend(requests))
    ours = decoded / (time.perf_counter() - start)

    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "policy", padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED / "policy", dtype=torch.float32).eval()
    prompts = [p.prompt for p in problems for _ in range(SAMPLES)]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    batch.pop("token_type_ids", None)
    start = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(**batch, do_sample=True, top_k=0, max_new_tokens=256)
    written = out[:, batch["input_ids"].shape[1] :]
    ends = (written == tokenizer.eos_token_id).int()
    lengths = torch.where(ends.any(1), ends.argmax(1) + 1, written.shape[1])
    theirs = int(lengths.sum()) / (time.perf_counter() - start)
    print(f"{PROBLEMS} problems × {SAMPLES} samples, useful tokens only")
    print(f"this policy          {ours:9,.0f} tokens/s")
    print(f"model.generate       {theirs:9,.0f} tokens/s   ratio {ours / theirs:.1f}")


if __name__ == "__main__":
    main()
