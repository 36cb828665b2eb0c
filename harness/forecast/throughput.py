"""Measured throughputs, and what follows from them for models and devices that nobody measured.

Work per token is taken as the operations of its matrices: a model of twice the size is half as
fast. That holds where matrices dominate (many requests at once, contexts of a few thousand tokens)
and sizes are near: beyond a hundredfold nothing is derived.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from harness.errors import unknown

Kind = Literal["decode", "prefill"]

_FAR, _TOO_FAR = 4.0, 100.0
"""Sizes that differ by more than so many times are told to be far apart; nothing is derived."""


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator, or a few cores."""

    name: str
    title: str
    peak: float | None
    """Operations per second that its maker states; None: unknown."""
    memory: float | None
    """GB; None: nobody looks."""
    source: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What somebody measured."""

    device: str
    engine: str
    model: str
    parameters: float
    source: str
    decode: float | None = None
    prefill: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure, how it came about, and where it is from."""

    value: float
    note: str
    source: str
    engine: str = ""
    """The one that was measured, of a speed."""


@dataclass(frozen=True, slots=True)
class Grading:
    """Solutions graded per second, by so many cores together."""

    task: str
    kind: str
    rate: float
    source: str
    cores: int


@dataclass(frozen=True, slots=True)
class Throughputs:
    """The table."""

    devices: Mapping[str, Device]
    measurements: Sequence[Measurement]
    gradings: Sequence[Grading]
    factors: Mapping[str, float]
    factors_source: str

    def device(self, name: str) -> Device:
        """Return a device, whichever case its name is written in.

        Raises:
            ConfigError: there is none of this name.
        """
        if name.lower() not in self.devices:
            raise unknown("device", name, self.devices)
        return self.devices[name.lower()]

    def rate(self, kind: Kind, device: str, engine: str, parameters: float) -> Rate | None:
        """Return how fast a model of so many active parameters reads or writes; None: unknown.

        The nearest measurement is on the same device and engine, else on the same device, else on
        another one whose peak is known; among equals the one of the nearest size.
        """
        own = self.devices[device]
        best: tuple[tuple[float, ...], Measurement, float] | None = None
        for one in self.measurements:
            if getattr(one, kind) is None:
                continue
            other, peaks = self.devices[one.device], 1.0
            if other is not own:
                if own.peak is None or other.peak is None:
                    continue
                peaks = own.peak / other.peak
            sizes = abs(math.log(one.parameters / parameters))
            if sizes > math.log(_TOO_FAR):
                continue
            order = (other is not own, one.engine != engine, sizes + abs(math.log(peaks)))
            if best is None or order < best[0]:
                best = (order, one, peaks)
        if best is None:
            return None
        _, found, peaks = best
        size = found.parameters / parameters
        value = getattr(found, kind) * size * peaks
        return Rate(
            value, _note(kind, value, found, engine, own, size, peaks), found.source, found.engine
        )

    def grading(self, task: str, kind: str) -> Rate | None:
        """Return how many solutions are graded per second; of a task that nobody measured, as many
        as of the slowest one of its kind."""
        same = [one for one in self.gradings if one.task == task]
        alike = same or [one for one in self.gradings if one.kind == kind]
        if not alike:
            return None
        found = min(alike, key=lambda one: one.rate)
        whose = "measured" if same else f"derived: measured on {found.task}"
        note = (
            f"{task}: {found.rate:,g} solutions graded per second by {found.cores} cores, {whose}"
        )
        return Rate(found.rate, note, found.source)

    def factor(self, method: str) -> Rate:
        """Return what a search writes, over n times the tokens of a solution."""
        if method in self.factors:
            value = self.factors[method]
            note = f"{method} writes {value:g} times n solutions, measured"
            return Rate(value, note, self.factors_source)
        return Rate(1.0, f"{method} is taken to write n solutions", "")


def _note(
    kind: Kind,
    value: float,
    found: Measurement,
    engine: str,
    device: Device,
    size: float,
    peaks: float,
) -> str:
    """Say where a rate is from."""
    verb = "writes" if kind == "decode" else "reads"
    measured = getattr(found, kind)
    text = f"{verb} {value:,.0f} tokens/s"
    if size == peaks == 1 and engine == found.engine:
        return f"{text}, measured"
    text += f", derived: {measured:,.0f} of {found.model} with {found.engine} on {found.device}"
    if size != 1:
        far = " (sizes far apart)" if not 1 / _FAR <= size <= _FAR else ""
        text += f", × {size:.3g} by operations per token{far}"
    if found.device != device.name:
        text += f", × {peaks:.3g} by peak operations of {device.name}"
    if engine != found.engine:
        text += f"; no figure of {engine} there"
    return text


@cache
def throughputs() -> Throughputs:
    """Return the table that ships with the package."""
    text = (resources.files("harness.forecast") / "throughputs.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return Throughputs(
        {name: Device(name, **one) for name, one in data["devices"].items()},
        [Measurement(**one) for one in data["measurements"]],
        [Grading(**one) for one in data["grading"]],
        data["searches"]["factors"],
        data["searches"]["source"],
    )
