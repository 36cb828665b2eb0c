"""results.csv, results.parquet and the DataFrame hold exactly the rows that were written."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import files
from harness.errors import DataError, InfrastructureError
from harness.reporting import frames
from harness.types import ResultRow
from tests.reporting.report_rows import first_error_rows, row, selection_rows

ROWS = selection_rows() + first_error_rows()

names = st.text(max_size=12)
labels = names.filter(bool)
shares = st.floats(allow_nan=False)
counts = st.integers(-(2**63), 2**63 - 1)


def any_row() -> st.SearchStrategy[ResultRow]:
    nullable: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("policy", "prm", "aggregation", "ci_method"), labels),
        **dict.fromkeys(("ci_low", "ci_high", "policy_tokens", "prm_tokens"), shares),
        **dict.fromkeys(("flops", "seconds_per_problem", "truncated_share"), shares),
        **dict.fromkeys(("policy_prompt_tokens", "policy_prompt_computed"), shares),
        "prm_tokens_computed": shares,
        "budget": counts,
        "seconds_kind": st.sampled_from(("latency", "throughput")),
    }
    plain: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("task", "task_version", "domain", "method", "metric"), names),
        **dict.fromkeys(("n_problems", "n_total", "n_ungraded", "replicas", "executions"), counts),
        "headline": st.booleans(),
        "value": shares,
        "run_digest": names,
    }
    made = {name: st.none() | strategy for name, strategy in nullable.items()} | plain
    assert made.keys() == {f.name for f in fields(ResultRow)}
    return st.builds(ResultRow, **made)


@given(rows=st.lists(any_row(), max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_row_survives_every_form(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name, content in (
        ("x.csv", frames.csv_bytes(rows)),
        ("x.parquet", frames.parquet_bytes(rows)),
    ):
        (folder / name).write_bytes(content)
        assert frames.read_results(folder / name) == tuple(rows)
    assert frames.from_frame(frames.to_frame(rows)) == tuple(rows)


def test_columns_are_the_fields_in_order(tmp_path: Path) -> None:
    csv, _ = frames.write_results(ROWS, tmp_path)
    expected = [f.name for f in fields(ResultRow)]
    assert csv.read_text().splitlines()[0].split(",") == expected
    assert list(frames.to_frame(ROWS).columns) == expected


def test_dtypes_do_not_depend_on_the_content() -> None:
    expected = {name: dtype.lower() for name, dtype in frames.dtypes().items()}
    for rows in ((), ROWS, (row(prm=None, budget=None),)):
        actual = frames.to_frame(rows).dtypes.astype(str).str.lower().to_dict()
        assert actual == expected


def test_absent_is_null_and_not_zero(tmp_path: Path) -> None:
    one = row(prm_tokens=None, flops=0.0)
    csv, _ = frames.write_results([one], tmp_path)
    frame = frames.to_frame([one])
    assert frame["prm_tokens"].isna().tolist() == [True]
    assert frame["flops"].tolist() == [0.0]
    line = dict(zip(*(text.split(",") for text in csv.read_text().splitlines()), strict=True))
    assert (line["prm_tokens"], line["flops"]) == ("", "0.0")


def test_nan_value_stays_nan(tmp_path: Path) -> None:
    csv, parquet = frames.write_results([row(value=math.nan)], tmp_path)
    for path in (csv, parquet):
        assert math.isnan(frames.read_results(path)[0].value)
    assert math.isnan(frames.from_frame(frames.to_frame([row(value=math.nan)]))[0].value)


def test_a_folder_reads_its_csv_and_no_rows_are_fine(tmp_path: Path) -> None:
    frames.write_results((), tmp_path)
    assert frames.read_results(tmp_path) == ()
    assert frames.read_results(tmp_path / "results.parquet") == ()


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        frames.write_results(ROWS, tmp_path / name)
    for file in ("results.csv", "results.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.replace("task_version,", "version,", 1), "lacks task_version; has unknown"),
        (lambda t: t.replace(",majority,", ",majority,x,", 1), "line 2: 30 fields, expected 29"),
        (
            lambda t: t.replace(",true,", ",yes,", 1),
            "headline is 'yes', expected true or false",
        ),
        (lambda t: t.replace(",0.5,", ",half,", 1), "line 2: value is 'half', expected a number"),
        (lambda t: t.replace(",0.5,", ",,", 1), None),
        (lambda t: t.replace(",throughput,", ",fast,", 1), "expected one of latency, throughput"),
        (
            lambda t: t.replace(",200,200,", ",,200,", 1),
            "n_problems is '', expected an integer",
        ),
        (lambda t: t.replace("chain", 'ch"ain', 1).replace(",1,", ',"1,', 1), "not a CSV file"),
        (lambda t: "", "lacks task, task_version"),
    ],
)
def test_damaged_csv_is_one_clear_error(tmp_path: Path, damage: Any, message: str | None) -> None:
    csv, _ = frames.write_results([row()], tmp_path)
    csv.write_text(damage(csv.read_text()))
    with pytest.raises(DataError) as error:
        frames.read_results(csv)
    assert str(csv) in str(error.value)
    assert (message or "value is ''") in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_results_file(tmp_path: Path) -> None:
    (tmp_path / "results.parquet").write_bytes(b"not parquet at all")
    (tmp_path / "x.txt").write_text("")
    for path in (tmp_path / "results.parquet", tmp_path / "x.txt", tmp_path / "none.csv"):
        with pytest.raises(DataError, match=path.name):
            frames.read_results(path)


def test_frame_with_a_wrong_column_or_type() -> None:
    frame = frames.to_frame([row()])
    with pytest.raises(DataError, match="lacks budget"):
        frames.from_frame(frame.drop(columns="budget"))
    frame["budget"] = frame["budget"].astype("Float64") + 0.5
    with pytest.raises(DataError, match=r"row 0: budget is 64\.5, expected an integer"):
        frames.from_frame(frame)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames.write_results([row()], tmp_path)
    before = (tmp_path / "results.csv").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InfrastructureError, match="disk is full"):
        frames.write_results([replace(row(), value=0.9)], tmp_path)
    assert (tmp_path / "results.csv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.parquet"]
