"""A whole run through the command line, with scripted parts whose results are known by hand."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from harness.sandbox.job import Availability, Execution


def _arguments(tasks: Path, script: Path, out: Path) -> list[str]:
    return [
        "run", "--include-path", str(tasks), "--task", "sums", "--policy", f"fake:{script}",
        "--prm", "fake:oracle", "--prm", "fake:anti-oracle", "--prm", "fake:constant",
        "--budget", "1,2,4", "--out", str(out),
    ]  # fmt: skip


def _rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _value(rows: list[dict[str, str]], method: str, budget: int, prm: str = "") -> float:
    (row,) = [
        r
        for r in rows
        if (r["method"], r["budget"], r["prm"], r["headline"]) == (method, str(budget), prm, "true")
    ]
    return float(row["value"])


def test_known_results(cli, quick_tasks: Path, script: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    done = cli(*_arguments(quick_tasks, script, out))
    assert done.code == 0, done.err
    rows = _rows(out)
    # One, two and three of four candidates are right, on four problems each.
    assert _value(rows, "pass_at_n", 1) == pytest.approx((1 + 2 + 3) / 12)
    assert _value(rows, "pass_at_n", 2) == pytest.approx((3 / 6 + 5 / 6 + 1) / 3)
    assert _value(rows, "pass_at_n", 4) == 1
    # Three against one loses, two against two is a tie, three against one wins.
    assert _value(rows, "majority", 4) == pytest.approx(0.5)
    assert _value(rows, "best_of_n", 4, "oracle") == 1
    assert _value(rows, "best_of_n", 4, "anti-oracle") == 0
    assert _value(rows, "best_of_n", 4, "constant") == pytest.approx(0.5)
    assert _value(rows, "weighted_vote", 4, "oracle") == 1
    assert _value(rows, "greedy", 1) == 1
    chosen = {(r["prm"], r["budget"]): r for r in rows if r["metric"] == "chosen_score"}
    # The oracle scores steps 1 or 0; among two of four it finds a right one as often as pass_at_n.
    assert float(chosen["oracle", "2"]["value"]) == pytest.approx((3 / 6 + 5 / 6 + 1) / 3)
    assert float(chosen["anti-oracle", "4"]["value"]) == 1
    assert {"12"} == {row["n_problems"] for row in rows}
    assert {"0"} == {row["n_ungraded"] for row in rows}
    page = (out / "report" / "index.html").read_text()
    assert "sums" in page
    assert "sums" in done.out


def test_the_same_command_again_does_nothing_new(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    before = {p: p.read_bytes() for p in out.rglob("*.jsonl") if p.name != "provenance.jsonl"}
    results = (out / "results.csv").read_bytes()
    assert cli(*_arguments(quick_tasks, script, out)).code == 0
    assert before == {p: p.read_bytes() for p in before}
    assert results == (out / "results.csv").read_bytes()
    assert (out / "logs" / "run.log").read_text().count("launch:") == 2
    assert len((out / "provenance.jsonl").read_text().splitlines()) == 2


def test_report_alone_rebuilds_everything(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    results, page = (out / "results.csv").read_bytes(), (out / "report/index.html").read_bytes()
    shutil.rmtree(out / "report")
    (out / "results.csv").unlink()
    shutil.rmtree(quick_tasks)
    assert cli("report", out).code == 0
    assert results == (out / "results.csv").read_bytes()
    assert page == (out / "report" / "index.html").read_bytes()


def test_other_settings_are_refused_with_the_keys_and_the_ways_out(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    done = cli(*_arguments(quick_tasks, script, out), "--seed", "3")
    assert done.code == 2
    assert "seed: 0 → 3" in done.err
    assert "choose another --out" in done.err


def test_a_run_goes_on_with_other_options_of_the_machine(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after it ran out of memory, in the folder that it chose as well."""
    monkeypatch.chdir(tmp_path)

    def run(options: str, prm: str, *more: str) -> int:
        done = cli(
            "run", "--task", "sums", "--include-path", quick_tasks, "--policy",
            f"fake:{script}{options},name=p", "--prm", prm, "--budget", "1,2", *more,
        )  # fmt: skip
        return int(done.code)

    assert run(",batch=1", "fake:oracle", "--max-seconds", "1e-9") == 3
    assert run(",batch=2", "fake:oracle", "--max-seconds", "1e-9") == 3
    assert run("", "fake:oracle") == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert run("", "fake:oracle", "--out", str(tmp_path / "whole")) == 0
    assert _rows(folder) == _rows(tmp_path / "whole")
    assert run(",seconds=0.01", "fake:oracle", "--out", str(folder)) == 2


