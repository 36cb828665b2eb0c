"""One line for people, of what a stage is doing."""

from __future__ import annotations

from harness.telemetry.meter import Reading


def line(reading: Reading) -> str:
    """Return a reading in at most about 80 columns; what is unknown is left out."""
    parts = []
    if reading.starting is not None:
        parts.append(f"starting {reading.starting} …")
    if reading.policy_rate is not None:
        parts.append(f"{_short(reading.policy_rate)} tok/s")
    if reading.in_flight:
        parts.append(f"{reading.in_flight:,} in flight")
    if reading.waiting:
        parts.append(f"{reading.waiting:,} waiting")
    if reading.policy_cache_hits is not None:
        parts.append(f"cache {reading.policy_cache_hits:.0%}")
    if reading.prm_rate is not None:
        share = "" if reading.prm_share is None else f", {reading.prm_share:.0%} of time"
        parts.append(f"PRM {_short(reading.prm_rate)} tok/s{share}")
    if tokens := reading.policy_tokens + reading.prm_tokens:
        parts.append(f"{_short(tokens)} tokens")
    return " · ".join(parts)


def _short(number: float) -> str:
    """Return a number in four or five characters."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:,.0f}"
