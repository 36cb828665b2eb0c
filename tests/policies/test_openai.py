"""A server as a policy: the protocol, the contract of drafts, and every way in which it fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.openai import OpenAIPolicy
from harness.registry import open_policy
from harness.types import Cut, Draft, Extend, Question, Sampling, Turn
from tests.policies.conftest import letters
from tests.policies.openai_server import LENGTH, Faulty, serving

QUESTION = Question("t", "p", "a=47+38;a?\n")
ASK = Turn("user", "Sure?")


@pytest.fixture
def server() -> Iterator[Faulty]:
    with serving() as made:
        yield made


def at(server: Faulty, **options: Any) -> OpenAIPolicy:
    given = {"model": "m", "api": "completions", **options}
    text = "".join(f",{key}={value}" for key, value in given.items())
    policy = open_policy(f"openai:{server.url}{text}")
    assert isinstance(policy, OpenAIPolicy)
    policy._server.wait = lambda state: 0.01
    return policy


def ask(*texts: str, cut: Cut | None = None, logprobs: bool = False, **sampling: Any) -> Extend:
    drafts = tuple(Draft((t,) if t else (), None, len(t)) for t in texts or ("",))
    given = Sampling(**{"max_tokens": 100, "seed": 3, **sampling})
    return Extend(QUESTION, drafts, given, cut, logprobs=logprobs)


def write(policy: OpenAIPolicy, *requests: Extend) -> list[Draft]:
    return [draft for reply in policy.extend(requests) for draft in reply.drafts]


# --- what is asked -------------------------------------------------------------------------------


def test_a_request_per_draft_with_a_seed_of_its_own(server: Faulty) -> None:
    first, second = write(at(server), ask("", ""))
    assert first.text != second.text and len(first.text) == LENGTH
    assert (first.finish, first.tokens) == ("stop", LENGTH + 1)
    assert write(at(server), ask("", "")) == [first, second]
    assert write(at(server, connections=1), ask("", ""))[1] == second
    assert write(at(server), ask("", "", seed=4))[0] != first
    body = server.asked[0]
    assert (body["model"], body["prompt"], body["n"]) == ("m", QUESTION.prompt, 1)
    assert "seed" in body and "stop" not in body and "logprobs" not in body


def test_greedy_sends_no_seed(server: Faulty) -> None:
    write(at(server), ask(temperature=0, top_p=0.5))
    assert server.asked[0]["temperature"] == 0
    assert "seed" not in server.asked[0] and "top_p" not in server.asked[0]


def test_usage_is_the_server_s(server: Faulty) -> None:
    (reply,) = at(server).extend([ask("", "")])
    assert reply.tokens.calls == 2
    assert reply.tokens.decode == 2 * (LENGTH + 1)
    assert reply.tokens.prefill_logical == 2 * len(QUESTION.prompt)


def test_chat_sends_turns(server: Faulty) -> None:
    policy = at(server, api="chat", system="Think.")
    (draft,) = write(policy, ask())
    assert server.paths == ["/v1/chat/completions"]
    assert [turn["role"] for turn in server.asked[0]["messages"]] == ["system", "user"]
    assert len(draft.text) == LENGTH and policy.abilities == {"chat"}
    with pytest.raises(ConfigError, match="add continues=true"):
        policy.extend([ask("a")])


def test_a_conversation_is_sent_as_one(server: Faulty, tiny: Path) -> None:
    turns = Turn("system", "Judge."), Turn("user", "1+1=3"), Turn("assistant", "No."), ASK
    question = Question("t", "p", "never sent", turns)
    policy = at(server, api="chat", system="Think.")
    policy.extend([Extend(question, (Draft(),), Sampling(max_tokens=100))])
    sent = [(turn["role"], turn["content"]) for turn in server.asked[0]["messages"]]
    assert sent == [(turn.role, turn.text) for turn in turns]
    words = letters()
    server.decode, server.context = words.decode, 256
    policy = at(server, tokenizer=tiny)
    assert policy.abilities == {"chat", "continue"} and not at(server).abilities & {"chat"}
    policy.extend([Extend(question, (Draft(),), Sampling(max_tokens=9))])
    plain = "Judge.\n\n1+1=3\n\nNo.\n\nSure?\n\n"
    assert server.asked[-1]["prompt"] == words(plain).input_ids


def test_chat_goes_on_where_the_server_can(server: Faulty) -> None:
    policy = at(server, api="chat", continues="true")
    (whole,) = write(policy, ask(temperature=0))
    (rest,) = write(policy, ask(whole.text[:7], temperature=0))
    assert rest.text == whole.text
    assert server.asked[1]["continue_final_message"] is True
    assert server.asked[1]["add_generation_prompt"] is False


def test_logprobs(server: Faulty) -> None:
    for api in ("completions", "chat"):
        (draft,) = write(at(server, api=api, logprobs="true"), ask())
        assert draft.logprobs is not None and len(draft.logprobs) == draft.tokens
        assert draft.logprobs[:2] == (-0.5, -1.5)
        assert write(at(server, api=api), ask(logprobs=True))[0] == draft
        assert write(at(server, api=api), ask())[0].logprobs is None


def test_the_key_is_read_from_the_environment(
    server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    policy = at(server, key="MY_KEY")
    write(policy, ask())
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in json.dumps([policy.identity(), policy.describe()])


def test_with_a_tokenizer_token_ids_are_sent(server: Faulty, tiny: Path) -> None:
    words = letters()
    server.decode, server.context = words.decode, 256
    policy = at(server, api="completions", tokenizer=tiny)
    plain = open_policy(f"openai:{server.url},model=m,tokenizer={tiny}")
    assert policy.identity() == plain.identity() != at(server).identity()
    assert policy.architecture is not None and str(tiny) not in json.dumps(policy.identity())
    (whole,) = write(policy, ask(temperature=0))
    asked = server.asked[-1]["prompt"]
    assert asked == words(QUESTION.prompt).input_ids
    (rest,) = write(policy, ask(whole.text[:9], temperature=0))
    assert rest.text == whole.text
    assert server.asked[-1]["prompt"] == asked + words(whole.text[:9]).input_ids
    (short,) = write(policy, ask(temperature=0, max_tokens=1000))
    assert server.asked[-1]["max_tokens"] == 256 - len(asked) and short.text == whole.text


def test_a_tokenizer_that_the_server_does_not_have_is_refused(server: Faulty, tiny: Path) -> None:
    words = letters()
    server.decode, server.context = words.decode, 256
    server.tokenize = lambda text: [id + 1 for id in words(text).input_ids]
    policy = at(server, tokenizer=tiny)
    with pytest.raises(ConfigError, match="has another tokenizer than tokenizer= names"):
        write(policy, ask())
    assert not server.asked
    server.tokenize = lambda text: words(text).input_ids
    assert write(policy, ask())[0].finish == "stop"


def test_a_server_that_is_away_is_waited_for_once(tiny: Path) -> None:
    """Not by one request after the other, which all have to know its tokenizer first."""
    with serving() as gone:
        url = gone.url
    policy = open_policy(f"openai:{url},model=m,api=completions,tokenizer={tiny},patience=0.5")
    start = time.monotonic()
    for _ in range(2):
        with pytest.raises(InfrastructureError, match="did not answer") as raised:
            policy.extend([ask(*[""] * 8)])
        assert raised.value.away
    assert time.monotonic() - start < 2 * 2
    policy.close()


def test_seeds_are_the_server_s_ours_or_none(server: Faulty) -> None:
    write(at(server, seeds="none"), ask())
    assert "seed" not in server.asked[-1] and server.asked[-1]["temperature"] == 1.0
    write(at(server, seeds="ours"), ask("", "", top_p=0.5))
    one, other = server.asked[-2:]
    assert one["temperature"] == 0 and "seed" not in one and "top_p" not in one
    assert one["vllm_xargs"] == {**one["vllm_xargs"], "temperature": 1.0, "top_p": 0.5, "first": 0}
    assert one["vllm_xargs"]["key"] != other["vllm_xargs"]["key"]
    names = [json.dumps(at(server, seeds=way).identity()) for way in ("none", "ours", "server")]
    assert len(set(names)) == 3 and names[2] == json.dumps(at(server).identity())


# --- where drafts end ----------------------------------------------------------------------------


def test_stop_strings_are_cut_and_delimiters_kept(server: Faulty) -> None:
    policy = at(server)
    (whole,) = write(policy, ask(temperature=0))
    head = whole.text.index("\n")
    (stopped,) = write(policy, ask(temperature=0, stop=("\n",)))
    assert (stopped.text, stopped.finish) == (whole.text[:head], "stop")
    (step,) = write(policy, ask(temperature=0, cut=Cut(delimiters=("\n",))))
    assert (step.text, step.finish) == (whole.text[: head + 1], None)
    (few,) = write(policy, ask(temperature=0, cut=Cut(tokens=5)))
    assert (few.text, few.finish) == (whole.text[:5], None)
    (short,) = write(policy, ask(temperature=0, max_tokens=5))
    assert (short.text, short.finish) == (whole.text[:5], "length")


def test_steps_one_by_one_make_the_whole_text(server: Faulty) -> None:
    policy = at(server)
    (whole,) = write(policy, ask(temperature=0))
    draft = Draft()
    while draft.finish is None:
        request = Extend(
            QUESTION, (draft,), Sampling(temperature=0, max_tokens=100), Cut(delimiters=("\n",))
        )
        ((draft,),) = (reply.drafts for reply in policy.extend([request]))
    assert draft.text == whole.text and len(draft.steps) > 2
    assert all(step.endswith("\n") for step in draft.steps[:-1])


def test_a_stop_string_that_began_before_is_found(server: Faulty) -> None:
    policy = at(server)
    (whole,) = write(policy, ask(temperature=0))
    stop = whole.text[8:12]
    (draft,) = write(policy, ask(whole.text[:10], temperature=0, stop=(stop,)))
    assert draft.finish == "stop" and draft.text == whole.text[:10]


def test_steps_need_to_know_where_the_server_stopped(server: Faulty) -> None:
    server.tells_stops = False
    with pytest.raises(DataError, match="does not say at which string it stopped"):
        write(at(server), ask(cut=Cut(delimiters=("\n",))))
    assert write(at(server), ask(stop=("\n",)))[0].finish == "stop"


@pytest.mark.parametrize("request_", [{"confidence": 0.5}])
def test_what_a_server_cannot_do_is_said(server: Faulty, request_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="use transformers:MODEL"):
        write(at(server), ask(cut=Cut(**request_)))


# --- the context ---------------------------------------------------------------------------------


def test_a_context_that_overflows_ends_a_draft(server: Faulty) -> None:
    server.context = 40
    policy = at(server, api="chat", continues="true")
    (draft,) = write(policy, ask(max_tokens=100))
    assert draft.finish == "length" and 0 < len(draft.text) < 40
    (full,) = write(policy, ask(draft.text, max_tokens=100))
    assert full.finish == "length" and full.text == draft.text
    with pytest.raises(DataError, match="tell how long the context is with tokenizer=MODEL"):
        write(at(server), ask(max_tokens=100))


def test_a_step_that_the_context_ends_is_the_last(server: Faulty) -> None:
    server.context, server.clamps = len(QUESTION.prompt) + 20, True
    draft = Draft()
    for length, finish in ((15, None), (20, "length")):
        (draft,) = at(server).extend([_next(draft)])[0].drafts
        assert (len(draft.text), draft.finish) == (length, finish)


def _next(draft: Draft) -> Extend:
    return Extend(QUESTION, (draft,), Sampling(max_tokens=100, temperature=0), Cut(tokens=15))


def test_no_room_is_no_request(server: Faulty) -> None:
    (draft,) = write(at(server), ask("abc", max_tokens=3))
    assert draft.finish == "length" and not server.asked


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        (429, {"Retry-After": "0"}, b"{}"),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"{}"),
        (500, {}, b"oops"),
        (503, {}, b""),
        (200, {}, b"<html>a proxy's page</html>"),
        (200, {}, b""),
        "cut",
    ],
)
def test_passing_trouble_changes_nothing(server: Faulty, trouble: Any) -> None:
    expected = write(at(server), ask("", "", ""))
    done = len(server.asked)
    server.trouble = lambda number, body: trouble if number - done in (1, 3, 4) else None
    assert write(at(server), ask("", "", "")) == expected
    assert len(server.asked) == done + 6


def test_retry_after_is_heeded(server: Faulty) -> None:
    server.trouble = lambda number, _: (429, {"Retry-After": "1"}, b"{}") if number == 1 else None
    policy = at(server)
    policy._server.wait = type(policy._server)(server.url, "policy").wait
    start = time.monotonic()
    write(policy, ask())
    assert 1 <= time.monotonic() - start < 5


def test_a_server_that_comes_back_is_waited_for() -> None:
    with serving() as server:
        policy, port = at(server), server.server_port
        expected = write(policy, ask())
    policy._server.close()
    found: list[Draft] = []
    writer = threading.Thread(target=lambda: found.extend(write(policy, ask())))
    writer.start()
    time.sleep(0.3)
    assert writer.is_alive()
    with serving(port):
        writer.join(20)
    assert found == expected


def test_a_server_that_stays_away_has_failed(
    server: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    server.trouble = lambda number, body: (500, {}, b"")
    policy = at(server, patience=0.2)
    with pytest.raises(InfrastructureError, match="did not answer: status 500"):
        write(policy, ask("", ""))
    said = [one.getMessage() for one in caplog.records if "waiting up to" in one.getMessage()]
    assert len(said) == 1 and "status 500; waiting up to 0.2 s for it" in said[0]
    server.trouble = None
    assert write(policy, ask())[0].finish == "stop"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error": {"message": "no model m"}}', "status 404: no model m"),
        (401, b'{"detail": "who are you"}', "status 401"),
        (200, b'{"choices": [{"text": 1, "finish_reason": "stop"}], "usage": {}}', "no completion"),
        (
            200,
            b'{"choices": [{"text": "a", "finish_reason": "content_filter"}], "usage": '
            b'{"completion_tokens": 1, "prompt_tokens": 1}}',
            "content_filter",
        ),
        (200, b'{"choices": [{"text": "a", "finish_reason": "stop"}]}', "no completion"),
    ],
)
def test_answers_that_trying_again_would_not_change(
    server: Faulty, status: int, body: bytes, message: str
) -> None:
    server.trouble = lambda number, _: (status, {}, body)
    with pytest.raises(DataError, match=message):
        write(at(server), ask())
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "answers '<html>', which is no JSON"),
        (b"null", "holds no choices"),
        (b'{"choices": [], "usage": {}}', "holds no choices"),
        (b'{"error": {"message": "overloaded"}}', "overloaded.*holds no choices"),
    ],
)
def test_four_answers_in_a_row_that_are_none_end_it(
    server: Faulty, body: bytes, message: str
) -> None:
    server.trouble = lambda number, _: (200, {}, body)
    with pytest.raises(DataError, match=message):
        write(at(server), ask())
    assert len(server.asked) == 4
    # Others between them, or a good one at last, and it goes on.
    said = {1: 503, 2: 503, 3: 503, 4: 200, 5: 200, 6: 200, 7: 503}
    server.trouble = lambda number, _: (said[number - 4], {}, body) if number - 4 in said else None
    assert write(at(server), ask())[0].finish == "stop"
    assert len(server.asked) == 12


def test_rate_and_connections_are_kept(server: Faulty) -> None:
    times: list[float] = []
    server.trouble = lambda number, _: times.append(time.monotonic())
    write(at(server, rate=20), ask(*[""] * 6))
    assert min(b - a for a, b in pairwise(times)) > 0.02
    at_work, most = [0], [0]

    def slowly(number: int, body: dict[str, Any]) -> None:
        with server.lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.05)
        with server.lock:
            at_work[0] -= 1

    server.trouble = slowly
    write(at(server, connections=3), ask(*[""] * 12))
    assert most == [3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openai:localhost,model=m", "write openai:http://HOST:PORT/v1"),
        ("openai:http://localhost/v1", "add model=NAME"),
        ("openai:http://localhost/v1,model=m,modle=x", "no option 'modle'"),
        ("openai:http://localhost/v1,model=m,api=completions,system=x", "needs api=chat"),
        ("openai:http://localhost/v1,model=m,api=chats", "did you mean 'chat'"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_policy(text)
