"""From a question and drafts to token ids and the places that are read, as a recipe says.

Text of steps is never read as special tokens: a solution cannot close a turn or mark a step. What
stands after the place of the last step is left out: a causal model does not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.errors import ConfigError
from harness.prms.recipe import Recipe
from harness.types import Draft, Question

Ids = tuple[int, ...]

_DATE = "26 Jul 2024"
"""Given to chat templates that would put today's date in: Llama's own where there is no clock."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The input of one draft."""

    ids: Ids
    reads: Ids
    """Position that is read for each step."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a draft cannot be read."""

    why: str


class Encoder:
    """A recipe with a tokenizer.

    Raises:
        ConfigError: a tag that is not one token, a chat without a template, one text without a
            tokenizer that tells where its tokens stand.
    """

    def __init__(self, recipe: Recipe, tokenizer: Any) -> None:
        self._recipe = recipe
        self._tokenizer = tokenizer
        bos = tokenizer.bos_token_id
        self._start = () if bos is None or recipe.chat != "none" else (int(bos),)
        self._separator, self._end = self._ids(recipe.separator), self._ids(recipe.end)
        self._tag = token(tokenizer, recipe.tag, "tag") if recipe.tag else None
        self._good = self._ids(recipe.good) if recipe.chat == "turns" else ()
        if recipe.chat != "none" and not tokenizer.chat_template:
            raise ConfigError(f"chat={recipe.chat}: the model's tokenizer has no chat template")
        if recipe.encode == "text" and not tokenizer.is_fast:
            raise ConfigError("encode=text needs a fast tokenizer (tokenizer.json)")
        self._turns = lru_cache(64)(self._skeleton)

    def encode(self, question: Question, drafts: Sequence[Draft]) -> list[Encoded | Flaw | None]:
        """Return the inputs of a question's drafts; None for a draft without steps.

        Raises:
            ValueError: a step without a token of its own.
        """
        found: dict[tuple[str, ...], Encoded | Flaw | None] = {(): None}
        wanted = [steps for steps in dict.fromkeys(d.steps for d in drafts) if steps]
        if self._recipe.encode == "text":
            found |= {steps: self._text(question, steps) for steps in wanted}
        else:
            found |= dict(zip(wanted, self._parts(question, wanted), strict=True))
        return [found[draft.steps] for draft in drafts]

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
                if not known[text]:
                    raise ValueError(f"step {number} of a draft of {question.id!r} is empty")
                if self._tag is not None and self._tag in known[text]:
                    flaw = Flaw(f"step {number} holds the tag {recipe.tag!r}")
                if turns:
                    ids += [*turns[2 * number], *known[text], *turns[2 * number + 1], *self._good]
                    reads.append(len(ids) - len(self._good) - (recipe.read == "before"))
                    continue
                ids += known[text]
                last = number == len(steps) - 1 and self._end
                ids += self._end if last else self._separator
                reads.append(self._place(ids, bool(last)))
            found.append(flaw or _encoded(ids, reads))
        return found

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
        before, after = self._turns(0)
        return (*before, *self._plain([text])[text], *after)

    def _skeleton(self, steps: int) -> tuple[Ids, ...]:
        """Return the tokens of a chat around its contents.

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
        return tuple(pieces)

    # --- one text --------------------------------------------------------------------------------

    def _text(self, question: Question, steps: tuple[str, ...]) -> Encoded | Flaw:
        """Return the input of one draft, encoded whole."""
        recipe = self._recipe
        text, marks = recipe.before_steps(question.prompt), []
        for number, step in enumerate(steps):
            text += recipe.step_text(step, number + 1)
            if number == len(steps) - 1 and self._end:
                break
            at = recipe.separator.rindex(recipe.tag) if recipe.tag else len(recipe.separator) - 1
            marks.append(len(text) + at)
            text += recipe.separator
        encoded = self._tokenizer(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        own, spans = encoded.input_ids, encoded.offset_mapping
        reads, place = [], 0
        for mark in marks:
            while place < len(own) and spans[place][1] <= mark:
                place += 1
            reads.append(place)
        if self._tag is not None:
            wrong = next((k for k, place in enumerate(reads) if own[place] != self._tag), None)
            if wrong is not None:
                return Flaw(f"the tag {recipe.tag!r} after step {wrong} is not a token of its own")
            if (extra := own.count(self._tag) - len(reads)) > 0:
                return Flaw(f"its text holds the tag {recipe.tag!r} {extra} times")
        if self._end:
            reads.append(len(own) + len(self._end) - 1)
        start = len(self._start) - (recipe.read == "before")
        return _encoded([*self._start, *own, *self._end], [place + start for place in reads])

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


def _encoded(ids: Sequence[int], reads: Sequence[int]) -> Encoded:
    """Return an input up to the last place that is read."""
    return Encoded(tuple(ids[: reads[-1] + 1]), tuple(reads))


def token(tokenizer: Any, text: str, what: str) -> int:
    """Return the one token of a text.

    Raises:
        ConfigError: it is none, or several.
    """
    ids = tokenizer(text, add_special_tokens=False).input_ids
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise ConfigError(
            f"{what} {text!r} is not one token of this model's tokenizer but "
            f"{len(ids)} ({', '.join(map(repr, tokenizer.convert_ids_to_tokens(ids)))}); "
            "the recipe is another family's"
        )
    return int(ids[0])
