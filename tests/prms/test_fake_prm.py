"""Fake PRMs: right, wrong, noisy to a known degree, and told the truth by the runner alone."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest

from harness import registry
from harness.errors import ConfigError
from harness.prms.fake import FakePrm, first_wrong_of_grade
from harness.types import Draft, Grade, Json, Judge, Question, Spec

FOUR = Draft(("a", "b", "c", "d"))


def score(kind: str, wrong: int | None, n: int = 1, **options: Json) -> list:
    prm = FakePrm(Spec("x", "fake", kind, options), lambda question, draft: wrong)
    requests = [Judge(Question("t", str(i), "?"), (FOUR,)) for i in range(n)]
    return [reply.scores[0] and reply.scores[0].values for reply in prm.judge(requests)]


def test_the_oracle_is_right_until_the_first_wrong_step() -> None:
    assert score("oracle", -1) == [(1, 1, 1, 1)]
    assert score("oracle", 2) == [(1, 1, 0, 0)]
    assert score("oracle", 0) == [(0, 0, 0, 0)]
    assert score("anti-oracle", 2) == [(0, 0, 1, 1)]


def test_where_all_wrong_steps_are_known_only_they_are_wrong() -> None:
    assert score("oracle", frozenset({1, 3})) == [(1, 0, 1, 0)]
    assert score("anti-oracle", frozenset({1, 3})) == [(0, 1, 0, 1)]
    assert score("oracle", frozenset()) == [(1, 1, 1, 1)]
    found = set(score("noisy", frozenset({1, 3}), 60, p=0.5))
    assert found == {(1, 0, 1, 0), (1, 1, 1, 1)}  # a misjudged wrong draft is called right


def test_nobody_knows_means_no_scores() -> None:
    assert score("oracle", None) == [None]


def test_constant_needs_no_truth() -> None:
    prm = FakePrm(Spec("x", "fake", "constant", {"value": 0.25}))
    reply = prm.judge([Judge(Question("t", "p", "?"), (FOUR, Draft()))])[0]
    assert (reply.scores[0].values, reply.scores[1]) == ((0.25,) * 4, None)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_noise_is_right_with_probability_p(wrong: int) -> None:
    p, n = 0.8, 3000
    right = score("oracle", wrong)[0]
    share = np.mean([s == right for s in score("noisy", wrong, n, p=p)])
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)
    assert score("noisy", wrong, 50, p=1) == score("oracle", wrong, 50)


def test_noise_is_seeded_per_question() -> None:
    first = score("noisy", -1, 60, p=0.5)
    assert first == score("noisy", -1, 60, p=0.5)
    assert first != score("noisy", -1, 60, p=0.5, seed=1)
    assert len(set(first)) > 2


def test_grades_as_first_wrong_steps() -> None:
    verdicts = ("correct", "wrong", "ungraded")
    assert [first_wrong_of_grade(Grade(v)) for v in verdicts] == [-1, 0, None]


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match="did you mean 'oracle'"):
        FakePrm(Spec("x", "fake", "orcle"))
    with pytest.raises(ConfigError, match="must be told the truth"):
        FakePrm(Spec("x", "fake", "oracle"))
    with pytest.raises(ConfigError, match="a number from 0 to 1"):
        score("noisy", -1, p=1.5)
    with pytest.raises(ConfigError, match="no option 'value'"):
        score("oracle", -1, value=1)


def test_no_other_adapter_can_be_told_the_truth() -> None:
    """No request carries a reference, and only the fake's constructor takes more than a spec."""
    assert {f.name for f in fields(Judge)} == {"question", "drafts", "first", "blind"}
    assert {f.name for f in fields(Question)} == {"task", "id", "prompt", "chat"}
    for name, target in registry.PRMS.items():
        adapter = registry.adapter_class(Spec("x", name, "y"), registry.PRMS)
        taken = list(inspect.signature(adapter).parameters)
        # Members of others are opened for them: a fake among them is told, those others are not.
        more = {"fake": "truth", "ensemble": "open_", "pav": "open_", "critic": "open_writer"}
        assert taken == ["spec", more[name]] if name in more else ["spec"], target
