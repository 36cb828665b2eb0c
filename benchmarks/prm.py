"""Scoring with a PRM: beside a forward pass per step, beside the bare model, and what it pads.

Both sides of a ratio take turns in one process, and medians count. The bare model gets the same
tokens, encoded beforehand and in batches by tokens; it has no head, and nothing reads what it
gives. Names of parts (``prefixes``, ``padding``, ``bare``, ``samples``) run only these.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import sigmoid

from harness.adapters.checkpoint import EMBEDDED
from harness.adapters.memory import plan
from harness.cost import Architecture
from harness.prms.forward import Forward
from harness.prms.recipe import Recipe
from harness.prms.render import Encoded, Encoder
from harness.prms.transformers import TransformersPrm
from harness.registry import open_policy
from harness.types import Draft, Extend, Json, Judge, Question, Sampling, Spec

DATA = Path(os.environ.get("HARNESS_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
TOKENS = 2048
"""Of a pass; the default on a CPU."""
SOLUTIONS, STEPS, ROUNDS = 64, 20, 3
TARGETS = {"prefixes": 5.0, "padding": 0.15, "bare": 0.85}
POOLS = {
    "MATH-500, Qwen2.5-Math-1.5B": "math500_pools/qwen2.5-math-1.5b_runA_n4_candidates.jsonl.gz",
    "MATH-500, Llama-3.2-1B": "math500_pools/llama-3.2-1b-instruct_runA_n4_candidates.jsonl.gz",
    "OlympiadBench, Qwen2.5-7B": "olympiadbench_pool/qwen2.5-7b-instruct_t1_n8.json.gz",
}
"""Recorded solutions, in ``recorded/``."""
PIECES = re.compile(r" ?[^\W\d_]+|\d| ?[^\s\w]+[\r\n]*|\s*[\r\n]+|\s+|_")
"""What Qwen's tokenizer cuts a text into before it merges: nearly its tokens, and no weights."""
PROBLEMS, COUNT = 30, 16
"""Of each pool, drawn by lot; solutions of a batch that is made by count, as they come."""
QWEN_7B = Architecture(6_525_288_448, 6_525_288_448, 3_584, 28, 3_584)
"""Decides when a tree pays."""


def main() -> None:
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    wanted = sys.argv[1:] or list(PARTS)
    with tempfile.TemporaryDirectory() as folder:
        models = {"embedded, 1.2M": EMBEDDED / "prm-math-large", "random, 5.6M": made(folder)}
        for name in wanted:
            PARTS[name](models)


