"""Asking a server for JSON: limits, patience, and which of its failures pass.

A server that is away, busy (429, 5xx) or whose answer breaks off is asked again, later each time
and as it says (``Retry-After``), until `patience` is over; then it has failed, and the unit of work
is owed. What it refuses (4xx) is the user's to put right.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import tenacity

from harness.errors import DataError, InfrastructureError

logger = logging.getLogger(__name__)

_BUSY = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
_GARBLED = 4
"""Answers in a row that are no JSON after which a server is taken to speak another language."""
_LONGEST = 30.0
"""Seconds between two questions at most, but for what the server itself asks for."""


class Refused(DataError):
    """The server understood and said no."""

    def __init__(self, status: int, said: str, where: str) -> None:
        super().__init__(f"{where}: status {status}: {said}")
        self.status, self.said = status, said


class Server:
    """One base address; may be used from many threads."""

    def __init__(
        self,
        url: str,
        what: str,
        *,
        connections: int = 8,
        timeout: float = 600.0,
        patience: float = 300.0,
        rate: float | None = None,
        key: str | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            url: What every path is put behind.
            what: How errors call the server.
            connections: Most requests at the same time.
            timeout: Seconds that one answer may take.
            patience: Seconds for which failures are waited out.
            rate: Most requests per second; None: no limit.
            key: Name of the environment variable that holds the bearer token, if it is set.
        """
        self.url, self.connections = url.rstrip("/"), connections
        self._what, self._patience = f"{what} {self.url}", patience
        token = os.environ.get(key, "") if key else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=connections)
        # Proxies of the environment are for the world; a server is named by the user.
        self._settings: dict[str, Any] = {
            "timeout": timeout,
            "trust_env": False,
            "headers": headers,
            "limits": limits,
        }
        self._client = httpx.Client(**self._settings)
        self.wait: Callable[[tenacity.RetryCallState], float] = _wait
        """Seconds from a failure to the next question."""
        self._gap = 1 / rate if rate else 0.0
        self._next, self._told = 0.0, -math.inf
        self._lock, self._closed = threading.Lock(), threading.Event()

    def post(self, path: str, body: object, holds: str = "") -> Any:
        """Return the JSON answer to a POST.

        Args:
            path: comes after the base address, or is a whole one.
            body: is sent as JSON.
            holds: a key without which an answer is none: gateways say so of servers that are busy.

        Raises:
            Refused: a status that trying again would not change.
            DataError: again and again an answer that is no JSON, or without that key.
            InfrastructureError: no answer for as long as patience lasts.
        """
        return self._ask("POST", path, body, holds)

    def get(self, path: str) -> Any:
        """Return the JSON answer to a GET; see `post`."""
        return self._ask("GET", path, None)

    def close(self) -> None:
        """Close all connections; whoever waits to ask again gives up. A new question opens them."""
        self._closed.set()
        self._client.close()
        self._client, self._closed = httpx.Client(**self._settings), threading.Event()

    def _ask(self, method: str, path: str, body: object, holds: str = "") -> Any:
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _Later)),
            stop=tenacity.stop_after_delay(self._patience)
            | tenacity.stop_when_event_set(self._closed)
            | _Garbling(),
            wait=self.wait,
            sleep=tenacity.sleep_using_event(self._closed),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return tries(self._once, method, path, body, holds)
        except _Garbled as error:
            raise DataError(f"{self._what}: {error}") from error
        except (httpx.TransportError, _Later) as error:
            why = str(error) or type(error).__name__
            failed = InfrastructureError(f"{self._what} did not answer: {why}")
            failed.away = isinstance(error, httpx.TransportError)
            raise failed from error

    def _once(self, method: str, path: str, body: object, holds: str) -> Any:
        self._keep_rate()
        url = path if path.startswith("http") else self.url + path
        reply = self._client.request(method, url, json=body)
        if reply.status_code in _BUSY:
            raise _Later(f"status {reply.status_code}", _seconds(reply.headers.get("retry-after")))
        if reply.status_code != 200:
            raise Refused(reply.status_code, _message(reply), self._what)
        try:
            said = json.loads(reply.content)
        except (ValueError, RecursionError) as error:
            raise _Garbled(f"answers {reply.text[:80]!r}, which is no JSON") from error
        if holds and not (isinstance(said, dict) and said.get(holds)):
            raise _Garbled(f"answers {reply.text[:80]!r}, which holds no {holds}")
        return said

    def _tell(self, state: tenacity.RetryCallState) -> None:
        """Log that the server is waited for, once in a while, however many requests wait."""
        with self._lock:
            now = time.monotonic()
            if now < self._told + _LONGEST:
                return
            self._told = now
        why = str(_failure(state)) or type(_failure(state)).__name__
        logger.warning("%s: %s; waiting up to %g s for it", self._what, why, self._patience)

    def _keep_rate(self) -> None:
        """Wait until the next request may go."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        self._closed.wait(turn - now)


class _Later(Exception):
    """The server said: later."""

    def __init__(self, said: str, seconds: float | None = None) -> None:
        super().__init__(said)
        self.seconds = seconds


class _Garbled(_Later):
    """What it said is no JSON, or not what was asked for."""


_backing_off = tenacity.wait_random_exponential(multiplier=1, max=_LONGEST)


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


class _Garbling(tenacity.stop.stop_base):
    """Stop asking a server that speaks another language; of one question."""

    def __init__(self) -> None:
        self._running = 0

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        self._running = self._running + 1 if isinstance(_failure(retry_state), _Garbled) else 0
        return self._running >= _GARBLED


def _wait(state: tenacity.RetryCallState) -> float:
    said = getattr(_failure(state), "seconds", None)
    return float(_backing_off(state)) if said is None else said


def _seconds(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None for a date or nothing."""
    return min(float(text), 3600.0) if text and text.strip().isdecimal() else None


def _message(reply: httpx.Response) -> str:
    """Return what a refusal says, in a line."""
    try:
        said = reply.json()
        error = said.get("error", said)
        text = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError, RecursionError):
        text = reply.text
    return " ".join(str(text).split())[:400]
