"""What references give is kept: read back as it was, run again where it is not whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.grading.code import CodeGrader
from harness.grading.references import References, cache_folder
from harness.sandbox.job import Calls, Inputs, Returned
from harness.types import Problem
from tests.grading.here import Here

CODES = [f"def f(x):\n    return [x] * {n}" for n in (1, 2, 9000)]
INPUTS = Inputs(((1,), ("a",)), "one and a")
JOBS = [Calls(code, "f", INPUTS) for code in CODES]


def outcomes(box: Here, folder: Path, jobs: list[Calls]) -> list[Any]:
    return [
        (found.end, found.returned, found.call_seconds)
        for found in References(box, folder).run(jobs)  # type: ignore[arg-type]
    ]


def test_what_was_kept_is_what_was_given(tmp_path: Path) -> None:
    box = Here()
    first = outcomes(box, tmp_path, JOBS)
    assert len(box.jobs) == 3
    assert first[2][1][0].kind == "large"
    assert outcomes(box, tmp_path, JOBS) == first
    assert len(box.jobs) == 3


def test_known_and_unknown_come_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    whole = [found[1] for found in outcomes(Here(), tmp_path / "whole", JOBS * 2)]
    for known in ([0], [1], [2], [0, 2], [0, 1]):
        folder, box = tmp_path / str(known), Here()
        outcomes(box, folder, [JOBS[i] for i in known])
        assert [found[1] for found in outcomes(box, folder, JOBS * 2)] == whole


DAMAGE = [lambda b: b[:-1], lambda b: b + b"x", lambda _: b"", lambda b: b[70:]]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_is_not_whole_is_as_good_as_none(tmp_path: Path, damage: Any) -> None:
    box = Here()
    first = outcomes(box, tmp_path, JOBS[:1])
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(damage(file.read_bytes()))
    again = outcomes(box, tmp_path, JOBS[:1])
    assert len(box.jobs) == 2
    assert [found[:2] for found in again] == [found[:2] for found in first]


@pytest.mark.parametrize(
    "other",
    [
        Calls(CODES[0] + " ", "f", INPUTS),
        Calls(CODES[0], "f", Inputs(((2,),), "two")),
        Calls(CODES[0], "f", INPUTS, as_set=True),
        Calls(CODES[0], "f", INPUTS, raw=(0,)),
        Calls(CODES[0], "f", INPUTS, style="livecodebench"),
    ],
)
def test_whatever_a_reference_reads_is_in_its_name(tmp_path: Path, other: Calls) -> None:
    box = Here()
    outcomes(box, tmp_path, [JOBS[0]])
    outcomes(box, tmp_path, [other])
    assert len(box.jobs) == 2


def test_failures_are_not_kept(tmp_path: Path) -> None:
    box = Here()
    box.broken = 1
    assert [found[0] for found in outcomes(box, tmp_path, [JOBS[0]])] == ["sandbox_error"]
    assert [found[0] for found in outcomes(box, tmp_path, [JOBS[0]])] == ["finished"]


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    box = Here()
    for _ in range(2):
        assert [found[0] for found in outcomes(box, tmp_path / "file", JOBS)] == ["finished"] * 3
    assert len(box.jobs) == 6


def test_verdicts_are_the_same_with_and_without(tmp_path: Path) -> None:
    reference = {
        "entry_point": "f", "prompt": "", "contract": "", "atol": 0,
        "solution": "def f(x):\n    return x + 1",
        "base_input": "[[1], [2]]", "plus_input": "[[5]]",
    }  # fmt: skip
    problem = Problem("p", "humaneval_plus", "1", "code_function", "?", reference)
    codes = ["def f(x):\n    return x + 1", "def f(x):\n    return 2", "def f(x): return 1 / 0"]
    boxes = [Here(), Here(), Here()]
    words = []
    for box, cache in zip(boxes, (None, tmp_path, tmp_path), strict=True):
        with CodeGrader(lambda box=box: box, cache=cache) as grader:  # type: ignore[misc]
            words.append([one.word for one in grader.results((problem, code) for code in codes)])
    assert words[0] == words[1] == words[2] == ["passed", "wrong_answer", "runtime_error"]
    assert len(boxes[1].jobs) == len(boxes[0].jobs) == len(boxes[2].jobs) + 2


def test_the_folder_is_the_users_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "references"
    monkeypatch.delenv("HARNESS_CACHE")
    assert "prm-harness" in str(cache_folder())


def test_bytes_that_look_like_the_head_are_data(tmp_path: Path) -> None:
    job = Calls("def f(x):\n    return b'\\n{}\\n' * 3", "f", INPUTS)
    box = Here()
    first = outcomes(box, tmp_path, [job])
    assert outcomes(box, tmp_path, [job]) == first
    assert isinstance(first[0][1][0], Returned)
