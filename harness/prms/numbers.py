"""From a model's numbers to scores: the kinds of heads, as names and formulas. Pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.prms import aggregate
from harness.types import Semantics

Floats = NDArray[np.float64]

Head = Literal[
    "sigmoid",
    "tanh",
    "clamp",
    "raw",
    "softmax",
    "difference",
    "validity",
    "redundancy",
    "pair",
    "vocabulary",
    "log_ratio",
    "log_ratio_step",
]
"""From numbers to a score. Of one number: its sigmoid · its hyperbolic tangent · itself, cut to
0…1 · itself. Of two classes (wrong, right): the second's softmax · the second's less the first's.
Of three (negative, neutral, positive): the last two's softmax · the middle one's. Of the language
model's logits: softmax of the token ``good`` against ``bad`` · sigmoid of the mean over the whole
vocabulary. Of two language models: β times the log-likelihood of the solution up to the end of the
step less that of a reference · the part of it that the step added."""

HEADS: tuple[Head, ...] = get_args(Head)
RATIOS: tuple[Head, ...] = ("log_ratio", "log_ratio_step")
"""Those that set two models beside each other."""
LM_HEADS: tuple[Head, ...] = ("pair", "vocabulary", *RATIOS)
"""Those that read the language model's own output."""
NUMBERS: Mapping[Head, int] = {
    **dict.fromkeys(HEADS, 1),
    **dict.fromkeys(("softmax", "difference", "pair"), 2),
    **dict.fromkeys(("validity", "redundancy"), 3),
}
"""How many numbers per token a head reads."""

USUAL: Mapping[Head, Semantics] = {
    **dict.fromkeys(HEADS, "p_correct"),
    **dict.fromkeys(("tanh", "clamp", "difference"), "value"),
    **dict.fromkeys(("raw", "redundancy", *RATIOS), "reward"),
}
"""What scores mean if nothing is said."""


def threshold(head: Head, semantics: Semantics) -> float | None:
    """Return where a head's scores are as far from right as from wrong, if that can be said."""
    if head in ("tanh", "difference"):
        return 0.0
    return None if head in ("redundancy", *RATIOS) else aggregate.threshold(semantics)


def raw(head: Head, numbers: Floats) -> Floats:
    """Return (steps,) what the score is a growing function of.

    Args:
        head: of the recipe.
        numbers: (steps, numbers); of two models (steps, 1) the sums of log ratios from the
            beginning of the solution to the end of each step.
    """
    match head:
        case "softmax" | "difference":
            return numbers[:, 1] - numbers[:, 0]
        case "pair":
            return numbers[:, 0] - numbers[:, 1]
        case "validity":
            valid: Floats = np.logaddexp(numbers[:, 1], numbers[:, 2]) - numbers[:, 0]
            return valid
        case "redundancy":
            redundant: Floats = numbers[:, 1] - np.logaddexp(numbers[:, 0], numbers[:, 2])
            return redundant
        case "log_ratio_step":
            return np.diff(numbers[:, 0], prepend=0.0)
    return numbers[:, 0]


def squash(head: Head, values: Floats) -> Floats:
    """Return the scores of `raw` values, shape (steps,)."""
    return _SQUASH[head](values)


_SQUASH: dict[Head, Callable[[Floats], Floats]] = {
    **dict.fromkeys(HEADS, aggregate.sigmoid),
    "tanh": np.tanh,
    "clamp": lambda values: np.clip(values, 0.0, 1.0),
    **dict.fromkeys(("raw", *RATIOS), lambda values: values),
    "difference": lambda values: np.tanh(values / 2),
}
