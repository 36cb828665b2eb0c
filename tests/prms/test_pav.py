"""A value and a prover: what each says, and what a search makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.prms.pav import PavPrm
from harness.prms.prm import Prm
from harness.registry import open_prm
from harness.runner.conformance import conformance
from harness.store.searches import entry_from, entry_record
from harness.types import Draft, Entry, Judge, Judged, Question, Spec, StepScores
from tests.search.world import QUESTIONS, Run, WorldPrm, accuracy, timeless

STEPS = ("a\n", "b\n", "a\n")


def pav(value: WorldPrm, prover: WorldPrm) -> PavPrm:
    members = {"Q": value, "A": prover}
    return PavPrm(Spec("x", "pav", "Q+A", {}), members.__getitem__)


def scores(prm: Prm, *steps: str) -> StepScores:
    ((found,),) = (one.scores for one in prm.judge([Judge(QUESTIONS[0], (Draft(steps),))]))
    assert found is not None
    return found


def test_scores_are_the_values_and_gains_the_provers() -> None:
    value, prover = WorldPrm(noise=0.5), WorldPrm(noise=0.0)
    found = scores(pav(value, prover), *STEPS)
    own, other = scores(value, *STEPS), scores(prover, *STEPS)
    assert (found.values, found.semantics) == (own.values, "p_correct")
    assert found.progress is not None
    assert np.cumsum(found.progress) == pytest.approx(other.values)
    assert found.tokens == (own.tokens or 0) + (other.tokens or 0)
    gains = scores(pav(value, WorldPrm(noise=0.0, semantics="advantage")), *STEPS)
    assert gains.progress == other.values


def test_a_draft_that_one_of_them_cannot_score_has_no_score() -> None:
    for silent in ((True, False), (False, True)):
        prm = pav(*(WorldPrm(silent=one) for one in silent))
        (reply,) = prm.judge([Judge(QUESTIONS[0], (Draft(STEPS),))])
        assert reply.scores == (None,)


def run(prm: Prm, method: str = "beam,rank=advantage,alpha=1") -> Run:
    return Run(method, prm=prm, n=8)  # type: ignore[arg-type]


def test_beams_are_kept_by_the_prover_and_chosen_by_the_value() -> None:
    """The value knows nothing, the prover everything: beams find what a choice by value could."""
    blind, seeing = WorldPrm(kind="constant"), WorldPrm(noise=0.0)
    both = run(pav(blind, seeing))
    assert accuracy(both) > accuracy(run(pav(blind, blind))) + 0.2
    assert accuracy(both) > accuracy(run(pav(blind, seeing), "beam")) + 0.2
    for attempt in both.attempts(QUESTIONS[:5]).values():
        assert {one.weight for one in attempt.found} == {0.5}


def test_one_prm_in_both_roles_is_as_that_prm_alone() -> None:
    noisy = WorldPrm()
    twice = run(pav(noisy, noisy)).attempts(QUESTIONS[:20])
    alone = run(noisy).attempts(QUESTIONS[:20])
    for name, attempt in twice.items():
        assert timeless(attempt).found == timeless(alone[name]).found


def test_a_journal_keeps_the_gains() -> None:
    prm = pav(WorldPrm(), WorldPrm(noise=0.0))
    (reply,) = prm.judge([Judge(QUESTIONS[0], (Draft(STEPS), Draft()))])
    assert entry_from(entry_record(Entry("p", 0, 1, reply, 0.5))).reply == reply
    plain = Judged((replace(scores(prm, *STEPS), progress=None),), reply.tokens)
    assert entry_from(entry_record(Entry("p", 0, 1, plain, 0.5))).reply == plain


def test_as_many_gains_as_scores() -> None:
    with pytest.raises(ValueError, match="1 gains for 2 step scores"):
        StepScores((0.1, 0.2), "value", progress=(0.1,))
    with pytest.raises(ValueError, match="the progress of step 0 is nan"):
        StepScores((0.1,), "value", progress=(float("nan"),))


def test_written_on_the_command_line() -> None:
    pytest.importorskip("torch")
    prm = open_prm("pav:prm-math-small+[prm-math-medium,aggregation=last],aggregation=last")
    assert (prm.spec.adapter, prm.aggregation, prm.covers) == ("pav", "last", "steps")
    assert prm.identity()["value"] == open_prm("prm-math-small").identity()
    assert [trial for trial in conformance(prm) if trial.said] == []
    for text, message in (
        ("pav:prm-code", "it has two members or more, as in pav:A\\+B"),
        ("pav:prm-code+prm-code+prm-code", "a value and a prover, as in VALUE\\+PROVER"),
        ("pav:[prm-code,semantics=reward]+prm-code", "gives 'reward' and is the value; legal: p_c"),
        ("pav:prm-code+[prm-code,semantics=reward]", "is the prover; legal: p_correct, value, ad"),
        ("pav:prm-code+prm-code,alpha=1", "no option 'alpha'"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_prm(text)


def test_the_question_goes_to_both() -> None:
    value, prover = WorldPrm(), WorldPrm()
    request = Judge(Question("world", "q1", "what?"), (Draft(STEPS),))
    pav(value, prover).judge([request])
    assert value.requests == prover.requests == [request]
