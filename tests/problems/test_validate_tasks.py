"""`validate`: the shipped tasks pass, and each kind of mistake is found where it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.grading import CodeGrader, MathGrader
from harness.problems import Finding, catalog, validate
from harness.problems.validate import Grader
from harness.sandbox.namespaces import probe
from harness.types import Grade, Problem


@pytest.fixture(scope="module")
def grade() -> Iterator[Grader]:
    with MathGrader(1) as grader:
        yield grader.grade


def never(items: Sequence[tuple[Problem, str]]) -> list[Grade]:
    raise AssertionError("nothing to grade here")


def errors(findings: Sequence[Finding]) -> list[str]:
    return [f"{f.task} {f.where}: {f.message}" for f in findings if f.level == "error"]


def test_every_gold_answer_of_real_mathematics_is_right(data_dir: Path, grade: Grader) -> None:
    assert validate(["math500", "gsm8k"], data_dir=data_dir, grade=grade) == ()


def test_every_gold_answer_of_chain_arithmetic_is_right(grade: Grader) -> None:
    assert errors(validate(["chain_arithmetic"], grade=grade)) == []


def test_step_and_code_tasks_are_sound(data_dir: Path) -> None:
    # LiveCodeBench has no gold solutions; steps are compared with labels, not graded.
    assert validate(["processbench", "livecodebench"], data_dir=data_dir, grade=never) == ()
    found = validate(["humaneval_plus", "mbpp_plus"], data_dir=data_dir, grade=None)
    assert sorted(f.task for f in found) == ["humaneval_plus", "mbpp_plus"]
    assert all("no sandbox works here" in f.message for f in found)


@pytest.mark.skipif(not probe().works, reason=probe().why)
def test_every_gold_program_is_right() -> None:
    """Those of HumanEval+ and MBPP+ are run in `tests/grading`."""
    with CodeGrader() as grader:
        assert validate(["chain_programs"], grade=grader.grade) == ()


def test_every_shipped_task_has_a_card_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.problems.validate import _card

    known = catalog()
    for one in (*known.tasks.values(), *known.groups.values()):
        assert list(_card(one)) == []
        text = one.card.read_text()
        for part in ("| Source |", "| Revision |", "| Licence |", "## Prompt", "## Grader"):
            assert part in text, f"{one.card}: {part}"


def test_data_out_of_reach_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (found,) = validate(["processbench_gsm8k"], grade=never)
    assert (found.level, found.task) == ("warning", "processbench_gsm8k")
    assert found.message.startswith("not checked: no data: Qwen/ProcessBench/gsm8k.json")


def change(quick_tasks: Path, old: str, new: str) -> Path:
    path = quick_tasks / "sums" / "sums.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path


def test_a_sound_task_of_the_users_own(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "version: 1.0", "version: 1.0, rows: 12")
    assert validate(["sums"], include=[quick_tasks], grade=grade) == ()


def test_a_missing_digest_is_told(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "version: 1.0", "version: 1.0, identity: [id, problem]")
    messages = [f.message for f in validate(["sums"], include=[quick_tasks], grade=grade)]
    assert messages[0] == "metadata.rows is missing: 12"
    told = messages[1].removeprefix("metadata.sha256 is missing: ")
    change(quick_tasks, "identity", f"rows: 12, sha256: '{told}', identity")
    assert validate(["sums"], include=[quick_tasks], grade=grade) == ()


def test_broken_files_come_alone_and_all_of_them(quick_tasks: Path) -> None:
    change(quick_tasks, "doc_to_text", "doc_to_txt")
    (quick_tasks / "other.yaml").write_text("task: [\n")
    found = validate(include=[quick_tasks], grade=never)
    assert [f.task for f in found] == ["other", "sums"]
    assert "did you mean 'doc_to_text'?" in found[1].message


def test_a_name_that_is_taken(quick_tasks: Path) -> None:
    change(quick_tasks, "task: sums", "task: math500")
    (found,) = validate(include=[quick_tasks], grade=never)
    assert "'math500' is taken by" in found.message


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (None, "the task has no card"),
        ("# sums\n\n- 1.0: no log\n", "no entry '- 1.0: …' under '## Changelog'"),
        ("# sums\n\n## Changelog\n\n- 1.0.1: other\n", "no entry '- 1.0: …'"),
    ],
)
def test_a_card_must_speak_of_the_version(
    quick_tasks: Path, grade: Grader, card: str | None, message: str
) -> None:
    path = quick_tasks / "sums" / "README.md"
    path.unlink()
    if card is not None:
        path.write_text(card)
    (found,) = errors(validate(["sums"], include=[quick_tasks], grade=grade))
    assert message in found


def test_a_prompt_with_the_answer_in_it(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "'{{problem}}'", "'{{problem}} It is {{answer}}.'")
    found = errors(validate(["sums"], include=[quick_tasks], grade=grade))
    assert [f"sums s{i}: the prompt contains the gold answer" for i in range(12)] == found


def test_an_answer_that_stands_in_the_problem_by_chance(quick_tasks: Path, grade: Grader) -> None:
    data = quick_tasks / "sums" / "rows.jsonl"
    row = {"id": "s0", "problem": "What is the larger of 1 and 2?", "answer": "2"}
    data.write_text(json.dumps(row) + "\n")
    assert errors(validate(["sums"], include=[quick_tasks], grade=grade)) == []


def test_meta_that_gives_the_answer_away(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "version: 1.0", "version: 1.0, meta: [answer]")
    (found,) = errors(validate(["sums"], include=[quick_tasks], grade=grade))
    assert "metadata.meta gives the gold column 'answer' away" in found


def test_an_empty_prompt(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "'{{problem}}'", "' '")
    assert len(errors(validate(["sums"], include=[quick_tasks], grade=grade))) == 12


def test_a_gold_solution_that_is_wrong(quick_tasks: Path, grade: Grader) -> None:
    change(quick_tasks, "version: 1.0", "version: 1.0, solution: problem")
    found = errors(validate(["sums"], include=[quick_tasks], grade=grade))
    # "0+0=?" is graded by the 0 in it, which happens to be right.
    assert sum("the gold solution grades as wrong" in text for text in found) == 11


def test_a_gold_answer_that_the_grader_refuses(quick_tasks: Path) -> None:
    def ungraded(items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        return [Grade("ungraded", None, "timeout") for _ in items]

    found = errors(validate(["sums"], include=[quick_tasks], grade=ungraded))
    assert [f"sums s{i}: the gold answer grades as ungraded: timeout" for i in range(12)] == found


@pytest.mark.parametrize("label", [2, -2, True, None, "0"])
def test_a_label_out_of_range(quick_tasks: Path, label: object) -> None:
    row = {"id": "s0", "problem": "p", "steps": ["a", "b"], "label": label, "answer": "x"}
    (quick_tasks / "sums" / "rows.jsonl").write_text(json.dumps(row) + "\n")
    change(quick_tasks, "kind: math", "kind: steps, reference: [label]")
    change(quick_tasks, "grader: math", "grader: steps")
    (found,) = errors(validate(["sums"], include=[quick_tasks], grade=never))
    assert "the first wrong step must be one of -1 … 1" in found
