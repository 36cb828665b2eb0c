"""Random streams that belong to drafts, not to batches.

Each draft has its own counter-based generator (Philox), keyed by the sampling seed, the task, the
question, the draft's place in its request and the text it already has. One uniform number per token
is drawn, in order. So a draft is the same alone and among five hundred others, and a continued
draft does not meet the numbers of its beginning again.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from harness.digest import canonical
from harness.types import Extend

BLOCK = 128
"""Numbers drawn at once: most drafts need one or two blocks, and none pays for many."""


def key(request: Extend, index: int) -> int:
    """Return the key of the generator of draft `index` of a request: 128 bits."""
    question = request.question
    seed = [request.sampling.seed, question.task, question.id, index, request.drafts[index].text]
    return int.from_bytes(hashlib.sha256(canonical(seed)).digest()[:16], "little")


def generator(key: int) -> np.random.Generator:
    """Return the generator of a key."""
    return np.random.Generator(np.random.Philox(key=key))


KEY, FIRST, TEMPERATURE, TOP_P = "key", "first", "temperature", "top_p"


def order(key: int, first: int, temperature: float, top_p: float) -> dict[str, str | int | float]:
    """Return what a vLLM request says of its draws; `harness.policies.draws` reads it there.

    Args:
        key: See `key`.
        first: Tokens that were drawn by this key before.
        temperature: Above 0.
        top_p: In (0, 1].
    """
    return {KEY: f"{key:x}", FIRST: first, TEMPERATURE: temperature, TOP_P: top_p}


class Uniforms:
    """The uniform numbers of the rows of a table, each from a generator of its own."""

    def __init__(self) -> None:
        self._generators: list[np.random.Generator] = []
        self._blocks: NDArray[np.float64] = np.empty((0, BLOCK))
        self._used: NDArray[np.int64] = np.empty(0, np.int64)

    def put(self, row: int, generator: np.random.Generator) -> None:
        """Let a row, old or next to the last, go on with this generator."""
        if row == len(self._generators):
            self._generators.append(generator)
        self._generators[row] = generator
        if row >= len(self._used):
            more = max(row + 1 - len(self._used), len(self._used))
            self._blocks = np.pad(self._blocks, ((0, more), (0, 0)))
            self._used = np.pad(self._used, (0, more))
        self._used[row] = BLOCK

    def move(self, sources: NDArray[np.int64], targets: NDArray[np.int64], rows: int) -> None:
        """Copy rows to the places of others, and go on with the first `rows`."""
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            self._generators[target] = self._generators[source]
        del self._generators[rows:]
        self._blocks[targets] = self._blocks[sources]
        self._used[targets] = self._used[sources]

    def next(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the next number of each of these rows: (rows,) in [0, 1)."""
        for row in rows[self._used[rows] == BLOCK].tolist():
            self._generators[row].random(out=self._blocks[row])
            self._used[row] = 0
        found = self._blocks[rows, self._used[rows]]
        self._used[rows] += 1
        return found
