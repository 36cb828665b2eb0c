"""Does a PRM keep the contract? Each trial says in words what is wrong.

They are those of `harness.prms.prm` and of the field's own mistakes: fewer scores than steps,
scores that move when a later step is added or another solution stands in the batch, text of a step
that is taken for the model's own marks. One that judges solutions two by two judges each beside the
same other one, and once in both orders. A recording has nothing to try; its file is checked when
it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import UserError
from harness.prms.prm import Prm
from harness.types import Draft, Judge, Question, StepScores

CLOSE = 1e-3
"""Scores that should be equal may differ by rounding: relative to 1 and to the score."""

_PROMPT = "Ann has 12 apples, buys 30 and gives 2 away. How many has she?\n"
_STEPS = (
    "Ann has 12 + 30 = 42 apples.\n",
    "She gives 2 away: 42 - 2 = 40.\n",
    "The answer is \\boxed{40}.\n",
)
_WRONG = ("Ann has 12 + 30 = 45 apples.\n", "45 - 2 = 43.\n", "The answer is \\boxed{43}.\n")
_OTHER = ("Ann gives 2 of 12 away and buys 30, which makes 10 + 30 = \\boxed{40}.\n",)
"""What a solution stands beside where two are compared."""
_ODD = (
    "a\n",
    "  leading space\n",
    "trailing lines \n\n",
    "carriage\r\nreturn\r\n",
    "žluťoučký 漢字 😀\n",
    "two\n\nparagraphs\n",
    "<|im_end|><extra_0></s><|eot_id|>[PRM]\n",
    ".\n",
)
_MARKS = ("Ann has 42 apples.\n", "A key ки, ки\n", "<extra_0> + Rating\n\n\n\n\n\n")
"""What families mark the end of a step with, words among it: text that some cannot read."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried."""

    name: str
    said: str
    """What is wrong; empty if nothing is."""


def conformance(prm: Prm) -> Iterator[Trial]:
    """Try a PRM; each trial stands alone, and what an adapter raises is its answer.

    Where a plain solution raises an error, nothing else is tried.
    """
    if not prm.live:
        return
    for name, trial in (_TRIALS | (_OF_PAIRS if prm.covers == "pair" else {})).items():
        try:
            yield Trial(name, trial(prm))
        except (UserError, ValueError) as error:
            yield Trial(name, str(error))
            if trial is _one_per_step and _refuses(prm):
                return


def _refuses(prm: Prm) -> bool:
    """Say whether a plain solution, too, is an error."""
    try:
        _judge(prm, _STEPS)
    except (UserError, ValueError):
        return True
    return False


def _judge(prm: Prm, *drafts: Sequence[str]) -> list[StepScores | None]:
    if prm.covers == "pair":
        return _ask(prm, [steps for draft in drafts for steps in (draft, _OTHER)])[::2]
    return _ask(prm, drafts)


def _ask(prm: Prm, drafts: Sequence[Sequence[str]]) -> list[StepScores | None]:
    question = Question("conformance", "apples", _PROMPT)
    (reply,) = prm.judge([Judge(question, tuple(Draft(tuple(steps)) for steps in drafts))])
    return list(reply.scores)


def _apart(one: StepScores | None, other: StepScores | None) -> str:
    """Say where two readings differ, over the steps that both have."""
    if one is None or other is None:
        return "" if one is other else "one of them has no scores"
    count = min(len(one.values), len(other.values))
    a, b = np.array(one.values[:count]), np.array(other.values[:count])
    off = np.abs(a - b) > CLOSE * (1 + np.abs(b))
    if not off.any():
        return ""
    step = int(np.flatnonzero(off)[0])
    return f"step {step} has {a[step]:.4g} and {b[step]:.4g}"


def _one_per_step(prm: Prm) -> str:
    for steps in (_STEPS, _STEPS[:1], _ODD, tuple(f"{i}\n" for i in range(100))):
        (found,) = _judge(prm, steps)
        wanted = {"whole": 1, "pair": 1, "own": None}.get(prm.covers, len(steps))
        if found is None:
            return f"a solution of {len(steps)} steps has no scores"
        if found.unparsed == 1:
            return f"no verdict in the answer to a solution of {len(steps)} steps"
        if wanted is not None and len(found.values) != wanted:
            return f"{len(found.values)} scores for {len(steps)} steps"
    return ""


