"""Where a draft ends: stop strings, step delimiters and how to notice them cheaply.

A string can only end at a token whose own text holds the string's last character. The tokens of
which that is true are found once; after each token written it is enough to look the token up, and
to decode and search the text of the few rows where it is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.types import Finish

_PARTIAL = "\ufffd"
"""How half a character decodes; a token of that kind may complete any other."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Text that a draft keeps, and how it ended there."""

    text: str
    finish: Finish | None


def ending(
    text: str, stops: tuple[str, ...], delimiters: tuple[str, ...], before: str = ""
) -> Ending | None:
    """Return the end of a step at the string that is complete first, None if there is none.

    A stop string is cut off, a delimiter stays. Of two strings that end together the stop string
    counts, and of two stop strings the longer. A stop string may begin in earlier steps, `before`,
    and what of it is there stays there; a delimiter lies within its step.
    """
    ends: list[tuple[int, int, Ending]] = []
    for stop in stops:
        head = before[max(0, len(before) + 1 - len(stop)) :]
        if (at := (head + text).find(stop)) >= 0:
            at -= len(head)
            ends.append((at + len(stop), at, Ending(text[: max(0, at)], "stop")))
    for delimiter in delimiters:
        if (at := text.find(delimiter)) >= 0:
            end = at + len(delimiter)
            ends.append((end, end, Ending(text[:end], None)))
    return min(ends, key=lambda item: item[:2])[2] if ends else None


def whole(text: str) -> bool:
    """Return whether no character is cut in its middle at the end."""
    return not text.endswith(_PARTIAL)


class Decoder:
    """A tokenizer's way back from tokens to text, one step of a draft at a time."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # SentencePiece drops the space before the first token: decode after a token then.
        ids = tokenizer("a b", add_special_tokens=False).input_ids
        joined = self._decode(ids)
        self._anchor = [] if self._decode(ids[:1]) + self._decode(ids[1:]) == joined else ids[:1]
        self._lead = self._decode(self._anchor) if self._anchor else ""

    def text(self, tokens: list[int]) -> str:
        """Return the text of tokens that continue another text; special tokens have none."""
        return self._decode(self._anchor + tokens)[len(self._lead) :]

    def texts(self, rows: list[list[int]]) -> list[str]:
        """Return the text of each row."""
        decoded: list[str] = self._tokenizer.batch_decode(
            [self._anchor + row for row in rows],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [text[len(self._lead) :] for text in decoded]

    @lru_cache(maxsize=16)  # noqa: B019  # one decoder per open model, closed with it
    def enders(self, strings: tuple[str, ...], size: int) -> NDArray[np.bool_]:
        """Return which of `size` tokens may complete one of the strings: (size,) bool."""
        last = {string[-1] for string in strings}
        if not all(char.isascii() for char in last):
            last.add(_PARTIAL)
        known = min(size, len(self._tokenizer))
        pieces = self.texts([[token] for token in range(known)])
        marks = [not last.isdisjoint(piece) for piece in pieces]
        return np.array(marks + [False] * (size - known))

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
