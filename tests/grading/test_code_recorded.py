"""Programs of real models, graded again in the real sandbox, against recorded verdicts.

The data are read in place (HARNESS_DATA); without them, or without a sandbox that works on this
machine, these tests are skipped. Every verdict that is not the recorded one is listed in
``code_disagreements.json`` with its reason. A limit of time is the only one that another machine
may change: a program that this one finds too slow is graded once more with more time.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from harness.errors import InfrastructureError
from harness.grading.code import CodeGrader
from harness.grading.references import cache_folder
from harness.grading.samples import SampleResult, grade_samples
from harness.types import Problem
from tests.grading.sandboxes import Kept, Patient

Rows = Callable[[str], list[Any]]

DATA = {
    "humaneval-0.1.10": "humaneval_plus/HumanEvalPlus-v0.1.10.jsonl.gz",
    "humaneval-0.1.9": "humaneval_plus/HumanEvalPlus-v0.1.9.jsonl.gz",
    "mbpp-0.2.0": "mbpp_plus/MbppPlus-v0.2.0.jsonl.gz",
    "mbpp-0.1.0": "mbpp_plus/MbppPlus-v0.1.0.jsonl.gz",
}
DISAGREEMENTS = json.loads(Path(__file__).with_name("code_disagreements.json").read_text())
VERDICTS = "recorded/evalplus_verdicts/"
HUMANEVAL, MBPP = "recorded/humaneval_pools", "recorded/mbpp_pools"


class Sample(NamedTuple):
    """A program and the recorded verdicts on it."""

    id: str
    """Within its run: the task, and the sample's number."""
    task_id: str
    code: str
    base: str
    plus: str


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    from harness.sandbox.backends import open_sandbox

    try:
        opened = open_sandbox()
    except InfrastructureError as error:
        pytest.skip(f"no sandbox: {error}")
    with opened:
        yield opened


def problems(rows: Rows, version: str) -> dict[str, Problem]:
    """The problems of one version of a data set, as the task's YAML makes them."""
    found = {}
    for row in rows(DATA[version]):
        reference = {key: row[key] for key in ("entry_point", "prompt", "contract")}
        reference |= {
            "solution": row["prompt"] + row["canonical_solution"],
            "base_input": json.dumps(row["base_input"]),
            "plus_input": json.dumps(row["plus_input"]),
            "atol": float(row["atol"]),
        }
        name = version.partition("-")[0] + "_plus"
        problem = Problem(row["task_id"], name, "1.0", "code_function", "?", reference)
        found[problem.id] = problem
    return found