def made(folder: str) -> Path:
    """Save a value-head model with random weights and the embedded tokenizer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(EMBEDDED / "prm-math-large")
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        num_labels=1,
    )
    transformers.Qwen2ForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Path(folder)


def solutions(count: int, low: int, high: int) -> list[Judge]:
    """Solutions of as many problems, with `low` to `high` steps."""
    rng = random.Random(0)
    requests = []
    for number in range(count):
        names = rng.choices("abcdefgh", k=high + 1)
        steps = tuple(
            f"{a}={b}{rng.choice('+-*')}{rng.randrange(10, 100)}\n"
            for a, b in pairwise(names[: rng.randint(low, high) + 1])
        )
        question = Question("made", str(number), f"{'; '.join(names)};{number}?\n")
        requests.append(Judge(question, (Draft(steps, "stop"),)))
    return requests


def encoded(folder: Path, requests: Sequence[Judge]) -> list[Encoded]:
    """Inputs of a value head, as our PRM makes them."""
    encoder = Encoder(Recipe(), transformers.AutoTokenizer.from_pretrained(folder))
    found = []
    for request in requests:
        for inputs in encoder.encode(request.question, request.drafts):
            assert isinstance(inputs, tuple)
            found += inputs
    return found


def rows(sequences: Sequence[Sequence[int]]) -> list[tuple[list[int], torch.Tensor]]:
    """Batches by tokens, padded on the right: places, and ids."""
    batches = []
    for batch in plan([len(ids) for ids in sequences], TOKENS):
        ids = torch.zeros((len(batch), len(sequences[batch[0]])), dtype=torch.long)
        for row, place in enumerate(batch):
            ids[row, : len(sequences[place])] = torch.tensor(sequences[place])
        batches.append((batch, ids))
    return batches


def ours(folder: Path) -> TransformersPrm:
    """Our PRM, loaded."""
    options: dict[str, Json] = {"batch": TOKENS, "device": "cpu"}
    prm = TransformersPrm(Spec("prm", "transformers", str(folder), options))
    prm.judge(solutions(1, 2, 2))
    return prm


def turns(rounds: int, *works: Callable[[], Any]) -> list[float]:
    """Median seconds of some pieces of work that take turns, and begin in turns."""
    seconds: list[list[float]] = [[] for _ in works]
    for turn in range(rounds):
        for i in sorted(range(len(works)), reverse=bool(turn % 2)):
            start = time.perf_counter()
            works[i]()
            seconds[i].append(time.perf_counter() - start)
    return [statistics.median(of) for of in seconds]


# --- the parts -----------------------------------------------------------------------------------


def prefixes(models: dict[str, Path]) -> None:
    """One pass for all steps of a solution, beside the bare model reading every prefix."""
    print(f"{SOLUTIONS} solutions of {STEPS} steps, each of another problem")
    print(f"  {'':<18}{'a pass per prefix':>18}{'one pass':>10}{'ratio':>8}{'target':>11}", end="")
    print("   largest difference")
    requests = solutions(SOLUTIONS, STEPS, STEPS)
    for name, folder in models.items():
        prm = ours(folder)
        model = transformers.AutoModelForTokenClassification.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        parts = [one.ids[: read + 1] for one in encoded(folder, requests) for read in one.reads]
        batches, scores = rows(parts), np.zeros(len(parts))

        @torch.inference_mode()
        def each(model=model, batches=batches, parts=parts, scores=scores) -> None:
            for places, ids in batches:
                ends = [len(parts[place]) - 1 for place in places]
                numbers = model(input_ids=ids).logits[range(len(places)), ends, 0]
                scores[places] = sigmoid(numbers.double()).numpy()

        slow, fast = turns(
            3 if "embedded" in name else 1, each, lambda prm=prm: prm.judge(requests)
        )
        found = [v for reply in prm.judge(requests) for v in reply.scores[0].values]
        apart = float(np.abs(np.array(found) - scores).max())
        assert apart <= 1e-4, f"{name}: scores differ by {apart:g}"
        ratio, aim = f"{slow / fast:.1f}", f"at least {TARGETS['prefixes']:.0f}"
        print(f"  {name:<18}{slow:>16.2f} s{fast:>8.2f} s{ratio:>8}{aim:>11}   {apart:.0e}")


def padding(models: dict[str, Path]) -> None:
    """Slots of our passes that hold no token, on the lengths of recorded solutions.

    The model that is given the ids is as small as can be and counts what it is given; what is
    packed and what is not is decided as for a model of 7B.
    """
    if not (DATA / "recorded").is_dir():
        print(f"no {DATA / 'recorded'}, padding is left out: set HARNESS_DATA")
        return
    config = transformers.Qwen2Config(
        vocab_size=1000,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        num_labels=1,
    )
    model, slots = transformers.Qwen2ForTokenClassification(config).eval(), list[int]()
    model.register_forward_pre_hook(
        lambda _, __, given: slots.append(given["input_ids"].numel()), with_kwargs=True
    )
    print("slots without a token; all slots, prompts read once, beside tokens of all solutions")
    print(
        f"  {'':<30}{'tokens of a pass':<18}{'by count':>10}{'by tokens':>11}{'target':>14}", end=""
    )
    print(f"{'packed':>9}")
    for name, path in POOLS.items():
        problems = pool(DATA / "recorded" / path)
        alone = [[one] for of in problems for one in of]
        lengths = [len(one.ids) for (one,) in alone]
        batches = [lengths[i : i + COUNT] for i in range(0, len(lengths), COUNT)]
        naive = sum(len(batch) * max(batch) for batch in batches)
        for budget in (TOKENS, 32_768):
            found = []
            for requests, shape in ((alone, None), (problems, QWEN_7B)):
                reader = Forward(model, budget, shape)
                slots.clear()
                reader.read(requests)
                found.append(sum(slots))
            plain, packed = found
            shares = [1 - sum(lengths) / of for of in (naive, plain)]
            print(f"  {name:<30}{budget:<18,}{shares[0]:>10.1%}{shares[1]:>11.1%}", end="")
            print(f"{'under 15 %':>14}{packed / sum(lengths):>9.2f}")


def pool(path: Path) -> list[list[Encoded]]:
    """Inputs as long as the recorded solutions of some problems, alike in the prompt alone."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        data = [json.loads(line) for line in file] if "jsonl" in path.name else json.load(file)
    rng, problems = np.random.default_rng(0), []
    for row in random.Random(0).sample(data, PROBLEMS):
        texts = row.get("responses") or ["\n\n".join(steps) for steps in row["steps"]]
        prompt, *sizes = (
            len(PIECES.findall(text)) for text in (row.get("problem") or row["question"], *texts)
        )
        shared = rng.integers(1000, size=prompt).tolist()
        made = [(*shared, *rng.integers(1000, size=max(1, size)).tolist()) for size in sizes]
        problems.append([Encoded(ids, (len(ids) - 1,)) for ids in made])
    return problems


