"""Recorded pools: the form, hostile files, what is unknown stays unknown."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError
from harness.policies.pool import PoolPolicy
from harness.types import Cut, Draft, Extend, Question, Sampling, Spec


def pool(path: Path, *rows: Any) -> PoolPolicy:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PoolPolicy(Spec("x", "pool", str(path)))


def ask(n: int, id: str = "p") -> Extend:
    return Extend(Question("t", id, "?"), (Draft(),) * n, Sampling())


def test_rows_become_drafts_in_the_order_of_their_index(tmp_path: Path) -> None:
    opened = pool(
        tmp_path / "p.jsonl",
        {"id": "p", "index": 1, "text": "b", "finish": "length", "tokens": 2},
        {"id": 7, "steps": ["x\n", "y"], "logprobs": [-0.5, 0], "prompt_tokens": 9},
        {"id": "p", "index": 0, "text": "a", "model": "kept out"},
    )
    first, second = opened.extend([ask(2), ask(1, "7")])
    assert first.drafts == (Draft(("a",), "stop", None), Draft(("b",), "length", 2))
    assert second.drafts == (Draft(("x\n", "y"), "stop", 2, (-0.5, 0.0)),)
    assert (second.tokens.prefill_logical, second.tokens.prefill_computed) == (9, 0)
    assert (opened.max_samples, opened.sizes) == (1, {"p": 2, "7": 1})


def test_an_empty_text_is_a_draft_without_steps(tmp_path: Path) -> None:
    assert pool(tmp_path / "p", {"id": "p", "text": ""}).extend([ask(1)])[0].drafts[0].steps == ()


def test_plain_and_gzip_are_the_same_pool(tmp_path: Path) -> None:
    plain = pool(tmp_path / "p.jsonl", {"id": "p", "text": "a"})
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress((tmp_path / "p.jsonl").read_bytes()))
    assert PoolPolicy(Spec("x", "pool", str(packed))).identity() == plain.identity()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "p"}], ":1: neither 'text' nor 'steps'"),
        ([{"text": "a"}], ":1: 'id' must be a problem's id, found null"),
        ([{"id": True, "text": "a"}], "'id' must be"),
        ([{"id": "p", "text": 3}], "'text' must be a text, found 3"),
        ([{"id": "p", "step": ["a"], "text": "a"}], "key 'step' is unknown; did you mean 'steps'"),
        ([{"id": "p", "steps": ["a", ""]}], "step 1 is empty"),
        ([{"id": "p", "steps": ["a"], "text": "b"}], "the steps do not join to the text"),
        ([{"id": "p", "text": "a", "finish": "eos"}], "'finish' is 'eos'; valid: stop"),
        ([{"id": "p", "text": "a", "tokens": -1}], "'tokens' must be a whole number"),
        ([{"id": "p", "text": "a", "tokens": 1.0}], "'tokens' must be a whole number"),
        ([{"id": "p", "text": "a", "tokens": 3, "logprobs": [-1]}], "1 logprobs for 3 tokens"),
        ([{"id": "p", "text": "a", "logprobs": [0.1]}], "a log-probability above 0"),
        ([{"id": "p", "text": "a", "scores": [10**400]}], r"'scores'\[0\] is a huge whole number"),
        ([{"id": "p", "text": "a", "index": 1}], ":1: problem 'p' has no candidate of index 0"),
        ([{"id": "p", "text": "a", "index": 0}] * 2, ":2: problem 'p' has index 0 already"),
        (
            [{"id": "p", "text": "a", "index": 0}, {"id": "p", "text": "a"}],
            "rows with and rows without 'index'",
        ),
        ([[1, 2]], "not a JSON object: a list of 2"),
        ([], "holds no candidates"),
    ],
)
def test_rows_that_break_the_form(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pool(tmp_path / "p.jsonl", *rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"id": "p", "text": "a"', ":1: not valid JSON"),
        (b'{"id": "p", "text": "a", "scores": [NaN]}', "NaN is not a number"),
        (b'{"id": "p", "text": "a", "scores": [1e999]}', r"'scores'\[0\] is Infinity"),
        (b'{"id": "p", "tokens": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[\n  {"id": "p", "text": "a"}\n]', "run-benchmark pool import makes that of an array"),
        (b'{"id": "p", "text": "\xff"}', "not UTF-8"),
        (b'{"id": "p", "text": "\\ud800"}', "half of a surrogate pair"),
        (gzip.compress(b'{"id": "p", "text": "abc"}\n' * 99, mtime=0)[:-20], "torn or damaged"),
        (b"\x1f\x8b" + b"no archive", "torn or damaged"),
        (b"\x80\x04\x95pickle", ":1: not UTF-8"),
    ],
)
def test_hostile_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        PoolPolicy(Spec("x", "pool", str(path)))


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.adapters.rows.LINE_LIMIT", 2**20)
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 2**22))
    with pytest.raises(DataError, match=":1: longer than 1 MiB"):
        PoolPolicy(Spec("x", "pool", str(path)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError, match=r"cannot read .*check the path"):
            PoolPolicy(Spec("x", "pool", str(path)))


def test_missing_problems_and_too_few_candidates_are_named(tmp_path: Path) -> None:
    opened = pool(tmp_path / "p", {"id": "p", "text": "a"})
    with pytest.raises(DataError, match=r"no candidates for 2 \(q, r\) of 3 problems"):
        opened.check([Question("t", i, "") for i in "pqr"], 1)
    with pytest.raises(DataError, match=r"fewer than 3 .* 1 \(p\) .* a budget of at most 1"):
        opened.extend([ask(3)])


def test_a_recording_cannot_be_continued(tmp_path: Path) -> None:
    opened = pool(tmp_path / "p", {"id": "p", "text": "a"})
    request = ask(1)
    for changed in (
        Extend(request.question, (Draft(("a",)),), request.sampling),
        Extend(request.question, request.drafts, request.sampling, Cut(("\n",))),
    ):
        with pytest.raises(DataError, match="cannot continue drafts step by step"):
            opened.extend([changed])


def test_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no option 'batch'"):
        PoolPolicy(Spec("x", "pool", str(tmp_path), {"batch": 3}))


def test_recorded_verdicts_count_only_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text(
        '{"id": "a", "text": "x", "correct": true, "answer": "1"}\n'
        '{"id": "a", "text": "y", "correct": false, "answer": null}\n'
    )
    plain = PoolPolicy(Spec("x", "pool", str(path)))
    asked = PoolPolicy(Spec("x", "pool", str(path), {"grades": "recorded"}))
    assert (plain.verdicts, asked.verdicts) == ({}, {"a": [(True, "1"), (False, None)]})
    assert plain.identity() != asked.identity()
    asked.close()
    assert asked.verdicts  # grading comes after the pool is written


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"id": "a", "text": "x"}', "'correct' must be true or false with grades=recorded"),
        ('{"id": "a", "text": "x", "correct": 1}', "'correct' must be true or false"),
        ('{"id": "a", "text": "x", "correct": true, "answer": 3}', "'answer' must be a text"),
    ],
)
def test_a_verdict_that_is_none(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text(row + "\n")
    PoolPolicy(Spec("x", "pool", str(path)))
    with pytest.raises(DataError, match=rf"pool.jsonl:1: {message}"):
        PoolPolicy(Spec("x", "pool", str(path), {"grades": "recorded"}))
