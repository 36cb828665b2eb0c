"""Ranking and calibration of step scores: by hand, by brute force, and as sources state them."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import Judged, quality, reliability
from harness.stats.labelled import Steps
from harness.stats.quality import PLACES

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.9, 1.0]), min_size=1, max_size=5)


@st.composite
def solutions(draw: st.DrawFn) -> list[Judged]:
    made = []
    for scores in draw(st.lists(SCORES, min_size=1, max_size=6)):
        made.append(Judged(tuple(scores), draw(st.integers(-1, len(scores) - 1))))
    return made


def labelled(items: list[Judged]) -> list[tuple[float, bool]]:
    return [
        (score, i == item.label)
        for item in items
        for i, score in enumerate(item.scores)
        if item.label < 0 or i <= item.label
    ]


@settings(max_examples=150, deadline=None)
@given(solutions())
def test_against_brute_force(items: list[Judged]) -> None:
    found = quality(items, probabilities=True, whole=True)
    steps = labelled(items)
    bad = [score for score, wrong in steps if wrong]
    good = [score for score, wrong in steps if not wrong]
    won = [(a < b) + (a == b) / 2 for a in bad for b in good]
    if won:
        assert found.step_auroc.value == pytest.approx(np.mean(won))
        assert found.step_auroc.low <= found.step_auroc.value <= found.step_auroc.high
        assert found.step_auroc.n == len(steps) and found.step_auroc.clusters == len(items)
    else:
        assert math.isnan(found.step_auroc.value) and found.step_auroc.n == 0
    assert found.brier.value == pytest.approx(np.mean([(s - (not w)) ** 2 for s, w in steps]))
    ece = 0.0
    for i in range(10):
        own = [(s, w) for s, w in steps if min(int(s * 10), 9) == i]
        if own:
            right = np.mean([not w for _, w in own])
            ece += len(own) / len(steps) * abs(np.mean([s for s, _ in own]) - right)
    assert found.ece.value == pytest.approx(ece)
    several = [item.scores for item in items if len(item.scores) > 1]
    if several:
        last = np.mean([s[-1] < min(s[:-1]) for s in several])
        assert found.last_is_least.value == pytest.approx(last)


def test_what_is_not_known_is_not_said() -> None:
    items = [Judged((0.9, 0.2), 1), Judged((3.0,), -1)]
    found = quality(items, probabilities=False, whole=False)
    assert found.step_auroc.value == 1.0
    for missing in (found.brier, found.ece, found.solution_auroc, found.last_is_least):
        assert missing.n == 0 and math.isnan(missing.value)


def test_intervals_cover_by_solutions_not_by_steps() -> None:
    """Ten equal steps of one solution are no ten observations."""
    rng = np.random.default_rng(0)
    once = [Judged((float(rng.random()),), int(rng.random() < 0.5) - 1) for _ in range(60)]
    often = [Judged(item.scores * 10, -1 if item.label < 0 else 9) for item in once]
    one, ten = (quality(items, True, True).brier for items in (once, often))
    assert ten.high - ten.low > 0.5 * (one.high - one.low)


# Of steps, and of solutions by the least of all their scores.
STATED = {
    "Qwen2.5-Math-PRM-7B": (
        (0.9769, 0.9530, 0.9480, 0.9324),
        (0.9761, 0.9471, 0.9391, 0.9178),
    ),
    "Skywork-o1-Open-PRM-Qwen-2.5-7B": (
        (0.9226, 0.8257, 0.7259, 0.6481),
        (0.9429, 0.9125, 0.8756, 0.8366),
    ),
    "Qwen2.5-7B-Instruct_as_verifier": (
        (0.7792, 0.7604, 0.7492, 0.7361),
        (0.7965, 0.7917, 0.7789, 0.8066),
    ),
    "FoVer-Qwen2.5-7B-PRM": (
        (0.9077, 0.8908, 0.8456, 0.8601),
        (0.8755, 0.8661, 0.7707, 0.7607),
    ),
    "Llama3.1-8B-PRM-Mistral-Data": (
        (0.9123, 0.7520, 0.6816, 0.6074),
        (0.9250, 0.8189, 0.6916, 0.8087),
    ),
}


@pytest.mark.parametrize("name", STATED)
def test_recorded_scores_give_what_their_source_states(data_dir: Path, name: str) -> None:
    path = data_dir / "recorded" / "processbench_prm_scores" / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no recorded data: {path} (set HARNESS_DATA)")
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for number, subset in enumerate(("gsm8k", "math", "olympiadbench", "omnimath")):
        own = [row for row in rows if row["id"].startswith(subset)]
        items = [Judged(tuple(row["scores"]), row["label"]) for row in own]
        found = quality(items, probabilities=True, whole=False)
        assert found.step_auroc.value == pytest.approx(STATED[name][0][number], abs=5e-5)
        least = [
            Judged((row["min_score_all_steps"],), -1 if row["label"] < 0 else 0) for row in own
        ]
        whole = quality(least, probabilities=True, whole=True)
        assert whole.solution_auroc.value == pytest.approx(STATED[name][1][number], abs=5e-5)


@settings(max_examples=100, deadline=None)
@given(solutions())
def test_by_place_and_depth_against_brute_force(items: list[Judged]) -> None:
    found = quality(items, probabilities=True, whole=True, fewest=1)
    groups = [*PLACES, (1, None)]
    for (first, last), one in zip(
        groups, (*found.auroc_places, found.same_place_auroc), strict=True
    ):
        own = [
            (i, score, i == item.label)
            for item in items
            for i, score in enumerate(item.scores)
            if first <= i + 1 <= (last or 99) and (item.label < 0 or i <= item.label)
        ]
        won = [
            (a < b) + (a == b) / 2
            for i, a, bad in own
            for j, b, worse in own
            if i == j and bad and not worse
        ]
        assert (one.n > 0) == bool(won)
        if won:
            assert one.value == pytest.approx(np.mean(won))
            assert one.low <= one.value <= one.high
    for third, one in enumerate(found.ece_thirds):
        own = [
            (score, i == item.label)
            for item in items
            for i, score in enumerate(item.scores)
            if (item.label < 0 or i <= item.label)
            and min(int(3 * (i + 0.5) / len(item.scores)), 2) == third
        ]
        assert one.n == len(own)
        ece = 0.0
        for place in range(10):
            gaps = [s - (not bad) for s, bad in own if min(int(s * 10), 9) == place]
            ece += abs(sum(gaps)) / max(1, len(own))
        if own:
            assert one.value == pytest.approx(ece)
            assert one.low <= one.value <= one.high


def test_a_score_that_only_falls_ranks_nothing_at_any_one_place() -> None:
    """It has a good AUROC over all steps, since the first wrong step comes after right ones."""
    rng = np.random.default_rng(1)
    falling = tuple(1 - 0.1 * i for i in range(8))
    items = [Judged(falling, int(rng.integers(2, 8))) for _ in range(300)]
    items += [Judged(falling, -1) for _ in range(30)]
    found = quality(items, probabilities=True, whole=False)
    assert found.step_auroc.value > 0.7
    assert found.same_place_auroc.value == 0.5
    values = [one.value for one in found.auroc_places if one.n]
    assert values == [0.5, 0.5]  # of steps 3-4 and 5-8; the others have no wrong ones


def test_few_wrong_steps_say_nothing() -> None:
    items = [Judged((0.9,), -1)] * 50 + [Judged((0.1 * i,), 0) for i in range(9)]
    assert quality(items, True, True).auroc_places[0].n == 0
    assert quality([*items, Judged((0.2,), 0)], True, True).auroc_places[0].n == 60


def test_scores_that_stop_early_know_how_long_the_solution_is() -> None:
    """The wrong second step of six lies in the first third, whatever was scored of the rest."""
    steps = Steps.of([Judged((0.9, 0.2), 1, size=6)])
    assert sorted(steps.depth) == pytest.approx([0.5 / 6, 1.5 / 6])
    assert steps.third.tolist() == [0, 0]
    assert Steps.of([Judged((0.9, 0.2), 1)]).third.tolist() == [2, 0]


@settings(max_examples=100, deadline=None)
@given(solutions())
def test_reliability_against_brute_force(items: list[Judged]) -> None:
    found = reliability(items)
    own = labelled(items)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, wrong in own:
        bins.setdefault(min(int(score * 10), 9), []).append((score, wrong))
    assert [one.right.n for one in found.overall] == [len(bins[key]) for key in sorted(bins)]
    for one, key in zip(found.overall, sorted(bins), strict=True):
        assert one.score == pytest.approx(np.mean([score for score, _ in bins[key]]))
        assert one.right.value == pytest.approx(np.mean([not wrong for _, wrong in bins[key]]))
        assert one.right.low <= one.right.value <= one.right.high
    counts = [sum(one.right.n for one in third) for third in found.thirds]
    assert sum(counts) == len(own)
    ece = sum(one.right.n * abs(one.score - one.right.value) for one in found.overall) / len(own)
    assert quality(items, True, True).ece.value == pytest.approx(ece)
