"""Where the step of a draft ends: end tokens, strings, lengths, and half-written characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.policies.rows import Rules, Task, Written
from harness.policies.stops import Decoder, Ending, ending, whole


@dataclass(frozen=True)
class Ends:
    """What a model's tokens say about ends."""

    decoder: Decoder
    tokens: tuple[int, ...]
    """Tokens that end a text."""
    size: int
    """Of the vocabulary."""

    def watched(self, rules: Rules) -> NDArray[np.bool_]:
        """Return the tokens after which a draft may have ended: (vocabulary,)."""
        watch: NDArray[np.bool_] = np.zeros(self.size, bool)
        if strings := (*rules.stop, *rules.delimiters):
            watch |= self.decoder.enders(strings, self.size)
        watch[list(self.tokens)] = True
        return watch

    def end(
        self, task: Task, tokens: Sequence[int], chances: Sequence[float], cut: bool = False
    ) -> Written | None:
        """Return a task's step if it ends with these tokens, None if it goes on.

        A step that ends for its length alone, or by `cut`, does not end within a character: it
        goes on until the character is whole. Alternatives cannot wait, and end all the same.
        """
        rules, size = task.rules, len(tokens)
        stopped = tokens[-1] in self.tokens
        said = list(tokens[:-1] if stopped else tokens)
        text = self.decoder.text(said)
        found = ending(text, rules.stop, rules.delimiters, task.before)
        if found is None and stopped:
            found = Ending(text, "stop")
        if found is None and task.limit <= size:
            found = Ending(text, "length")
        if found is None and (
            rules.alternatives or ((cut or (rules.tokens and rules.tokens <= size)) and whole(text))
        ):
            found = Ending(text, None)
        if found is None:
            return None
        kept = tuple(chances) if rules.logprobs else None
        exact = found.finish is None and found.text == text
        ids = tuple(map(int, said)) if exact else None
        return Written(found.text, found.finish, size, kept, ids)
