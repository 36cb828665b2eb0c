"""One's own PRMs: recipe files, functions and classes, servers, ensembles."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.prms.http import HttpPrm
from harness.prms.prm import Prm
from harness.registry import open_prm
from harness.types import Draft, Judge, Judged, Question, Spec

STEPS = ("a=47+38\n", "a=85\n", "\\boxed{85}\n")


def judge(prm: Prm, *drafts: tuple[str, ...]) -> Judged:
    return prm.judge([Judge(Question("t", "p", "a=47+38;a?\n"), tuple(map(Draft, drafts)))])[0]


# --- recipe files --------------------------------------------------------------------------------


def test_a_recipe_file_is_a_prm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("model: embedded:prm-math-small\nrecipe: value-head\n")
    prm, usual = open_prm("mine.yaml,aggregation=last"), open_prm("prm-math-small")
    assert (prm.spec.name, prm.aggregation) == ("mine", "last")
    assert judge(prm, STEPS).scores[0].values == judge(usual, STEPS).scores[0].values  # type: ignore[union-attr]
    assert prm.identity() == usual.identity()
    Path("none.yaml").write_text("head: raw\n")
    with pytest.raises(ConfigError, match=r"none.yaml names no model"):
        open_prm("none.yaml")
    Path("self.yaml").write_text("model: embedded:prm-math-small\nrecipe: self.yaml\n")
    with pytest.raises(ConfigError, match=r"self\.yaml: unknown recipe 'self\.yaml'"):
        open_prm("transformers:embedded:prm-math-small,recipe=self.yaml")
    with pytest.raises(ConfigError, match=r"cannot read nowhere\.yaml"):
        open_prm("nowhere.yaml")


# --- one's own code ------------------------------------------------------------------------------

CODE = """
def shares(prompt, solutions):
    return [[1 / (1 + len(step)) for step in steps] for steps in solutions]

class Counting:
    def __init__(self): self.calls = 0
    def score(self, prompt, solutions):
        self.calls += 1
        return [None if len(steps) > 3 else [self.calls / 10] * len(steps) for steps in solutions]

class Half:
    def __init__(self, spec): pass
    def judge(self, requests): return []

few = lambda prompt, solutions: [[0.5]] * len(solutions)
words = lambda prompt, solutions: "no"
high = lambda prompt, solutions: [[3.0] * len(steps) for steps in solutions]
nans = lambda prompt, solutions: [[float("nan")] * len(steps) for steps in solutions]
number = 3

def knowing(prompt, solutions, reference):
    return [[1.0] * len(steps) for steps in solutions]

def failing(prompt, solutions):
    return 1 / 0
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return name


def test_a_function_and_a_class(module: str) -> None:
    prm = open_prm(f"python:{module}:shares,aggregation=last")
    assert (prm.spec.name, prm.aggregation) == (f"{module}:shares", "last")
    reply = judge(prm, STEPS, STEPS[:1], STEPS, ())
    assert reply.scores[0] == reply.scores[2]
    assert reply.scores[0] and reply.scores[0].values == tuple(1 / (1 + len(s)) for s in STEPS)
    assert reply.scores[3] is None and reply.tokens.calls == 3
    assert "source" in prm.identity()
    counting = open_prm(f"python:{module}:Counting")
    assert judge(counting, STEPS, STEPS * 2).scores[1] is None
    assert judge(counting, STEPS).scores[0].values == (0.2,) * 3  # type: ignore[union-attr]
    assert open_prm(f"python:{module}:high,semantics=reward").semantics == "reward"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("few", "problem 'p': 1 scores for 3 steps"),
        ("words", "asked about 1 solutions, it answers 'no'"),
        ("high", "3 is no probability"),
        ("nans", "not a finite number"),
        ("failing", r"raised ZeroDivisionError: division by zero \(.*own_.*\.py:\d+\)"),
    ],
)
def test_what_a_function_gives_is_checked(module: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        judge(open_prm(f"python:{module}:{name}"), STEPS)


def test_what_is_no_prm_is_refused(module: str) -> None:
    for text, message in (
        (f"python:{module}:share", "has no 'share'; did you mean 'shares'"),
        (f"python:{module}:number", "neither a function nor a class"),
        (f"python:{module}:Half", "PRM Half lacks aggregation, architecture, close"),
        (
            f"python:{module}:knowing",
            r"takes \(.*, reference\).*no reference",
        ),
        (f"python:{module}", "write python:MODULE:NAME"),
        ("python:no_such_module:f", "no module 'no_such_module' here"),
        (f"python:{module}:shares,sematics=reward", "did you mean 'semantics'"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_prm(text)


# --- servers -------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers what `reply` makes of (number of the request, question)."""

    reply: Callable[[int, Any], tuple[int, Any]]
    asked: int = 0


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        status, answer = self.server.reply(self.server.asked, question)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), _Handler)
    made.reply = lambda number, question: (
        200,
        {"scores": [[1 / (1 + len(step)) for step in s] for s in question["solutions"]]},
    )
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def at(server: Server, **options: object) -> Prm:
    more = "".join(f",{key}={value}" for key, value in options.items())
    prm = open_prm(f"http://127.0.0.1:{server.server_port}/score{more}")
    assert isinstance(prm, HttpPrm)
    prm._server.wait = lambda state: 0.0
    return prm


def test_a_server_is_a_prm(server: Server) -> None:
    prm = at(server, model="mine-3", name="mine")
    assert judge(prm, STEPS).scores[0].values == tuple(1 / (1 + len(s)) for s in STEPS)  # type: ignore[union-attr]
    assert prm.identity() != at(server, model="mine-4").identity()
    requests = [Judge(Question("t", str(i), "?"), (Draft(STEPS[:i]),)) for i in (1, 2, 3) * 10]
    found = prm.judge(requests)
    assert [len(r.scores[0].values) for r in found] == [1, 2, 3] * 10  # type: ignore[union-attr]
    prm.close()
    assert judge(prm, STEPS).scores[0] is not None


def test_a_server_that_stumbles_is_asked_again(server: Server) -> None:
    usual = server.reply
    server.reply = lambda number, question: (
        (503, {}) if number < 3 else (429, {}) if number < 4 else usual(number, question)
    )
    assert judge(at(server), STEPS).scores[0] is not None
    assert server.asked == 4


def test_a_server_that_fails_is_an_infrastructure_failure(server: Server) -> None:
    server.reply = lambda number, question: (500, {})
    with pytest.raises(InfrastructureError, match="did not answer: status 500"):
        judge(at(server, patience=0.2), STEPS)
    assert server.asked > 1
    gone = open_prm("http://127.0.0.1:1/score,patience=0")
    with pytest.raises(InfrastructureError, match="did not answer"):
        judge(gone, STEPS)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, b"no such page"), "status 404: no such page"),
        ((200, b"<html>"), r"answers '<html>', which is no JSON"),
        ((200, {"score": []}), "not {"),
        ((200, b"[" * 100_000), "no JSON"),
        ((200, {"scores": []}), "asked about 1 solutions, it answers"),
        ((200, {"scores": [[0.5, 0.5]]}), "2 scores for 3 steps"),
        ((200, {"scores": [[0.5, "x", 0.5]]}), "no list of numbers"),
        ((200, {"scores": [[0.5, True, 0.5]]}), "no list of numbers"),
        ((200, b'{"scores": [[0.5, NaN, 0.5]]}'), "not a finite number"),
        ((200, b'{"scores": [[0.5, 1e999, 0.5]]}'), "not a finite number"),
    ],
)
def test_a_servers_answer_is_checked(server: Server, answer: Any, message: str) -> None:
    server.reply = lambda number, question: answer
    with pytest.raises(DataError, match=message):
        judge(at(server), STEPS)
    assert server.asked == (4 if "no JSON" in message else 1)


