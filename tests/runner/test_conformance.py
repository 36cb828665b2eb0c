"""Every fault that a trial is there for is found and named; sound PRMs have none."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.options import Options
from harness.prms.function import FunctionPrm
from harness.registry import open_prm
from harness.runner.conformance import conformance
from harness.types import Judge, Judged, Spec

Score = Callable[[str, list[list[str]]], Any]


def sound(prompt: str, solutions: list[list[str]]) -> list[list[float]]:
    return [[1 / (1 + len(step)) for step in steps] for steps in solutions]


def made(score: Score, **options: Any) -> FunctionPrm:
    spec = Spec("mine", "python", "x:y", options)
    return FunctionPrm(spec, Options(spec, "PRM"), score, {})


def faults(prm: Any) -> dict[str, str]:
    return {trial.name: trial.said for trial in conformance(prm) if trial.said}


def test_a_sound_prm_has_none() -> None:
    assert faults(made(sound)) == {}


@pytest.mark.parametrize("name", ["prm-math-small", "ensemble:prm-code+prm-math-small"])
def test_shipped_prms_have_none(name: str) -> None:
    pytest.importorskip("torch")
    assert faults(open_prm(name)) == {}
    assert faults(open_prm(f"{name},steps=whole")) == {}


_counter = itertools.count()
FAULTY: dict[str, tuple[Score, str, str]] = {
    "a score too few": (
        lambda p, s: [values[1:] or values for values in sound(p, s)],
        "one score per step",
        "2 scores for 3 steps",
    ),
    "no probability": (
        lambda p, s: [[99 * v for v in values] for values in sound(p, s)],
        "one score per step",
        "no probability",
    ),
    "chance": (
        lambda p, s: [[(next(_counter) % 7) / 7 for _ in steps] for steps in s],
        "the same when asked again",
        "asked twice: step 0 has",
    ),
    "a batch that matters": (
        lambda p, s: [[v / len(s) for v in values] for values in sound(p, s)],
        "alone as beside others",
        "alone and beside others: step 0 has",
    ),
    "looking ahead": (
        lambda p, s: [[v / len(values) for v in values] for values in sound(p, s)],
        "later steps change no earlier score",
        "with 1 steps and with 3: step 0 has",
    ),
    "not reading": (
        lambda p, s: [[0.5] * len(steps) for steps in s],
        "the solution is read",
        "does it read the solution?",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_found_and_named(name: str) -> None:
    score, trial, words = FAULTY[name]
    assert words in faults(made(score))[trial]


def test_where_a_plain_solution_is_an_error_nothing_else_is_tried() -> None:
    found = list(conformance(made(lambda p, s: [[9.0] * len(steps) for steps in s])))
    assert [trial.name for trial in found] == ["one score per step"]
    assert "no probability" in found[0].said

    def plain(prompt: str, solutions: list[list[str]]) -> list[list[float]]:
        """Breaks at what is odd alone."""
        long = any(len(steps) > 3 for steps in solutions)
        return [
            [9.0] * len(steps) if long else v
            for steps, v in zip(solutions, sound(prompt, solutions), strict=True)
        ]

    assert len(list(conformance(made(plain)))) == 9


class Careless(FunctionPrm):
    """Scores what it should not, and other things step by step."""

    def __init__(self) -> None:
        spec = Spec("careless", "python", "x:y", {})
        super().__init__(spec, Options(spec, "PRM"), sound, {})
        self.remembers = False

    def remember(self, on: bool) -> None:
        self.remembers = on

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        from harness.types import StepScores

        def one(steps: tuple[str, ...]) -> StepScores:
            shift = 0.25 if self.remembers else 0.0
            values = tuple(v / 2 + shift for v in sound("", [list(steps)])[0]) or (0.0,)
            return StepScores(values, "p_correct")

        return [
            Judged(tuple(one(d.steps) for d in r.drafts), super(Careless, self)._judge(r).tokens)
            if all(all(d.steps) for d in r.drafts)
            else Judged(tuple(one(d.steps) for d in r.drafts), self._none)
            for r in requests
        ]

    @property
    def _none(self) -> Any:
        from harness.types import Tokens

        return Tokens()


def test_what_no_function_can_do_wrong_is_found_too() -> None:
    found = faults(Careless())
    assert found["no steps, no scores"] == "a solution without steps has scores"
    assert found["step by step as at once"].startswith("read step by step and at once: step 0 has")


def test_the_command_says_it_in_words(cli: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "lazy_prm.py").write_text("half = lambda p, s: [[0.5] * len(x) for x in s]\n")
    monkeypatch.chdir(tmp_path)
    done = cli("validate", "prm", "python:lazy_prm:half", "python:lazy_prm:half,name=b")
    assert done.code == 2
    assert "✗ the solution is read: a right and a wrong solution have the same" in done.out
    assert done.out.endswith("2 PRMs, 2 faults\n")
    (tmp_path / "lost_prm.py").write_text("two = lambda p, s: [[2] * len(x) for x in s]\n")
    done = cli("validate", "prm", "python:lost_prm:two")
    assert done.code == 2 and done.out.count("no probability") == 1 and "✓" not in done.out
    assert done.out.endswith("\n1 PRM, 1 fault\n")
    assert "validate prm: name one" in cli("validate", "prm").err
    assert "unknown PRM 'nothing'" in cli("validate", "prm", "nothing").err
