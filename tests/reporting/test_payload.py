"""The samples as JSON: safe in HTML, complete where it fits, honest where it does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.payload import samples_json, visible
from harness.reporting.sample import Sample, SampleCandidate
from tests.reporting.report_rows import samples


def sample(text: str, candidates: int = 1, chosen: int | None = None) -> Sample:
    made = tuple(
        SampleCandidate(
            index=i,
            steps=(text,),
            step_scores=(i / 100,),
            score=i / 100,
            verdict="wrong",
            answer=text,
            finish="stop",
            chosen_by=("majority",) if i == chosen else (),
        )
        for i in range(candidates)
    )
    return Sample("t", "p", "prm", "min", "id", text, text, made, candidates)


def test_nothing_is_lost_that_fits() -> None:
    shown = samples()
    data = json.loads(samples_json(shown))
    assert len(data["views"]) == len(shown) == 2 * len(data["pools"])
    for view, one in zip(data["views"], shown, strict=True):
        pool = data["pools"][view["pool"]]
        assert (pool["problem"], view["prm"], pool["n"]) == (one.problem, one.prm, 64)
        assert len(view["candidates"]) == len(one.candidates)
        by_index = {c.index: c for c in one.candidates}
        for judged in view["candidates"]:
            candidate = by_index[judged["index"]]
            text = pool["candidates"][str(candidate.index)]
            assert tuple(text["steps"]) == candidate.steps
            assert text["verdict"] == candidate.verdict
            assert judged["scores"] == pytest.approx(candidate.step_scores)
            assert tuple(judged["chosen_by"]) == candidate.chosen_by


def test_candidates_come_by_falling_score_and_unscored_last() -> None:
    one = sample("x", candidates=4)
    unscored = replace(one.candidates[0], index=9, score=None, step_scores=None)
    data = json.loads(samples_json([replace(one, candidates=(unscored, *one.candidates))]))
    assert [c["index"] for c in data["views"][0]["candidates"]] == [3, 2, 1, 0, 9]


@given(st.text(st.characters(codec=None, categories=None)))
def test_any_text_is_inert_and_readable(text: str) -> None:
    encoded = samples_json([sample(text)])
    assert encoded.isascii()
    assert not set("<>&") & set(encoded)
    assert json.loads(encoded)["pools"][0]["prompt"] == visible(text)


def test_control_characters_become_visible() -> None:
    assert visible("a\x00b\x1b[0m\r\nc\td\ud800\x85") == "a␀b␛[0m\nc\td\ufffd\ufffd"


def test_huge_samples_are_cut_and_say_so() -> None:
    encoded = samples_json([sample("x" * 2_000_000, candidates=3)], max_bytes=20_000)
    assert len(encoded) <= 20_000
    pool = json.loads(encoded)["pools"][0]
    assert "more letters" in pool["prompt"] and pool["n"] == 3


def test_a_chosen_candidate_outlives_the_cut() -> None:
    one = sample("x" * 300, candidates=64, chosen=0)
    data = json.loads(samples_json([one], max_bytes=6_000))
    kept = [c["index"] for c in data["views"][0]["candidates"]]
    assert 0 in kept and 1 < len(kept) < 64
    assert kept == sorted(kept, reverse=True)


def test_too_many_samples_end_with_the_last_ones_left_out() -> None:
    many = [replace(sample("x"), problem=f"p{i}") for i in range(100)]
    pools = json.loads(samples_json(many, max_bytes=5_000))["pools"]
    assert [pool["problem"] for pool in pools] == [f"p{i}" for i in range(len(pools))]
    assert 5 <= len(pools) < 100


def test_two_hundred_full_samples_stay_below_three_megabytes() -> None:
    text = "Let us compute the next value carefully, one digit after the other. " * 4
    shown = [
        replace(sample(f"{text}{i}", candidates=64), problem=f"p{i // 4}", prm=f"prm{i % 4}")
        for i in range(200)
    ]
    assert 1_000_000 < len(samples_json(shown)) <= 3_000_000


def test_scores_must_match_steps() -> None:
    with pytest.raises(ValueError, match="candidate 0: 2 scores for 1 steps"):
        SampleCandidate(0, ("a",), (0.1, 0.2), 0.1, "wrong", None, "stop")
