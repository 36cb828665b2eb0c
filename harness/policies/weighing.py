"""How probable given words would be after a text: one reading of the text for all of them.

A word's tokens are read in the columns before them: the text's last token says how probable the
first one is, the first one the second. Beginnings that are shared are read once: a prompt by all
that was written after it, a text by all of its words of several tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from harness.adapters.memory import Memory, read
from harness.adapters.prefixes import Ids
from harness.types import Tokens, Weighed

_AT_ONCE = 64
"""Texts at most that are read together: each leaves a row as wide as the vocabulary."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One `Weigh` request in tokens."""

    prompt: Ids
    """At least one token."""
    text: Ids
    words: tuple[Ids, ...]
    """Each of at least one token."""

    @property
    def body(self) -> Ids:
        """What stands before the words."""
        return self.prompt + self.text

    def read(self, word: Ids) -> Ids:
        """What has to be read to know a word: all but its last token."""
        return self.body + word[:-1]


def weigh(
    model: Any,
    windows: Mapping[str, int | None],
    requests: Sequence[Asked],
    max_length: int,
    reading: int,
    room: int,
) -> list[Weighed]:
    """Weigh words; see `harness.policies.policy.Weighing.weigh`.

    Args:
        model: A causal model.
        windows: See `harness.adapters.kv.Table`.
        requests: What is asked.
        max_length: Tokens of prompt, text and word.
        reading: Most tokens of a pass, padding included.
        room: Tokens whose keys and values may be held at once, unless one text is longer.
    """
    found = [Weighed(None, Tokens(calls=1))] * len(requests)
    fit = [
        place
        for place, one in enumerate(requests)
        if len(one.body) + max(map(len, one.words)) <= max_length
    ]
    for some in _together(fit, [len(one.body) for one in requests], room):
        reader = _Reader(model, windows, reading)
        for place, own in zip(some, reader.weigh([requests[i] for i in some]), strict=True):
            found[place] = own
    return found


def _together(places: Sequence[int], sizes: Sequence[int], room: int) -> Iterator[list[int]]:
    """Yield places in order, as many at a time as there is room for."""
    some: list[int] = []
    held = 0
    for place in places:
        if some and (len(some) == _AT_ONCE or held + sizes[place] > room):
            yield some
            some, held = [], 0
        some.append(place)
        held += sizes[place]
    if some:
        yield some


class _Reader:
    """A model that weighs some requests, and what it has read for them."""

    def __init__(self, model: Any, windows: Mapping[str, int | None], reading: int) -> None:
        self._model, self._windows, self._reading = model, windows, reading
        self._memory = Memory(0)
        self._spent: list[int] = []
        """Per request the tokens that it, the first to need them, sent through the model."""

    @torch.inference_mode()
    def weigh(self, requests: Sequence[Asked]) -> list[Weighed]:
        """Weigh the words of some requests."""
        self._spent = [0] * len(requests)
        numbered = list(enumerate(requests))
        self._share((one.prompt, one.body, i) for i, one in numbered)
        self._share((one.body, one.read(word), i) for i, one in numbered for word in one.words)
        need: dict[Ids, int] = {}
        owner: dict[Ids, int] = {}
        for i, one in numbered:
            for word in one.words:
                need[one.read(word)] = max(need.get(one.read(word), 1), len(word))
                owner.setdefault(one.read(word), i)
        columns = self._read(need, owner)
        return [
            Weighed(
                tuple(_chance(columns[one.read(word)], word) for word in one.words),
                Tokens(1, logical(one), self._spent[i], 0),
            )
            for i, one in numbered
        ]

    def _share(self, uses: Iterable[tuple[Ids, Ids, int]]) -> None:
        """Read what several different sequences begin with; (beginning, sequence, request)."""
        after: dict[Ids, set[Ids]] = {}
        owner: dict[Ids, int] = {}
        for beginning, sequence, request in uses:
            if len(beginning) > 1:  # its last token is left for those who need its logits
                after.setdefault(beginning[:-1], set()).add(sequence)
                owner.setdefault(beginning[:-1], request)
        self._read({start: 0 for start, them in after.items() if len(them) > 1}, owner)

    def _read(self, need: Mapping[Ids, int], owner: Mapping[Ids, int]) -> dict[Ids, torch.Tensor]:
        """Read sequences from where they are known.

        Returns:
            Of each its last `need` columns of log-probabilities: (columns, vocabulary).
        """
        known = {s: self._memory.find(s)[: len(s) - n] for s, n in need.items()}
        wanted = [s for s, slots in known.items() if len(slots) < len(s)]
        found = {}
        for part, logits, _ in read(
            self._model,
            self._windows,
            self._memory,
            wanted,
            [known[s] for s in wanted],
            self._reading,
            logits_to_keep=max(1, *need.values(), 1),
        ):
            for row, i in enumerate(part):
                sequence = wanted[i]
                self._spent[owner[sequence]] += len(sequence) - len(known[sequence])
                if count := need[sequence]:
                    found[sequence] = logits[row, -count:].double().log_softmax(-1).cpu()
        return found


def _chance(columns: torch.Tensor, word: Ids) -> float:
    """Return a word's log-probability from the columns before its tokens, the last ones."""
    own = columns[-len(word) :]
    return float(own.gather(1, torch.tensor(word)[:, None]).sum())


def logical(one: Asked) -> int:
    """Return the tokens of a request: the text once, and what is read of its words."""
    return len(one.body) + sum(len(word) - 1 for word in one.words)