def statuses(
    graders: Sequence[CodeGrader],
    tasks: dict[str, Problem],
    rows: Sequence[Any],
    recorded: Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Base and plus status of each sample; with time enough, where a limit made it another."""

    def graded(grader: CodeGrader, rows: Sequence[Any]) -> list[SampleResult]:
        return list(grade_samples(rows, list(tasks.values()), grader))

    def both(result: SampleResult) -> tuple[str, str]:
        return result.base_status, result.plus_status

    usual, patient = graders
    found = graded(usual, rows)
    slow = [
        i
        for i, (result, known) in enumerate(zip(found, recorded, strict=True))
        if both(result) != known and "timeout" in (result.result.base.word, _word(result))
    ]
    for i, result in zip(slow, graded(patient, [rows[i] for i in slow]), strict=True):
        found[i] = result
    return list(map(both, found))


def _word(result: SampleResult) -> str | None:
    return result.result.plus and result.result.plus.word


@pytest.fixture(scope="module")
def graders(sandbox: Any) -> Iterator[tuple[CodeGrader, CodeGrader]]:
    """The usual one, which remembers references, and one that gives more time."""
    with (
        CodeGrader(lambda: Kept(sandbox), cache=cache_folder()) as usual,
        CodeGrader(lambda: Patient(sandbox), cache=cache_folder()) as patient,
    ):
        yield usual, patient


@pytest.mark.slow
@pytest.mark.parametrize(("version", "count"), [("humaneval-0.1.10", 164), ("mbpp-0.2.0", 378)])
def test_every_canonical_solution_passes(
    version: str, count: int, graders: tuple[CodeGrader, CodeGrader], rows: Rows
) -> None:
    tasks = problems(rows, version)
    samples = [
        {"task_id": name, "solution": task.reference["solution"]}  # type: ignore[index, call-overload]
        for name, task in tasks.items()
    ]
    right = [("pass", "pass")] * count
    assert statuses(graders, tasks, samples, right) == right


# --- evalplus' verdicts --------------------------------------------------------------------------


def _single(rows: Rows, pool: str, run: str) -> list[Sample]:
    recorded = {
        row["task_id"]: row
        for row in rows(VERDICTS + "evalplus0.3.1_single_runs.jsonl.gz")
        if row["run"] == run
    }
    codes = {row["task_id"]: row["completion"] for row in rows(f"{pool}/{run}.jsonl.gz")}
    return [
        Sample(name, name, codes[name], row["base_status"], row["plus_status"])
        for name, row in recorded.items()
    ]


def _results(folder: Path, name: str) -> list[Sample]:
    """The programs and verdicts of a results file of evalplus."""
    path = folder / VERDICTS / name
    if not path.exists():
        pytest.skip(f"no recorded data: {path} (set HARNESS_DATA)")
    found = json.loads(gzip.decompress(path.read_bytes()))["eval"]
    return [
        Sample(task, task, own["solution"], own["base_status"], own["plus_status"])
        for task, (own,) in found.items()
    ]


def _many(rows: Rows) -> list[Sample]:
    recorded = {
        (row["run"], row["task_id"]): row
        for row in rows(VERDICTS + "evalplus0.3.1_many_models_humaneval_v0.1.10.jsonl.gz")
    }
    tasks = problems(rows, "humaneval-0.1.10")
    found = []
    for row in rows(HUMANEVAL + "/many_models_humaneval.jsonl.gz"):
        name = row["task_id"]
        verdict = recorded[row["model"], name]
        prompt = tasks[name].reference["prompt"]  # type: ignore[index, call-overload]
        code = f"{prompt}{row['completion']}"
        id_ = f"{name} {row['model']}"
        found.append(Sample(id_, name, code, verdict["base_status"], verdict["plus_status"]))
    return found


def _codet(rows: Rows) -> list[Sample]:
    """The samples as they were cut for the recorded run: by CodeT's stop rule."""
    stops = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    words = {"P": "pass", "F": "fail", "T": "timeout"}
    folder = HUMANEVAL + "/codet_"
    names = {
        row["prompt"]: row["task_id"]
        for row in rows(folder + "HumanEval_for_code_generation.jsonl.gz")
    }
    recorded = {
        row["task_id"]: row
        for row in rows(VERDICTS + "evalplus0.3.1_codet_codegen16b_n100_v0.1.10.jsonl.gz")
    }
    found = []
    for row in rows(folder + "codegen16b_n100_solutions.jsonl.gz"):
        name = names[row["prompt"]]
        for i, text in enumerate(row["samples"]):
            end = min(len(text), *(text.find(stop) % (len(text) + 1) for stop in stops))
            base, plus = (words[recorded[name][suite][i]] for suite in ("base", "plus"))
            found.append(Sample(f"{name} {i}", name, row["prompt"] + text[:end], base, plus))
    return found


RUNS: dict[str, tuple[str, Callable[[Rows, Path], list[Sample]], int]] = {
    "wizardcoder-33b humaneval": (
        "humaneval-0.1.10",
        lambda rows, _: _single(rows, HUMANEVAL, "wizardcoder-33b-v1.1_humaneval_greedy_vllm"),
        164,
    ),
    "wizardcoder-15b humaneval": (
        "humaneval-0.1.10",
        lambda rows, _: _single(rows, HUMANEVAL, "wizardcoder-15b_humaneval_greedy"),
        164,
    ),
    "wizardcoder-33b mbpp": (
        "mbpp-0.2.0",
        lambda rows, _: _single(rows, MBPP, "wizardcoder-33b-v1.1_mbpp_greedy_vllm"),
        378,
    ),
    "qwen2.5-coder-7b humaneval": (
        "humaneval-0.1.9",
        lambda _, folder: _results(
            folder, "qwen2.5-coder-7b-base_humaneval_evalplus_results.json.gz"
        ),
        164,
    ),
    "qwen2.5-coder-7b mbpp": (
        "mbpp-0.1.0",
        lambda _, folder: _results(folder, "qwen2.5-coder-7b-base_mbpp_evalplus_results.json.gz"),
        399,
    ),
    "44 models humaneval": ("humaneval-0.1.10", lambda rows, _: _many(rows), 7216),
    "codet humaneval": ("humaneval-0.1.10", lambda rows, _: _codet(rows), 16400),
}


CHECKED = {"44 models humaneval": 450, "codet humaneval": 150}
"""Samples of large runs that are graded again, drawn at random: a few minutes. With
HARNESS_ALL_SAMPLES=1 in the environment all 23,616 are."""
HEAVY = {
    *(f"HumanEval/{number}" for number in (15, 36, 59, 83, 94, 130, 139)),
    *(f"Mbpp/{number}" for number in (84, 123, 255, 271, 300, 389, 392, 589, 592, 599, 603)),
}
"""Tasks whose tests take nine tenths of the time of all. By default they are graded with the
canonical solutions and the programs of one model, with HARNESS_ALL_SAMPLES=1 in every run."""


def _checked(run: str, samples: list[Sample]) -> list[Sample]:
    """What of a run is graded again."""
    if os.environ.get("HARNESS_ALL_SAMPLES"):
        return samples
    if not run.startswith("wizardcoder-33b"):
        samples = [sample for sample in samples if sample.task_id not in HEAVY]
    return samples[: CHECKED.get(run)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("run", RUNS)
def test_base_and_plus_verdicts_are_those_of_evalplus(
    run: str, graders: tuple[CodeGrader, CodeGrader], rows: Rows, data_dir: Path
) -> None:
    version, read, count = RUNS[run]
    samples = read(rows, data_dir)
    assert len(samples) == count
    known_ids = {sample.id for sample in samples}
    random.Random(1).shuffle(samples)
    samples = sorted(_checked(run, samples), key=lambda sample: sample.task_id)
    given = [{"task_id": sample.task_id, "solution": sample.code} for sample in samples]
    recorded = [
        (sample.base.replace("timeout", "fail"), sample.plus.replace("timeout", "fail"))
        for sample in samples
    ]
    found = statuses(graders, problems(rows, version), given, recorded)
    differing = {
        sample.id: [sample.base, sample.plus, *ours]
        for sample, known, ours in zip(samples, recorded, found, strict=True)
        if known != ours
    }
    listed = {entry["sample"]: entry for entry in DISAGREEMENTS["runs"][run]}
    assert not [(name, what) for name, what in differing.items() if name not in listed]
    for name, entry in listed.items():
        if name not in {sample.id for sample in samples}:
            assert name in known_ids, f"{name} is no sample of this run"
        elif name not in differing:
            assert entry["kind"] == "time", f"{name} agrees by now"
        else:
            assert differing[name] == [*entry["recorded"], *entry["ours"]], name


def test_listed_disagreements_are_few_and_explained() -> None:
    sizes = {run: count for run, (_, _, count) in RUNS.items()} | {"livecodebench o1-preview": 429}
    assert set(DISAGREEMENTS["runs"]) == set(sizes)
    for run, entries in DISAGREEMENTS["runs"].items():
        assert len(entries) <= 0.04 * sizes[run], run
        for entry in entries:
            assert entry["kind"] in DISAGREEMENTS["kinds"]
            assert entry["recorded"] != entry["ours"]


# --- LiveCodeBench -------------------------------------------------------------------------------


def lcb_problems(rows: Rows) -> dict[str, Problem]:
    """The problems of which tests are known; most have only a part of the official ones."""
    found = {}
    for row in rows("livecodebench/problems.jsonl.gz"):
        if row["public_test_cases"] is None and row["private_test_cases"] is None:
            continue
        name = json.loads(row["metadata"]).get("func_name")
        reference = {
            "func_name": name,
            "starter_code": row["starter_code"],
            "public_tests": row["public_test_cases"],
            "private_tests": row["private_test_cases"],
        }
        kind: Any = "code_function" if name else "code_stdin"
        found[row["question_id"]] = Problem(
            row["question_id"], "livecodebench_v5", "1.0", kind, "?", reference
        )
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("style", ["real", "livecodebench"])
def test_recorded_programs_of_livecodebench(
    style: Literal["real", "livecodebench"], sandbox: Any, rows: Rows, data_dir: Path
) -> None:
    """Right programs pass the tests that are known, and wrong ones whose failing test is known
    fail: in the official runner's style without exception, but that a thread that nobody joins
    races with the emulation for the output, and either may win. As real programs some pass after
    all, which only that runner fails: it loses what threads print and what reads descriptor 0."""
    tasks = lcb_problems(rows)
    assert len(tasks) == 555
    path = data_dir / "recorded/livecodebench/o1-preview_n1_eval_all.json.gz"
    recorded = {
        row["question_id"]: (row["code_list"][0], row["graded_list"][0])
        for row in json.loads(gzip.decompress(path.read_bytes()))
    }
    right = [name for name in tasks if recorded[name][1]]
    known = [
        row["question_id"]
        for row in rows("livecodebench/problems.jsonl.gz")
        if row["_private_tests"] == "partial_from_failed_verdicts"
    ]
    wrong = [name for name in known if not recorded[name][1]]
    assert (len(right), len(wrong)) == (259, 170)

    def words(names: Iterable[str], box: Any) -> dict[str, str]:
        names = list(names)
        with CodeGrader(lambda: Kept(box), style=style) as grader:
            found = grader.results([(tasks[name], recorded[name][0]) for name in names])
            return {name: result.word for name, result in zip(names, found, strict=True)}

    found = words((*right, *wrong), sandbox)
    slow = [name for name in right if found[name] == "timeout"]
    found |= words(slow, Patient(sandbox))
    failing = {name for name in right if found[name] != "passed"}
    passing = {name for name in wrong if found[name] == "passed"}
    listed = {entry["sample"] for entry in DISAGREEMENTS["runs"]["livecodebench o1-preview"]}
    if style == "real":
        assert failing == set()
        assert passing == listed
        return
    racing = {name for name in recorded if "threading" in recorded[name][0]}
    assert failing <= racing
    assert passing <= racing & listed
    assert not listed <= racing
