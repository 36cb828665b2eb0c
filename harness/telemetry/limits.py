"""What one launch may spend. Checked between units of work; the unit at work is finished."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """None is no limit.

    Raises:
        ConfigError: a limit that is no positive number.
    """

    seconds: float | None = None
    """Since the command began."""
    flops: float | None = None
    """Of policies and PRMs, as the tables count them."""

    def __post_init__(self) -> None:
        for name, value, usual in (
            ("--max-seconds", self.seconds, "3600"),
            ("--max-flops", self.flops, "1e18"),
        ):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} {value:g}: write a number above 0, e.g. {name} {usual}")

    def reached(self, seconds: float, flops: float) -> str | None:
        """Return which limit is used up, in words; None: go on."""
        if self.seconds is not None and seconds >= self.seconds:
            return f"--max-seconds {self.seconds:g} is used up ({seconds:,.0f} s)"
        if self.flops is not None and flops >= self.flops:
            return f"--max-flops {self.flops:g} is used up ({flops:.2e} FLOPs)"
        return None
