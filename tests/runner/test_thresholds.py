"""The score below which a step is called wrong is the PRM's to declare."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
RAW = "transformers:embedded:prm-math-small,head=raw,name=raw"


def _f1(out: Path) -> dict[tuple[str, str], str]:
    with (out / "results.csv").open(newline="") as file:
        return {
            (row["prm"], row["method"]): row["value"]
            for row in csv.DictReader(file)
            if row["metric"] == "f1"
        }


def test_logits_at_zero_are_probabilities_at_one_half(cli: Any, tmp_path: Path) -> None:
    run = ["run", "--task", "chain_errors_arithmetic", "--limit", "30", "--out", tmp_path / "out"]
    done = cli(*run, "--prm", "prm-math-small", "--prm", f"{RAW},threshold=0.0")
    assert done.code == 0, done.err
    found = _f1(tmp_path / "out")
    assert 0 < float(found["raw", "first_error"]) < 1
    assert found["raw", "first_error"] == found["prm-math-small", "first_error"]
    with (tmp_path / "out/results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "step_scores"]
    values = {(row["prm"], row["metric"]): row["value"] for row in rows}
    ranked = {"step_auroc", "same_place_auroc", "solution_auroc", "last_is_least"}
    assert {metric for prm, metric in values if prm == "raw"} == ranked
    assert {metric for prm, metric in values if prm != "raw"} == ranked | {
        "brier",
        "ece",
        *(f"ece_{third}_third" for third in ("first", "middle", "last")),
    }
    # A growing function of the scores ranks alike; both figures of the same 30 solutions.
    assert all(values["raw", m] == values["prm-math-small", m] for m in ranked)
    assert (tmp_path / "out/report/tables/step_scores.md").exists()
    with (tmp_path / "out/results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "threshold_curve"]
    curve = {(row["prm"], row["metric"]): float(row["value"]) for row in rows}
    oracle = _f1(tmp_path / "out")
    for prm in ("raw", "prm-math-small"):
        assert curve[prm, "best_f1"] == float(oracle[prm, "first_error_oracle"])
        assert curve[prm, "plateau_low"] < curve[prm, "plateau_high"]
    names = {path.name for path in (tmp_path / "out/report/figures").glob("*.png")}
    assert {"thresholds.png", "chain_errors_arithmetic-reliability.png"} <= names


def test_rewards_without_a_threshold_need_a_task_to_choose_it_on(cli: Any, tmp_path: Path) -> None:
    run = ["run", "--task", "chain_errors_arithmetic", "--limit", "30", "--out", tmp_path / "out"]
    done = cli(*run, "--prm", RAW)
    assert done.code == 2
    assert "PRM raw names no score below which a step is wrong (semantics reward)" in done.err
    assert not (tmp_path / "out").exists()
    done = cli(*run, "--prm", RAW, "--set", "tune_threshold_on=chain_errors_arithmetic")
    assert done.code == 0, done.err
    methods = {method for _, method in _f1(tmp_path / "out")}
    assert methods == {"first_error_tuned", "first_error_oracle"}
