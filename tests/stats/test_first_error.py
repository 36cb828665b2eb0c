"""First-wrong-step figures: the recorded scores of real PRMs, and the definition word for word."""

import gzip
import itertools
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import (
    Judged,
    Subset,
    count_behind,
    evaluate,
    f1_possible,
    first_below,
    tune,
)
from harness.stats.first_error import FIXED, harmonic

DATA = Path(os.environ.get("HARNESS_DATA") or Path(__file__).parents[3] / "shared" / "data")
SCORES = DATA / "recorded" / "processbench_prm_scores"
NAMES = ("gsm8k", "math", "olympiadbench", "omnimath")

needs_scores = pytest.mark.skipif(
    not (SCORES.is_dir() and (DATA / "processbench").is_dir()),
    reason="recorded ProcessBench scores are not there; set HARNESS_DATA",
)

# Recomputed by the collectors of the files, "error" meaning a score < 0.5: F1, error accuracy,
# correct accuracy, and F1 for "error" meaning <= 0.5 where scores of exactly 0.5 occur.
PUBLISHED = {
    "Qwen2.5-Math-PRM-7B": (
        [83.65, 74.46, 66.65, 67.59],
        [73.17, 64.00, 55.09, 55.90],
        [97.64, 89.00, 84.34, 85.45],
        [83.65, 74.46, 66.65, 67.59],
    ),
    "Skywork-o1-Open-PRM-Qwen-2.5-7B": (
        [68.73, 46.59, 23.64, 17.22],
        [60.98, 36.00, 18.56, 11.28],
        [78.74, 66.00, 32.53, 36.36],
        [68.73, 46.59, 23.64, 17.22],
    ),
    "Llama3.1-8B-PRM-Mistral-Data": (
        [47.03, 30.27, 13.79, 15.22],
        [30.89, 18.67, 7.78, 8.72],
        [98.43, 80.00, 60.24, 60.00],
        [47.96, 31.58, 16.28, 14.32],
    ),
    "Qwen2.5-7B-Instruct_as_verifier": (
        [49.59, 46.37, 38.89, 41.46],
        [34.15, 34.67, 26.95, 28.72],
        [90.55, 70.00, 69.88, 74.55],
        [50.44, 46.37, 38.27, 41.99],
    ),
    "FoVer-Qwen2.5-7B-PRM": (
        [53.84, 48.89, 35.62, 38.55],
        [37.40, 44.00, 37.72, 41.03],
        [96.06, 55.00, 33.73, 36.36],
        [55.37, 48.08, 36.14, 36.85],
    ),
}


def recorded(name, final=None):
    """The four subsets of a recorded file; `final` maps an id to whether its answer is right."""
    with gzip.open(SCORES / f"{name}.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [
        Subset.of(
            split,
            [
                Judged(tuple(row["scores"]), row["label"], (final or {}).get(row["id"]))
                for row in rows
                if row["split"] == split
            ],
        )
        for split in NAMES
    ]


def printed(values):
    return [round(100 * value, 2) for value in values]


@needs_scores
@pytest.mark.parametrize("name", PUBLISHED)
def test_recorded_scores_give_the_printed_figures(name):
    f1, error, correct, _ = PUBLISHED[name]
    got = evaluate(recorded(name), [FIXED] * 4)
    assert printed(s.f1.value for s in got.subsets) == f1
    assert printed(s.acc_error.value for s in got.subsets) == error
    assert printed(s.acc_correct.value for s in got.subsets) == correct
    assert 100 * got.f1.value == pytest.approx(np.mean(f1), abs=0.005)
    assert [(s.acc_error.n, s.acc_correct.n) for s in got.subsets] == [
        (123, 127),
        (150, 100),
        (167, 83),
        (195, 55),
    ]


@needs_scores
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_score_at_the_threshold_is_no_error(name):
    just_above = float(np.nextafter(FIXED, 1))
    got = evaluate(recorded(name), [just_above] * 4)
    assert printed(s.f1.value for s in got.subsets) == PUBLISHED[name][3]


@needs_scores
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_printed_accuracy_is_a_count_over_its_items(name):
    _, error, correct, _ = PUBLISHED[name]
    for figures, totals in ((error, (123, 150, 167, 195)), (correct, (127, 100, 83, 55))):
        for figure, total in zip(figures, totals, strict=True):
            count = count_behind(figure, total)
            assert count is not None
            assert round(100 * count / total, 2) == figure


