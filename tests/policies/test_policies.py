"""The contract of policies, held by every one of them. A new policy is one more line below."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import digest
from harness.policies.fake import FakePolicy
from harness.policies.policy import Policy
from harness.policies.pool import PoolPolicy
from harness.policies.transformers import TransformersPolicy
from harness.types import Draft, Extend, Question, Sampling, Spec

QUESTIONS = [Question("t", "p", "a=47+38;a?\n"), Question("t", "q", "b=1;b?\n")]
SAMPLING = Sampling(max_tokens=12, seed=3)


@pytest.fixture(scope="module", params=["transformers", "echo", "script", "pool"])
def policy(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Policy]:
    folder = tmp_path_factory.mktemp("policies")
    texts = {"p": ["a=85\nso 85", "a=84\n"], "q": ["b=1\n", "x"]}
    script, pool = folder / "script.jsonl", folder / "pool.jsonl"
    script.write_text("".join(json.dumps({"id": k, "texts": v}) + "\n" for k, v in texts.items()))
    rows = [{"id": k, "text": t, "tokens": 3} for k, v in texts.items() for t in v]
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made: Policy = {
        "transformers": lambda: TransformersPolicy(Spec("x", "transformers", str(tiny))),
        "echo": lambda: FakePolicy(Spec("x", "fake", "echo")),
        "script": lambda: FakePolicy(Spec("x", "fake", str(script))),
        "pool": lambda: PoolPolicy(Spec("x", "pool", str(pool))),
    }[request.param]()
    yield made
    made.close()
    made.close()


def _requests(n: int = 2) -> list[Extend]:
    return [Extend(question, (Draft(),) * n, SAMPLING) for question in QUESTIONS]


def test_it_is_a_policy(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    assert policy.unit_rows > 0


def test_loading_it_twice_is_allowed_and_changes_nothing(policy: Policy) -> None:
    before = policy.extend(_requests())
    policy.load()
    policy.load()
    assert policy.extend(_requests()) == before


def test_one_reply_per_request_and_one_draft_per_draft(policy: Policy) -> None:
    replies = policy.extend(_requests())
    assert [len(reply.drafts) for reply in replies] == [2, 2]
    assert all(draft.finish is not None for reply in replies for draft in reply.drafts)


def test_no_draft_has_an_empty_step(policy: Policy) -> None:
    drafts = [draft for reply in policy.extend(_requests()) for draft in reply.drafts]
    assert all("" not in draft.steps and len(draft.steps) <= 1 for draft in drafts)


def test_the_same_call_gives_the_same_reply(policy: Policy) -> None:
    first = policy.extend(_requests())
    policy.extend(_requests(1))
    assert first == policy.extend(_requests())


def test_one_at_a_time_gives_the_same_drafts(policy: Policy) -> None:
    together = policy.extend(_requests())
    apart = [policy.extend([request])[0] for request in _requests()]
    assert [reply.drafts for reply in together] == [reply.drafts for reply in apart]


def test_usage_adds_up(policy: Policy) -> None:
    for reply in policy.extend(_requests()):
        assert reply.tokens.calls == 2
        assert reply.tokens.decode == sum(draft.tokens or 0 for draft in reply.drafts)
        assert reply.tokens.prefill_computed <= reply.tokens.prefill_logical


def test_no_requests_no_replies(policy: Policy) -> None:
    assert policy.extend([]) == []


def test_a_finished_draft_is_refused(policy: Policy) -> None:
    request = replace(_requests()[0], drafts=(Draft(("x",), "stop", 1),))
    with pytest.raises(ValueError, match="is finished"):
        policy.extend([request])


def test_identity_is_content_and_names_no_path(policy: Policy) -> None:
    text = json.dumps(policy.identity())
    assert "/" not in text
    assert digest.digest(policy.identity()) == digest.digest(policy.identity())
    json.dumps(policy.describe())


def test_the_questions_of_the_call_pass_the_check(policy: Policy) -> None:
    policy.check(QUESTIONS, 2)


def test_a_stream_writes_what_a_call_writes(policy: Policy) -> None:
    stream, replies = policy.stream(), {}
    assert stream.collect() == []
    for ticket, request in enumerate(_requests()):
        stream.submit(ticket, request)
    assert stream.rows == 4
    while stream.rows:
        replies.update(stream.collect())
    drafts = [reply.drafts for reply in policy.extend(_requests())]
    assert [replies[0].drafts, replies[1].drafts] == drafts
    stream.submit(0, _requests()[0])
    stream.close()
    assert (stream.rows, stream.collect()) == (0, [])
