"""PRMBench's figures, against loops that follow the benchmark's own description step by step."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import Labelled, prm_score
from harness.stats.prm_score import CATEGORIES, GROUPS, OVERALL

CUT = 0.5


@st.composite
def benchmarks(draw: st.DrawFn) -> tuple[list[Labelled], dict[str, tuple[float, ...]]]:
    """Some modified solutions and the scores of their originals, often at the threshold."""
    score = st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])
    scores = st.lists(score, min_size=1, max_size=5).map(tuple)
    items = []
    for _ in range(draw(st.integers(1, 12))):
        own, category = draw(scores), draw(st.sampled_from(CATEGORIES))
        steps = st.sets(st.integers(0, len(own) - 1))
        wrong = frozenset() if category == "MS" else draw(steps)
        said = () if draw(st.integers(0, 9)) == 9 else own
        items.append(Labelled(said, wrong, category, draw(st.sampled_from("abc")), len(own)))
    return items, draw(st.dictionaries(st.sampled_from("abc"), scores))


def read(items: list[Labelled], originals: dict[str, tuple[float, ...]]) -> dict[str, float]:
    """The figures of one set of solutions; NaN where one is not defined."""
    tp = fp = tn = fn = 0
    first, similarity = [], []
    for item in items:
        labels = [0 if score < CUT else 1 for score in item.scores]
        labels = labels or [1 if step in item.wrong else 0 for step in range(item.size)]
        for step, label in enumerate(labels):
            if step in item.wrong and label == 1:
                fp += 1
            elif step in item.wrong:
                tn += 1
            elif label == 1:
                tp += 1
            else:
                fn += 1
            if item.wrong and step == min(item.wrong):
                first.append(1 - label)
        original = [0 if s < CUT else 1 for s in originals.get(item.origin, ())]
        if sum(original) and item.scores:
            gap = sum(labels) / len(labels) - sum(original) / len(original)
            similarity.append(abs(gap))

    def f1(hits: int, false: int, missing: int) -> float:
        precision = hits / (hits + false) if hits + false else 0
        recall = hits / (hits + missing) if hits + missing else 0
        if not hits + false + missing:
            return math.nan
        return 2 * precision * recall / (precision + recall) if precision + recall else 0

    positive, negative = f1(tp, fp, fn), f1(tn, fn, fp) if tn + fp else math.nan
    return {
        "prm_score": positive if math.isnan(negative) else (positive + negative) / 2,
        "f1_right_steps": positive,
        "f1_wrong_steps": negative,
        "acc_right_steps": tp / (tp + fn) if tp + fn else math.nan,
        "acc_wrong_steps": tn / (tn + fp) if tn + fp else math.nan,
        "acc_first_wrong": sum(first) / len(first) if first else math.nan,
        "similarity": sum(similarity) / len(similarity) if similarity else math.nan,
    }


@settings(max_examples=40)
@given(benchmarks())
def test_every_figure_of_every_category(
    made: tuple[list[Labelled], dict[str, tuple[float, ...]]],
) -> None:
    items, originals = made
    found = prm_score(items, originals, CUT)
    there = {item.category for item in items}
    groups = {name for name, members in GROUPS.items() if set(members) <= there}
    assert set(found) == {OVERALL, *there, *groups}
    for name in (OVERALL, *there):
        own = [item for item in items if name in (OVERALL, item.category)]
        for metric, value in read(own, originals).items():
            estimate = getattr(found[name], metric)
            assert estimate.value == pytest.approx(value, nan_ok=True)
            assert math.isnan(value) == (estimate.n == 0)
            assert math.isnan(value) or estimate.low <= estimate.value <= estimate.high
    for name in groups:
        parts = [found[member].prm_score.value for member in GROUPS[name]]
        assert found[name].prm_score.value == pytest.approx(sum(parts) / len(parts), nan_ok=True)


def test_a_solution_without_errors_is_scored_by_its_right_steps() -> None:
    found = prm_score([Labelled((0.9, 0.1), frozenset(), "MS", "a")], {}, CUT)
    assert found["MS"].prm_score.value == pytest.approx(2 / 3)
    assert found["MS"].f1_wrong_steps is not None
    assert found["MS"].f1_wrong_steps.n == 0


def test_modified_solutions_of_one_problem_are_not_independent() -> None:
    """Copies of each solution under the same origin leave the interval as it was."""
    items = [Labelled((0.9, 0.2 + 0.15 * (i % 5)), frozenset({1}), "NR", str(i)) for i in range(60)]
    one, many = (prm_score(own, {}, CUT, seed=3)["NR"].prm_score for own in (items, items * 4))
    assert (one.value, one.low, one.high) == pytest.approx((many.value, many.low, many.high))
    assert (one.n, one.clusters, many.n, many.clusters) == (60, 60, 240, 60)


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="wrong steps"):
        Labelled((0.5,), frozenset({1}), "NR", "a")
    with pytest.raises(ValueError, match="wrong steps"):
        Labelled((), frozenset(), "NR", "a")