@needs_scores
def test_tuning_on_one_subset_and_on_each():
    subsets = recorded("Skywork-o1-Open-PRM-Qwen-2.5-7B")
    fixed = evaluate(subsets, [FIXED] * 4)
    once = evaluate(subsets, [tune(subsets[0])] * 4)
    each = evaluate(subsets, [tune(subset) for subset in subsets])
    assert fixed.subsets[0].f1.value < once.subsets[0].f1.value == each.subsets[0].f1.value
    assert once.f1.value < each.f1.value


@needs_scores
def test_right_answers_by_wrong_processes():
    final = {}
    for split in NAMES:
        with gzip.open(DATA / "processbench" / f"{split}.json.gz", "rt") as file:
            final |= {item["id"]: item["final_answer_correct"] for item in json.load(file)}
    got = evaluate(recorded("Qwen2.5-Math-PRM-7B", final), [FIXED] * 4)
    lucky = [subset.lucky for subset in recorded("Qwen2.5-Math-PRM-7B", final)]
    assert [s.wrong_process.n for s in got.subsets] == [int(mask.sum()) for mask in lucky]
    assert sum(s.wrong_process.n for s in got.subsets) > 100
    assert got.subsets[3].wrong_process.value < got.subsets[3].acc_error.value


STEP = st.sampled_from([-1.0, 0.0, 0.2, 0.5, 0.5000000001, 0.9, 1.0])
SOLUTION = st.lists(STEP, min_size=1, max_size=5).flatmap(
    lambda scores: st.builds(
        Judged,
        st.just(tuple(scores)),
        st.integers(-1, len(scores) - 1),
        st.sampled_from([None, True, False]),
    )
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(SOLUTION, min_size=1, max_size=12), STEP)
def test_the_range_of_a_solution_is_its_prediction(solutions, threshold):
    found = Subset.of("x", solutions).found(threshold)
    expected = [first_below(s.scores, threshold) == s.label for s in solutions]
    assert found.tolist() == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(SOLUTION, min_size=1, max_size=12), STEP)
def test_scores_after_the_first_wrong_step_never_matter(solutions, threshold):
    cut = [
        Judged(s.scores[: s.label + 1] if s.label >= 0 else s.scores, s.label) for s in solutions
    ]
    whole, short = Subset.of("x", solutions), Subset.of("x", cut)
    np.testing.assert_array_equal(whole.found(threshold), short.found(threshold))


def f1_at(subset, threshold):
    found = subset.found(threshold)
    a, b = found[subset.error].mean(), found[~subset.error].mean()
    return 2 * a * b / (a + b) if a + b else 0.0


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(SOLUTION, min_size=1, max_size=12))
def test_no_threshold_beats_the_tuned_one(solutions):
    mixed = [*solutions, Judged((0.9, 0.2), 1), Judged((0.8,), -1)]
    subset = Subset.of("x", mixed)
    levels = sorted({score for s in mixed for score in s.scores})
    grid = [*np.linspace(-1.5, 1.5, 61), *levels, *np.nextafter(levels, 2)]
    assert f1_at(subset, tune(subset)) >= max(f1_at(subset, t) for t in grid) - 1e-12


def test_tuning_between_neighbouring_floats():
    low, high = 0.5, float(np.nextafter(0.5, 1))
    subset = Subset.of("x", [Judged((low,), 0), Judged((high,), -1)])
    assert f1_at(subset, tune(subset)) == 1.0


def test_tuning_where_all_scores_are_equal():
    subset = Subset.of("x", [Judged((0.5,), 0), Judged((0.5,), -1)])
    assert tune(subset) == 0.5


def test_tuning_needs_both_kinds():
    with pytest.raises(ValueError, match="with and without"):
        tune(Subset.of("gsm8k", [Judged((0.5,), -1)]))


def test_by_hand():
    subset = Subset.of(
        "hand",
        [
            Judged((0.9, 0.1, 0.9), 1, True),  # found
            Judged((0.2, 0.1), 1, True),  # too early
            Judged((0.9, 0.9), 1, False),  # missed
            Judged((0.9,), -1),  # right
            Judged((0.9, 0.4), -1),  # false alarm
        ],
    )
    (got,) = evaluate([subset], [0.5]).subsets
    assert (got.acc_error.value, got.acc_correct.value) == (1 / 3, 1 / 2)
    assert got.f1.value == pytest.approx(0.4)
    assert (got.wrong_process.value, got.wrong_process.n) == (0.5, 2)
    assert got.f1.low < 0.4 < got.f1.high


