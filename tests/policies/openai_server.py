"""An OpenAI-compatible server on loopback that writes by rule, and can be made to fail; or a proxy
of a real one, which fails in the same ways.

A token is a character. What it writes follows from the text before and the seed alone, so a draft
continued is the draft written at once. `Faulty.trouble` answers in its place while it returns
something.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

LENGTH = 60
"""Characters of every whole answer."""
Trouble = Callable[[int, dict[str, Any]], tuple[int, dict[str, str], bytes] | str | None]
"""(number of the question, question) → status, headers, body · ``cut`` · None: no trouble."""


class Faulty(ThreadingHTTPServer):
    daemon_threads = True
    trouble: Trouble | None = None
    context = 200
    decode: Callable[[list[int]], str]
    """From the tokens of a prompt to its text."""
    tells_stops = True
    clamps = False
    """Whether it writes what there is room for, as vLLM does, where more is asked for."""
    tokenize: Callable[[str], list[int]] | None = None
    """From a text to its tokens, as vLLM tells them; None: it does not."""
    forward: str | None = None
    """A server that answers in its place, where there is no trouble: this one is a proxy."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def serving(port: int = 0) -> Iterator[Faulty]:
    server = Faulty(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def text_of(prompt: Any, server: Faulty) -> str:
    """Return the text of a prompt: text, ids of tokens, or a conversation."""
    if isinstance(prompt, str):
        return prompt
    if prompt and isinstance(prompt[0], int):
        return server.decode(prompt)
    turns = [f"<{turn['role']}>{turn['content']}" for turn in prompt]
    if prompt[-1]["role"] != "assistant":
        turns.append("<assistant>")
    return "".join(turns)


def answer(body: dict[str, Any], server: Faulty) -> tuple[int, dict[str, Any]]:
    chat = "messages" in body
    before = text_of(body["messages"] if chat else body["prompt"], server)
    limit = body.get("max_tokens", server.context - len(before) if chat else 16)
    if server.clamps:
        limit = min(limit, server.context - len(before))
    if len(before) + limit > server.context or limit < 1:
        return 400, {"error": {"message": f"maximum context length is {server.context} tokens"}}
    # The question ends at its mark; what follows was written here.
    question, mark, written = before.partition("<assistant>" if chat else "?\n")
    text = _text(question + mark, body.get("seed", 0))[len(written) :]
    finish, stopped, spent = "stop", None, len(text) + 1
    if spent > limit:
        text, finish, spent = text[:limit], "length", limit
    for stop in body.get("stop", []):
        if (at := text.find(stop)) >= 0:
            text, finish, stopped, spent = text[:at], "stop", stop, at + len(stop)
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if server.tells_stops:
        choice["stop_reason"] = stopped
    chances = [-0.5 - i for i in range(spent)]
    if chat:
        choice["message"] = {"role": "assistant", "content": text}
        choice["logprobs"] = {"content": [{"token": "?", "logprob": c} for c in chances]}
    else:
        choice |= {"text": text, "logprobs": {"token_logprobs": chances}}
    usage = {"prompt_tokens": len(before), "completion_tokens": spent}
    return 200, {"choices": [choice], "usage": usage}


def _text(before: str, seed: int) -> str:
    noise = hashlib.shake_256(f"{seed} {before}".encode()).digest(LENGTH)
    return "".join("abcde12=;\n"[byte % 10] for byte in noise)


class _Handler(BaseHTTPRequestHandler):
    server: Faulty
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize" and not self.server.forward:
            tokens = self.server.tokenize and self.server.tokenize(body["prompt"])
            self._say(200 if tokens else 404, {}, json.dumps({"tokens": tokens}).encode())
            return
        with self.server.lock:
            self.server.asked.append(body)
            self.server.headers.append(self.headers)
            self.server.paths.append(self.path)
            number = len(self.server.asked)
        trouble = self.server.trouble(number, body) if self.server.trouble else None
        if trouble is None and self.server.forward:
            url = self.server.forward.removesuffix("/v1") + self.path
            said = httpx.post(url, json=body, trust_env=False, timeout=60)
            self._say(said.status_code, {}, said.content)
        elif trouble is None:
            status, said = answer(body, self.server)
            self._say(status, {}, json.dumps(said).encode())
        elif isinstance(trouble, str):
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices": [{"te')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self._say(*trouble)

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...
