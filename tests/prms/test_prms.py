"""The contract of PRMs, held by every one of them. A new PRM is one more line below."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.prms import aggregate
from harness.prms.fake import FakePrm
from harness.prms.prm import Prm
from harness.prms.recorded import RecordedPrm
from harness.prms.recut import open_prm
from harness.prms.transformers import TransformersPrm
from harness.segment.recut import parse_recut
from harness.types import Draft, Judge, Judged, Question, Spec

STEPS = [("a=1\n", "b=2\n", "\\boxed{3}\n"), ("a=1\n",), ("c\n\n", "ü €\r\n"), ("a=1\n",) * 12]
DRAFTS = tuple(Draft(steps, "stop") for steps in STEPS)
KINDS = ["transformers", "whole", "recorded", "oracle", "anti-oracle", "noisy", "constant"]


@pytest.fixture(scope="module", params=KINDS)
def prm(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prm]:
    path = tmp_path_factory.mktemp("scores") / "scores.jsonl"
    rows = [
        {"id": q, "index": i, "scores": [0.1 * j % 1 for j in range(len(steps))]}
        for q in "pq"
        for i, steps in enumerate(STEPS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = Spec("x", "transformers", str(tiny))
    made: Prm = {
        "transformers": lambda: TransformersPrm(spec),
        "whole": lambda: open_prm(replace(spec, options={"steps": "whole"}), TransformersPrm),
        "recorded": lambda: RecordedPrm(Spec("x", "recorded", str(path))),
    }.get(
        request.param,
        lambda: FakePrm(Spec("x", "fake", request.param), lambda q, d: len(d.steps) - 1),
    )()
    yield made
    made.close()
    made.close()


def _requests() -> list[Judge]:
    return [Judge(Question("t", id, f"problem {id}\n"), DRAFTS) for id in "pq"]


def _values(replies: list[Judged]) -> list[list[float]]:
    return [list(s.values) for reply in replies for s in reply.scores if s is not None]


def test_it_is_a_prm_with_a_legal_aggregation(prm: Prm) -> None:
    assert isinstance(prm, Prm)
    aggregate.check(prm.aggregation, prm.semantics)
    assert prm.unit_rows > 0


def test_exactly_one_score_per_step(prm: Prm, request: pytest.FixtureRequest) -> None:
    whole = "whole" in request.node.name
    for reply in prm.judge(_requests()):
        found = [len(s.values) for s in reply.scores if s is not None]
        assert found == [1 if whole else len(steps) for steps in STEPS]


def test_the_same_call_gives_the_same_reply(prm: Prm) -> None:
    first = prm.judge(_requests())
    prm.judge(_requests()[:1])
    assert first == prm.judge(_requests())


def test_loading_it_twice_is_allowed_and_changes_nothing(prm: Prm) -> None:
    before = prm.judge(_requests())
    prm.load()
    prm.load()
    assert prm.judge(_requests()) == before


def test_a_batch_of_one_equals_a_batch_of_many(prm: Prm) -> None:
    many = _values(prm.judge(_requests()))
    one = [
        values
        for request in _requests()
        for i, draft in enumerate(request.drafts)
        for values in _values(prm.judge([replace(request, drafts=(draft,), first=i)]))
    ]
    assert many == [pytest.approx(values, abs=1e-5) for values in one]


def test_usage_adds_up(prm: Prm) -> None:
    for reply in prm.judge(_requests()):
        assert reply.tokens.calls == len(DRAFTS)
        assert reply.tokens.prefill_logical == sum(s.tokens or 0 for s in reply.scores if s)
        assert 0 <= reply.tokens.prefill_computed <= reply.tokens.prefill_logical
        assert reply.tokens.decode == 0


def test_a_draft_without_steps_has_no_scores(prm: Prm) -> None:
    assert prm.judge([Judge(Question("t", "p", "?"), (Draft(),))])[0].scores == (None,)


def test_no_requests_no_replies(prm: Prm) -> None:
    assert prm.judge([]) == []


def test_identity_is_content_and_names_no_path(prm: Prm) -> None:
    assert "/" not in json.dumps(prm.identity())
    json.dumps(prm.describe())


def test_whole_differs_from_each(tiny: Path) -> None:
    spec = Spec("x", "transformers", str(tiny))
    each, whole = (
        TransformersPrm(spec),
        open_prm(replace(spec, options={"steps": "whole"}), TransformersPrm),
    )
    assert each.identity() != whole.identity()
    request = Judge(_requests()[0].question, DRAFTS[:1])
    (a,), (b,) = (_values(prm.judge([request])) for prm in (each, whole))
    assert b == [pytest.approx(a[-1], abs=1e-5)]
    assert open_prm(replace(spec, options={"steps": "each"}), TransformersPrm).spec.options == {}


@pytest.mark.parametrize("rule", ["join:2", "lines", "characters:4"])
def test_other_steps_are_those_of_the_rule(tiny: Path, rule: str) -> None:
    spec = Spec("x", "transformers", str(tiny))
    inner, prm = (
        TransformersPrm(spec),
        open_prm(replace(spec, options={"steps": rule}), TransformersPrm),
    )
    assert prm.covers == "own" and prm.identity() == {**inner.identity(), "steps": rule}
    (request,) = _requests()[:1]
    cut = parse_recut(rule)
    recut = replace(request, drafts=tuple(replace(d, steps=cut(d.steps)) for d in request.drafts))
    assert _values(prm.judge([request])) == _values(inner.judge([recut]))