def test_changed_content_behind_the_same_settings_is_refused(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    script.write_text(script.read_text().replace("step one", "step 1"))
    done = cli(*_arguments(quick_tasks, script, out))
    assert done.code == 2
    assert "another one now" in done.err


def test_a_search_of_other_content_is_refused(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    arguments = [
        "run", "--include-path", quick_tasks, "--task", "sums", "--policy", f"fake:{script}",
        "--prm", "fake:constant", "--method", "adaptive_best_of_n", "--set", "search.budgets=[2]",
        "--out", tmp_path / "out",
    ]  # fmt: skip
    assert cli(*arguments).code == 0
    script.write_text(script.read_text().replace("step one", "step 1"))
    done = cli(*arguments)
    assert done.code == 2 and "what searches with adaptive_best_of_n on task sums" in done.err


def test_score_adds_a_prm_and_run_keeps_it(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    pools = {p: p.read_bytes() for p in (out / "pools").rglob("*.jsonl")}
    done = cli("score", out, "--prm", "fake:noisy,p=1.0,name=perfect")
    assert done.code == 0, done.err
    assert _value(_rows(out), "best_of_n", 4, "perfect") == 1
    assert pools == {p: p.read_bytes() for p in pools}
    assert cli(*_arguments(quick_tasks, script, out)).code == 0
    assert _value(_rows(out), "best_of_n", 4, "perfect") == 1
    done = cli("score", out, "--prm", "fake:noisy,p=0.5,name=perfect")
    assert done.code == 2
    assert "another name" in done.err


def test_whole_answers_are_one_step(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    rows = [
        {"id": f"s{i}", "scores": [1.0 if j <= i % 3 else 0.0]} for i in range(12) for j in range(4)
    ]
    scores = tmp_path / "outcome.jsonl"
    scores.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cli("score", out, "--prm", f"recorded:{scores}")
    assert done.code == 2
    assert "1 scores for the 2 steps" in done.err
    done = cli("score", out, "--prm", f"recorded:{scores},steps=whole,semantics=reward,name=orm")
    assert done.code == 0, done.err
    assert _value(_rows(out), "best_of_n", 4, "orm") == 1
    assert "product" not in {row["aggregation"] for row in _rows(out) if row["prm"] == "orm"}


def test_grade_grades_again_and_agrees(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cli(*_arguments(quick_tasks, script, out))
    (grades,) = [p for p in out.rglob("grades.jsonl") if "0:" not in str(p)][:1]
    before, results = grades.read_bytes(), (out / "results.csv").read_bytes()
    part = cli("grade", out, "--task", "sums")
    assert part.code == 2 and "--task goes with --samples" in part.err
    assert cli("grade", out).code == 0
    assert before == grades.read_bytes()
    assert results == (out / "results.csv").read_bytes()
    assert not list(out.rglob("grades.new*"))


def test_a_policy_that_dies_leaves_what_was_finished(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = _arguments(quick_tasks, script, out)
    failing = [f"{a},fail_after=1" if a == f"fake:{script}" else a for a in arguments]
    done = cli(*failing, "--set", f"policies=['fake:{script},fail_after=1']")
    assert done.code == 1
    assert "Traceback" not in done.err
    cli(*_arguments(quick_tasks, script, whole))
    assert _rows(whole)


def test_plan_counts_and_runs_nothing(cli, quick_tasks: Path, script: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    arguments = _arguments(quick_tasks, script, out)[1:]
    done = cli("plan", *arguments, "--json")
    assert done.code == 0, done.err
    stages = json.loads(done.out)
    assert [(s["stage"], s["count"], s["done"]) for s in stages[:2]] == [
        ("generate", 12, 0),
        ("generate", 48, 0),
    ]
    assert stages[1]["tokens_max"] == 48 * 100
    assert not out.exists()
    cli("run", *arguments)
    done = cli("plan", *arguments, "--json")
    assert all(s["done"] == s["count"] for s in json.loads(done.out))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--task", "sumz"], "unknown task 'sumz'; did you mean 'sums'?"),
        (["--prm", "fake:orakle"], "did you mean 'oracle'?"),
        (["--prm", "recorded:/gone.jsonl"], "/gone.jsonl"),
        (["--method", "majorty"], "unknown method 'majorty'; did you mean 'majority'?"),
        (["--set", "sampels=3"], "unknown key 'sampels'; did you mean 'samples'?"),
        (["--set", "aggregations=[median]"], "unknown aggregation 'median'"),
        (["--budget", "many"], "--budget 'many' is no whole number"),
        (["--prm", "fake:oracle"], "two PRMs are called 'oracle'"),
        (["--set", "tune_threshold_on=sums"], "is no task of kind steps"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, change: list[str], message: str
) -> None:
    done = cli(*_arguments(quick_tasks, script, tmp_path / "out"), *change)
    assert done.code == 2, done.err
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("tasks", "sumz", "sweep.yaml:2: unknown task 'sumz'; did you mean 'sums'?"),
        ("prms", "fake:orakle", "sweep.yaml:2: unknown fake PRM 'orakle'; did you mean 'oracle'?"),
        ("policies", "embeded", "sweep.yaml:2: unknown policy 'embeded'; did you mean 'embedded'?"),
        ("methods", "majorty", "sweep.yaml:2: unknown method 'majorty'; did you mean 'majority'?"),
    ],
)
def test_a_wrong_name_in_a_file_is_named_with_file_and_line(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, key: str, name: str, message: str
) -> None:
    path = tmp_path / "sweep.yaml"
    keys = {
        "tasks": "sums",
        "policies": f"fake:{script}",
        "prms": "fake:oracle",
        "methods": "majority",
    }
    order = [key, *(other for other in keys if other != key)]
    keys[key] = name
    path.write_text(
        "name: mistaken\n"
        + "".join(f"{other}: [{json.dumps(keys[other])}]\n" for other in order)
        + f"include: [{quick_tasks}]\n"
    )
    done = cli("run", path, "--out", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "out").exists()


def _broken_scores(tmp_path: Path, change: str) -> Path:
    rows: list[object] = []
    for i in range(12):
        for j in range(4):
            scores: list[float] | None = [0.5, 0.5]
            if (i, j) == (7, 2):
                scores = {"few": [0.5], "nan": [0.5, float("nan")], "many": [0.5] * 3}[change]
            rows.append({"id": f"s{i}", "scores": scores})
    path = tmp_path / "scores.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_declared_aggregation_is_always_there(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    arguments = _arguments(quick_tasks, script, tmp_path / "out")
    done = cli(*arguments, "--method", "best_of_n", "--set", "aggregations=[last, mean]")
    assert done.code == 0, done.err
    rows = _rows(tmp_path / "out")
    assert {r["aggregation"] for r in rows if r["prm"] == "oracle"} == {"min", "last", "mean"}
    assert _value(rows, "best_of_n", 4, "oracle") == 1


def test_a_prm_that_scores_nothing_says_so(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "silent_prm.py").write_text(
        "def score(prompt, found):\n    return [None] * len(found)\n"
    )
    monkeypatch.chdir(tmp_path)
    kept = [
        a
        for a in _arguments(quick_tasks, script, tmp_path / "out")
        if a[:5] != "fake:" or script.name in a
    ]
    kept = [a for a in kept if a != "--prm"]
    done = cli(*kept, "--prm", "python:silent_prm:score", "--method", "best_of_n")
    assert done.code == 0, done.err
    assert "No problem has a score." in done.out and "()" not in done.out


def test_an_uneven_recording_says_how_many_candidates_count(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, tmp_path: Path
) -> None:
    pool = tmp_path / "theirs.jsonl"
    lines = [json.dumps({"id": f"s{i % 12}", "text": "0"}) + "\n" for i in range(30)]
    arguments = [
        "plan",
        "--include-path",
        quick_tasks,
        "--task",
        "sums",
        "--policy",
        f"pool:{pool}",
    ]
    said = "policy theirs has 2 to 3 candidates per problem; the first 2 of each are used"
    pool.write_text("".join(lines))
    assert said in cli(*arguments).err
    assert cli(*arguments, "--set", "samples=1").err == ""
    pool.write_text("".join(lines[:24]))
    assert cli(*arguments).err == ""
    pool.write_text("".join(lines[:5]))
    assert "has no candidates for 7 (s5, " in cli(*arguments).err


@pytest.mark.parametrize("rule", ["", ",steps=whole"])
def test_scores_of_other_problems_are_refused(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, rule: str
) -> None:
    out, scores = tmp_path / "out", tmp_path / "theirs.jsonl"
    arguments = _arguments(quick_tasks, script, out)
    scores.write_text('{"id": "x0", "scores": [1.0, 0.0]}\n')
    done = cli(*arguments, "--prm", f"recorded:{scores}{rule}")
    assert done.code == 2, done.err
    assert "has scores of none of the 12 problems of sums" in done.err
    assert not out.exists()
    scores.write_text('{"id": "s3", "scores": [1.0, 0.0]}\n')
    assert cli("plan", *arguments[1:], "--prm", f"recorded:{scores}{rule}").code == 0
    cli(*arguments)
    scores.write_text('{"id": "x0", "scores": [1.0, 0.0]}\n')
    assert "of none of the 12" in cli("score", out, "--prm", f"recorded:{scores}{rule}").err


@pytest.mark.parametrize(
    ("change", "words"), [("few", "1 score"), ("many", "3 scores"), ("nan", "NaN")]
)
def test_broken_score_files_name_file_line_and_leave_the_pool(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path, change: str, words: str
) -> None:
    path = _broken_scores(tmp_path, change)
    arguments = _arguments(quick_tasks, script, tmp_path / "out")
    kept = [a for a in arguments if a != "--prm" and not a.startswith("fake:o")]
    kept = [a for a in kept if not a.startswith(("fake:anti", "fake:const"))]
    done = cli(*kept, "--prm", f"recorded:{path}")
    assert done.code == 2, done.err
    assert f"{path}:31" in done.err
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_pool_that_lacks_problems_is_refused_before_anything_is_written(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, tmp_path: Path
) -> None:
    pool = tmp_path / "pool.jsonl"
    rows = [{"id": f"s{i}", "text": "x"} for i in range(10)]
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cli(
        "run", "--include-path", quick_tasks, "--task", "sums", "--policy", f"pool:{pool}",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 2
    assert "s10" in done.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(  # type: ignore[no-untyped-def]
    cli, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = cli(*_arguments(quick_tasks, script, tmp_path / "file" / "out"))
    assert done.code == 2
    assert "cannot write" in done.err
    assert "Traceback" not in done.err


def test_candidates_without_a_grade_are_unknown_not_wrong(  # type: ignore[no-untyped-def]
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: object, jobs: Iterable[object]) -> Iterator[Execution]:
        return (Execution("sandbox_error", reason="the worker died") for _ in jobs)

    monkeypatch.setattr("harness.sandbox.pool.Pool.run", lose)
    monkeypatch.setattr("harness.sandbox.namespaces.probe", lambda: Availability("x", True, ""))
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "chain_programs", "--policy", "fake:echo", "--prm", "fake:constant",
        "--limit", "3", "--budget", "1,2", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    rows = _rows(out)
    assert {row["method"] for row in rows} >= {"greedy", "majority", "weighted_vote", "best_of_n"}
    assert {row["value"] for row in rows if row["metric"] != "chosen_score"} == {"nan"}
    assert {row["n_ungraded"] for row in rows if row["method"] != "greedy"} == {"6"}
    assert "Ungraded candidates are left out" in done.out
