"""A PRM behind HTTP, in the two-field protocol that `harness.prms.http` speaks.

``POST`` of ``{"prompt": …, "solutions": [[step, …], …]}`` is answered by ``{"scores": [[number per
step], …]}``, null for a solution without a score; ``GET`` says what is served. Requests that wait
while the model works are scored together in its next pass. Mistakes are 400 and 422 with
``{"error": …}``, an engine that failed is 503, which a client tries again.
"""

from __future__ import annotations

import json
import queue
import threading
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.digest import digest
from harness.errors import ConfigError, InfrastructureError, UserError
from harness.prms.prm import Prm, check_alone
from harness.types import Draft, Json, Judge, Judged, Question

LARGEST = 64 * 2**20
"""Bytes of the largest question."""
_IDLE = 60.0
"""Seconds after which a silent connection is closed."""


class Batcher:
    """Scores what waits in one call after the other; asked from many threads."""

    def __init__(self, prm: Prm) -> None:
        self._prm = prm
        self._waiting: queue.SimpleQueue[tuple[Judge, Future[Judged]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def judge(self, request: Judge) -> Judged:
        """Score one request, together with others; see `Prm.judge`."""
        reply: Future[Judged] = Future()
        self._waiting.put((request, reply))
        return reply.result()

    def close(self) -> None:
        """End after what waits."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, rows = [first], len(first[0].drafts)
            while rows < self._prm.unit_rows:
                try:
                    more = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._waiting.put(None)
                    break
                batch.append(more)
                rows += len(more[0].drafts)
            self._judge(batch)

    def _judge(self, batch: list[tuple[Judge, Future[Judged]]]) -> None:
        """Score together; where that fails, one by one, so that each gets its own failure."""
        try:
            replies = self._prm.judge([request for request, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    self._judge([one])
            else:
                batch[0][1].set_exception(error)
            return
        for (_, reply), judged in zip(batch, replies, strict=True):
            reply.set_result(judged)


class PrmServer(ThreadingHTTPServer):
    """Serves one PRM until `shutdown`.

    Raises:
        ConfigError: a PRM that cannot score any solution, a port that is taken.
    """

    daemon_threads = True

    def __init__(self, prm: Prm, host: str, port: int) -> None:
        check_alone(prm, "serve-prm")
        if not prm.live or prm.covers != "steps":
            raise ConfigError(f"{prm.spec.name} does not score every step of any solution")
        self.batcher = Batcher(prm)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot serve at {host}:{port}: {error}; try --port 0") from error
        self.about: dict[str, Json] = {
            "prm": prm.spec.name,
            "semantics": prm.semantics,
            "aggregation": prm.aggregation,
            "threshold": prm.threshold,
            "identity": digest(prm.identity()),
        }

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://{self.server_address[0]!s}:{self.server_port}/"

    def server_close(self) -> None:
        """Close the socket, end after what waits."""
        super().server_close()
        self.batcher.close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: PrmServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE

    def do_GET(self) -> None:
        """Say what is served."""
        self._say(200, self.server.about)

    def do_POST(self) -> None:
        """Score."""
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._refuse(411, "Content-Length is missing")
        if not 0 <= size <= LARGEST:
            return self._refuse(413, f"a question may have {LARGEST} bytes")
        try:
            request = read(self.rfile.read(size))
            judged = self.server.batcher.judge(request)
        except ValueError as error:
            return self._say(400, {"error": str(error)})
        except UserError as error:
            return self._say(422, {"error": str(error)})
        except InfrastructureError as error:
            return self._say(503, {"error": str(error)})
        scores: list[Json] = [None if s is None else list(s.values) for s in judged.scores]
        self._say(200, {"scores": scores})

    def _refuse(self, status: int, why: str) -> None:
        """Answer without having read the question, which ends the connection."""
        self.close_connection = True
        self._say(status, {"error": why})

    def _say(self, status: int, answer: Json) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing for each request."""


def read(body: bytes) -> Judge:
    """Return what a question asks.

    Raises:
        ValueError: says what is not as the protocol has it.
    """
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the question is no JSON: {error}") from error
    if not isinstance(given, dict) or set(given) != {"prompt", "solutions"}:
        raise ValueError('write {"prompt": …, "solutions": [[step, …], …]}')
    prompt, solutions = given["prompt"], given["solutions"]
    if not isinstance(prompt, str):
        raise ValueError("'prompt' must be a text")
    if not isinstance(solutions, list) or not solutions:
        raise ValueError("'solutions' must be a list of solutions")
    for i, steps in enumerate(solutions):
        if not isinstance(steps, list) or not all(isinstance(s, str) and s for s in steps):
            raise ValueError(f"solution {i} must be a list of texts, none of them empty")
    question = Question("served", digest(prompt), prompt)
    return Judge(question, tuple(Draft(tuple(steps), "stop") for steps in solutions))
