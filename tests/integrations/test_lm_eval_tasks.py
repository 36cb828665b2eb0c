"""``--tasks lm-eval:NAME``: lm-eval's tasks in our sweeps, asked and graded as lm-eval does it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError
from harness.grading import grader_for
from harness.grading.lm_eval import LmEvalGrader
from harness.integrations.lm_eval import SearchLM
from harness.problems import load
from harness.problems.lm_eval import find

# lm-eval opens files of data and does not close them, and warns of its own options.
pytestmark = pytest.mark.filterwarnings("ignore")

TASK = "lm-eval:counts"


def evaluate(model: Any, task: str, folder: Path) -> Any:
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=folder, include_defaults=False)
    return lm_eval.simple_evaluate(
        model=model, tasks=[task], task_manager=manager, bootstrap_iters=0
    )


def write_script(path: Path) -> Path:
    """Of 3 texts: right and marked, wrong and marked, right but unmarked. Every third problem has
    the wrong one first."""
    lines = []
    for i in range(6):
        texts = [f"so\n#### {2 * i}", f"so\n#### {2 * i + 1}", f"it is {2 * i}"]
        if i % 3 == 2:
            texts = [texts[1], texts[0], texts[2]]
        lines.append(json.dumps({"id": f"counts-{i:05d}", "texts": texts}))
    path.write_text("\n".join(lines) + "\n")
    return path


def accuracies(run: Path) -> dict[tuple[str, str], float]:
    with (run / "results.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] in ("accuracy", "pass_at_n")]
    return {(r["method"], r["prm"]): float(r["value"]) for r in rows if r["headline"] == "true"}


def test_a_task_is_asked_as_lm_eval_asks_it(foreign: Path) -> None:
    (task,) = load(TASK, include=[foreign])
    assert (task.name, task.version, task.kind, task.total) == (TASK, "2.5", "lm_eval", 6)
    assert task.sampling.stop == ("\n\n", "Sum:")
    assert (task.sampling.max_tokens, task.sampling.temperature) == (60, 0.0)
    assert "metric 'exact_match' says of filter 'strict'" in task.note
    assert "filters besides: last (filter=)" in task.note
    theirs = evaluate(SearchLM("fake:echo", method="greedy"), "counts", foreign)
    asked = {s["doc_id"]: s["arguments"][0][0] for s in theirs["samples"]["counts"]}
    assert [problem.prompt for problem in task.problems] == [asked[i] for i in range(6)]
    assert asked[0].count("Sum:") == 3  # two shots and the question
    assert len(load(TASK, include=[foreign], limit=2)[0].problems) == 2


def test_a_run_grades_as_lm_eval_does(cli: Any, tmp_path: Path, foreign: Path) -> None:
    script, out = write_script(tmp_path / "script.jsonl"), tmp_path / "run"
    done = cli(
        "run", TASK, "--include-path", foreign, "--policy", f"fake:{script}",
        "--prm", "fake:oracle", "--prm", "fake:constant",
        "--method", "greedy,majority,best_of_n,pass_at_n,adaptive_best_of_n", "--budget", "3",
        "--set", "search.prms=[constant]", "--set", "search.budgets=[3]", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "right is what its metric 'exact_match' says of filter 'strict'" in done.err
    found = accuracies(out)
    assert found["greedy", ""] == 4 / 6
    assert found["majority", ""] == 1 / 2  # an unmarked answer has no vote; the other two tie
    assert found["best_of_n", "oracle"] == found["pass_at_n", ""] == 1
    assert ("adaptive_best_of_n", "constant") in found
    before = (out / "results.csv").read_bytes()
    assert cli("grade", out).code == 0
    assert (out / "results.csv").read_bytes() == before
    (strict,), (last,) = (load(TASK + more, include=[foreign]) for more in ("", ",filter=last"))
    assert strict.digest != last.digest
    with LmEvalGrader([str(foreign)], workers=1) as grader:
        verdicts = [grader.grade([(t.problems[3], "it is 6")])[0].verdict for t in (strict, last)]
    assert verdicts == ["wrong", "correct"]  # the last number is there, marked or not


def test_greedy_is_what_lm_eval_measures(foreign: Path, tmp_path: Path) -> None:
    (task,) = load(TASK, include=[foreign])
    texts = [f"#### {2 * i + (i == 3)}" for i in range(5)] + ["no number"]
    script = tmp_path / "script.jsonl"
    script.write_text(
        "".join(json.dumps({"id": f"{i}", "texts": [text]}) + "\n" for i, text in enumerate(texts))
    )
    theirs = evaluate(SearchLM(f"fake:{script}", method="greedy"), "counts", foreign)
    with grader_for("lm_eval", 1, include=[str(foreign)]) as grader:
        ours = grader.grade(list(zip(task.problems, texts, strict=True)))
    by_document = {
        s["doc_id"]: s["exact_match"]
        for s in theirs["samples"]["counts"]
        if s["filter"] == "strict"
    }
    assert [grade.value for grade in ours] == [by_document[i] for i in range(6)]
    assert [grade.value for grade in ours] == [1, 1, 1, 0, 1, 0]
    assert [grade.answer for grade in ours][-2:] == ["8", None]
    assert ours[-1].reason == "no answer"


def test_a_tasks_own_function_grades(foreign: Path) -> None:
    (task,) = load("lm-eval:own,steps=delimiter:\\n", include=[foreign])
    assert task.steps.spec == "delimiter:\n"
    assert task.note.endswith("metrics besides: length (metric=)")
    with LmEvalGrader([str(foreign)], workers=1) as grader:
        pool = [(task.problems[1], [" 2 ", "3", "2"])]
        (grades,) = grader.grade_pool(pool)
        assert [grade.verdict for grade in grades] == ["correct", "wrong", "correct"]
        assert [grade.answer_class for grade in grades] == [0, 1, 0]
        assert grader.agreement(pool) == [[0, 1, 0]]
        (lengths,) = load("lm-eval:own,metric=length", include=[foreign])
        with pytest.raises(ConfigError, match=r"its metric gives 7\.0 for own-00000, which is nei"):
            grader.grade([(lengths.problems[0], "1234567")])


def test_code_of_a_task_that_hangs_or_fails_leaves_a_text_ungraded(foreign: Path) -> None:
    (foreign / "counts" / "utils.py").write_text(
        """
