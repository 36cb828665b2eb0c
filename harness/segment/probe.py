"""Solutions with steps that say nothing new: a PRM that likes them better can be pleased by talk.

===============  ==================================================================================
``repeat:K``     the last step but one again, K times, before the last
``filler:K``     K steps without content, before the last
===============  ==================================================================================

The last step stays the last, because it mostly holds the answer; what is put before it ends in a
line break.
"""

from __future__ import annotations

from harness.errors import ConfigError, unknown
from harness.segment.recut import Recut, Steps

PROBES = ("none", "repeat:K", "filler:K")
FILLER = "Let us look at this once more.\n"
"""A step that is right, whatever the solution, and worth nothing."""


def parse_probe(spec: str) -> Recut:
    """Return what a probe does to a solution's steps; ``none`` leaves them.

    Raises:
        ConfigError: an unknown probe, or one without its number.
    """
    if spec == "none":
        return lambda steps: steps
    name, _, value = spec.partition(":")
    if name not in ("repeat", "filler"):
        raise unknown("probe", spec, PROBES)
    if not value.isdecimal() or int(value) < 1:
        raise ConfigError(f"probe={spec}: {name}: needs a whole number from 1 up")
    return lambda steps: _padded(steps, name == "repeat", int(value))


def _padded(steps: Steps, repeat: bool, count: int) -> Steps:
    if not steps:
        return steps
    again = steps[-2:][0] if repeat else FILLER
    if not again.endswith("\n"):
        again += "\n"
    before = steps[:-1]
    if before and not before[-1].endswith("\n"):
        before = (*before[:-1], before[-1] + "\n")
    return (*before, *[again] * count, steps[-1])
