"""How a solution is shown to a value-head PRM, and how its numbers are read: data, with a digest.

The input is the token ids of the prompt followed by those of each step (and its separator), every
part encoded by itself: joined text is never encoded again, because a tokenizer may merge across a
step's end and move the place that is read. The score of a step is read at its last token, that of
the separator if there is one. This is how TRL's PRM trainer builds its inputs, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.adapters.options import Options
from harness.digest import digest
from harness.errors import ConfigError
from harness.prms import aggregate
from harness.types import Draft, Question, Semantics

Head = Literal["sigmoid", "softmax", "raw"]
"""From the head's numbers to a score: sigmoid of one · softmax of two, the second's share · the one
number as it is."""

Overflow = Literal["error", "skip"]
"""An input longer than ``max_length``: stop with an error, or give this draft no scores. There is
no third: steps that the model has not seen have no score, and none is made up for them."""

HEADS: tuple[Head, ...] = get_args(Head)
OVERFLOWS: tuple[Overflow, ...] = get_args(Overflow)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One family of value-head PRMs."""

    template: str = "{prompt}{steps}"
    """Text around the prompt; the steps come last."""
    separator: str = ""
    """Text after every step, in the place of the white space that it ends with; empty where a
    step's own end marks it."""
    head: Head = "sigmoid"
    semantics: Semantics = "p_correct"
    aggregation: str = "min"
    """Declared before results are seen."""
    max_length: int | None = None
    """Tokens of an input; None: the model's context."""
    overflow: Overflow = "error"

    def __post_init__(self) -> None:
        if self.template.count("{prompt}") != 1 or not self.template.endswith("{steps}"):
            raise ConfigError(
                f"template {self.template!r} must hold {{prompt}} once and end with {{steps}}"
            )
        if self.template.count("{steps}") != 1:
            raise ConfigError(f"template {self.template!r} must hold {{steps}} once, at its end")
        aggregate.check(self.aggregation, self.semantics)

    @property
    def identity(self) -> str:
        """Digest of all that decides a score: not the aggregation, nor what is done if too long."""
        return digest([self.template, self.separator, self.head, self.semantics, self.max_length])

    def before_steps(self, prompt: str) -> str:
        """Return the text before the steps. The prompt is inserted, never interpreted."""
        before, after = self.template.removesuffix("{steps}").split("{prompt}")
        return before + prompt + after

    def scores(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of the head's numbers: (steps, labels) to (steps,)."""
        if self.head == "raw":
            return raw[:, 0]
        return aggregate.sigmoid(raw[:, 0] if self.head == "sigmoid" else raw[:, 1] - raw[:, 0])


def from_options(options: Options) -> Recipe:
    """Read a recipe from a PRM's options; whatever is not given has its default.

    Raises:
        ConfigError: a value that does not exist, an aggregation that the semantics forbid.
    """
    head = options.choice("head", "sigmoid", HEADS)
    usual = "reward" if head == "raw" else "p_correct"
    semantics = aggregate.check_semantics(options.text("semantics", usual) or usual)
    default = aggregate.declared(semantics)
    return Recipe(
        template=options.text("template", Recipe().template) or "",
        separator=options.text("separator", "") or "",
        head=head,
        semantics=semantics,
        aggregation=options.text("aggregation", default) or default,
        max_length=options.integer("max_length", None, low=2),
        overflow=options.choice("overflow", "error", OVERFLOWS),
    )


@dataclass(frozen=True, slots=True)
class Encoded:
    """The input of one draft."""

    ids: tuple[int, ...]
    reads: tuple[int, ...]
    """Position that is read for each step."""


class Encoder:
    """A recipe with a tokenizer."""

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        self._recipe = recipe
        self._tokenizer = tokenizer
        self._separator = self._ids(recipe.separator) if recipe.separator else ()
        bos = tokenizer.bos_token_id
        self._start = () if bos is None else (int(bos),)

    def encode(self, question: Question, drafts: Sequence[Draft]) -> list[Encoded | None]:
        """Return the inputs of a question's drafts; None for a draft without steps.

        Raises:
            ValueError: an empty step, or one without a token of its own.
        """
        prompt = self._start + self._ids(self._recipe.before_steps(question.prompt))
        steps = self._steps(list(dict.fromkeys(step for draft in drafts for step in draft.steps)))
        inputs: dict[tuple[str, ...], Encoded | None] = {(): None}
        for draft in drafts:
            if draft.steps in inputs:
                continue
            ids, reads = list(prompt), []
            for number, step in enumerate(draft.steps):
                if not steps[step]:
                    raise ValueError(f"step {number} of a draft of {question.id!r} is empty")
                ids.extend(steps[step])
                reads.append(len(ids) - 1)
            inputs[draft.steps] = Encoded(tuple(ids), tuple(reads))
        return [inputs[draft.steps] for draft in drafts]

    def _steps(self, steps: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return the tokens of different steps, separators included."""
        if not steps:
            return {}
        texts = [step.rstrip() for step in steps] if self._separator else list(steps)
        ids = self._tokenizer(texts, add_special_tokens=False).input_ids
        return {step: (*own, *self._separator) for step, own in zip(steps, ids, strict=True)}

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)
