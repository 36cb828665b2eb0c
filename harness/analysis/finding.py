"""What a run says of a published claim: comparisons of two methods at one cost, and a ruling."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from harness.analysis.curve import Axis
from harness.analysis.power import Power
from harness.types import Estimate

Ruling = Literal["supported", "contradicted", "not separable"]

_SIGNIFICANT = 0.05

_BESIDE = 4
"""Tests that a sentence tells besides those that decide; a frontier's table has them all."""

AXIS_WORDS: dict[Axis, str] = {
    "policy_tokens": "policy tokens",
    "total_tokens": "tokens (policy + PRM)",
    "flops": "FLOPs",
    "latency_seconds": "seconds of latency",
    "throughput_seconds": "seconds of throughput",
}


@dataclass(frozen=True, slots=True)
class Test:
    """Two methods at one cost, a minus b."""

    a: str
    b: str
    axis: Axis
    where: str
    """``tight``, ``plentiful``, or which of several costs."""
    cost: float
    difference: Estimate
    p: float
    adjusted: float
    """p after Holm's correction over the tests that decide together."""
    power: Power
    stated: float | None = None
    """The difference that the claim states, if it states one."""

    @property
    def ruling(self) -> Ruling:
        """Whether a is ahead of b, after correction."""
        if not self.adjusted < _SIGNIFICANT:
            return "not separable"
        return "supported" if self.difference.value > 0 else "contradicted"

    def sentence(self) -> str:
        """The comparison in plain words, in points."""
        d = self.difference
        ahead = "ahead of" if d.value >= 0 else "behind"
        low, high = (d.low, d.high) if d.value >= 0 else (-d.high, -d.low)
        text = (
            f"at {_number(self.cost)} {AXIS_WORDS[self.axis]} {self.a} is "
            f"{100 * abs(d.value):.1f} points {ahead} {self.b} "
            f"[{100 * low:.1f}, {100 * high:.1f}], p {_p(self.adjusted)}"
        )
        if self.stated is None:
            return text
        inside = d.low <= self.stated <= d.high
        return (
            f"{text}; the stated {100 * self.stated:.1f} lies "
            f"{'inside' if inside else 'outside'} the interval"
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a run says of a claim, on one task with one PRM."""

    claim: str
    """The claim's name, a key of `CLAIMS`."""
    task: str
    policy: str
    prm: str | None
    ruling: Ruling
    tests: tuple[Test, ...]
    """Those that decide."""
    others: tuple[Test, ...] = ()
    """Reported beside them: the same question on other axes."""
    note: str = ""

    @property
    def problems(self) -> int:
        """Problems on which the methods were compared."""
        return max((test.difference.n for test in self.tests), default=0)

    def sentence(self) -> str:
        """The finding in plain words."""
        where = f"{self.task}, {self.policy}" + (f", {self.prm}" if self.prm else "")
        known = [test for test in self.tests if not math.isnan(test.difference.value)]
        parts = [f"{self.ruling.capitalize()} on {where}: "]
        parts.append("; ".join(test.sentence() for test in known) or "no cost in common")
        parts.append(".")
        compared = {(test.a, test.b) for test in known}
        apart = {f"{t.a} and {t.b}": None for t in self.tests if (t.a, t.b) not in compared}
        if known and apart:
            parts.append(f" No cost in common: {', '.join(apart)}.")
        beside = [test for test in self.others if not math.isnan(test.difference.value)]
        if beside:
            parts.append(" Also: " + "; ".join(test.sentence() for test in beside[:_BESIDE]))
            parts.append(f"; and {len(beside) - _BESIDE} more." if len(beside) > _BESIDE else ".")
        parts.append(f" {self._power()}")
        if self.note:
            parts.append(f" {self.note}")
        return "".join(parts)

    def _power(self) -> str:
        """What the deciding tests could have seen: the weakest of them."""
        weakest = max(
            (test.power for test in self.tests),
            key=lambda power: -1.0 if math.isnan(power.smallest) else power.smallest,
        )
        if math.isnan(weakest.smallest):
            return weakest.sentence()
        text = (
            f"{weakest.n} problems can separate differences above "
            f"{100 * weakest.smallest:.1f} points"
        )
        stated = [
            test for test in self.tests if test.stated and not math.isnan(test.power.discordance)
        ]
        if stated:
            hardest = max(stated, key=lambda test: test.power.needed(test.stated or 1.0))
            size = hardest.stated or 1.0
            text += (
                f"; {100 * size:.1f} points are seen with a chance of "
                f"{100 * hardest.power.of(size):.0f} % and need "
                f"{hardest.power.needed(size):,} problems"
            )
        return text + "."


def _number(cost: float) -> str:
    """Return a cost with three significant digits: ``0.0123``, ``1,230``, ``1.23e12``."""
    if 1000 <= cost < 1e7:
        return f"{round(cost, 2 - math.floor(math.log10(cost))):,.0f}"
    text = f"{cost:.3g}"
    return text.replace("e+", "e")


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"
