"""From a question and drafts to token ids and the places that are read, as a recipe says.

Text of steps is never read as special tokens: a solution cannot close a turn or mark a step. What
stands after the place of the last step is left out: a causal model does not see it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.errors import ConfigError
from harness.prms.numbers import RATIOS
from harness.prms.recipe import Recipe, named_by_id
from harness.types import Draft, Question

Ids = tuple[int, ...]

_DATE = "26 Jul 2024"
"""Given to chat templates that would put today's date in: Llama's own where there is no clock."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An input of the model."""

    ids: Ids
    reads: Ids
    """Position that is read for each step; of a log ratio, for each token of the solution."""
    ends: Ids = ()
    """Of a log ratio: how many of those belong to the solution up to the end of each step."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a draft cannot be read."""

    why: str


class Encoder:
    """A recipe with a tokenizer.

    Raises:
        ConfigError: a tag that is not one token, a chat without a template, an end that the
            tokenizer does not have, one text without a tokenizer that tells where its tokens stand.
    """

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        self._recipe = recipe
        self._tokenizer = tokenizer
        bos, eos = tokenizer.bos_token_id, tokenizer.eos_token
        self._start = () if bos is None or recipe.chat != "none" else (int(bos),)
        if "{eos}" in recipe.end and eos is None:
            raise ConfigError(f"end={recipe.end}: the model's tokenizer names no end of a text")
        self._separator = self._ids(recipe.separator)
        self._end = self._ids(recipe.end.replace("{eos}", eos or ""))
        self._tag = token(tokenizer, recipe.tag, "tag") if recipe.tag else None
        self._good = self._ids(recipe.good) if recipe.chat == "turns" else ()
        if recipe.chat != "none" and not tokenizer.chat_template:
            raise ConfigError(f"chat={recipe.chat}: the model's tokenizer has no chat template")
        if recipe.encode == "text" and not tokenizer.is_fast:
            raise ConfigError("encode=text needs a fast tokenizer (tokenizer.json)")
        self._turns = lru_cache(64)(self._skeleton)
        if recipe.inputs == "whole" and recipe.chat == "answer" and not self._end:
            self._end = self._turns(0)[-1]

    def encode(
        self, question: Question, drafts: Sequence[Draft]
    ) -> list[tuple[Encoded, ...] | Flaw | None]:
        """Return the inputs of a question's drafts; None for a draft without steps.

        A draft has one, or with ``inputs=prefixes`` one per step.
        """
        ways = [self._ways(draft.steps) for draft in drafts]
        wanted = list(dict.fromkeys(steps for way in ways for steps in way))
        if self._recipe.encode == "text":
            found = {steps: self._text(question, steps) for steps in wanted}
        else:
            found = dict(zip(wanted, self._parts(question, wanted), strict=True))
        return [_joined([found[steps] for steps in way]) for way in ways]

    def _ways(self, steps: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return the steps of each input of a draft."""
        if not steps:
            return []
        match self._recipe.inputs:
            case "once":
                return [steps]
            case "whole":
                return [("".join(steps),)]
            case "prefixes":
                return [steps[: k + 1] for k in range(len(steps))]

    # --- parts, encoded one by one ---------------------------------------------------------------

    def _parts(self, question: Question, wanted: Sequence[tuple[str, ...]]) -> list[Encoded | Flaw]:
        recipe = self._recipe
        texts = [self._texts(question, steps) for steps in wanted]
        known = self._plain(list(dict.fromkeys(text for of in texts for text in of)))
        prompt = () if recipe.chat == "turns" else self._prompt(question)
        found: list[Encoded | Flaw] = []
        for steps, own in zip(wanted, texts, strict=True):
            ids, reads, flaw = [*self._start, *prompt], [], None
            turns = self._turns(len(steps)) if recipe.chat == "turns" else ()
            for number, text in enumerate(own):
                if not (known[text] and recipe.step_text(steps[number], number + 1)):
                    why = "has no tokens" if steps[number].strip() else "is only white space"
                    flaw = Flaw(f"step {number} {why}")
                if self._tag is not None and self._tag in known[text]:
                    flaw = Flaw(f"step {number} holds the tag {recipe.tag!r}")
                if turns:
                    ids += [*turns[2 * number], *known[text], *turns[2 * number + 1], *self._good]
                    reads.append(len(ids) - len(self._good) - (recipe.read == "before"))
                    continue
                ids += known[text]
                last = number == len(steps) - 1 and self._end
                ids += self._after(bool(last))
                reads.append(self._place(ids, bool(last)))
            found.append(flaw or self._encoded(ids, reads, len(self._start) + len(prompt)))
        return found

    def _after(self, last: bool) -> Ids:
        """Return the tokens after a step."""
        if not last:
            return self._separator
        return (*(self._separator if self._recipe.inputs == "prefixes" else ()), *self._end)

    def _texts(self, question: Question, steps: tuple[str, ...]) -> list[str]:
        """Return the text of each step; in turns the first one holds the question."""
        texts = [self._recipe.step_text(step, k + 1) for k, step in enumerate(steps)]
        if self._recipe.chat == "turns":
            texts[0] = self._recipe.before_steps(question.prompt) + texts[0]
        return texts

    def _place(self, ids: Sequence[int], last: bool) -> int:
        """Return the place read for the step that ends with `ids`."""
        place = len(ids) - 1
        if self._tag is not None and not last:
            while ids[place] != self._tag:
                place -= 1
        return place - (self._recipe.read == "before")

    def _prompt(self, question: Question) -> Ids:
        """Return the tokens before the steps."""
        text = self._recipe.before_steps(question.prompt)
        if self._recipe.chat == "none":
            return self._ids(text)
        before, after, _ = self._turns(0)
        return (*before, *self._plain([text])[text], *after)

    def _skeleton(self, steps: int) -> tuple[Ids, ...]:
        """Return the tokens of a chat around its contents, what ends it last.

        Args:
            steps: 0: a user's turn and the head of the answer; else so many turns with an answer.

        Raises:
            ConfigError: a template that changes what it is given.
        """
        mark = "\uf8ff{}\uf8ff"
        chat = [{"role": "system", "content": self._recipe.system}] if self._recipe.system else []
        for k in range(max(1, steps)):
            chat.append({"role": "user", "content": mark.format(f"u{k}")})
            chat.append({"role": "assistant", "content": mark.format(f"a{k}")})
        text = self._tokenizer.apply_chat_template(chat, tokenize=False, date_string=_DATE)
        pieces: list[Ids] = []
        for k in range(max(1, steps)):
            for role in "ua":
                before, found, text = text.partition(mark.format(f"{role}{k}"))
                if not found:
                    raise ConfigError("the chat template leaves out or changes what it is given")
                pieces.append(self._ids(before))
        return (*pieces, self._ids(text))

    # --- one text --------------------------------------------------------------------------------

    def _text(self, question: Question, steps: tuple[str, ...]) -> Encoded | Flaw:
        """Return the input of one draft, encoded whole; in a chat, the answer is."""
        recipe = self._recipe
        text, marks = recipe.before_steps(question.prompt), []
        start: Ids = self._start
        if recipe.chat == "answer":
            text, start = "", self._prompt(question)
        begins = len(text)
        for number, step in enumerate(steps):
            text += recipe.step_text(step, number + 1)
            last = number == len(steps) - 1 and self._end
            if last and recipe.inputs != "prefixes":
                break
            marks.append(len(text) + self._mark())
            text += recipe.separator
        own, ends = self._spans(text)
        # The token that holds the mark; of a character of several tokens, the last.
        reads = [max(bisect_right(ends, at), bisect_right(ends, at + 1) - 1) for at in marks]
        if self._tag is not None:
            wrong = next((k for k, place in enumerate(reads) if own[place] != self._tag), None)
            if wrong is not None:
                return Flaw(f"the tag {recipe.tag!r} after step {wrong} is not a token of its own")
            if (extra := own.count(self._tag) - len(reads)) > 0:
                return Flaw(f"its text holds the tag {recipe.tag!r} {extra} times")
        if self._end:
            reads = [*reads[: len(steps) - 1], len(own) + len(self._end) - 1]
        shift = len(start) - (recipe.read == "before")
        ids = [*start, *own, *self._end]
        return self._encoded(
            ids, [place + shift for place in reads], len(start) + bisect_right(ends, begins)
        )

    def _mark(self) -> int:
        """Return the character of the separator at which a step is read, from where it begins."""
        recipe = self._recipe
        if named_by_id(recipe.tag) is not None:
            return len(recipe.separator.rstrip()) - 1
        return recipe.separator.rindex(recipe.tag) if recipe.tag else len(recipe.separator) - 1

    def _spans(self, text: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a text, none of them special, and where in it each ends."""
        encoded = self._tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        return encoded.input_ids, [end for _, end in encoded.offset_mapping]

    def _encoded(self, ids: Sequence[int], reads: Sequence[int], begins: int) -> Encoded:
        """Return an input up to the last place that is read.

        Args:
            ids: tokens.
            reads: place of each step.
            begins: place of the first token of the solution.
        """
        ids = tuple(ids[: reads[-1] + 1])
        match self._recipe.inputs, self._recipe.head in RATIOS:
            case "once", True:
                first = max(1, begins)  # nothing stands before a first token that would expect it
                ends = tuple(place + 1 - first for place in reads)
                return Encoded(ids, tuple(range(first, len(ids))), ends)
            case "once", False:
                return Encoded(ids, tuple(reads))
        return Encoded(ids, (len(ids) - 1,))

    # --- tokens ----------------------------------------------------------------------------------

    def _plain(self, texts: list[str]) -> dict[str, Ids]:
        """Return the tokens of different texts, in which no special token is one."""
        if not texts:
            return {}
        found = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)
        return {text: tuple(ids) for text, ids in zip(texts, found.input_ids, strict=True)}

    def _ids(self, text: str) -> Ids:
        if not text:
            return ()
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)


def _joined(inputs: Sequence[Encoded | Flaw]) -> tuple[Encoded, ...] | Flaw | None:
    """Return the inputs of one draft, or what is wrong with the first that is."""
    good = tuple(one for one in inputs if isinstance(one, Encoded))
    if len(good) < len(inputs):
        return next(one for one in inputs if isinstance(one, Flaw))
    return good or None


def token(tokenizer: Any, text: str, what: str) -> int:
    """Return the one token of a text, or that which ``id:N`` names.

    Raises:
        ConfigError: it is none, or several.
    """
    if (number := named_by_id(text)) is not None:
        if number >= len(tokenizer):
            raise ConfigError(
                f"{what}={text}: this model's tokenizer has {len(tokenizer)} tokens; "
                "the recipe is another family's"
            )
        return number
    ids = tokenizer(text, add_special_tokens=False).input_ids
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise ConfigError(
            f"{what} {text!r} is not one token of this model's tokenizer but "
            f"{len(ids)} ({', '.join(map(repr, tokenizer.convert_ids_to_tokens(ids)))}); "
            "the recipe is another family's"
        )
    return int(ids[0])
