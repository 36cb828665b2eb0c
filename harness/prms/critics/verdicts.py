r"""Reading verdicts out of what a critic wrote, and joining those of several chains. Pure.

A verdict is one number per step. The index of the first wrong step becomes 1 for every step before
it, 0 for it and for all after it, so that the first step below any threshold from 0 (excluded) to 1
is that step, and -1 (all right) becomes 1 throughout. What cannot be read is no verdict, None: an
index that is no whole number or no paragraph's, a list of another length, a missing label.

A verdict on a pair is one number: the chance that the solution shown first is the better one.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from harness.prms.critics.recipe import Combine, Recipe

Verdict = tuple[float, ...]

_BOX = "\\boxed{"
_BOXES = re.compile(r"\\boxed\{([^{}]*)\}")
_INDEX = re.compile(r"-?[0-9]{1,9}")
_OBJECTS = 100
"""Places of an answer at which JSON is looked for, the last ones: an answer of braces alone is
hostile."""


def index(text: str, steps: int) -> int | None:
    r"""Return the number in the last closed ``\boxed{}``, if it is -1 or a step's, from 0."""
    start = text.rfind(_BOX, 0, text.rfind("}") + 1)
    box = text[start + len(_BOX) :].split("}", 1)[0].strip() if start >= 0 else ""
    if not _INDEX.fullmatch(box):
        return None
    found = int(box)
    return found if -1 <= found < steps else None


def labels(text: str, steps: int, good: str, bad: str) -> int | None:
    r"""Return the first wrong step, from 0, by a ``\boxed{}`` with one of two words for each.

    Boxes with something else in them are passed over. None: they end before a wrong step is found
    and before all are told right.
    """
    words = [box.strip().casefold() for box in _BOXES.findall(text)]
    said = [word == good.casefold() for word in words if word in (good.casefold(), bad.casefold())]
    if False in said[:steps]:
        return said.index(False)
    return -1 if len(said) >= steps else None


def better(text: str, good: str, bad: str) -> Verdict | None:
    r"""Return 1 if the last ``\boxed{}`` with one of two words holds the good one, else 0."""
    words = [box.strip().casefold() for box in _BOXES.findall(text)]
    said = [word for word in words if word in (good.casefold(), bad.casefold())]
    return (float(said[-1] == good.casefold()),) if said else None


def numbers(text: str, steps: int, field: str) -> Verdict | None:
    """Return the list under a key of the last object of JSON that has it: finite, from -1 to 1."""
    decoder = json.JSONDecoder()
    for start in [found.start() for found in re.finditer(r"\{", text)][: -_OBJECTS - 1 : -1]:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and field in found:
            return _numbers(found[field], steps)
    return None


def _numbers(given: Any, steps: int) -> Verdict | None:
    if not isinstance(given, list) or len(given) != steps:
        return None
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in given):
        return None
    return tuple(map(float, given)) if all(-1 <= one <= 1 for one in given) else None


def scores(first_wrong: int | None, steps: int) -> Verdict | None:
    """Return 1 for the steps before the first wrong one, 0 from it on; -1: 1 for all."""
    if first_wrong is None:
        return None
    right = steps if first_wrong < 0 else first_wrong
    return (1.0,) * right + (0.0,) * (steps - right)


def read(recipe: Recipe, text: str, steps: int) -> Verdict | None:
    """Return the verdict that a text holds, as a recipe of whole solutions or of pairs says."""
    if recipe.per == "pair":
        return better(text, recipe.good, recipe.bad)
    readers: dict[str, Callable[[], Verdict | None]] = {
        "index": lambda: scores(index(text, steps), steps),
        "labels": lambda: scores(labels(text, steps, recipe.good, recipe.bad), steps),
        "numbers": lambda: numbers(text, steps, recipe.field),
    }
    return readers[recipe.read]()


def place(text: str, start: int, mark: str, words: Sequence[str]) -> int | None:
    """Return where words are weighed: after the last mark that one of them follows, or nothing.

    Args:
        text: What was written.
        start: Before it nothing counts: it was put in.
        mark: "": there is none.
        words: Upper or lower case is the same.
    """
    at = text.rfind(mark, start) if mark else -1
    while at >= 0:
        rest = text[at + len(mark) :].casefold()
        if not rest.strip() or any(rest.startswith(word.casefold()) for word in words):
            return at + len(mark)
        at = text.rfind(mark, start, at + len(mark) - 1)
    return None


def probability(logprobs: Sequence[float]) -> float:
    """Return the probability of the first of two words if only they can be next."""
    good, bad = logprobs
    return 1 / (1 + math.exp(min(bad - good, 700.0)))


def combined(combine: Combine, given: Sequence[Verdict | None]) -> Verdict | None:
    """Return one verdict of several chains'; see `harness.prms.critics.recipe.Combine`."""
    if combine == "vote":
        return Counter(given).most_common(1)[0][0]
    known = [verdict for verdict in given if verdict is not None]
    if not known:
        return None
    return tuple(math.fsum(column) / len(known) for column in zip(*known, strict=True))
