"""From prompts and texts to the tokens that a language model reads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from harness.errors import ConfigError

_DATE = "26 Jul 2024"
"""Chat templates that print today's date print this one (Llama 3's own default): a prompt must not
depend on the day."""

_KEPT = 4096
"""Encoded prompts and texts that are kept: a search asks for each several times, and encoding a
hundred tokens takes as long as writing one."""


class Encoding:
    """A tokenizer with a chat template, or without.

    Raises:
        ConfigError: a template is asked for that the tokenizer does not have.
    """

    def __init__(self, tokenizer: Any, chat: str, system: str | None, target: str) -> None:
        """Args: ``chat`` on, off or auto; the system prompt; how errors call the model."""
        self._tokenizer, self._system = tokenizer, system
        template = tokenizer.chat_template
        if chat == "on" and not template:
            raise ConfigError(f"policy {target}: no chat template; use chat=off")
        used = None if chat == "off" else template
        if system is not None and not used:
            raise ConfigError(f"policy {target}: system= needs a chat template")
        self.template = str(used) if used else None
        """The chat template in use, None for plain prompts."""
        self.prompt = lru_cache(_KEPT)(self._prompt)
        self.text = lru_cache(_KEPT)(self._text)

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

    def _text(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a text by itself."""
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)
