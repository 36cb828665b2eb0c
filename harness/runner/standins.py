"""Models that a plan needs to know of and that are not on this machine: their size, no more.

A plan downloads nothing. What is not at hand is taken as big as its catalogue entry says, or its
name; it can be asked for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Never, TypeVar

from harness.adapters.options import Options
from harness.config import Sweep
from harness.cost import Architecture
from harness.errors import ConfigError, DataError
from harness.policies.policy import Ability
from harness.prms import recipe
from harness.prms.critics import recipe as critics
from harness.prms.prm import Covers
from harness.registry import ENGINES, open_policy
from harness.runner.models import What, models, parameters, size, spec_of, weights
from harness.runner.plan import Plan, make_plan
from harness.runner.shares import SHARE, USUAL_SHARE
from harness.runner.truth import RunTruth
from harness.types import Json, Question, Semantics, Spec

Opened = TypeVar("Opened")

_HUB = re.compile(r"[\w.-]+/[\w.-]+")


class StandIn:
    """What a plan may ask a policy or a PRM, answered without it."""

    max_samples: int | None = None
    unit_rows = 64
    live = True
    abilities: frozenset[Ability] = frozenset({"continue", "logprobs", "chat", "weigh"})

    def __init__(
        self, spec: Spec, models: Sequence[Spec], size: str, recipe: recipe.Recipe | None
    ) -> None:
        """Args: what it stands for; the models behind it that would run on a GPU; its size in
        words; how a PRM's numbers are read."""
        self.spec, self.size, self._models = spec, size, models
        known = parameters(size)
        self.architecture: Architecture | None = None
        if known is not None:  # attention left out: the number of layers is not known
            active, held = int(known), int(weights(spec, size) or known)
            self.architecture = Architecture(held, active, 0, 1, 0, models=size.count("+") + 1)
        self.semantics: Semantics = recipe.semantics if recipe else "p_correct"
        self.aggregation = recipe.aggregation if recipe else "min"
        self.threshold: float | None = recipe.threshold if recipe else 0.5
        whole = recipe is not None and recipe.inputs == "whole"
        self.covers: Covers = "whole" if whole else "steps"
        if spec.adapter == "critic":
            self.covers = critics.from_options(Options(critics.with_recipe(spec), "PRM")).covers

    def identity(self) -> dict[str, Json]:
        """Nothing but the name: the digests of a plan with stand-ins are not those of a run."""
        return {"stand_in": self.spec.target}

    def describe(self) -> dict[str, Json]:
        """The shares of a GPU that its models would ask for; see `harness.runner.shares`."""
        asked: list[dict[str, Json]] = [
            {SHARE: Options(model, "model").number_or(SHARE, USUAL_SHARE, 0.01, 1.0)}
            for model in self._models
            if model.adapter == "vllm" and "cache" not in model.options
        ]
        return {f"model {number}": share for number, share in enumerate(asked)}

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """Refuse nothing."""

    def remember(self, on: bool) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def _refuse(self, *_: Any) -> Never:
        raise DataError(f"{self.spec.target} is not on this machine; it was only planned with")

    load = extend = stream = judge = _refuse


class Opener:
    """Opens what is at hand, and stands in for the rest."""

    def __init__(self, engine: str = "default", gpu: bool | None = True) -> None:
        """Args: see `with_engine`; whether the plan is for a GPU, None: if this machine has one."""
        self.missing: list[StandIn] = []
        self.unchecked: list[str] = []
        """What opening a model would have checked and was not."""
        self._engine, self._gpu = engine, gpu

    def policy(self, text: str, open_: Callable[[str], Opened]) -> Opened | StandIn:
        """Open a policy."""
        return self._open(text, open_, "policy")

    def prm(self, text: str, open_: Callable[[str], Opened]) -> Opened | StandIn:
        """Open a PRM."""
        return self._open(text, open_, "PRM")

    def _open(self, text: str, open_: Callable[[str], Opened], what: What) -> Opened | StandIn:
        spec = spec_of(text, what, self._engine)
        own = models(spec, self._engine)
        if all(map(_at_hand, own)):
            return open_(text)
        for model in own:
            self._check(model)
        read = _recipe(spec, own) if what == "PRM" else None
        if self._gpu is None:
            self._gpu = _gpu_here()
        running = own if self._gpu else ()
        made = StandIn(spec, running, size(spec, self._engine), read)
        self.missing.append(made)
        return made

    def _check(self, model: Spec) -> None:
        """Refuse a quantization that opening the model would refuse, as far as can be told here."""
        if "quantization" not in model.options:
            return
        name = str(model.options["quantization"])
        if model.adapter != "vllm":
            raise ConfigError(
                f"{model.name}: quantization={name} is an option of vLLM's; add engine=vllm, or "
                "give the run --engine vllm"
            )
        if find_spec("vllm") is None:
            self.unchecked.append(
                f"{model.name}: whether there is a quantization={name} was not checked, as vLLM is "
                "not installed here"
            )
            return
        from harness.adapters.vllm_settings import check_quantization

        check_quantization(name)


def plan_ahead(
    sweep: Sweep,
    data_dir: Path | None,
    places: Mapping[tuple[str, str], str],
    gpu: bool | None = None,
) -> tuple[Plan, Opener]:
    """Resolve a sweep without getting models that are not on this machine.

    Args:
        sweep: the settings.
        data_dir: folder of local data sets.
        places: where names stand in a file, for errors.
        gpu: see `Opener`.

    Raises:
        ConfigError: as `make_plan`.
        DataError: the same.
    """
    opener, truth = Opener(sweep.engine, gpu), RunTruth(sweep.engine)
    plan = make_plan(
        sweep,
        data_dir,
        lambda text: opener.policy(text, partial(open_policy, engine=sweep.engine)),
        lambda text: opener.prm(text, truth.open_prm),
        places,
    )
    return plan, opener


def _gpu_here() -> bool:
    """Whether this machine has a GPU that PyTorch knows."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


_MODELS: Mapping[str, tuple[str, ...]] = {
    "transformers": ("", "reference"),
    "vllm": ("", "reference"),
    "openai": ("tokenizer",),
}
"""Adapter → what may name a model of the hub, which opening would download; empty: the target."""


def _at_hand(model: Spec) -> bool:
    """Whether opening a model downloads nothing."""
    keys = _MODELS.get(model.adapter, ())
    return all(_here(str(model.options.get(key, "")) if key else model.target) for key in keys)


def _here(name: str) -> bool:
    """Whether what may name a model of the hub is a folder, nothing of the hub, or in its cache."""
    if not _HUB.fullmatch(name) or Path(name).is_dir():
        return True
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _recipe(spec: Spec, models: Sequence[Spec]) -> recipe.Recipe | None:
    """Return how a PRM's numbers are read, an ensemble's as its first member's; None: a critic."""
    if spec.adapter == "critic" or models[0].adapter not in ENGINES:
        return None
    return recipe.from_options(Options(recipe.with_recipe(models[0]), "PRM"))
