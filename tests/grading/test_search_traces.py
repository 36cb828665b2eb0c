"""Logs of real tree searches on code: their verdicts counted, their programs graded again.

LATS and depth-first search (lapisrocks/LanguageAgentTreeSearch), Reflexion and single shots
(noahshinn/reflexion), as the data's manifest lists them. Programs are graded with the base tests of
HumanEval+ and MBPP+. Every verdict that is not the recorded one is listed in
``trace_disagreements.json``; each listed reason is checked by running the program once more, alone,
with the tests that the log holds. Without the data (HARNESS_DATA) or a sandbox all is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InfrastructureError
from harness.grading.code import CodeGrader
from harness.grading.references import cache_folder
from harness.grading.samples import grade_samples
from harness.sandbox.job import Program
from harness.types import Problem
from tests.grading.sandboxes import Kept
from tests.grading.test_code_recorded import problems

Rows = Callable[[str], list[Any]]

TRACES = "recorded/search_traces/"
RUNS = {
    # run: (file, solved, recorded rows, programs of tasks that we have, agreeing)
    "lats": ("lats_mcts8_gpt4_humaneval_160", 148, 160, 158, 158),
    "depth first": ("dfs8_gpt35_mbpp", 264, 397, 364, 328),
    "reflexion": ("reflexion_gpt4_humaneval_164", 150, 164, 150, 150),
    "single shot": ("simple_gpt4_humaneval_164", 141, 164, 164, 163),
}
BY_TIME = {"Mbpp/123"}
"""Ends near the limit, which follows from the reference's time here: right on a slow machine."""
IMPORTS = "from typing import *\n"
"""What the recorded runner put before every program."""

TABLE = json.loads(Path(__file__).with_name("trace_disagreements.json").read_text())


def task_of(row: dict[str, Any]) -> str:
    """``HumanEval_23_strlen`` is HumanEval/23, ``mbpp_234_volume_cube`` Mbpp/234."""
    if "task_id" in row:
        return str(row["task_id"])
    kind, number, _ = row["name"].split("_", 2)
    return f"{ {'HumanEval': 'HumanEval', 'mbpp': 'Mbpp'}[kind] }/{number}"


def program(row: dict[str, Any]) -> str:
    """The recorded solution as a whole program; Reflexion's are bodies, some whole functions."""
    body = row["solution"].strip("\n")[:1].isspace()
    return IMPORTS + (row["prompt"] if body else "") + row["solution"]


def recorded(rows: Rows, run: str) -> list[dict[str, Any]]:
    found = rows(f"{TRACES}{RUNS[run][0]}.jsonl.gz")
    assert len({task_of(row) for row in found}) == len(found)
    return found


def base_tasks(rows: Rows, run: str) -> dict[str, Problem]:
    """The tasks with their base tests alone; MBPP+ 0.1.0 has some that 0.2.0 dropped."""
    mbpp = run == "depth first"
    versions = ("mbpp-0.1.0", "mbpp-0.2.0") if mbpp else ("humaneval-0.1.10",)
    found = {name: task for version in versions for name, task in problems(rows, version).items()}
    return {
        name: replace(task, reference={**task.reference, "plus_input": "[]"})  # type: ignore[dict-item]
        for name, task in found.items()
    }


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Any]:
    from harness.sandbox.backends import open_sandbox

    try:
        opened = open_sandbox()
    except InfrastructureError as error:
        pytest.skip(f"no sandbox: {error}")
    with opened:
        yield opened


@pytest.mark.parametrize("run", RUNS)
def test_accuracy_is_what_the_manifest_states(run: str, rows: Rows) -> None:
    _, solved, count, _, _ = RUNS[run]
    found = recorded(rows, run)
    assert (sum(row.get("is_solved") is True for row in found), len(found)) == (solved, count)
    assert all(row.get("solution") or not row.get("is_solved") for row in found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("run", RUNS)
def test_programs_have_the_recorded_verdicts(run: str, rows: Rows, sandbox: Any) -> None:
    tasks = base_tasks(rows, run)
    found = {task_of(row): row for row in recorded(rows, run) if row.get("solution")}
    asked = {name: row for name, row in found.items() if name in tasks}
    samples = [{"task_id": name, "solution": program(row)} for name, row in asked.items()]
    with CodeGrader(lambda: Kept(sandbox), cache=cache_folder()) as grader:
        graded = list(grade_samples(samples, [tasks[name] for name in asked], grader))
    ours = {result.task_id: result.base_status for result in graded}
    differing = {
        name: [row["is_solved"], ours[name]]
        for name, row in asked.items()
        if (ours[name] == "pass") != row["is_solved"] and name not in BY_TIME
    }
    listed = {one["sample"]: [one["recorded"], one["ours"]] for one in TABLE["runs"][run]}
    assert differing == listed
    assert (len(asked), len(asked) - len(differing)) == RUNS[run][3:]


@pytest.mark.slow
@pytest.mark.parametrize("run", [run for run in RUNS if TABLE["runs"][run]])
def test_listed_reasons_hold(run: str, rows: Rows, sandbox: Any) -> None:
    """``recorded tests``: alone, the program has the recorded verdict on the recorded tests.
    ``shared names``: alone it has the other one; a right one only lacks imports."""
    found = {task_of(row): row for row in recorded(rows, run)}
    entries = TABLE["runs"][run]

    def alone(before: str) -> list[bool]:
        jobs = (
            Program(f"{before}{program(row)}\n\n{_test(row)}", b"")
            for row in (found[one["sample"]] for one in entries)
        )
        return [execution.end == "finished" for execution in sandbox.run(jobs)]

    for one, bare, helped in zip(entries, alone(""), alone("import math, re\n"), strict=True):
        if one["kind"] == "recorded tests":
            assert bare == one["recorded"], one["sample"]
        else:
            assert bare != one["recorded"], one["sample"]
            assert helped, one["sample"]


def _test(row: dict[str, Any]) -> str:
    """The recorded tests, called: HumanEval's only define them."""
    called = "" if "name" in row else f"\ncheck({row['entry_point']})"
    return f"{row['test']}{called}"


def test_the_table_says_why() -> None:
    assert set(TABLE["runs"]) == set(RUNS)
    for run, entries in TABLE["runs"].items():
        assert len(entries) == RUNS[run][3] - RUNS[run][4]
        for one in entries:
            assert set(one) == {"sample", "kind", "recorded", "ours", "reason"}
            assert one["kind"] in TABLE["kinds"] and one["reason"]
            assert one["recorded"] == (one["ours"] == "fail")
