"""Recorded outputs of real models give the figures that their sources state."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from scipy.stats import spearmanr

PRMS = {
    "Qwen2.5-Math-PRM-7B": (83.65, 74.46, 66.65, 67.59),
    "Skywork-o1-Open-PRM-Qwen-2.5-7B": (68.73, 46.59, 23.64, 17.22),
    "Llama3.1-8B-PRM-Mistral-Data": (47.03, 30.27, 13.79, 15.22),
    "Qwen2.5-7B-Instruct_as_verifier": (49.59, 46.37, 38.89, 41.46),
    "FoVer-Qwen2.5-7B-PRM": (53.84, 48.89, 35.62, 38.55),
}
AUROC = ["0.9769", "0.9530", "0.9480", "0.9324"]  # Qwen2.5-Math-PRM-7B, of steps
SUBSETS = ("gsm8k", "math", "olympiadbench", "omnimath")

# Mean of single samples and any of all, in per cent, by math-verify on the full response. Ours
# reads the last box first and differs on ten of 8,000 responses (tests/grading/disagreements.json).
POOLS = {
    "qwen2.5-math-1.5b_runA_n4": (59.30, 78.8),
    "qwen2.5-math-1.5b_runB_n4": (59.15, 79.8),
    "llama-3.2-1b-instruct_runA_n4": (25.55, 44.4),
    "qwen2.5-math-1.5b_ttrl_step150_n4": (72.25, 84.6),
}
RUN = [name for name in POOLS if "_runB_" not in name or os.environ.get("HARNESS_ALL_SAMPLES")]
"""Runs A and B are of one model and share a third of their texts; both are graded in
``tests/grading/test_recorded.py``."""


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_processbench_f1_to_the_printed_digit(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    folder = data_dir / "recorded" / "processbench_prm_scores"
    prms = [f"--prm=recorded:{folder}/{name}.jsonl.gz,covers=prefix" for name in PRMS]
    done = cli("run", "processbench", *prms, "--data-dir", data_dir, "--out", out)
    assert done.code == 0, done.err
    f1 = {
        (row["prm"], row["task"]): f"{100 * float(row['value']):.2f}"
        for row in _rows(out)
        if (row["method"], row["metric"]) == ("first_error", "f1")
    }
    for name, figures in PRMS.items():
        for subset, figure in zip(SUBSETS, figures, strict=True):
            assert f1[name, f"processbench_{subset}"] == f"{figure:.2f}"
        assert float(f1[name, "processbench"]) == pytest.approx(sum(figures) / 4, abs=0.011)
    covered = {(r["n_problems"], r["n_total"]) for r in _rows(out) if r["task"] == "processbench"}
    assert covered == {("1000", "3400")}
    assert "part of the problems" in done.out
    auroc = {
        row["task"]: f"{float(row['value']):.4f}"
        for row in _rows(out)
        if (row["prm"], row["metric"]) == ("Qwen2.5-Math-PRM-7B", "step_auroc")
    }
    assert [auroc[f"processbench_{subset}"] for subset in SUBSETS] == AUROC
    quality = {row["metric"] for row in _rows(out) if row["method"] == "step_scores"}
    assert {"step_auroc", "same_place_auroc", "brier", "ece", "ece_last_third"} <= quality
    assert not {"solution_auroc", "last_is_least"} & quality  # scores end at the first wrong step
    _check_lengths(_rows(out), folder, data_dir)
    drawn = {path.stem for path in (out / "report/figures").glob("*.svg")}
    assert {"thresholds", "step_auroc", "processbench_gsm8k-reliability"} <= drawn
    lines = (out / "report/tables/first_error.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.split("|")[1:]] for line in lines]
    cited = {row[1]: row[2:7] for row in table if row[:1] == ["published"]}
    assert cited == {
        "Qwen2.5-Math-PRM-7B": ["82.4", "77.6", "67.5", "66.3", "73.5"],
        "Skywork-o1-Open-PRM-Qwen-2.5-7B": ["70.8", "53.6", "22.9", "21.0", "42.1"],
        "Llama3.1-8B-PRM-Mistral-Data": ["50.4", "33.4", "13.8", "15.8", "28.4"],
    }
    # Each beneath ours of the same rule: Skywork's threshold was chosen on GSM8K.
    above = {row[1]: table[i - 1][:2] for i, row in enumerate(table) if row[:1] == ["published"]}
    skywork = "Skywork-o1-Open-PRM-Qwen-2.5-7B"
    assert above == {
        name: ["first_error_tuned" if name == skywork else "first_error", name] for name in cited
    }
    assert not any(row["method"] == "published" for row in _rows(out))


def test_published_figures_without_a_given_threshold_are_shown(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path
) -> None:
    """Log ratios have no threshold but a tuned one; a stand-in's scores under their name."""
    file = data_dir / "recorded/processbench_prm_scores/Skywork-o1-Open-PRM-Qwen-2.5-7B.jsonl.gz"
    prm = f"--prm=recorded:{file},covers=prefix,semantics=reward,name=eurusprm-stage2"
    done = cli("run", "processbench", prm, "--data-dir", data_dir, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    lines = (tmp_path / "out/report/tables/first_error.md").read_text().splitlines()
    table = [[cell.strip() for cell in line.split("|")[1:]] for line in lines]
    (place,) = (i for i, row in enumerate(table) if row[:1] == ["published"])
    assert table[place - 1][:2] == ["first_error_tuned", "eurusprm-stage2"]
    assert table[place][1:7] == ["eurusprm-stage2", "47.3", "35.7", "21.2", "20.9", "31.3"]
    assert not any(row[:1] == ["first_error"] for row in table)


def _check_lengths(rows: list[dict[str, str]], folder: Path, data_dir: Path) -> None:
    """Of right solutions, whose scores are whole, by scipy from the files themselves."""
    found = {
        (row["prm"], row["task"], row["metric"]): float(row["value"])
        for row in rows
        if row["method"] == "solution_scores"
    }
    lengths = ("length_steps_right", "length_characters_right")
    assert len(found) == len(PRMS) * len(SUBSETS) * len(lengths)
    name, subset = "Skywork-o1-Open-PRM-Qwen-2.5-7B", "olympiadbench"
    with gzip.open(data_dir / f"processbench/{subset}.json.gz", "rt") as file:
        steps = {one["id"]: one["steps"] for one in json.load(file)}
    with gzip.open(folder / f"{name}.jsonl.gz", "rt") as file:
        recorded = [one for one in map(json.loads, file) if one["split"] == subset]
    right = [one for one in recorded if one["label"] == -1]
    least = [min(one["scores"]) for one in right]  # the declared aggregation of probabilities
    sizes = [[len(steps[one["id"]]) for one in right]]
    sizes += [[sum(len(step) + 2 for step in steps[one["id"]]) for one in right]]  # blank lines
    for metric, own in zip(lengths, sizes, strict=True):
        expected = spearmanr(least, own).statistic
        assert found[name, f"processbench_{subset}", metric] == pytest.approx(expected)


def test_prefix_scores_are_refused_where_candidates_are_chosen(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path
) -> None:
    file = data_dir / "recorded/processbench_prm_scores/Qwen2.5-Math-PRM-7B.jsonl.gz"
    done = cli(
        "run", "--task", "math500", "--policy", "fake:echo", "--data-dir", data_dir,
        "--prm", f"recorded:{file},covers=prefix", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 2
    assert "cannot choose between candidates" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_math500_pools(cli, data_dir: Path, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    source = data_dir / "recorded" / "math500_pools" / f"{name}_candidates.jsonl.gz"
    pool, out = tmp_path / "pool.jsonl", tmp_path / "out"
    done = cli(
        "pool", "import", source, pool, "--task", "math500", "--data-dir", data_dir,
        "--map", "question=problem", "--map", "text=responses",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "2,000 candidates of 500 problems" in done.out
    done = cli("run", "math500", "--policy", f"pool:{pool}", "--data-dir", data_dir, "--out", out)
    assert done.code == 0, done.err
    found = {
        int(row["budget"]): 100 * float(row["value"])
        for row in _rows(out)
        if row["method"] == "pass_at_n"
    }
    mean, any_ = POOLS[name]
    assert found[1] == pytest.approx(mean, abs=0.06)
    assert found[4] == pytest.approx(any_, abs=0.21)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "key", "accuracy"),
    [
        ("openai_example_model_solutions", "6b_finetuning.solution", 21.68),
        ("openai_example_model_solutions", "6b_verification.solution", 39.04),
        ("openai_example_model_solutions", "175b_finetuning.solution", 34.72),
        ("openai_example_model_solutions", "175b_verification.solution", 56.25),
    ],
)
def test_gsm8k_recordings(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path, file: str, key: str, accuracy: float
) -> None:
    source = data_dir / "recorded" / "gsm8k_pools" / f"{file}.jsonl.gz"
    pool, out = tmp_path / "pool.jsonl", tmp_path / "out"
    done = cli(
        "pool", "import", source, pool, "--task", "gsm8k", "--data-dir", data_dir,
        "--map", "question=question", "--map", f"text={key}",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = cli(
        "run", "--task", "gsm8k", "--policy", f"pool:{pool}", "--method", "pass_at_n",
        "--data-dir", data_dir, "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    (row,) = _rows(out)
    assert f"{100 * float(row['value']):.2f}" == f"{accuracy:.2f}"
