"""The scripted policy writes as a model would: stops, delimiters, limits, trouble."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.fake import FakePolicy
from harness.types import Cut, Draft, Extend, Json, Question, Sampling, Spec, Weigh


def open_(path: Path, **options: Json) -> FakePolicy:
    path.write_text(json.dumps({"id": "p", "texts": ["ab\ncd\n", "x"]}) + "\n")
    return FakePolicy(Spec("x", "fake", str(path), options))


def write(policy: FakePolicy, *drafts: Draft, delimiter: str | None = None, **s: object) -> list:
    request = Extend(
        Question("t", "p", "prompt"),
        drafts,
        Sampling(**s),
        Cut((delimiter,)) if delimiter else None,
    )
    return list(policy.extend([request])[0].drafts)


def test_texts_go_round(tmp_path: Path) -> None:
    drafts = write(open_(tmp_path / "s"), *[Draft()] * 3)
    assert [d.text for d in drafts] == ["ab\ncd\n", "x", "ab\ncd\n"]
    assert drafts[0] == Draft(("ab\ncd\n",), "stop", 6)


def test_steps_stops_and_limits(tmp_path: Path) -> None:
    policy = open_(tmp_path / "s")
    step = write(policy, Draft(), delimiter="\n")[0]
    assert step == Draft(("ab\n",), None, 3)
    assert write(policy, step, delimiter="\n")[0] == Draft(("ab\n", "cd\n"), "stop", 6)
    assert write(policy, Draft(), stop=("c",))[0] == Draft(("ab\n",), "stop", 4)
    assert write(policy, Draft(), max_tokens=2)[0] == Draft(("ab",), "length", 2)
    with pytest.raises(DataError, match="departs from the script"):
        write(policy, Draft(("zz",)))


def test_echo_writes_the_prompt() -> None:
    assert write(FakePolicy(Spec("x", "fake", "echo")), Draft())[0].text == "prompt"


def test_trouble(tmp_path: Path) -> None:
    policy = open_(tmp_path / "s", fail_after=1)
    write(policy, Draft())
    with pytest.raises(InfrastructureError, match="after 1 calls"):
        write(policy, Draft())
    assert open_(tmp_path / "s").identity() == policy.identity()


def test_seconds_are_slept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    write(open_(tmp_path / "s", seconds=2), Draft())
    assert slept == [2.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "p", "texts": []}, "at least one text"),
        ({"id": "p", "texts": "a"}, "'texts' must be a list of texts"),
        ({"id": "p", "text": ["a"]}, "did you mean 'texts'"),
        ({"id": "p", "texts": ["a"], "words": ["yes"]}, "must map words to probabilities"),
        ({"id": "p", "texts": ["a"], "words": {"yes": 0}}, "a probability above 0"),
    ],
)
def test_broken_scripts(tmp_path: Path, row: object, message: str) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps(row))
    with pytest.raises(DataError, match=message):
        FakePolicy(Spec("x", "fake", str(path)))


def test_words_are_as_probable_as_the_script_says(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps({"id": "p", "texts": ["ab"], "words": {"yes": 0.25, "no": 1}}))
    policy, question = FakePolicy(Spec("x", "fake", str(path))), Question("t", "p", "prompt")
    (found,) = policy.weigh([Weigh(question, Draft(("ab",)), ("no", "yes"))])
    assert found.logprobs == (0.0, math.log(0.25))
    assert found.tokens.prefill_logical == len("prompt" + "ab") + len("n") + len("ye")
    with pytest.raises(DataError, match="says nothing of the word 'No'"):
        policy.weigh([Weigh(question, Draft(), ("No",))])


def test_a_problem_without_script(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no texts for problem 'q'"):
        open_(tmp_path / "s").check([Question("t", "q", "")], 1)
    with pytest.raises(ConfigError, match="did you mean 'seconds'"):
        open_(tmp_path / "s", second=1)
