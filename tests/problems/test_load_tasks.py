"""Loading tasks: real data sets give the published counts, subsets are seeded, ids are theirs."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError
from harness.problems import Task, catalog, load
from harness.types import Problem


@cache
def one(name: str, data_dir: Path) -> Task:
    (task,) = load(name, data_dir=data_dir)
    return task


@pytest.mark.parametrize(
    ("name", "rows", "first"),
    [
        ("math500", 500, "test/precalculus/807.json"),
        ("gsm8k", 1319, "gsm8k-test-0000"),
        ("humaneval_plus", 164, "HumanEval/0"),
        ("mbpp_plus", 378, "Mbpp/2"),
        ("livecodebench_v1", 400, "1873_A"),
        ("livecodebench_v4", 713, "1873_A"),
        ("livecodebench_v5", 880, "1873_A"),
        ("processbench_gsm8k", 400, "gsm8k-0"),
    ],
)
def test_rows_and_ids_are_the_data_sets_own(
    name: str, rows: int, first: str, data_dir: Path
) -> None:
    task = one(name, data_dir)
    assert rows == len(task.problems) == task.total
    assert first == task.problems[0].id
    assert rows == len({problem.id for problem in task.problems})
    assert {name} == {problem.task for problem in task.problems}


def test_processbench_has_the_published_errors(data_dir: Path) -> None:
    tasks = load("processbench", data_dir=data_dir)
    assert [f"processbench_{s}" for s in ("gsm8k", "math", "olympiadbench", "omnimath")] == [
        task.name for task in tasks
    ]
    assert [task.total for task in tasks] == [400, 1000, 1000, 1000]
    labels = [[reference(p)["label"] for p in task.problems] for task in tasks]
    assert [sum(label != -1 for label in found) for found in labels] == [207, 594, 661, 759]
    lucky = [
        [
            p
            for p in task.problems
            if reference(p)["final_answer_correct"] and reference(p)["label"] != -1
        ]
        for task in tasks
    ]
    assert [len(found) for found in lucky] == [7, 94, 161, 259]


def reference(problem: Problem) -> dict[str, object]:
    assert isinstance(problem.reference, dict)
    return dict(problem.reference)


def test_processbench_steps_are_those_of_the_file_with_their_ends(data_dir: Path) -> None:
    import gzip

    rows = json.loads(gzip.decompress((data_dir / "processbench/omnimath.json.gz").read_bytes()))
    problems = one("processbench_omnimath", data_dir).problems
    ended = [tuple(step.removesuffix("\n\n") + "\n\n" for step in r["steps"]) for r in rows]
    assert ended == [p.steps for p in problems]
    assert [row["problem"] for row in rows] == [p.prompt for p in problems]


def test_math500_is_the_same_in_both_formats(data_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "math500" / "test.jsonl"
    other.parent.mkdir()
    other.symlink_to(data_dir / "math500" / "test500_level_string.jsonl")
    ours, theirs = one("math500", data_dir), one("math500", tmp_path)
    assert ours.digest == theirs.digest
    assert {p.digest for p in ours.problems} == {p.digest for p in theirs.problems}
    levels = Counter(p.meta["level"] for p in theirs.problems)
    assert [levels[level] for level in range(1, 6)] == [43, 90, 105, 128, 134]


def test_a_prompt_asks_for_a_box_with_its_backslash(data_dir: Path) -> None:
    for name in ("math500", "gsm8k"):
        for problem in one(name, data_dir).problems:
            before, box, after = problem.prompt.rpartition("boxed{}.")
            assert before[-1] == "\\"
            assert (box, after) == ("boxed{}.", "")


def test_gsm8k_answers_are_plain_numbers(data_dir: Path) -> None:
    answers = [problem.reference for problem in one("gsm8k", data_dir).problems]
    assert all(isinstance(answer, str) and float(answer).is_integer() for answer in answers)


def test_livecodebench_says_how_each_problem_is_called(data_dir: Path) -> None:
    problems = one("livecodebench_v5", data_dir).problems
    kinds = Counter(problem.kind for problem in problems)
    assert kinds == {"code_stdin": 499, "code_function": 381}
    for problem in problems:
        starter = str(reference(problem)["starter_code"]).strip()
        assert (problem.kind == "code_function") == bool(starter)
        assert starter in problem.prompt
        assert ("standard input" in problem.prompt) or starter
    assert min(str(p.meta["date"]) for p in problems) == "2023-05-07"
    assert max(str(p.meta["date"]) for p in problems) == "2025-01-04"


def test_releases_of_livecodebench_are_part_of_later_ones(data_dir: Path) -> None:
    first, old, new = (one(f"livecodebench_{v}", data_dir) for v in ("v1", "v4", "v5"))
    assert ids(first) < ids(old) < ids(new)
    # Whose problems they are was said by others, who had v4 from the hub.
    with gzip.open(data_dir / "livecodebench/problems.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert ids(old) == {r["question_id"] for r in rows if r["_metadata_source"] == "asprm"}
    assert tuple(t.name for t in catalog().expand("livecodebench")) == ("livecodebench_v5",)


def test_code_references_hold_whole_programs_and_exact_inputs(data_dir: Path) -> None:
    for name in ("humaneval_plus", "mbpp_plus"):
        for problem in one(name, data_dir).problems:
            found = reference(problem)
            compile(str(found["solution"]), problem.id, "exec")
            assert re.search(rf"def {found['entry_point']} ?\(", str(found["solution"]))
            assert isinstance(json.loads(str(found["base_input"]))[0], list)
            assert str(found["entry_point"]) in problem.prompt


HIDDEN = {
    "humaneval_plus": ["solution", "contract", "base_input", "plus_input"],
    "mbpp_plus": ["solution", "contract", "base_input", "plus_input"],
    "livecodebench_v5": ["public_tests", "private_tests"],
    "chain_programs": ["solution", "public_tests", "hidden_tests"],
    "math500": ["solution", "answer"],
    "gsm8k": ["solution", "answer"],
    "chain_arithmetic": ["solution", "answer"],
    "processbench_math": ["label", "final_answer_correct"],
}


@pytest.mark.parametrize("name", HIDDEN)
def test_nothing_hidden_reaches_a_prompt_or_meta(name: str, data_dir: Path) -> None:
    """Prompts are rendered again without the gold columns; StrictUndefined would notice a use."""
    from harness.problems.bridge import open_task

    definition = catalog().tasks[name]
    opened = open_task(definition, str(data_dir))
    assert not set(definition.meta) & set(HIDDEN[name])
    for row in opened.rows:
        public = {key: value for key, value in row.items() if key not in HIDDEN[name]}
        assert opened.prompt(row) == opened.prompt(public)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("chain_arithmetic", [200]), ("chain_programs", [164]), ("chain_errors", [400, 400])],
)
def test_generated_tasks_need_no_data(
    name: str, rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tasks = load(name)
    assert rows == [task.total for task in tasks]
    assert all(p.prompt.endswith("\n") for task in tasks for p in task.problems)
    assert all(catalog().tasks[task.name].offline for task in tasks)


# --- subsets -------------------------------------------------------------------------------------


def test_a_limit_is_a_seeded_draw_in_the_old_order(data_dir: Path) -> None:
    whole = one("math500", data_dir)
    (some,) = load("math500", data_dir=data_dir, limit=50, seed=7)
    (again,) = load("math500", data_dir=data_dir, limit=50, seed=7)
    (other,) = load("math500", data_dir=data_dir, limit=50, seed=8)
    (more,) = load("math500", data_dir=data_dir, limit=80, seed=7)
    assert (len(some.problems), some.total) == (50, 500)
    assert some == again
    assert some.problems != other.problems
    assert some.problems != whole.problems[:50]
    assert list(some.problems) == [p for p in whole.problems if p.id in ids(some)]
    assert ids(some) < ids(more)
    assert whole.digest == some.digest


def ids(task: Task) -> set[str]:
    return {problem.id for problem in task.problems}


def test_a_limit_does_not_depend_on_the_order_of_the_file(data_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "math500" / "test.jsonl"
    other.parent.mkdir()
    lines = (data_dir / "math500" / "test.jsonl").read_text().splitlines(keepends=True)
    other.write_text("".join(reversed(lines)))
    (ours,) = load("math500", data_dir=data_dir, limit=20)
    (theirs,) = load("math500", data_dir=tmp_path, limit=20)
    assert ids(ours) == ids(theirs)


def test_a_limit_above_the_total_takes_all(quick_tasks: Path) -> None:
    (task,) = load("sums", include=[quick_tasks], limit=1000)
    assert (len(task.problems), task.total) == (12, 12)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(quick_tasks: Path, limit: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        load("sums", include=[quick_tasks], limit=limit)


# --- what goes wrong -----------------------------------------------------------------------------


def test_offline_without_data_there_are_two_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError) as error:
        load("processbench_math")
    text = str(error.value)
    assert "\n" not in text
    assert "Qwen/ProcessBench/math.json cannot be downloaded" in text
    assert "connect to the network, or name a folder with processbench/math.json in it" in text
    assert "--data-dir" in text
    assert "$HARNESS_DATA" in text


def test_a_data_folder_without_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=f"it is not in {tmp_path}"):
        load("math500", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], r"another revision \(499 rows, not 500\); take the revision that"),
        (
            lambda rows: [rows[0] | {"answer": "43"}, *rows[1:]],
            r"another revision \(digest [0-9a-f]{64}, not [0-9a-f]{12}…\); take the revision",
        ),
        (lambda rows: [*rows[:-1], rows[0]], r"the id 'test/precalculus/807.json' is there twice"),
        (lambda rows: [{"question": "?"}] * 500, r"the data has no column 'unique_id'"),
        (lambda rows: [], r"the data has no rows"),
    ],
)
def test_another_revision_is_refused(
    data_dir: Path, tmp_path: Path, change: object, message: str
) -> None:
    rows = [json.loads(line) for line in (data_dir / "math500/test.jsonl").open()]
    (tmp_path / "math500").mkdir()
    changed = change(rows)  # type: ignore[operator]
    (tmp_path / "math500/test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in changed))
    with pytest.raises(DataError, match=message):
        load("math500", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("doc_to_target: answer", "doc_to_target: '{{aswer}}'", "lm-eval cannot build the task"),
        ("doc_to_target: answer", "doc_to_target: '[{{answer}}]'", "gives no text but"),
        ("test_split: test", "test_split: dev", "lm-eval cannot build the task: KeyError"),
        ("version: 1.0", "version: 1.0, meta: [levl]", "unknown column 'levl'"),
        ("version: 1.0", "version: 1.0, id: problm", "did you mean 'problem'"),
        ("version: 1.0", "version: 1.0, kind_column: problem", "unknown kind '0\\+0=\\?'"),
    ],
)
def test_a_column_that_is_not_there(quick_tasks: Path, old: str, new: str, message: str) -> None:
    path = quick_tasks / "sums" / "sums.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=message) as error:
        load("sums", include=[quick_tasks])
    assert str(path) in str(error.value)


def test_a_function_that_is_not_there(quick_tasks: Path) -> None:
    path = quick_tasks / "sums" / "sums.yaml"
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("dataset_")]
    path.write_text("\n".join([*lines, "custom_dataset: !function harness.problems.sources.mth"]))
    with pytest.raises(ConfigError, match=r"lm-eval cannot build the task: .*mth"):
        load("sums", include=[quick_tasks])


def test_names_are_quick_to_list() -> None:
    code = (
        "import sys; import harness.problems as p; p.names(); p.describe('math500');"
        "print([m for m in ('datasets', 'lm_eval', 'torch', 'pandas', 'jinja2', 'pyarrow')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