def agree(doc, results):
    while "hang" in results[0]:
        pass
    if "quit" in results[0]:
        raise SystemExit(0)
    print('{"value": 1.0, "answer": "x", "reason": ""}')
    return {"agree": int(results[0]) == int(doc["a"]), "length": 0}
"""
    )
    (task,) = load("lm-eval:own", include=[foreign])
    texts = ["hang", "2", "words", "quit", "6"]
    with LmEvalGrader([str(foreign)], workers=1, cpu_seconds=1.0) as grader:
        grades = grader.grade(
            [(task.problems[i], text) for i, text in zip((0, 1, 2, 3, 2), texts, strict=True)]
        )
    assert [g.verdict for g in grades] == ["ungraded", "correct", "ungraded", "ungraded", "wrong"]
    assert [g.reason for g in grades[:3]] == ["timeout", "", "the task's code fails"]


def test_data_that_changed_is_noticed_and_a_task_that_is_gone_too(foreign: Path) -> None:
    (task,) = load("lm-eval:own", include=[foreign])
    with pytest.raises(DataError, match=r"task lm-eval:own: its YAML \(counts/own.yaml\) is neit"):
        LmEvalGrader().grade([(task.problems[0], "0")])
    rows = foreign / "counts" / "test.jsonl"
    rows.write_text(rows.read_text().replace("0+0", "0 + 0"))
    with LmEvalGrader([str(foreign)], workers=1) as grader:
        first, second = grader.grade([(task.problems[0], "0"), (task.problems[1], "2")])
    assert (first.verdict, first.reason) == ("ungraded", "the task's data has changed")
    assert second.verdict == "correct"


def test_the_digest_covers_yaml_version_functions_and_documents(
    foreign: Path, tmp_path: Path
) -> None:
    def digest(folder: Path) -> str:
        return load("lm-eval:own", include=[folder])[0].digest

    first = digest(foreign)
    moved = tmp_path / "moved"
    shutil.copytree(foreign, moved)
    base = moved / "counts" / "_base"
    base.write_text(base.read_text().replace(str(foreign), str(moved)))
    assert digest(moved) == first
    seen = {first}
    for name, old, new in (
        ("own.yaml", "version: 1", "version: 2"),
        ("own.yaml", "max_gen_toks: 60", "max_gen_toks: 61"),
        ("_base", "Sum: {{", "Add: {{"),
        ("utils.py", "strip()", "strip(' ')"),
        ("test.jsonl", "5+5", "5 + 5"),
    ):
        file = moved / "counts" / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        seen.add(digest(moved))
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("task", "extra", "message"),
    [
        ("countz", "", "unknown task of lm-eval 'countz'; did you mean 'counts'?"),
        ("", "", "names none; write lm-eval:NAME"),
        ("counts,metrik=a", "", "no option 'metrik'; did you mean 'metric'?"),
        ("counts,metric=exact", "", "unknown metric 'exact'; did you mean 'exact_match'?"),
        ("counts,metric=bleu", "", "'bleu' is no mean of right and wrong answers; choose metric="),
        ("counts,filter=lasd", "", "unknown filter 'lasd'; did you mean 'last'?"),
        ("counts,steps=lines", "", "unknown rule for steps 'lines'"),
        (
            "all",
            "group: all\ntask: [counts, own]",
            "lm-eval:all is a group of tasks; name tasks of it: lm-eval:counts, lm-eval:own",
        ),
        (
            "x",
            "include: _base\ntask: x\noutput_type: multiple_choice",
            "x.yaml:3: task x is of typ",
        ),
        ("x", "include: _base\ntask: x\nunsafe_code: true", "x.yaml:3: task x runs what models"),
        ("x", "include: _base\ntask: x\ndoc_to_image: a", "x.yaml:3: task x shows more than text"),
        ("x", "include: _base\ntask: x\ndoc_to_txt: a", "x.yaml: lm-eval cannot build the task"),
        ("x", "task: x\nb: [", "x.yaml:3: "),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    cli: Any, foreign: Path, task: str, extra: str, message: str
) -> None:
    if extra:
        (foreign / "counts" / "x.yaml").write_text(f"{extra}\n")
    done = cli("plan", "--task", f"lm-eval:{task}", "--include-path", foreign,
               "--policy", "fake:echo")  # fmt: skip
    assert done.code == 2, done.err
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_lm_evals_own_tasks_are_found_by_name(
    cli: Any, monkeypatch: pytest.MonkeyPatch, foreign: Path
) -> None:
    root, path = find("gsm8k")
    assert path.relative_to(root).as_posix() == "gsm8k/gsm8k.yaml"
    assert find("counts", [foreign])[0] == foreign
    shown = cli("show", "task", TASK, "--include-path", foreign).out
    assert str(foreign / "counts" / "counts.yaml") in shown and "task: counts" in shown
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    done = cli("plan", "--task", "lm-eval:gsm8k", "--policy", "fake:echo")
    assert done.code == 2
    assert "task 'lm-eval:gsm8k': no data: " in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_task_without_documents_is_one_line(cli: Any, foreign: Path) -> None:
    (foreign / "counts" / "test.jsonl").write_text("")
    done = cli("plan", "--task", TASK, "--include-path", foreign, "--policy", "fake:echo")
    assert done.code == 2, done.err
    assert "counts.yaml: lm-eval cannot build the task: " in done.err
    assert "Traceback" not in done.err


def test_tasks_of_ours_do_not_name_that_kind(quick_tasks: Path) -> None:
    file = quick_tasks / "sums" / "sums.yaml"
    file.write_text(file.read_text().replace("kind: math", "kind: lm_eval"))
    with pytest.raises(ConfigError, match="unknown kind 'lm_eval'"):
        load("sums", include=[quick_tasks])