# --- ensembles -----------------------------------------------------------------------------------


def test_members_are_joined(module: str) -> None:
    pytest.importorskip("torch")
    own = f"[python:{module}:shares]"
    names = "prm-math-small", "prm-code", own.strip("[]")
    drafts = (STEPS, STEPS[:2])
    rows = [[s.values for s in judge(open_prm(name), *drafts).scores] for name in names]  # type: ignore[union-attr]
    joined = f"ensemble:prm-math-small+prm-code+{own}"
    for combine, expected in (
        ("mean", lambda values: values.mean(0)),
        ("min", lambda values: values.min(0)),
        ("vote", lambda values: (values >= 0.5).mean(0)),
    ):
        prm = open_prm(f"{joined},combine={combine},name=three")
        found = judge(prm, *drafts)
        for i, score in enumerate(found.scores):
            assert score is not None
            assert score.values == pytest.approx(expected(np.array([row[i] for row in rows])))
        assert found.tokens.calls == 6
    small, code = (judge(open_prm(name), *drafts).tokens for name in names[:2])
    assert found.tokens.prefill_logical == small.prefill_logical + code.prefill_logical
    assert prm.spec.name == "three" and prm.live and prm.architecture is None
    assert prm.identity() != open_prm(f"{joined},combine=min").identity()
    assert open_prm(joined).threshold == 0.5
    assert open_prm(f"{joined},threshold=0.2").threshold == 0.2


def test_members_vote_by_their_own_thresholds(module: str) -> None:
    """Numbers that mean different things cannot be averaged, but each can be for or against."""
    text = f"ensemble:[python:{module}:shares,name=a]+[python:{module}:high,semantics=reward,"
    for limit, expected in ((2.0, 0.5), (4.0, 0.0)):
        prm = open_prm(f"{text}threshold={limit}],combine=vote")
        (found,) = judge(prm, STEPS).scores  # shares are below one half, high gives 3
        assert found is not None and found.values == (expected,) * 3
        assert (prm.semantics, prm.threshold) == ("p_correct", 0.5)


def test_what_cannot_be_joined(module: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for text, message in (
        ("ensemble:prm-code", "two members or more"),
        ("ensemble:prm-code+prm-cod", "unknown PRM 'prm-cod'; did you mean 'prm-code'"),
        (f"ensemble:prm-code+[python:{module}:high,semantics=reward]", "their numbers mean"),
        (
            f"ensemble:prm-code+[python:{module}:high,semantics=reward],combine=vote",
            "names no threshold to vote by",
        ),
        ("ensemble:prm-code+[prm-code,steps=whole]", "does not score every step"),
        ("ensemble:prm-code+prm-math-small,combine=max", "combine=max does not exist"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_prm(text)


def test_specs_with_an_address_keep_it() -> None:
    assert open_prm("https://example.org/prm").spec == Spec("prm", "https", "//example.org/prm", {})
