"""Models that a plan needs to know of and that are not on this machine: their size, no more.

A plan downloads nothing. What is not at hand is taken as big as its catalogue entry says, or its
name; it can be asked for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Never, TypeVar

from harness.adapters.entries import Entry
from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import DataError
from harness.policies.policy import Ability
from harness.prms import recipe
from harness.prms.critics import recipe as critics
from harness.prms.prm import Covers
from harness.registry import POLICIES, PRMS, engine_of, parse_spec, with_engine
from harness.runner.shares import SHARE, USUAL_SHARE
from harness.types import Json, Question, Semantics, Spec

Opened = TypeVar("Opened")

_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([BM])(?![a-z0-9])", re.I)
_ACTIVE = re.compile(r"(?<![\w.])A(\d+(?:\.\d+)?)\s*([BM])(?![a-z0-9])", re.I)
_UNIT = {"b": 1e9, "m": 1e6}


class StandIn:
    """What a plan may ask a policy or a PRM, answered without it."""

    max_samples: int | None = None
    unit_rows = 64
    live = True
    abilities: frozenset[Ability] = frozenset({"continue", "logprobs", "chat", "weigh"})

    def __init__(
        self, spec: Spec, size: str, recipe: recipe.Recipe | None, gpu: bool = True
    ) -> None:
        """Args: what it stands for; its size in words; how a PRM's numbers are read; whether it is
        to run on a GPU."""
        self.spec, self.size, self._gpu = spec, size, gpu
        known = parameters(size)
        self.architecture: Architecture | None = None
        if known is not None:  # attention left out: the number of layers is not known
            self.architecture = Architecture(int(known), int(known), 0, 1, 0)
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
        """The share of a GPU that it would ask for; see `harness.runner.shares`."""
        options = self.spec.options
        if not self._gpu or self.spec.adapter != "vllm" or "cache" in options:
            return {}
        return {SHARE: options.get(SHARE, USUAL_SHARE)}

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """Refuse nothing."""

    def remember(self, on: bool) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def _refuse(self, *_: Any) -> Never:
        raise DataError(f"{self.spec.target} is not on this machine; it was only planned with")

    extend = stream = judge = _refuse


class Opener:
    """Opens what is at hand, and stands in for the rest."""

    def __init__(self, engine: str = "default", gpu: bool = True) -> None:
        """Args: see `with_engine`; whether the plan is for a GPU."""
        self.missing: list[StandIn] = []
        self._engine, self._gpu = engine, gpu

    def policy(self, text: str, open_: Callable[[str], Opened]) -> Opened | StandIn:
        """Open a policy."""
        from harness.policies import catalog

        return self._open(text, open_, "policy", POLICIES, catalog.entries())

    def prm(self, text: str, open_: Callable[[str], Opened]) -> Opened | StandIn:
        """Open a PRM."""
        from harness.prms import catalog

        return self._open(text, open_, "PRM", PRMS, catalog.entries())

    def _open(
        self,
        text: str,
        open_: Callable[[str], Opened],
        what: Literal["policy", "PRM"],
        adapters: Mapping[str, str],
        entries: Mapping[str, Entry],
    ) -> Opened | StandIn:
        if text.endswith((".yaml", ".yml")) and ":" not in text:
            return open_(text)
        specs = {name: entry.spec for name, entry in entries.items()}
        spec = parse_spec(text, adapters=adapters, catalog=specs, what=what)
        keys = _MODELS.get(spec.adapter, ())
        wanted = [spec.options.get(key, "") if key else spec.target for key in keys]
        if all(_at_hand(str(name)) for name in wanted):
            return open_(text)
        spec = engine_of(with_engine(spec, self._engine), what)
        entry = entries.get(text.split(",")[0])
        size = entry.size if entry and entry.size else named(spec)
        made = StandIn(spec, size, _recipe(spec) if what == "PRM" else None, self._gpu)
        self.missing.append(made)
        return made


_MODELS: Mapping[str, tuple[str, ...]] = {
    "transformers": ("", "reference"),
    "vllm": ("", "reference"),
    "critic": ("model",),
    "openai": ("tokenizer",),
}
"""Adapter → what may name a model of the hub, which opening would download; empty: the target."""


def _at_hand(target: str) -> bool:
    """Whether opening a target downloads nothing."""
    name = target.strip("[]").split(",")[0].rpartition(":")[2]
    if not _HUB.fullmatch(name):
        return True
    from pathlib import Path

    if Path(name).is_dir():
        return True
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return False
    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _recipe(spec: Spec) -> recipe.Recipe | None:
    """Return how a PRM's numbers are read; None for a critic."""
    if spec.adapter == "critic":
        return None
    return recipe.from_options(Options(recipe.with_recipe(spec), "PRM"))


def named(spec: Spec) -> str:
    """Return the size that a model's name states, in words; empty: none."""
    target = str(spec.options.get("model", spec.target)).strip("[]").split(",")[0]
    for name in (target.rpartition("/")[2], spec.name):
        words = name.replace("-", " ").replace("_", " ")
        if found := _ACTIVE.search(words) or _SIZE.search(words):
            return f"{found[1]}{found[2].upper()} by its name"
    return ""


def parameters(size: str) -> float | None:
    """Return the number that a size in words means: ``7B``, ``0.3M``, ``7B + 7B``; None: none.

    Two models that read the same input are as one of both sizes.
    """
    found = [float(number) * _UNIT[unit.lower()] for number, unit in _SIZE.findall(size)]
    return sum(found) or None