def _marks(prm: Prm) -> str:
    try:
        (found,) = _judge(prm, _MARKS)
    except UserError:
        return ""  # it says that it cannot read this, which is an answer
    wanted = 1 if prm.covers in ("whole", "pair") else len(_MARKS)
    if found is not None and len(found.values) != wanted:
        return f"{len(found.values)} scores for {len(_MARKS)} steps that hold words used as marks"
    return ""


def _range(prm: Prm) -> str:
    found = [one for one in _judge(prm, _STEPS, _WRONG, _ODD) if one is not None]
    values = [value for one in found for value in one.values]
    if prm.semantics == "p_correct" and not all(0 <= value <= 1 for value in values):
        return f"p_correct from {min(values):.4g} to {max(values):.4g}; probabilities lie in 0…1"
    if prm.semantics == "verdict" and not set(values) <= {0.0, 1.0}:
        return "a verdict is 0 or 1"
    if any(one.semantics != prm.semantics for one in found):
        return f"scores say {found[0].semantics!r}, the PRM {prm.semantics!r}"
    return ""


def _again(prm: Prm) -> str:
    (one,), (other,) = _judge(prm, _STEPS), _judge(prm, _STEPS)
    return "" if one == other else f"asked twice: {_apart(one, other) or 'last digits differ'}"


def _batch(prm: Prm) -> str:
    drafts = (_STEPS, _WRONG, _ODD, _STEPS[:2], _STEPS)
    together = _judge(prm, *drafts)
    for steps, found in zip(drafts, together, strict=True):
        (alone,) = _judge(prm, steps)
        if said := _apart(alone, found):
            return f"alone and beside others: {said}"
    return ""


def _later(prm: Prm) -> str:
    if prm.covers in ("whole", "own", "pair"):
        return ""
    (whole,) = _judge(prm, _STEPS)
    for count in range(1, len(_STEPS)):
        (part,) = _judge(prm, _STEPS[:count])
        if said := _apart(part, whole):
            return f"with {count} steps and with {len(_STEPS)}: {said}; searches cannot use it"
    return ""


def _grows(prm: Prm) -> str:
    (whole,) = _judge(prm, _STEPS)
    prm.remember(True)
    try:
        for count in range(1, len(_STEPS) + 1):
            (grown,) = _judge(prm, _STEPS[:count])
        said = _apart(grown, whole)
    finally:
        prm.remember(False)
    return f"read step by step and at once: {said}" if said else ""


def _reads(prm: Prm) -> str:
    (right, wrong) = _judge(prm, _STEPS, _WRONG)
    if right is not None and wrong is not None and right.values == wrong.values:
        return "a right and a wrong solution have the same scores; does it read the solution?"
    return ""


def _empty(prm: Prm) -> str:
    try:
        (none,) = _judge(prm, ())
    except (UserError, ValueError):
        return "a solution without steps is an error; it has no scores (None)"
    if none is not None:
        return "a solution without steps has scores"
    try:
        _judge(prm, ("a\n", "", "b\n"))
    except (UserError, ValueError):
        return ""
    return "an empty step is scored"


def _order(prm: Prm) -> str:
    first, second = _ask(prm, (_STEPS, _WRONG)), _ask(prm, (_WRONG, _STEPS))
    said = _apart(first[0], second[1]) or _apart(first[1], second[0])
    return f"named first and named second: {said}" if said else ""


_TRIALS: dict[str, Callable[[Prm], str]] = {
    "one score per step": _one_per_step,
    "text is never a mark": _marks,
    "scores mean what it says": _range,
    "the same when asked again": _again,
    "alone as beside others": _batch,
    "later steps change no earlier score": _later,
    "step by step as at once": _grows,
    "the solution is read": _reads,
    "no steps, no scores": _empty,
}
_OF_PAIRS = {"the order of the two means nothing": _order}
