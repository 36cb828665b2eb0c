"""Which given solution is right: recorded scores give the figures that their sources state."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.problems import load

# Strict accuracy in per cent (RewardMATH's own evaluation of the same files), by aggregation.
STEPS = {
    "Math_Shepherd": {
        "min": "15.32", "max": "3.93", "product": "17.18", "geometric_mean": "15.73",
        "mean": "15.11", "last": "18.22",
    },
    "ReasonEval_7B": {
        "min": "19.46", "max": "12.01", "product": "18.22", "geometric_mean": "20.29",
        "mean": "20.08", "last": "14.91",
    },
}  # fmt: skip
WHOLE = {"internlm2": "37.27", "ArmoRM": "20.50", "grm_llama3": "24.43", "gpt4o": "25.88"}
TIED = {"internlm2": 0, "ArmoRM": 5, "grm_llama3": 2, "gpt4o": 124}
MRR = {"internlm2": "0.552", "ArmoRM": "0.422"}
PAIRS = {
    "Math_Shepherd": {
        "min": "83.00", "max": "68.68", "product": "94.41", "geometric_mean": "81.43",
        "mean": "81.21", "last": "65.77",
    },
    "ReasonEval_7B": {
        "min": "41.83", "max": "5.82", "product": "63.09", "geometric_mean": "14.77",
        "mean": "12.08", "last": "23.49",
    },
}  # fmt: skip


def _results(out: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"preference"}
    return {(row["prm"], row["aggregation"], row["metric"]): row for row in rows}


def _percent(row: dict[str, str]) -> str:
    return f"{100 * float(row['value']):.2f}"


def test_rewardmath_from_scores_alone(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    prms = []
    for name in (*STEPS, *WHOLE):
        source = data_dir / "recorded" / "rewardmath" / f"{name}_reward.json.gz"
        scores = tmp_path / f"{name}.jsonl"
        kind, options = ("scores", "aggregation=product") if name in STEPS else (
            "score", "semantics=reward"
        )  # fmt: skip
        done = cli(
            "pool", "import", source, scores, "--task", "rewardmath", "--data-dir", data_dir,
            "--map", "question=problem", "--map", f"{kind}=score",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert "4,830 scored solutions of 483 problems" in done.out
        assert ("left out: 2 rows that say again" in done.out) == (name == "gpt4o")
        prms += ["--prm", f"recorded:{scores},{options}"]
    out = tmp_path / "out"
    done = cli("run", "--task", "rewardmath", *prms, "--data-dir", data_dir, "--out", out)
    assert done.code == 0, done.err
    found = _results(out)
    for prm, figures in STEPS.items():
        for aggregation, figure in figures.items():
            assert figure == _percent(found[prm, aggregation, "preference_strict"])
        assert found[prm, "product", "preference_accuracy"]["headline"] == "true"
        assert found[prm, "min", "preference_accuracy"]["headline"] == "false"
    for prm, figure in WHOLE.items():
        assert figure == _percent(found[prm, "min", "preference_strict"])
        tied = float(found[prm, "min", "preference_tied"]["value"])
        assert TIED[prm] == round(tied * 483)
    for prm, figure in MRR.items():
        assert figure == f"{float(found[prm, 'min', 'mrr_strict']['value']):.3f}"
    lenient = [float(found["gpt4o", "min", f"preference_{m}"]["value"]) for m in ("strict", "tied")]
    assert f"{100 * sum(lenient):.2f}" == "51.55"
    fair = found["gpt4o", "min", "preference_accuracy"]
    assert lenient[0] < float(fair["value"]) < sum(lenient)
    assert (fair["n_problems"], fair["n_total"], fair["policy"]) == ("483", "483", "")
    assert float(fair["ci_low"]) < float(fair["value"]) < float(fair["ci_high"])
    table = (out / "report/tables/preference.md").read_text()
    assert "| rewardmath | Math_Shepherd | product     |     17.2 |" in table
    every = (out / "report/tables/preference_aggregations.md").read_text()
    assert "geometric_mean" in every
    assert "internlm2" not in every  # one score per solution: all aggregations are the same


def test_rewardbench_pairs(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    prms = []
    for name in (*PAIRS, "internlm2"):
        source = data_dir / "recorded" / "rewardbench_math" / f"rewardbench_{name}.json.gz"
        scores = tmp_path / f"{name}.jsonl"
        key = "scores=output.step_scores" if name in PAIRS else "score=score"
        done = cli(
            "pool", "import", source, scores, "--task", "rewardbench_math",
            "--data-dir", data_dir, "--map", "question=problem", "--map", key,
        )  # fmt: skip
        assert done.code == 0, done.err
        options = "" if name in PAIRS else ",semantics=reward,steps=whole,name=internlm2"
        prms += ["--prm", f"recorded:{scores}{options}"]
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "rewardbench_math", *prms, "--prm", "fake:oracle", "--prm",
        "fake:anti-oracle", "--prm", "fake:constant", "--data-dir", data_dir, "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    found = _results(out)
    for prm, figures in PAIRS.items():
        for aggregation, figure in figures.items():
            assert figure == _percent(found[prm, aggregation, "preference_strict"])
    assert _percent(found["internlm2", "min", "preference_strict"]) == "92.84"
    known = {"oracle": "100.00", "anti-oracle": "0.00", "constant": "50.00"}
    for prm, figure in known.items():
        assert figure == _percent(found[prm, "min", "preference_accuracy"])
    assert _percent(found["constant", "min", "preference_strict"]) == "0.00"
    assert not any(metric.startswith("mrr") for _, _, metric in found)
    page = (out / "report/index.html").read_text()
    assert "right solution: 0 (from 0)" in page


def test_scores_of_a_part_are_told_as_a_part(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    scores = tmp_path / "few.jsonl"
    rows = [{"id": "rewardmath-0000", "scores": [0.9 - 0.05 * i]} for i in range(10)]
    rows += [{"id": "rewardmath-0001", "scores": [0.5]}]  # one of ten: not judged on it
    scores.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "rewardmath", "--prm", f"recorded:{scores}", "--data-dir", data_dir,
        "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    row = _results(out)["few", "min", "preference_accuracy"]
    assert (row["value"], row["n_problems"], row["n_total"]) == ("1.0", "1", "483")
    assert "Only a part of the problems was run or covered: rewardmath." in " ".join(
        done.out.split()
    )


@pytest.mark.parametrize("prm", ["fake:constant", "fake:oracle"])
def test_who_has_to_read_says_that_there_is_nothing_to_read(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path, prm: str
) -> None:
    done = cli("run", "--task", "rewardmath", "--prm", prm, "--data-dir", data_dir, "--out",
               tmp_path / "out")  # fmt: skip
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "has no texts of those of rewardmath; run-benchmark show task" in done.err
    assert not (tmp_path / "out").exists()


def test_texts_from_the_data_folder_can_be_read(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The data set itself is not here: texts in its form stand in for it."""
    folder = tmp_path / "data"
    source = data_dir / "recorded/rewardmath/Math_Shepherd_reward.json.gz"
    kept = folder / "recorded/rewardmath"
    kept.mkdir(parents=True)
    (kept / source.name).write_bytes(source.read_bytes())
    rows = [
        {
            "problem": problem["problem"],
            "solution_reference": writer,
            "solution_type": "chosen" if writer == "human_to_GPT-4" else "rejected",
            "eval_solution": [f"step of {writer}"] * (i + 1),
            "problem_id": number,
        }
        for number, problem in enumerate(json.loads(gzip.decompress(source.read_bytes())))
        for i, writer in enumerate(problem["solution_reference"])
    ]
    texts = folder / "rewardmath/RewardMATH.json"
    texts.parent.mkdir()
    texts.write_text(json.dumps(rows))
    (task,) = load("rewardmath", data_dir=folder)
    assert [len(one) for one in task.problems[7].solutions] == list(range(1, 11))
    assert task.problems[7].solutions[0] == ("step of human_to_GPT-4\n",)
    arguments = ("--prm", "fake:oracle", "--limit", "5", "--data-dir", folder)
    done = cli("run", "--task", "rewardmath", *arguments, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    found = _results(tmp_path / "out")["oracle", "min", "preference_accuracy"]
    assert (found["value"], found["n_problems"], found["n_total"]) == ("1.0", "5", "483")
    texts.write_text(json.dumps(rows[1:]))
    with pytest.raises(DataError, match=r"RewardMATH.json: the solutions of problem 0 are not"):
        load("rewardmath", data_dir=folder)


def test_a_prefix_cannot_choose(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    scores = tmp_path / "s.jsonl"
    scores.write_text('{"id": "math-prm-0000", "scores": [0.5]}\n')
    done = cli(
        "run", "--task", "rewardbench_math", "--prm", f"recorded:{scores},covers=prefix",
        "--data-dir", data_dir, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 2
    assert "cannot choose between candidates of rewardbench_math" in done.err
