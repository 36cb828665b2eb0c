"""Train the tokenizer, the policy and the PRMs of the embedded benchmark from nothing.

    python -m harness.embedded.train                        everything, in this order
    python -m harness.embedded.train --out DIR policy       only the policy
    python -m harness.embedded.train samples prm-mixed      labelled samples, and one PRM from them
    python -m harness.embedded.train evaluate               measure and write the cards

Everything that is learned comes from the generators' train split and from the policy's own
samples on it; no test problem is ever seen. Intermediate files (samples, bases) go to --scratch
and are reused by later calls. All seeds are fixed; results agree between machines up to floating
point.

Minutes on two cores: the policy 35, its samples 3, rollouts 4, prm-math-large 6, prm-math-small 4,
prm-math-medium 11 (its base included), prm-code 4, prm-math-medium-mc 1, prm-mixed 4, evaluate 6.
"""

import argparse
import logging
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from harness.embedded import cards, evaluate, policy, prms, samples, shapes
from harness.embedded.training import fit

log = logging.getLogger("harness.embedded.train")

SAMPLED = {"arithmetic": 7_000, "programs": 3_500}
"""Train problems to sample from, two solutions each."""
MONTE_CARLO = 1_500
"""Solutions that get labels from rollouts."""


class Workshop:
    """Where the parts lie, and how each is made."""

    def __init__(self, out: Path, scratch: Path) -> None:
        self.out, self.scratch = out, scratch
        self.exact = scratch / "samples.jsonl"
        self.rollouts = scratch / "samples-mc.jsonl"

    def policy(self) -> Any:
        """The trained policy, in float32 as stored."""
        model = AutoModelForCausalLM.from_pretrained(self.out / "policy", dtype=torch.float32)
        return model.eval()

    def prm(self, name: str) -> Any:
        """A trained PRM, in float32 as stored."""
        folder = self.out / name
        model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
        return model.eval()

    def base(self, size: str) -> Path:
        """Folder of the language model that PRMs of this size start from."""
        if size == "large":
            return self.out / "policy"
        folder = self.scratch / f"base-{size}"
        if not folder.exists():
            shapes.save(fit(prms.BaseJob(size)), folder)
        return folder

    def make_policy(self) -> None:
        """Train the policy, in two rounds."""
        first = self.scratch / "policy-first"
        if not first.exists():
            shapes.save(fit(policy.PolicyJob()), first)
        shapes.save(fit(policy.PolicyJob(policy.MORE, first)), self.out / "policy")

    def make_samples(self) -> None:
        """Sample the policy on train problems and label the steps exactly."""
        write = samples.writer(self.policy(), seed=11)
        drawn = (
            samples.on_policy(write, domain, count, 2, "sampled")
            for domain, count in SAMPLED.items()
        )
        samples.save(list(chain.from_iterable(drawn)), self.exact)

    def make_rollouts(self) -> None:
        """Label solutions of arithmetic by rollouts of the policy."""
        write = samples.writer(self.policy(), seed=12)
        pool = samples.on_policy(write, "arithmetic", MONTE_CARLO, 1, "rollouts")
        samples.save(samples.monte_carlo(write, list(pool)), self.rollouts)

    def make_prm(self, name: str) -> None:
        """Train one PRM."""
        recipe = prms.RECIPES[name]
        sampled = self.rollouts if recipe.monte_carlo else self.exact
        start = self.out / recipe.start if recipe.start else None
        prm = fit(prms.PrmJob(name, self.base(recipe.size), sampled, start))
        shapes.save(prm, self.out / name)

    def evaluate(self) -> None:
        """Measure all models as stored, and write their cards."""
        named = {name: self.prm(name) for name in prms.RECIPES}
        model = self.policy()
        found = evaluate.measure(model, named)
        cards.write(self.out, found, model, named)

    def stages(self) -> dict[str, Callable[[], None]]:
        """Name of every stage -> how to run it, in order."""
        return {
            "policy": self.make_policy,
            "samples": self.make_samples,
            "rollouts": self.make_rollouts,
            **{name: partial(self.make_prm, name) for name in prms.RECIPES},
            "evaluate": self.evaluate,
        }


def main(arguments: list[str] | None = None) -> None:
    """Run the named stages, or all."""
    parser = argparse.ArgumentParser(description="Train the embedded models.")
    parser.add_argument("--out", type=Path, default=shapes.WEIGHTS, help="folder of the weights")
    parser.add_argument("--scratch", type=Path, default=Path("build/embedded"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("what", nargs="*", help="stages; none means all")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    options.scratch.mkdir(parents=True, exist_ok=True)
    stages = Workshop(options.out, options.scratch).stages()
    for name in options.what:
        if name not in stages:
            parser.error(f"no stage {name!r}; there are {', '.join(stages)}")
    for name in options.what or stages:
        began = time.monotonic()
        stages[name]()
        log.info("%s done in %.0f s", name, time.monotonic() - began)


if __name__ == "__main__":
    main()
