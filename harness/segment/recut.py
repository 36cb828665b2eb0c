"""Other ways to cut a solution that is already cut: where does a PRM read best?

====================  ============================================================================
``each``              as the task cuts it
``whole``             the text is one step
``join:K``            every K steps of the task's as one; the last may have fewer
``sentences``         after a full stop, question or exclamation mark with a space, or a line end
``lines``             after each line
``delimiter:TEXT``    after TEXT
``code_lines``        after each logical line of Python
``characters:K``      after every K characters, wherever that is: the control
====================  ============================================================================

Whatever the rule, joining the steps gives back the text, and no step is blank. A step is encoded by
itself, so a cut within a word gives other tokens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from harness.errors import ConfigError, unknown
from harness.segment.cut import SENTENCES
from harness.segment.rules import CodeLines, Delimiter, Whole

Steps: TypeAlias = tuple[str, ...]
Recut: TypeAlias = Callable[[Steps], Steps]
"""From the task's steps to those that a PRM is given."""

RULES = (
    "each",
    "whole",
    "join:K",
    "sentences",
    "lines",
    "delimiter:TEXT",
    "code_lines",
    "characters:K",
)
_END = re.compile("|".join(f"(?<={re.escape(end)})" for end in SENTENCES))


def parse_recut(spec: str) -> Recut:
    """Return the rule that `spec` writes.

    Raises:
        ConfigError: an unknown rule, or one without its text or number.
    """
    name, colon, value = spec.partition(":")
    if spec in _PLAIN:
        return _PLAIN[spec]
    if name == "delimiter" and colon:
        delimiter = Delimiter(value)
        return lambda steps: delimiter.cut("".join(steps))
    if name in _COUNTED:
        if not value.isdecimal() or int(value) < 1:
            raise ConfigError(f"steps={spec}: {name}: needs a whole number from 1 up")
        return _COUNTED[name](int(value))
    raise unknown("rule for steps", spec, RULES)


def _whole(steps: Steps) -> Steps:
    return Whole().cut("".join(steps))


def _sentences(steps: Steps) -> Steps:
    return _solid(_END.split("".join(steps)))


def _join(count: int) -> Recut:
    return lambda steps: tuple("".join(steps[i : i + count]) for i in range(0, len(steps), count))


def _characters(count: int) -> Recut:
    def cut(steps: Steps) -> Steps:
        text = "".join(steps)
        return _solid([text[i : i + count] for i in range(0, len(text), count)])

    return cut


def _solid(pieces: Sequence[str]) -> Steps:
    """Return the pieces, blank ones joined to the piece before, or at the start to the next."""
    steps: list[str] = []
    for piece in pieces:
        if steps and not (piece.strip() and steps[-1].strip()):
            steps[-1] += piece
        elif piece:
            steps.append(piece)
    return tuple(steps)


_PLAIN: dict[str, Recut] = {
    "each": lambda steps: steps,
    "whole": _whole,
    "sentences": _sentences,
    "lines": lambda steps: Delimiter("\n").cut("".join(steps)),
    "code_lines": lambda steps: CodeLines().cut("".join(steps)),
}
_COUNTED: dict[str, Callable[[int], Recut]] = {"join": _join, "characters": _characters}