def test_f1_is_0_where_both_are_0_and_nan_where_one_kind_is_missing():
    nothing = Subset.of("x", [Judged((0.9,), 0), Judged((0.1,), -1)])
    one_kind = Subset.of("y", [Judged((0.9,), -1)])
    got = evaluate([nothing, one_kind], [0.5, 0.5])
    assert got.subsets[0].f1.value == 0.0
    assert got.subsets[0].f1.high > 0.1
    assert math.isnan(got.subsets[1].f1.value)
    assert got.subsets[1].acc_error.n == 0
    assert math.isnan(got.f1.value)


def test_perfect_scores_are_not_certain():
    subset = Subset.of("x", [Judged((0.1,), 0), Judged((0.9,), -1)] * 10)
    got = evaluate([subset], [0.5]).f1
    assert got.value == got.high == 1.0
    assert got.low < 0.95


def test_intervals_are_seeded_and_the_mean_is_narrower():
    rng = np.random.default_rng(0)
    subsets = [
        Subset.of(
            name,
            [Judged(tuple(rng.random(4)), int(rng.integers(-1, 4))) for _ in range(100)],
        )
        for name in NAMES
    ]
    first, again, other = (evaluate(subsets, [0.3] * 4, seed) for seed in (0, 0, 1))
    assert first == again
    assert first.f1 != other.f1
    widths = [s.f1.high - s.f1.low for s in first.subsets]
    assert first.f1.high - first.f1.low < 0.7 * np.mean(widths)
    assert first.f1.n == 400


@pytest.mark.parametrize("error, correct", [(0.9, 0.95), (0.3, 0.9), (0.03, 0.5), (0.97, 0.99)])
def test_coverage_of_f1(error, correct):
    rng = np.random.default_rng(4)
    truth = float(harmonic(np.array(error), np.array(correct)))
    right = {True: Judged((0.1,), 0), False: Judged((0.9,), 0)}
    fine, alarm = Judged((0.9,), -1), Judged((0.1,), -1)
    held = []
    for seed in range(400):
        hits, passes = rng.binomial(30, error), rng.binomial(30, correct)
        items = [right[i < hits] for i in range(30)]
        items += [fine if i < passes else alarm for i in range(30)]
        interval = evaluate([Subset.of("x", items)], [0.5], seed).f1
        held.append(interval.low <= truth <= interval.high)
    assert np.mean(held) >= 0.92


@pytest.mark.parametrize(
    "figure, total, count",
    [
        (73.17, 123, 90),
        (73.18, 123, None),
        (100.0, 7, 7),
        (0.0, 7, 0),
        (33.33, 3, 1),
        (50.0, 3, None),
    ],
)
def test_count_behind(figure, total, count):
    assert count_behind(figure, total) == count


@pytest.mark.parametrize("errors, correct", [(1, 1), (2, 3), (7, 4)])
def test_an_f1_is_possible_if_some_counts_print_as_it(errors, correct):
    printed = set()
    for k, n in itertools.product(range(errors + 1), range(correct + 1)):
        a, b = k / errors, n / correct
        printed.add(f"{100 * (2 * a * b / (a + b) if k and n else 0):.1f}")
    for tenth in range(1001):
        figure = tenth / 10
        assert f1_possible(figure, errors, correct) == (f"{figure:.1f}" in printed)


def test_an_f1_between_all_errors_found_and_all_but_one():
    assert f1_possible(100.0, 207, 193)
    assert not f1_possible(99.9, 207, 193)
    assert f1_possible(99.9, 594, 406)


def test_count_behind_fewer_digits():
    assert count_behind(73.2, 123, digits=1) == 90


def test_who_names_no_step_is_right_at_no_threshold():
    said = [Judged((0.9, 0.2), 1), Judged((0.8,), -1)]
    silent = [Judged((), 1, True), Judged((), -1)]
    subset, alone = Subset.of("x", [*said, *silent]), Subset.of("x", said)
    for threshold in (-math.inf, 0.0, 0.5, 1.0, math.inf):
        assert not subset.found(threshold)[2:].any()
        assert (subset.found(threshold)[:2] == alone.found(threshold)).all()
    assert tune(subset) == tune(alone)
    result = evaluate([subset], [0.5]).subsets[0]
    assert (result.acc_error.value, result.acc_correct.value, result.f1.value) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no scores to choose a threshold between"):
        tune(Subset.of("x", silent))


@pytest.mark.parametrize(
    "scores, label", [((), -2), ((0.5,), 1), ((0.5,), -2), ((0.5, math.nan), -1)]
)
def test_refuses_a_label_without_its_score(scores, label):
    with pytest.raises(ValueError, match="score"):
        Judged(scores, label)


def test_refuses_a_missing_threshold():
    with pytest.raises(ValueError, match="2 subsets with 1 thresholds"):
        evaluate([Subset.of("x", []), Subset.of("y", [])], [0.5])
