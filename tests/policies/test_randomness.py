"""Random streams belong to drafts."""

from __future__ import annotations

import numpy as np
import pytest

from harness.policies.randomness import BLOCK, Uniforms, generator, key
from harness.types import Draft, Extend, Question, Sampling

PINNED = [0.07212094478927644, 0.7829637914995116, 0.6024409639731421, 0.6279167979963307]
"""The first numbers of the default stream; a change of them changes every result."""


def stream(index: int = 0, text: str = "", **change: object) -> list[float]:
    parts = {"task": "t", "id": "p", "seed": 0, **change}
    steps = (text,) if text else ()
    request = Extend(
        Question(parts["task"], parts["id"], "prompt"),
        (Draft(steps),) * 3,
        Sampling(seed=parts["seed"]),
    )
    return generator(key(request, index)).random(4).tolist()


def test_the_stream_is_pinned() -> None:
    assert stream() == pytest.approx(PINNED, abs=0)


def test_everything_named_changes_the_stream() -> None:
    changed = [
        stream(),
        stream(1),
        stream(text="x"),
        stream(task="u"),
        stream(id="q"),
        stream(seed=1),
    ]
    assert len({tuple(numbers) for numbers in changed}) == len(changed)


def test_rows_keep_their_own_numbers_when_others_leave() -> None:
    def made(n: int) -> list[np.random.Generator]:
        return [np.random.Generator(np.random.Philox(key=i)) for i in range(n)]

    alone = [g.random(3 * BLOCK).tolist() for g in made(4)]
    uniforms = Uniforms()
    for row, one in enumerate(made(3)):
        uniforms.put(row, one)
    drawn = [uniforms.next(np.arange(3)).tolist() for _ in range(5)]
    assert drawn == [list(numbers) for numbers in zip(*alone[:3], strict=True)][:5]
    uniforms.put(1, made(4)[3])  # another draft takes the place of one that left
    for step in range(5, BLOCK + 5):
        assert uniforms.next(np.array([0, 1])).tolist() == [alone[0][step], alone[3][step - 5]]
    uniforms.move(np.array([2]), np.array([0]), 2)
    for step in range(5, 2 * BLOCK):
        assert uniforms.next(np.array([0])).tolist() == [alone[2][step]]
