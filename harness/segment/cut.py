"""The rules by which a policy that writes step by step ends a step, in their written form.

====================  ============================================================================
``delimiter:TEXT``    after TEXT
``sentences``         after a full stop, question or exclamation mark with a space, or a line end
``tokens:K``          after K tokens
``confidence:P``      before a token of probability below P (AdaptiveStep, arXiv:2502.13943: P is
                      the 2 % quantile of a corpus, about 0.5 for its mathematics model)
====================  ============================================================================

How a PRM reads the same text is another matter: always by the task's rule (`harness.segment.rules`)
or the one that the PRM was opened with (`harness.segment.recut`), so that its scores do not change
their meaning with the search's steps.
"""

from __future__ import annotations

from harness.errors import ConfigError, unknown
from harness.segment.rules import Delimiter, Segmenter
from harness.types import Cut

SENTENCES = (". ", "? ", "! ", "\n")
_NAMES = ("delimiter:TEXT", "sentences", "tokens:K", "confidence:P")


def parse_cut(spec: str) -> Cut:
    """Return the rule that `spec` writes.

    Raises:
        ConfigError: an unknown rule, or one without its text or number.
    """
    name, _, value = spec.partition(":")
    if name == "delimiter" and value:
        return Cut((value,))
    if spec == "sentences":
        return Cut(SENTENCES)
    if name in ("tokens", "confidence"):
        try:
            number = float(value)
            if name == "tokens" and number == int(number) >= 1:
                return Cut(tokens=int(number))
            if name == "confidence" and 0 < number <= 1:
                return Cut(confidence=number)
        except ValueError:
            pass
        wanted = "a whole number from 1 up" if name == "tokens" else "a probability above 0"
        raise ConfigError(f"cut {spec!r}: {name}: needs {wanted}")
    raise unknown("cut", spec, _NAMES)


def cut_of(rule: Segmenter) -> Cut:
    """Return how steps are written so that a task's rule cuts them in the same places, as far as
    that can be known before the text goes on; ``whole`` gives lines."""
    return Cut((rule.text,)) if isinstance(rule, Delimiter) else Cut(("\n",))
