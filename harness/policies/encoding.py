"""From prompts and texts to the tokens that a language model reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from harness.errors import ConfigError
from harness.types import Question, Turn

_DATE = "26 Jul 2024"
"""Chat templates that print today's date print this one (Llama 3's own default): a prompt must not
depend on the day."""

_KEPT = 4096
"""Encoded prompts and texts that are kept: a search asks for each several times, and encoding a
hundred tokens takes as long as writing one."""


_PAD = "\u2003"
"""White space that no template writes: it tells whether a template trims."""


class Encoding:
    """A tokenizer with a chat template, or without.

    Raises:
        ConfigError: a template is asked for that the tokenizer does not have.
    """

    def __init__(self, tokenizer: Any, chat: str, system: str | None, target: str) -> None:
        """Args: ``chat`` on, off or auto; the system prompt; how errors call the model."""
        self._tokenizer, self._system, self._target = tokenizer, system, target
        template = tokenizer.chat_template
        if chat == "on" and not template:
            raise ConfigError(f"policy {target}: no chat template; use chat=off")
        used = None if chat == "off" else template
        if system is not None and not used:
            raise ConfigError(f"policy {target}: system= needs a chat template")
        self.template = str(used) if used else None
        """The chat template in use, None for plain prompts."""
        added = tokenizer.added_tokens_decoder.values()
        marks = {t.content for t in added if t.special or t.content in (self.template or "")}
        self._marks = re.compile("|".join(map(re.escape, sorted(marks))) or r"(?!)")
        """Tokens that mean something beyond their letters: special ones, and what the template
        writes, which some models do not declare as special."""
        self.prompt = lru_cache(_KEPT)(self._prompt)
        self.chat = lru_cache(_KEPT)(self._chat)
        self.text = lru_cache(_KEPT)(self._text)

    def asked(self, question: Question) -> tuple[int, ...]:
        """Return the tokens of what is asked: the conversation if there is one, else the prompt."""
        return self.chat(question.chat) if question.chat else self.prompt(question.prompt)

    def _prompt(self, prompt: str) -> tuple[int, ...]:
        """Return the tokens of a prompt; none for an empty one."""
        if self.template is None:
            return tuple(self._tokenizer(prompt).input_ids)
        turns = [{"role": "user", "content": prompt}]
        if self._system is not None:
            turns.insert(0, {"role": "system", "content": self._system})
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, date_string=_DATE
        )
        return self._text(text)

    def _chat(self, turns: tuple[Turn, ...]) -> tuple[int, ...]:
        """Return the tokens of a conversation up to where the answer begins.

        Without a chat template the turns stand one after the other, a blank line between. A text in
        which a special token is spelled out is encoded apart from the template, as plain letters.
        """
        if self.template is None:
            plain = "".join(turn.text + "\n\n" for turn in turns)
            return tuple(self._tokenizer(plain, split_special_tokens=True).input_ids)
        if self._system is not None and turns[0].role != "system":
            turns = (Turn("system", self._system), *turns)
        if not any(self._marks.search(turn.text) for turn in turns):
            return self._text(self._rendered(turns))
        rest = self._rendered([Turn(turn.role, _mark(i)) for i, turn in enumerate(turns)])
        ids: list[int] = []
        for i, turn in enumerate(turns):
            before, mark, rest = rest.partition(_mark(i).strip())
            if not mark:
                raise ConfigError(
                    f"policy {self._target}: its chat template leaves out a {turn.role} turn"
                )
            kept = before.endswith(_PAD)  # else the template trims what it is given
            ids += self._text(before.removesuffix(_PAD))
            text = turn.text if kept else turn.text.strip()
            ids += self._letters(text)
            rest = rest.removeprefix(_PAD)
        return (*ids, *self._text(rest))

    def _letters(self, text: str) -> list[int]:
        """Return the tokens of a text none of which is a mark: where one is spelled, it is cut."""
        ids: list[int] = []
        while text:
            found = self._marks.search(text)
            end = found.start() + 1 if found else len(text)
            piece, text = text[:end], text[end:]
            ids += self._tokenizer(
                piece, add_special_tokens=False, split_special_tokens=True
            ).input_ids
        return ids

    def _rendered(self, turns: Iterable[Turn]) -> str:
        """Return a conversation as the chat template writes it.

        Raises:
            ConfigError: the template refuses it: a system turn that its model does not know, say.
        """
        chat = [{"role": turn.role, "content": turn.text} for turn in turns]
        try:
            text: str = self._tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True, date_string=_DATE
            )
        except TemplateError as error:
            raise ConfigError(
                f"policy {self._target}: its chat template refuses the conversation: {error}"
            ) from error
        return text

    def _text(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text by itself."""
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)


def _mark(number: int) -> str:
    """Return what stands for the text of a turn."""
    return f"{_PAD}\uf8ff{number}\uf8ff{_PAD}"
