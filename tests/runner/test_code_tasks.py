"""Code tasks through the command line: real programs, the real sandbox, results known by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.problems import load
from harness.provenance import read_entries
from harness.sandbox.namespaces import probe

needs_sandbox = pytest.mark.skipif(not probe().works, reason=probe().why)


def _script(path: Path, limit: int) -> None:
    """Of 4 candidates one is right, two return 0 in two spellings, and one does not compile."""
    (task,) = load("chain_programs", limit=limit)
    lines = []
    for problem in task.problems:
        assert isinstance(problem.reference, dict)
        texts = [
            problem.reference["solution"],
            "def f(x):\n    return 0\n",
            "def f(x):\n    y = 0\n    return y\n",
            "def f(x:\n    return\n",
        ]
        lines.append(json.dumps({"id": problem.id, "texts": texts}))
    path.write_text("\n".join(lines) + "\n")


@needs_sandbox
def test_programs_are_graded_and_vote_by_what_they_do(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    script, out = tmp_path / "script.jsonl", tmp_path / "out"
    _script(script, 6)
    done = cli(
        "run", "--task", "chain_programs", "--limit", "6", "--policy", f"fake:{script}",
        "--prm", "fake:oracle", "--budget", "1,4", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    with (out / "results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["headline"] == "true"]
    value = {(r["method"], r["budget"]): float(r["value"]) for r in rows}
    assert value["pass_at_n", "1"] == pytest.approx(1 / 4)
    assert value["pass_at_n", "4"] == 1
    # Two programs that return 0 outvote the right one, however they are spelled.
    assert value["majority", "4"] == 0
    assert value["best_of_n", "4"] == value["weighted_vote", "4"] == 1
    assert value["greedy", "1"] == 1
    assert {row["n_ungraded"] for row in rows} == {"0"}
    runs = {(r["method"], r["budget"]): r["executions"] for r in rows}
    assert runs["majority", "4"] == runs["weighted_vote", "4"] == "4"
    assert runs["best_of_n", "4"] == runs["greedy", "1"] == runs["pass_at_n", "4"] == "0"
    page = (out / "report" / "index.html").read_text()
    assert "return x" in page
    assert "hidden_tests" not in page
    before = (out / "results.csv").read_bytes()
    again = cli("grade", out)
    assert again.code == 0, again.err
    assert before == (out / "results.csv").read_bytes()
    first, second = read_entries(out / "provenance.jsonl")
    assert second["command"] == f"run-benchmark grade {out}"
    assert first["sandbox"] == second["sandbox"]
    assert first["sandbox"]["backend"] == "namespaces" and "seccomp" in first["sandbox"]["layers"]


def test_without_a_sandbox_nothing_is_generated(  # type: ignore[no-untyped-def]
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InfrastructureError("no sandbox available; choose another: --sandbox docker")

    monkeypatch.setattr("harness.sandbox.backends.open_sandbox", refuse)
    out = tmp_path / "out"
    done = cli("run", "--task", "chain_programs", "--policy", "fake:echo", "--out", out)
    assert done.code == 1
    assert "--sandbox docker" in done.err
    assert not out.exists()


def test_no_isolation_needs_consent(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = ["run", "--task", "chain_programs", "--policy", "fake:echo", "--limit", "2"]
    refused = cli(*arguments, "--sandbox", "unsafe-local", "--out", tmp_path / "out")
    assert refused.code == 2
    assert "--unsafe-local-code" in refused.err
    unknown = cli(*arguments, "--sandbox", "namespace", "--out", tmp_path / "out")
    assert unknown.code == 2
    assert "did you mean 'namespaces'" in unknown.err
    done = cli(
        *arguments, "--sandbox", "unsafe-local", "--unsafe-local-code", "--method", "majority",
        "--budget", "1", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    (launch,) = read_entries(tmp_path / "out" / "provenance.jsonl")
    assert launch["sandbox"]["isolation"] == "none"
    page = (tmp_path / "out" / "report" / "index.html").read_text()
    assert "unsafe-local, NO isolation" in page


@needs_sandbox
def test_samples_files_are_graded_afresh(cli, data_dir: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (task,) = load("humaneval_plus", data_dir=data_dir, limit=5)
    rows = []
    for number, problem in enumerate(task.problems):
        assert isinstance(problem.reference, dict)
        code = str(problem.reference["solution"])
        if number == 1:
            code = f"def {problem.reference['entry_point']}(*a):\n    return None\n"
        rows.append({"task_id": problem.id, "solution": code})
    samples, out = tmp_path / "samples.jsonl", tmp_path / "graded"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [
        "grade", "--samples", samples, "--task", "humaneval_plus", "--out", out,
        "--data-dir", data_dir,
    ]  # fmt: skip
    refused = cli(*arguments)
    assert refused.code == 2
    assert "--allow-partial" in refused.err
    done = cli(*arguments, "--allow-partial")
    assert done.code == 0, done.err
    assert "5 samples of 5 of 164 problems" in done.out
    statuses = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [row["base_status"] for row in statuses] == ["pass", "fail", "pass", "pass", "pass"]
    assert [row["plus_status"] for row in statuses] == ["pass", "fail", "pass", "pass", "pass"]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["sandbox"]["backend"] == "namespaces"
    assert summary["base+plus"]["pass@1"]["value"] == pytest.approx(0.8)
    rows[0]["solution"] = "def nothing(): pass\n"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cli(*arguments, "--allow-partial")
    changed = json.loads((out / "summary.json").read_text())
    assert changed["base+plus"]["pass@1"]["value"] == pytest.approx(0.6)
    assert changed["samples_sha256"] != summary["samples_sha256"]


def test_samples_of_another_version_are_left_out_if_asked(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path
) -> None:
    """21 problems of MBPP+ 0.1.0 are not in 0.2.0, and old files of samples have them."""
    samples, out = tmp_path / "samples.jsonl", tmp_path / "out"
    old = [{"task_id": f"Mbpp/{n}", "completion": "\n"} for n in (83, 83, 6)]
    samples.write_text("".join(json.dumps(row) + "\n" for row in old))
    arguments = ["grade", "--samples", samples, "--task", "mbpp_plus", "--out", out]
    done = cli(*arguments, "--allow-partial", "--data-dir", data_dir)
    assert done.code == 0, done.err
    assert "1 samples of 1 of 378 problems\nleft out: 2 samples of problems that mbpp" in done.out
    assert json.loads((out / "summary.json").read_text())["samples_of_other_problems"] == 2
    samples.write_text(json.dumps(old[0]) + "\n")
    done = cli(*arguments, "--allow-partial", "--data-dir", data_dir)
    assert done.code == 2 and "no sample is of a problem of mbpp_plus" in done.err


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"task_id": "HumanEval/9999", "solution": "x"}, "is no problem of humaneval_plus; add"),
        ({"task_id": "HumanEval/0"}, "neither a 'solution' nor a 'completion'"),
        ({"solution": "x"}, "no 'task_id'"),
    ],
)
def test_broken_samples_name_file_and_line(  # type: ignore[no-untyped-def]
    cli, data_dir: Path, tmp_path: Path, row: dict[str, str], words: str
) -> None:
    samples = tmp_path / "samples.jsonl"
    good = {"task_id": "HumanEval/0", "solution": "x"}
    samples.write_text(json.dumps(good) + "\n" + json.dumps(row) + "\n")
    done = cli(
        "grade", "--samples", samples, "--task", "humaneval_plus", "--data-dir", data_dir,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 2
    assert f"{samples}:2" in done.err
    assert words in done.err
    assert not (tmp_path / "out").exists()
