"""PRMBench from rows in its public form, made up here: loading, categories, figures, refusals."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import yaml
from scipy.stats import spearmanr

from harness.errors import DataError
from harness.problems import catalog, load

KINDS = {
    "redundency": "NR", "circular": "NCL", "counterfactual": "ES", "step_contradiction": "SC",
    "domain_inconsistency": "DC", "confidence": "CI", "missing_condition": "PS",
    "deception": "DR", "multi_solutions": "MS",
}  # fmt: skip


def row(
    kind: str, name: str, wrong: list[int], steps: int = 4, **more: object
) -> dict[str, object]:
    return {
        "original_question": f"original {name}",
        "modified_question": f"{kind} {name}",
        "original_process": ["a", "b"],
        "modified_process": [f"{kind} {k}" for k in range(steps)],
        "modified_steps": wrong,
        "error_steps": wrong,
        "reason": "",
        "idx": name,
        "question": f"original {name}",
        "classification": kind,
        **more,
    }


ROWS = [
    row(kind, f"p{i}", [] if kind == "multi_solutions" else [2, 3])
    for kind in KINDS
    for i in range(2)
]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """The shipped definition under another name, without the pins of the real data."""
    shipped = yaml.safe_load(
        re.sub(r"!function ", "", catalog().tasks["prmbench"].path.read_text("utf-8"))
    )
    meta = shipped["metadata"]
    del meta["rows"], meta["identity"], meta["sha256"], meta["source"]
    shipped["task"] = "prmbench_made"
    text = yaml.safe_dump(shipped).replace("custom_dataset: ", "custom_dataset: !function ")
    folder = tmp_path / "tasks" / "prmbench_made"
    folder.mkdir(parents=True)
    (folder / "prmbench_made.yaml").write_text(text)
    (folder / "README.md").write_text("# made\n\n## Changelog\n\n- 1.0: first version.\n")
    return folder.parent


def write(folder: Path, rows: list[dict[str, object]]) -> Path:
    file = folder / "data" / "prmbench" / "prmbench_preview.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return folder / "data"


def test_rows_of_the_public_form(tasks: Path, tmp_path: Path) -> None:
    rows = [*ROWS, row("circular", "p0", [1], steps=1), row("deception", "p2", [2, 9])]
    (task,) = load("prmbench_made", data_dir=write(tmp_path, rows), include=[tasks])
    found = {problem.id: problem for problem in task.problems}
    assert len(found) == len(ROWS) + 1 + 2  # one more, one said twice, two originals
    assert found["circular_p0"].steps == tuple(f"circular {k}\n" for k in range(4))
    assert found["circular_p0"].reference == {"wrong": [1, 2], "category": "NCL", "origin": "p0"}
    assert found["deception_p2"].reference == {"wrong": [1], "category": "DR", "origin": "p2"}
    assert found["correct_p1"].prompt == "original p1"
    assert found["correct_p1"].steps == ("a\n", "b\n")
    assert found["correct_p1"].reference == {"wrong": [], "category": "original", "origin": "p1"}


def test_the_hubs_ids_are_the_same(tasks: Path, tmp_path: Path) -> None:
    longer = [{**one, "idx": f"{one['classification']}_{one['idx']}"} for one in ROWS]
    ids = [
        [p.id for p in load("prmbench_made", data_dir=write(tmp_path, rows), include=[tasks])[0]
         .problems]
        for rows in (ROWS, longer)
    ]  # fmt: skip
    assert ids[0] == ids[1]


def test_the_order_of_the_categories_does_not_matter(tasks: Path, tmp_path: Path) -> None:
    """A frozen pool of the problems has one digest, whichever source they came from."""
    turned = sorted(ROWS, key=lambda one: str(one["classification"]))
    assert turned != ROWS
    found = [
        load("prmbench_made", data_dir=write(tmp_path, rows), include=[tasks])[0].problems
        for rows in (ROWS, turned)
    ]
    assert found[0] == found[1]


def test_a_category_that_does_not_exist(tasks: Path, tmp_path: Path) -> None:
    rows = [row("sarcasm", "p0", [1])]
    with pytest.raises(DataError, match="no category 'sarcasm'; it has redundency"):
        load("prmbench_made", data_dir=write(tmp_path, rows), include=[tasks])


def test_a_run_by_hand(cli, tasks: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data, scores, out = write(tmp_path, ROWS), tmp_path / "scores.jsonl", tmp_path / "out"
    # Of every solution the second step is called wrong, of originals none; p1 scores all right.
    lines = [
        {"id": f"{kind}_p{i}", "scores": [0.9, 0.1 if i == 0 else 0.8, 0.7, 0.6]}
        for kind in KINDS
        for i in range(2)
    ]
    lines += [{"id": f"correct_p{i}", "scores": [0.9, 0.5]} for i in range(2)]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cli(
        "run", "--task", "prmbench_made", "--include-path", tasks, "--data-dir", data,
        "--prm", f"recorded:{scores}", "--prm", "fake:constant", "--prm",
        f"recorded:{scores},threshold=0.05,name=blind", "--prm", "fake:oracle", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Right ones of four steps have a least score of 0.1 and 0.6, the originals, of two, 0.5; wrong
    # ones are of one length in steps: their scores say nothing of it.
    told = {
        r["metric"]: (float(r["value"]), r["aggregation"], r["ci_method"])
        for r in rows
        if (r["prm"], r["method"]) == ("scores", "solution_scores")
    }
    alone = spearmanr([0.1, 0.6, 0.5, 0.5], [4, 4, 2, 2]).statistic
    assert told["length_steps_right"] == (pytest.approx(alone), "min", "bootstrap-problems")
    assert told["length_steps"][0] == pytest.approx(alone) and "length_steps_wrong" not in told
    rows = [row for row in rows if row["method"] != "solution_scores"]
    assert {row["method"] for row in rows} == {"prm_score"}
    value = {r["metric"]: float(r["value"]) for r in rows if r["prm"] == "scores"}
    # A category: right steps kept 4 of 4, wrong ones found 1 of 4.
    assert value["acc_right_steps_nr"] == 1
    assert value["acc_wrong_steps_nr"] == 0.25
    assert value["acc_first_wrong_nr"] == 0.5
    f1, negative = 8 / 11, 2 / 5  # 4 kept, 3 missed; 1 found, 3 missed
    assert value["f1_right_steps_nr"] == pytest.approx(f1)
    assert value["prm_score_nr"] == pytest.approx((f1 + negative) / 2)
    # Of several right solutions: 7 of 8 steps kept, none wrong.
    assert value["prm_score_ms"] == pytest.approx(14 / 15)
    assert value["prm_score_sensitivity"] == pytest.approx((f1 + negative + 14 / 15) / 3)
    # All: 8 categories of 4 + 1 + 3, and 7 + 1.
    assert value["prm_score"] == pytest.approx((78 / (78 + 24 + 1) + 16 / (16 + 24 + 1)) / 2)
    assert value["similarity_nr"] == pytest.approx((0.25 + 0) / 2)
    blind = {r["metric"]: float(r["value"]) for r in rows if r["prm"] == "blind"}
    assert (blind["threshold"], blind["acc_wrong_steps"]) == (0.05, 0)
    oracle = {r["metric"]: float(r["value"]) for r in rows if r["prm"] == "oracle"}
    assert {v for name, v in oracle.items() if name.startswith("prm_score")} == {1}
    assert (out / "report/tables/prm_score.md").read_text().count("| prmbench_made |") == 4
    assert "| NCL " in (out / "report/tables/prm_score_detail.md").read_text()
    assert not (out / "report/tables/first_error.md").exists()
    done = cli("compare", out, "--prm", "scores", "--prm", "blind", "--out", tmp_path / "versus")
    assert done.code == 0, done.err
    (told,) = csv.DictReader((tmp_path / "versus" / "versus.csv").open(newline=""))
    assert (told["metric"], told["a"], told["b"]) == ("prm_score", "scores", "blind")
    assert float(told["a_value"]) == pytest.approx(value["prm_score"])
    assert float(told["b_value"]) == pytest.approx(blind["prm_score"])
    assert float(told["difference"]) == pytest.approx(value["prm_score"] - blind["prm_score"])
    assert "judges steps with a PRMScore" in " ".join(done.out.split())


def test_a_critic_that_says_nothing_has_misjudged_every_step(  # type: ignore[no-untyped-def]
    cli, tasks: Path, tmp_path: Path
) -> None:
    """Of p0 it finds everything; of p1, the original among them, it says nothing."""
    script = tmp_path / "script.jsonl"
    lines = []
    for one in ROWS:
        sure = (
            [1.0, 1.0, 1.0, 1.0] if one["classification"] == "multi_solutions" else [1, -1, -1, 1]
        )
        text = json.dumps({"validity": sure}) if one["idx"] == "p0" else "I pass"
        lines.append({"id": f"{one['classification']}_{one['idx']}/4/0", "texts": [text]})
    lines.append({"id": "correct_p0/2/0", "texts": [json.dumps({"validity": [1, 1]})]})
    lines.append({"id": "correct_p1/2/0", "texts": ["I pass"]})
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cli(
        "run", "--task", "prmbench_made", "--include-path", tasks, "--data-dir",
        write(tmp_path, ROWS), "--prm", f"critic:prmbench,model=fake:{script}", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    # Of each two right and two wrong steps one solution has all, the other none.
    assert float(rows["prm_score_nr"]["value"]) == pytest.approx(0.5)
    assert float(rows["acc_first_wrong_nr"]["value"]) == pytest.approx(0.5)
    assert float(rows["prm_score_ms"]["value"]) == pytest.approx(2 / 3)
    assert int(rows["prm_score_nr"]["n_problems"]) == 2
    # A share of steps called right is known of p0 alone.
    assert float(rows["similarity_nr"]["value"]) == pytest.approx(0.5)
    assert int(rows["similarity_nr"]["n_problems"]) == 1
    assert float(rows["unparsed"]["value"]) == pytest.approx(0.5)
    text = " ".join(done.out.split())
    assert "Answers without a verdict, in percent: prmbench by script on prmbench_made 50.0" in text
    assert "counts as misjudged step by step" in text


def test_scores_that_stop_at_the_first_wrong_step_have_no_such_figure(  # type: ignore[no-untyped-def]
    cli, tasks: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"id": "circular_p0", "scores": [0.9, 0.1]}\n')
    done = cli(
        "run", "--task", "prmbench_made", "--include-path", tasks, "--data-dir",
        write(tmp_path, ROWS), "--prm", f"recorded:{scores},covers=prefix", "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert done.code == 2
    assert "prmbench_made needs a score of every step" in done.err


def test_without_data_one_line_says_what_to_do(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "empty"
    folder.mkdir()
    done = cli("run", "--task", "prmbench", "--prm", "fake:constant", "--data-dir", folder)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no data: ssmisya/PRMBench/" in done.err
    assert "name a folder with prmbench/prmbench_preview.jsonl in it by --data-dir" in done.err
