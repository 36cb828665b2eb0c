"""A replayed search says what the search itself would have done with the same candidates."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.search.moves import Search
from harness.search.rejection import RejectionOptions, looks, speculative_rejection
from harness.search.setting import Setting
from harness.stats import best_of_n
from harness.stats import speculative_rejection as replayed
from harness.types import (
    Cut,
    Draft,
    Extend,
    Extended,
    Found,
    Judge,
    Judged,
    Question,
    Sampling,
    StepScores,
    Tokens,
)

OPTIONS = RejectionOptions()
Scores = list[list[float]]
"""Step scores of each candidate."""


def searched(scores: Scores, order: Sequence[int], options: RejectionOptions) -> tuple[int, int]:
    """Run the search itself on recorded candidates: what is left, and how many steps it writes.

    A step's text is its candidate's number, and an extension is the candidate's next step. Of every
    second candidate nobody knows that it has ended before nothing comes any more, as where steps
    end in a delimiter.
    """
    setting = Setting(Question("t", "q", "?"), len(order), Sampling(), Cut(("\n",)))
    begun, written = iter(order), 0
    found: list[Found] = []
    left: list[tuple[int, float]] = []
    search: Search = speculative_rejection(setting, options)
    reply: Any = None
    while True:
        try:
            request = search.send(reply)
        except StopIteration:
            ((index, _),) = left
            return int(found[index].draft.steps[0]), written
        reply = None
        if isinstance(request, Extend):
            longer = []
            for draft in request.drafts:
                assert draft.finish is None
                who = int(draft.steps[0]) if draft.steps else next(begun)
                size = len(scores[who])
                if request.cut is not None:
                    size = min(size, len(draft.steps) + 1)
                late = who % 2 and request.cut is not None and size > len(draft.steps)
                ended = "stop" if size == len(scores[who]) and not late else None
                longer.append(Draft((str(who),) * size, ended))  # type: ignore[arg-type]
                written += size - len(draft.steps)
            reply = Extended(tuple(longer), Tokens())
        elif isinstance(request, Judge):
            own = [scores[int(draft.steps[0])][: len(draft.steps)] for draft in request.drafts]
            reply = Judged(tuple(StepScores(tuple(one), "p_correct") for one in own), Tokens())
        else:
            found += request.found  # type: ignore[union-attr]
            left = list(request.ballot or ())  # type: ignore[union-attr]


def by_search(
    scores: Scores, right: Sequence[float], n: int, options: RejectionOptions
) -> tuple[float, float]:
    """Mean over all orders of all n candidates, by the search itself."""
    values, written, total = [], 0, 0
    for order in itertools.permutations(range(len(scores)), n):
        last, steps = searched(scores, order, options)
        values.append(right[last])
        written += steps
        total += sum(len(scores[i]) for i in order)
    return math.fsum(values) / len(values), written / total


def by_replay(
    scores: Scores, right: Sequence[float], n: int, options: RejectionOptions, draws: int
) -> tuple[float, float]:
    plan = looks(n, options)
    begun = [[[[min(own[: look.steps]) for own in scores]]] for look in plan]
    shape = (len(plan), 1, 1, len(scores))
    made = replayed(
        np.array(begun, float).reshape(shape),
        [[len(own) for own in scores]],
        [right],
        np.ones((1, len(scores)), bool),
        n,
        plan,
        draws=draws,
    )
    return float(made.value[0, 0]), float(made.written[0, 0])


def pools(rng: random.Random, levels: int) -> Iterator[tuple[Scores, list[float]]]:
    for _ in range(25):
        size = rng.randint(2, 5)
        pick = (lambda: rng.randrange(levels) / levels) if levels else rng.random
        scores = [[pick() for _ in range(rng.randint(1, 6))] for _ in range(size)]
        yield scores, [float(rng.random() < 0.5) for _ in range(size)]


@pytest.mark.parametrize(
    "options", [OPTIONS, RejectionOptions(first=1), RejectionOptions(first=1, reject=0.3)]
)
def test_with_all_candidates_and_no_ties_it_is_the_search(options: RejectionOptions) -> None:
    for scores, right in pools(random.Random(1), levels=0):
        # Steps after a worse one do not move the minimum: equal beginnings are cut short here.
        n = len(scores)
        want = by_search(scores, right, n, options)
        assert by_replay(scores, right, n, options, draws=3) == pytest.approx(want)


@pytest.mark.parametrize("levels", [0, 2, 4])
def test_over_subsets_and_ties_it_is_the_mean_of_all_searches(levels: int) -> None:
    draws, options = 4000, RejectionOptions(first=1)
    for scores, right in itertools.islice(pools(random.Random(2), levels), 8):
        for n in range(1, len(scores) + 1):
            value, written = by_search(scores, right, n, options)
            got, share = by_replay(scores, right, n, options, draws)
            assert got == pytest.approx(value, abs=4 * 0.5 / math.sqrt(draws))
            assert share == pytest.approx(written, abs=4 * 0.5 / math.sqrt(draws))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(1, 6), st.floats(0.01, 0.99))
def test_looks_keep_fewer_and_fewer_until_one_is_left(n: int, first: int, share: float) -> None:
    plan = looks(n, RejectionOptions(first=first, reject=share))
    kept = [look.kept for look in plan]
    assert ([n, *kept])[-1] == 1
    assert all(before > after >= 1 for before, after in itertools.pairwise([n, *kept]))
    steps = [look.steps for look in plan]
    assert all(before < after for before, after in itertools.pairwise(steps))
    assert not plan or steps[0] == first


def test_half_of_sixteen_is_rejected_at_twice_the_length() -> None:
    assert looks(16, OPTIONS) == ((2, 8), (4, 4), (8, 2), (16, 1))
    assert looks(1, OPTIONS) == ()


def test_late_looks_make_it_best_of_n_and_ungraded_is_not_wrong() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((3, 5, 8))
    correct = rng.integers(0, 2, (5, 8)).astype(float)
    correct[0, :3] = np.nan
    steps = rng.integers(1, 5, (5, 8))
    present = np.ones((5, 8), bool)
    present[4, 5:] = False
    plan = looks(8, RejectionOptions(first=5))
    begun = np.broadcast_to(scores, (len(plan), *scores.shape))
    made = replayed(begun, steps, correct, present, 8, plan)
    want = best_of_n(scores, correct, present, [8])[..., 0]
    assert np.array_equal(made.value, want, equal_nan=True)
    assert np.isnan(made.value[:, 4]).all()
    assert np.isnan(made.written[:, 4]).all()
    assert (made.written[:, :4] == 1).all()


def test_what_has_no_verdict_is_given_up_first() -> None:
    scores = np.array([[[-np.inf, 0.2, 0.1, -np.inf]]])
    made = replayed(
        np.stack([scores, scores]), [[9] * 4], [[0, 1, 0, 0]], np.ones((1, 4), bool),
        4, ((2, 2), (4, 1)),
    )  # fmt: skip
    assert made.value[0, 0] == 1
    assert made.written[0, 0] == (2 + 2 + 4 + 9) / 36


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        replayed(np.ones((1, 1, 1, 2)), [[1]], [[1]], [[True]], 2, ((1, 1),))
    with pytest.raises(ValueError, match="do not leave one"):
        replayed(np.ones((1, 1, 1, 2)), [[1, 1]], [[1, 1]], [[True, True]], 2, ((1, 2),))
