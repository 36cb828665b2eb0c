"""The expected score of the best of n, against every subset counted one by one."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import best_of_n, chosen_score

SCORES = st.sampled_from([-np.inf, -3.0, 0.0, 0.25, 0.5, 7.0])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=7))
def test_every_subset_counted(candidates):
    scores, present = (np.array(column) for column in zip(*candidates, strict=True))
    ns = list(range(1, len(scores) + 2))
    values, means = chosen_score(scores[None], present[None], ns)
    kept = scores[present]
    for n, value, mean in zip(ns, values[0], means, strict=True):
        best = [max(subset) for subset in combinations(kept, n)]
        finite = [one for one in best if np.isfinite(one)]
        expected = np.mean(finite) if finite else np.nan
        np.testing.assert_allclose(value, expected, atol=1e-9)
        np.testing.assert_allclose(mean.value, expected, atol=1e-9)
        assert not finite or mean.low <= mean.value <= mean.high


def test_it_rises_with_n_while_accuracy_falls():
    """A PRM that overrates one wrong candidate of eight."""
    rng = np.random.default_rng(0)
    scores, correct = rng.random((40, 8)) / 2, np.ones((40, 8))
    scores[:, 3], correct[:, 3] = 0.9, 0.0
    ns = (1, 2, 4, 8)
    _, means = chosen_score(scores, correct == correct, ns)
    gold = best_of_n(scores, correct, correct == correct, ns).mean(axis=0)
    assert all(np.diff([one.value for one in means]) > 0) and all(np.diff(gold) < 0)
    assert means[-1].value == 0.9 and gold[-1] == 0
