"""Train and test streams that cannot share a problem.

A problem belongs to the split that the hash of its text says, whoever generates it: one tenth of
all texts is test, the rest train. A stream draws problems from seeds that are plain strings and
keeps those of its own split, so it is the same on every machine and every Python version.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from typing import Literal, Protocol, TypeVar

Split = Literal["train", "test"]

_TEST_SHARE = 10
"""One text in this many belongs to the test split."""


class HasText(Protocol):
    """Anything whose identity is a problem text."""

    @property
    def text(self) -> str:
        """The problem as the model reads it."""


P = TypeVar("P", bound=HasText)


def split_of(text: str) -> Split:
    """The split that a problem text belongs to, for ever."""
    value = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return "test" if value % _TEST_SHARE == 0 else "train"


def stream(
    make: Callable[[random.Random, int], P],
    levels: tuple[int, ...],
    split: Split,
    seed: str,
) -> Iterator[P]:
    """Endless distinct problems of one split, going round the levels in turn.

    Texts seen before in the same stream are skipped, so no problem comes twice.
    """
    seen: set[bytes] = set()
    index = 0
    while True:
        level = levels[index % len(levels)]
        rng = random.Random(f"{seed}/{split}/{index}")
        problem = make(rng, level)
        key = problem.text
        while split_of(key) != split or _short(key) in seen:
            problem = make(rng, level)
            key = problem.text
        seen.add(_short(key))
        yield problem
        index += 1


def _short(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
