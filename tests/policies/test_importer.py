"""Recorded files of real models become pools; nothing is guessed, and mistakes name their row."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError
from harness.policies.importer import parse_mapping, write_pool
from harness.policies.pool import PoolPolicy
from harness.types import Spec


def _source(tmp_path: Path, rows: list[object], *, array: bool = False) -> Path:
    path = tmp_path / "raw.json"
    lines = "\n".join(json.dumps(row) for row in rows) + "\n"
    path.write_text(json.dumps(rows) if array else lines)
    return path


def _pool(path: Path) -> PoolPolicy:
    return PoolPolicy(Spec("x", "pool", str(path), {}))


@pytest.mark.parametrize("array", [False, True])
def test_lists_are_candidates_and_dotted_keys_go_down(tmp_path: Path, array: bool) -> None:
    rows = [
        {"q": "a  b", "r": {"t": ["x", "y"]}, "s": [[0.1], [0.2]]},
        {"q": "zz", "r": {"t": []}, "s": []},
    ]
    source = _source(tmp_path, rows, array=array)
    mapping = parse_mapping(["question=q", "text=r.t", "scores=s"])
    result = write_pool(source, tmp_path / "pool.jsonl", mapping, {"a b": "p1"})
    assert (2, 2, {"p1"}, 1) == (
        result.rows,
        result.candidates,
        result.problems,
        len(result.unmatched),
    )
    written = [json.loads(line) for line in (tmp_path / "pool.jsonl").read_text().splitlines()]
    assert written == [
        {"id": "p1", "text": "x", "scores": [0.1]},
        {"id": "p1", "text": "y", "scores": [0.2]},
    ]


def test_steps_of_one_and_of_several_candidates(tmp_path: Path) -> None:
    rows = [{"id": 1, "steps": ["a", "b"]}, {"id": 2, "steps": [["a"], ["b", "c"]]}]
    source = _source(tmp_path, rows)
    write_pool(source, tmp_path / "pool.jsonl", parse_mapping(["id=id", "steps=steps"]), {})
    pool = _pool(tmp_path / "pool.jsonl")
    assert pool.sizes == {"1": 1, "2": 2}
    assert pool.candidate("2", 1).draft.steps == ("b", "c")


@pytest.mark.parametrize(
    ("pair", "value", "written"),
    [
        ("scores=s", [0.1, 0.2], [[0.1, 0.2]]),
        ("scores=s", [[0.1, 0.2], [0.3]], [[0.1, 0.2], [0.3]]),
        ("score=s", [0.1, 0.2], [[0.1], [0.2]]),
        ("score=s", 7, [[7]]),
    ],
)
def test_scores_alone_become_recorded_scores(
    tmp_path: Path, pair: str, value: object, written: list[list[float]]
) -> None:
    source = _source(tmp_path, [{"q": "a", "s": value}])
    target = tmp_path / "scores.jsonl"
    result = write_pool(source, target, parse_mapping(["question=q", pair]), {"a": "p1"})
    assert result.candidates == len(written)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert lines == [{"id": "p1", "scores": scores} for scores in written]


def test_a_row_that_says_again_what_another_says_is_left_out(tmp_path: Path) -> None:
    rows = [{"id": 1, "s": [1, 2]}, {"id": 1, "s": [1, 2]}, {"id": 2, "s": [1, 2]}]
    source, target = _source(tmp_path, rows), tmp_path / "scores.jsonl"
    result = write_pool(source, target, parse_mapping(["id=id", "score=s"]), {})
    assert (result.candidates, [place.rsplit(":")[-1] for place in result.repeated]) == (4, ["2"])
    # Rows of a solution each can be equal and yet be two solutions.
    single = [{"id": 1, "s": 1}, {"id": 1, "s": 1}]
    result = write_pool(_source(tmp_path, single), target, parse_mapping(["id=id", "score=s"]), {})
    assert (result.candidates, result.repeated) == (2, ())


def test_one_number_beside_each_text(tmp_path: Path) -> None:
    source = _source(tmp_path, [{"id": 1, "t": ["x", "y"], "s": [0.1, 0.2]}])
    target = tmp_path / "pool.jsonl"
    write_pool(source, target, parse_mapping(["id=id", "text=t", "score=s"]), {})
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["scores"] for line in lines] == [[0.1], [0.2]]


@pytest.mark.parametrize("value", ["high", None, [], [[0.1], []], [[0.1], 0.2], [True], {}])
def test_what_is_no_score_names_its_row(tmp_path: Path, value: object) -> None:
    source, target = _source(tmp_path, [{"id": 1, "s": value}]), tmp_path / "scores.jsonl"
    with pytest.raises(DataError, match=r"raw.json:1: "):
        write_pool(source, target, parse_mapping(["id=id", "scores=s"]), {})
    assert not target.exists()


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(gzip.compress(b'{"id": "a", "t": "x"}\n'))
    assert write_pool(path, tmp_path / "p", parse_mapping(["id=id", "text=t"]), {}).candidates == 1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["id=a", "txt=b"], "did you mean 'text'"),
        (["text=b"], "--map id=KEY or --map question=KEY"),
        (["id=b"], "--map text=KEY or --map steps=KEY"),
        (["id"], "write field=key"),
    ],
)
def test_mistakes_in_the_mapping(pairs: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_mapping(pairs)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "a"}, r"raw.json:1: no key 't'"),
        ({"id": "a", "t": 3}, "the solution must be a text"),
        ({"id": None, "t": "x"}, "the id must be a text"),
        ([1], "not a JSON object"),
    ],
)
def test_mistakes_in_a_row_name_it_and_leave_no_file(
    tmp_path: Path, row: object, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_pool(_source(tmp_path, [row]), tmp_path / "p", parse_mapping(["id=id", "text=t"]), {})
    assert not (tmp_path / "p").exists()


def test_lists_of_unequal_length(tmp_path: Path) -> None:
    source = _source(tmp_path, [{"id": "a", "t": ["x", "y"], "s": [[1.0]]}])
    with pytest.raises(DataError, match="unequal length"):
        write_pool(source, tmp_path / "p", parse_mapping(["id=id", "text=t", "scores=s"]), {})


def test_a_source_that_matches_nothing(tmp_path: Path) -> None:
    source = _source(tmp_path, [{"q": "?", "t": "x"}])
    with pytest.raises(DataError, match="none of its 1 rows belongs to a problem"):
        write_pool(source, tmp_path / "p", parse_mapping(["question=q", "text=t"]), {})


@pytest.mark.parametrize(
    ("name", "pairs", "task", "counts"),
    [
        (
            "math500_pools/qwen2.5-math-1.5b_runA_n4_candidates.jsonl.gz",
            ["question=problem", "text=responses"],
            "math500",
            (500, 2000, 500, 0),
        ),
        (
            "rho_greedy/rho-math-7b-v0.1_math500.jsonl.gz",
            ["question=question", "text=code"],
            "math500",
            (500, 500, 500, 0),
        ),
        (
            "gsm8k_pools/openai_example_model_solutions.jsonl.gz",
            ["question=question", "text=175b_verification.solution"],
            "gsm8k",
            (1319, 1319, 1319, 0),
        ),
        (
            "gsm8k_pools/rft_llama7b_3runs.jsonl.gz",
            ["question=question", "text=outputs"],
            "gsm8k",
            (1319, 3957, 1319, 0),
        ),
        (
            "gsm8k_pools/rft_llama7b_3runs.jsonl.gz",
            ["question=question", "text=outputs.2"],
            "gsm8k",
            (1319, 1319, 1319, 0),
        ),
        (
            "gsm8k_pools/mot_GPT4_gsm_cot1.json.gz",
            ["question=question", "text=generated"],
            "gsm8k",
            (1319, 3955, 1319, 0),
        ),
        (
            "math_rm/qwen25math_math100x8_rm.jsonl.gz",
            ["question=question", "text=response", "scores=pred_score"],
            "math500",
            (100, 40, 5, 95),
        ),
        (
            "olympiadbench_pool/qwen2.5-7b-instruct_t1_n8.json.gz",
            ["id=id", "steps=steps", r"join=\n\n"],
            None,
            (200, 1600, 200, 0),
        ),
    ],
)
def test_real_recordings(
    data_dir: Path,
    tmp_path: Path,
    name: str,
    pairs: list[str],
    task: str | None,
    counts: tuple[int, ...],
) -> None:
    ids: dict[str, str] = {}
    if task is not None:
        key = {"math500": "problem", "gsm8k": "question"}[task]
        with (data_dir / task / "test.jsonl").open() as file:
            ids = {" ".join(json.loads(row)[key].split()): f"{i}" for i, row in enumerate(file)}
    target = tmp_path / "pool.jsonl.gz"
    done = write_pool(data_dir / "recorded" / name, target, parse_mapping(pairs), ids)
    assert (done.rows, done.candidates, len(done.problems), len(done.unmatched)) == counts
    sizes = _pool(target).sizes
    assert (sum(sizes.values()), len(sizes)) == counts[1:3]


def test_joined_steps_and_equal_bytes(tmp_path: Path) -> None:
    source = _source(tmp_path, [{"id": 1, "s": ["a", "b"], "n": 5}])
    mapping = parse_mapping(["id=id", "steps=s", r"join=\n", "tokens=n"])
    for name in ("a.gz", "b.gz"):
        write_pool(source, tmp_path / name, mapping, {})
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    draft = _pool(tmp_path / "a.gz").candidate("1", 0).draft
    assert (draft.steps, draft.tokens) == (("a\n", "b"), 5)
