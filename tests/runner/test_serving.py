"""A served PRM gives what the PRM gives, to many at once, and refuses what is no question."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.registry import open_prm
from harness.runner.serving import LARGEST, PrmServer
from harness.types import Draft, Judge, Question

STEPS = ("a=47+38\n", "a=85\n", "so 85")
QUESTION = Question("t", "p", "a=47+38;a?\n")


@pytest.fixture(scope="module")
def server() -> Iterator[PrmServer]:
    pytest.importorskip("torch")
    made = PrmServer(open_prm("prm-math-small"), "127.0.0.1", 0)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def post(server: PrmServer, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(server.url, content=content, trust_env=False)


def test_it_gives_what_the_prm_gives(server: PrmServer) -> None:
    served, own = open_prm(server.url + ",model=small"), open_prm("prm-math-small")
    requests = [Judge(QUESTION, (Draft(STEPS[:i]), Draft(STEPS))) for i in (1, 2, 3)] * 8
    for here, there in zip(own.judge(requests), served.judge(requests), strict=True):
        for a, b in zip(here.scores, there.scores, strict=True):
            assert a is not None and b is not None
            assert a.values == pytest.approx(b.values, abs=1e-5)


def test_what_waits_is_scored_together(monkeypatch: pytest.MonkeyPatch) -> None:
    prm, sizes, gate = open_prm("fake:constant"), [], threading.Event()
    judge = prm.judge

    def slowly(requests: Any) -> Any:
        sizes.append(len(requests))
        gate.wait(5)
        return judge(requests)

    monkeypatch.setattr(prm, "judge", slowly)
    server = PrmServer(prm, "127.0.0.1", 0)
    with ThreadPoolExecutor(9) as pool:
        request = Judge(QUESTION, (Draft(STEPS),))
        replies = [pool.submit(server.batcher.judge, request)]
        while not sizes:
            time.sleep(0.01)
        replies += [pool.submit(server.batcher.judge, request) for _ in range(8)]
        while server.batcher._waiting.qsize() < 8:
            time.sleep(0.01)
        gate.set()
        assert len({reply.result(5).scores for reply in replies}) == 1
    server.server_close()
    assert sizes == [1, 8]


def test_it_says_what_it_is(server: PrmServer) -> None:
    said = httpx.get(server.url, trust_env=False).json()
    own = open_prm("prm-math-small")
    assert (said["prm"], said["semantics"]) == ("prm-math-small", own.semantics)
    assert (said["aggregation"], said["threshold"]) == (own.aggregation, own.threshold)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        ({"prompt": "x"}, 400, "write {"),
        ({"prompt": "x", "solutions": [["a"]], "gold": 1}, 400, "write {"),
        ({"prompt": 1, "solutions": [["a"]]}, 400, "'prompt'"),
        ({"prompt": "x", "solutions": []}, 400, "'solutions'"),
        ({"prompt": "x", "solutions": ["abc"]}, 400, "solution 0"),
        ({"prompt": "x", "solutions": [["a"], ["b", ""]]}, 400, "solution 1"),
        ({"prompt": "x", "solutions": [["a" * 9000]]}, 422, "tokens"),
    ],
)
def test_what_is_no_question(server: PrmServer, body: Any, status: int, message: str) -> None:
    reply = post(server, body)
    assert reply.status_code == status
    assert message in reply.json()["error"]
    assert post(server, {"prompt": "x", "solutions": [["a"]]}).status_code == 200


def test_a_question_that_is_too_large_is_not_read(server: PrmServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), 5) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode())
        assert b" 413 " in connection.makefile("rb").readline()


def test_one_bad_question_spoils_no_other(server: PrmServer) -> None:
    good, bad = Judge(QUESTION, (Draft(STEPS),)), Judge(QUESTION, (Draft(("a" * 9000,)),))
    with ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(server.batcher.judge, r) for r in [good, bad, good, good] * 2]
    assert sum(isinstance(reply.exception(), DataError) for reply in replies) == 2
    assert len({r.result().scores[0] is None for r in replies if not r.exception()}) == 1


def test_an_engine_that_failed_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    prm, tries = open_prm("fake:constant"), []
    judge = prm.judge

    def failing(requests: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise InfrastructureError("out of memory")
        return judge(requests)

    monkeypatch.setattr(prm, "judge", failing)
    server = PrmServer(prm, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    (reply,) = open_prm(server.url).judge([Judge(QUESTION, (Draft(STEPS),))])
    server.shutdown()
    server.server_close()
    thread.join()
    assert reply.scores[0] is not None and len(tries) == 2


def test_mistakes(server: PrmServer) -> None:
    with pytest.raises(ConfigError, match="try --port 0"):
        PrmServer(open_prm("fake:constant"), "127.0.0.1", server.server_port)
    with pytest.raises(ConfigError, match="does not score every step"):
        PrmServer(open_prm("prm-math-small,steps=whole"), "127.0.0.1", 0)


def test_the_verb_serves_until_it_is_interrupted() -> None:
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "harness.cli.main", "serve-prm", "prm-code", "--port", "0"]
    code = "from harness.cli.main import main; main()"
    command = [sys.executable, "-c", code, *command[3:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        url = re.search(r"http://\S+/", first)
        assert url and f"--prm {url[0]},model=prm-code,semantics=" in second
        (reply,) = open_prm(url[0]).judge([Judge(QUESTION, (Draft(STEPS),))])
        assert reply.scores[0] is not None
        process.send_signal(2)
        assert process.wait(20) == 0
