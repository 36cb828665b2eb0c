"""Random streams that belong to drafts, not to batches.

Each draft has its own counter-based generator (Philox), keyed by the sampling seed, the task, the
question, the draft's place in its request and the text it already has. One uniform number per token
is drawn, in order. So a draft is the same alone and among five hundred others, and a continued
draft does not meet the numbers of its beginning again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.digest import canonical
from harness.types import Extend

BLOCK = 128
"""Numbers drawn at once: most drafts need one or two blocks, and none pays for many."""


def generator(request: Extend, index: int) -> np.random.Generator:
    """Return the generator of draft `index` of a request."""
    question = request.question
    seed = [request.sampling.seed, question.task, question.id, index, request.drafts[index].text]
    key = hashlib.sha256(canonical(seed)).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


class Uniforms:
    """The uniform numbers of a batch of drafts, token by token."""

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self._generators = list(generators)
        self._block: NDArray[np.float64] = np.empty((len(generators), 0))
        self._used = 0

    def next(self) -> NDArray[np.float64]:
        """Return the next number of each draft: (drafts,) in [0, 1)."""
        if self._used == self._block.shape[1]:
            self._block = np.stack([g.random(BLOCK) for g in self._generators])
            self._used = 0
        self._used += 1
        return self._block[:, self._used - 1]

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Go on with these drafts alone."""
        self._generators = [self._generators[row] for row in rows]
        self._block = self._block[rows]
