"""The cards of the trained models: what each is, what it learned from, what it can do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.embedded import evaluate, policy, prms
from harness.embedded.samples import ROLLOUTS
from harness.embedded.shapes import GROWN, SHAPES, parameters

_EXACT = "the exact step checker's"
_ROLLOUTS = f"Monte-Carlo, {ROLLOUTS} rollouts of the policy per probed prefix, binary search"

_POLICY = """# embedded policy

A Qwen2 language model of {parameters:,} parameters ({layers} layers, width {width}, one key-value
head) that solves `chain_arithmetic` and `chain_programs`. It learned to write as the mistake
model of `harness/embedded/mistakes.py` does, mistakes included: its greedy answer and its
majority are wrong wherever the mistake model is wrong more often than right.

- Prompt: the problem text and a line end. One step per line; then the end token.
- Data: fresh problems of the train split, {share:.0%} of them programs; loss on the solution only.
- Training: {first:,} and then {more:,} steps of up to {tokens:,} tokens, AdamW, peak rates
  {first_rate:g} and {more_rate:g}, cosine, seeds `{first_seed}` and `{more_seed}`, bfloat16
  autocast.
- Stored in bfloat16, measured in float32 at temperature 1.0 on the test split ({count} problems
  of arithmetic):

{table}
"""

_PRM = """# {name}

A Qwen2 step scorer of {parameters:,} parameters (size {size}, {layers} layers, width {width}). It
reads the problem, a line end and the solution's steps, each with its line end; at every step's
line end, the sigmoid of the one logit is the probability that this step is right, given that all
before it are. A minimum or a product over the steps judges the whole solution; the last score
alone does not.

- Domains: {domains}. Labels: {labels}.
- Data: {data}.
- Start: {start}, which stays as it is; {grown} new layers on top and the head learn.
- Training: {steps:,} steps of up to {tokens:,} tokens, AdamW, peak rate {rate:g}, cosine, seed
  `{seed}`, bfloat16 autocast.
- Stored in bfloat16, measured in float32. The pool is 64 samples per test problem at temperature
  1.0; intervals are paired over problems, 95 %; F1 is first-wrong-step F1 on
  `chain_errors` at threshold 0.5:

{table}
"""


def write(folder: Path, found: Mapping[str, Any], model: Any, named: Mapping[str, Any]) -> None:
    """One README.md beside the weights of the policy and of each PRM."""
    shape = SHAPES["large"]
    card = _POLICY.format(
        parameters=parameters(model),
        layers=shape.layers,
        width=shape.width,
        share=policy.SHARE_OF_PROGRAMS,
        tokens=policy.PLAN.tokens,
        first=policy.PLAN.steps,
        first_rate=policy.PLAN.rate,
        first_seed=policy.PLAN.seed,
        more=policy.MORE.steps,
        more_rate=policy.MORE.rate,
        more_seed=policy.MORE.seed,
        count=200,
        table=evaluate.policy_table(found),
    )
    (folder / "policy" / "README.md").write_text(card)
    for name, prm in named.items():
        (folder / name / "README.md").write_text(_prm_card(name, prm, found))


def _prm_card(name: str, prm: Any, found: Mapping[str, Any]) -> str:
    recipe = prms.RECIPES[name]
    start = "the policy"
    if recipe.start:
        start = f"the policy below {recipe.start}, whose new layers it takes over,"
    elif recipe.size != "large":
        steps = prms.BASES[recipe.size].steps
        start = f"a language model of this size ({steps:,} steps on the mistake corpus)"
    sampled = "solutions sampled from the embedded policy on train problems"
    if not recipe.monte_carlo:
        sampled += ", half and half with fresh ones in which every trap catches two times in five"
    return _PRM.format(
        name=name,
        parameters=parameters(prm),
        layers=prm.config.num_hidden_layers,
        width=prm.config.hidden_size,
        size=recipe.size,
        domains=", ".join(recipe.domains),
        labels=_ROLLOUTS if recipe.monte_carlo else _EXACT,
        data=sampled,
        start=start,
        grown=GROWN,
        steps=recipe.plan.steps,
        tokens=recipe.plan.tokens,
        rate=recipe.plan.rate,
        seed=recipe.plan.seed,
        table=evaluate.prm_table(found, [name]),
    )
