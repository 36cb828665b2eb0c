"""Whether models have room on a device: their weights beside its memory, as far as both are known.

Weights are counted, and nothing else: what has no room by them has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.adapters.options import Options
from harness.forecast.throughput import Device
from harness.forecast.weights import width
from harness.registry import ENGINES
from harness.runner.models import models, size, weights
from harness.types import Spec

_GIGA = 1e9
_PACKED = 4
"""Bits of a weight in the usual small checkpoints."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a policy or a PRM puts into the memory of one card."""

    name: str
    gigabytes: float | None
    """None: unknown."""
    words: str
    """How many gigabytes on all cards, in which format."""
    cards: int
    way: str
    """What would make it smaller on one card."""


def need(spec: Spec, engine: str, held: int | None, room: float) -> Need | None:
    """Return what a policy or a PRM needs; None: it runs elsewhere, or nobody knows its size.

    Args:
        spec: Of the policy or PRM.
        engine: The run's; see `harness.registry.with_engine`.
        held: Its weights, where it has been opened; else they are as its models' names say.
        room: GB of a card.

    Raises:
        ConfigError: a number of cards that is none.
    """
    own = [model for model in models(spec, engine) if model.adapter in ENGINES]
    if not own:
        return None
    needs = [_one(model, engine, held if len(own) == 1 else None, room) for model in own]
    known = [one for one in needs if one is not None]
    if len(known) < len(own):
        return None
    if len(known) == 1:
        return Need(spec.name, known[0].gigabytes, known[0].words, known[0].cards, known[0].way)
    parts = [one.gigabytes for one in known if one.gigabytes is not None]
    whole = sum(parts) if len(parts) == len(known) else None
    words = " + ".join(one.words for one in known)
    return Need(spec.name, whole, words, max(one.cards for one in known), "")


def _one(model: Spec, engine: str, held: int | None, room: float) -> Need | None:
    """Return what one model needs."""
    held = held or int(weights(model, size(model, engine)) or 0)
    if not held:
        return None
    found = width(model.target, model.options)
    cards = 1
    if model.adapter == "vllm":
        cards = Options(model, "model").integer("tensor_parallel_size", 1) or 1
    if found.bits is None:
        return Need(model.name, None, f"weights in {found.words}", cards, "")
    whole = held * found.bits / 8 / _GIGA
    words = f"{whole:,.0f} GB of weights in {found.words}"
    return Need(model.name, whole / cards, words, cards, _way(model, whole, found.bits, room))


def _way(model: Spec, whole: float, bits: int, room: float) -> str:
    """Return what would make a model smaller on one card."""
    parts = 2
    while whole / parts > room:
        parts *= 2
    asked = "" if model.adapter == "vllm" else "engine=vllm,"
    way = f"{asked}tensor_parallel_size={parts} spreads it over {parts} cards"
    packed = whole / bits * _PACKED
    if bits > _PACKED and packed <= room:
        way += f", or a checkpoint of {_PACKED} bits (quantization=awq) has {packed:,.0f} GB"
    return way


def misfit(needs: Sequence[Need], device: Device) -> str:
    """Say that models which are at work together have no room on a device; empty: they may fit."""
    if device.memory is None or any(one.gigabytes is None for one in needs):
        return ""
    if sum(one.gigabytes or 0.0 for one in needs) <= device.memory:
        return ""
    names = " and ".join(one.name for one in needs)
    verb = "does not fit" if len(needs) == 1 else "do not fit together"
    words = " + ".join(
        one.words + (f" on {one.cards} cards" if one.cards > 1 else "") for one in needs
    )
    ways = needs[0].way if len(needs) == 1 else ""
    said = f"{names} {verb} on {device.name} ({device.memory:g} GB): {words}"
    return f"{said}; {ways}" if ways else said