def bare(models: dict[str, Path]) -> None:
    """Scores from texts, beside the bare model on the same tokens."""
    requests = solutions(48, 6, 40)
    print(f"{len(requests)} solutions of 6 to 40 steps, each of another problem")
    print(f"  {'':<18}{'':<12}{'solutions/s':>12}{'tokens/s':>12}{'ratio':>8}{'target':>16}")
    for name, folder in models.items():
        prm, inputs = ours(folder), encoded(folder, requests)
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        batches = rows([one.ids for one in inputs])

        @torch.inference_mode()
        def forward(model=model, batches=batches) -> None:
            for _, ids in batches:
                model(input_ids=ids, use_cache=False)

        alone, whole = turns(ROUNDS, forward, lambda prm=prm: prm.judge(requests))
        tokens = sum(len(one.ids) for one in inputs)
        for what, seconds in (("bare model", alone), ("this PRM", whole)):
            speeds = f"{len(requests) / seconds:>12,.0f}{tokens / seconds:>12,.0f}"
            end = "" if seconds == alone else f"{alone / whole:>8.2f}{'at least 0.85':>16}"
            print(f"  {name if what == 'bare model' else '':<18}{what:<12}{speeds}{end}")


def samples(models: dict[str, Path]) -> None:
    """Samples of one policy, which share their beginnings, beside a row for each."""
    from harness.problems import load

    problems, count = load("chain_arithmetic", limit=24)[0].problems, 16
    drafts, sampling = (Draft(),) * count, Sampling(max_tokens=256)
    replies = open_policy("embedded").extend(
        [Extend(p.question, drafts, sampling) for p in problems]
    )
    requests = []
    for problem, reply in zip(problems, replies, strict=True):
        # Different texts only: equal drafts are scored once, which is not what is measured here.
        texts = dict.fromkeys(draft.text for draft in reply.drafts if draft.text)
        found = tuple(Draft(tuple(text.splitlines(keepends=True)), "stop") for text in texts)
        requests.append(Judge(problem.question, found))
    folder = models["embedded, 1.2M"]
    prm, inputs = ours(folder), encoded(folder, requests)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    batches = rows([one.ids for one in inputs])

    @torch.inference_mode()
    def forward() -> None:
        for _, ids in batches:
            model(input_ids=ids, use_cache=False)

    alone, whole = turns(ROUNDS, forward, lambda: prm.judge(requests))
    read = sum(reply.tokens.prefill_computed for reply in prm.judge(requests))
    tokens = sum(len(one.ids) for one in inputs)
    print(
        f"{len(inputs)} samples of {len(problems)} problems: {tokens:,} tokens, {read:,} computed"
    )
    print(f"  bare model, a row for each{len(inputs) / alone:>12,.0f} solutions/s")
    print(f"  this PRM{len(inputs) / whole:>30,.0f} solutions/s   ratio {alone / whole:.2f}")


PARTS: dict[str, Callable[[dict[str, Path]], None]] = {
    "prefixes": prefixes,
    "padding": padding,
    "bare": bare,
    "samples": samples,
}

if __name__ == "__main__":
    main()
