"""Recorded step scores: counts, coverage, hostile numbers, real files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError
from harness.prms.recorded import RecordedPrm
from harness.types import Draft, Json, Judge, Question, Spec

TWO = Draft(("a\n", "b"))


def open_(path: Path, *rows: Any, **options: Json) -> RecordedPrm:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RecordedPrm(Spec("x", "recorded", str(path), options))


def ask(*drafts: Draft, id: str = "p", first: int = 0) -> list[Judge]:
    return [Judge(Question("t", id, "?"), drafts, first)]


def values(prm: RecordedPrm, requests: list[Judge]) -> list[tuple[float, ...] | None]:
    return [None if s is None else s.values for s in prm.judge(requests)[0].scores]


def test_scores_are_found_by_index_and_first(tmp_path: Path) -> None:
    rows = [
        {"id": "p", "index": 2, "scores": [0.3, 0]},
        {"id": "p", "index": 0, "scores": [1, 0.5], "label": -1},
    ]
    prm = open_(tmp_path / "s", *rows)
    assert values(prm, ask(TWO, TWO, TWO)) == [(1.0, 0.5), None, (0.3, 0.0)]
    assert values(prm, ask(TWO, first=2)) == [(0.3, 0.0)]
    assert values(prm, ask(TWO, id="other")) == [None]
    assert prm.judge(ask(TWO, TWO))[0].tokens.calls == 1


def test_without_index_the_order_of_appearance_counts(tmp_path: Path) -> None:
    prm = open_(tmp_path / "s", {"id": "p", "scores": [0.1, 0.2]}, {"id": "p", "scores": [0.3]})
    assert values(prm, ask(TWO, Draft(("c",)))) == [(0.1, 0.2), (0.3,)]


def test_one_too_few_names_file_line_and_counts(tmp_path: Path) -> None:
    prm = open_(tmp_path / "s", {"id": "o", "scores": [1]}, {"id": "p", "scores": [0.5]})
    with pytest.raises(DataError, match=r"s:2: 1 scores for the 2 steps .*,covers=prefix"):
        prm.judge(ask(TWO))
    prm = open_(tmp_path / "s", {"id": "p", "scores": [0.5] * 3})
    with pytest.raises(DataError, match=r"s:1: 3 scores for the 2 steps of solution 0 of 'p'$"):
        prm.judge(ask(TWO))


def test_a_prefix_may_stop_early_but_never_exceed(tmp_path: Path) -> None:
    prm = open_(tmp_path / "s", {"id": "p", "scores": [0.5]}, covers="prefix")
    assert values(prm, ask(TWO)) == [(0.5,)]
    prm = open_(tmp_path / "s", {"id": "p", "scores": [0.5] * 3}, covers="prefix")
    with pytest.raises(DataError, match="3 scores for the 2 steps"):
        prm.judge(ask(TWO))


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"id": "p"}, {}, "'scores' is missing or empty"),
        ({"id": "p", "scores": []}, {}, "'scores' is missing or empty"),
        ({"id": "p", "scores": 0.5}, {}, "must be a list of numbers"),
        ({"id": "p", "scores": [True]}, {}, r"'scores'\[0\] is true, not a finite number"),
        ({"id": "p", "scores": ["0.5"]}, {}, r"'scores'\[0\] is '0.5'"),
        ({"id": "p", "scores": [float("nan")]}, {}, "NaN is not a number"),
        ({"id": "p", "scores": [float("inf")]}, {}, "Infinity is not a number"),
        ({"id": "p", "scores": [10**400]}, {}, "a huge whole number"),
        ({"id": "p", "scores": [1.5]}, {}, "no probability; .* add semantics=reward"),
        ({"id": "p", "scores": [0.5]}, {"semantics": "verdict"}, "a verdict is 0 or 1"),
        ({"id": "p", "score": [0.5]}, {}, "key 'score' is unknown; did you mean 'scores'"),
    ],
)
def test_bad_rows(tmp_path: Path, row: Any, options: dict[str, Json], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_(tmp_path / "s", row, **options)


def test_duplicates_and_mixtures(tmp_path: Path) -> None:
    row = {"id": "p", "index": 0, "scores": [0.5]}
    with pytest.raises(DataError, match="s:2: 'p' has index 0 already, in line 1"):
        open_(tmp_path / "s", row, row)
    with pytest.raises(DataError, match="rows with and rows without 'index'"):
        open_(tmp_path / "s", row, {"id": "p", "scores": [0.5]})
    with pytest.raises(DataError, match="holds no scores"):
        open_(tmp_path / "s")


def test_a_torn_archive(tmp_path: Path) -> None:
    path = tmp_path / "s.gz"
    path.write_bytes(gzip.compress(b'{"id": "p", "scores": [0.5]}\n' * 50)[:-12])
    with pytest.raises(DataError, match="torn or damaged"):
        RecordedPrm(Spec("x", "recorded", str(path)))


def test_options(tmp_path: Path) -> None:
    row = {"id": "p", "scores": [-3.0, 4.0]}
    prm = open_(tmp_path / "s", row, semantics="reward", aggregation="mean")
    assert (prm.semantics, prm.aggregation) == ("reward", "mean")
    assert open_(tmp_path / "s", row, semantics="value").aggregation == "last"
    with pytest.raises(ConfigError, match="legal: last"):
        open_(tmp_path / "s", row, semantics="reward", aggregation="product")
    with pytest.raises(ConfigError, match="covers=prefx does not exist; did you mean 'prefix'"):
        open_(tmp_path / "s", row, covers="prefx")


def test_real_scores_cover_their_part_of_processbench(data_dir: Path) -> None:
    folder = data_dir / "recorded" / "processbench_prm_scores"
    items = {}
    for name in ("gsm8k", "math", "olympiadbench", "omnimath"):
        with gzip.open(data_dir / "processbench" / f"{name}.json.gz") as file:
            items.update({row["id"]: row for row in json.load(file)})
    files = sorted(folder.glob("*.jsonl.gz"))
    assert len(files) == 5
    for path in files:
        prm = RecordedPrm(Spec("x", "recorded", str(path), {"covers": "prefix"}))
        requests = [
            Judge(Question("processbench", i, row["problem"]), (Draft(tuple(row["steps"])),))
            for i, row in items.items()
        ]
        found = [reply.scores[0] for reply in prm.judge(requests)]
        assert sum(s is not None for s in found) == 1000
        assert sum(len(s.values) for s in found if s is not None) == 4647
