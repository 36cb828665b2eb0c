"""A stream over an engine that is asked once per draft: many requests under way, one per thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Lock

from harness.types import Draft, Extend, Extended, Gauges, Tokens


class RequestStream:
    """See `harness.policies.policy.Stream`."""

    works_on = True

    def __init__(
        self,
        at_once: int,
        check: Callable[[Extend], None],
        write: Callable[[Extend, int], tuple[Draft, Tokens]],
    ) -> None:
        """Args: most drafts under way; refuses a request; continues one draft of a request."""
        self._at_once, self._check, self._write = at_once, check, write
        self._pool: ThreadPoolExecutor | None = None
        self._open: dict[int, list[Future[tuple[Draft, Tokens]]]] = {}
        self._lock = Lock()
        self._submitted = self._begun = self._ended = self._decoded = 0

    @property
    def at_once(self) -> int | None:
        """Drafts under way at most."""
        return self._at_once

    @property
    def rows(self) -> int:
        """Drafts that were submitted and not collected yet."""
        return sum(map(len, self._open.values()))

    def submit(self, ticket: int, request: Extend) -> None:
        """Hand in a request; see `Stream.submit`."""
        self._check(request)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once)
        places = range(len(request.drafts))
        with self._lock:
            self._submitted += len(places)
        self._open[ticket] = [self._pool.submit(self._one, request, place) for place in places]

    def collect(self) -> list[tuple[int, Extended]]:
        """Wait until something is finished; see `Stream.collect`."""
        try:
            while self._open:
                finished = [t for t, drafts in self._open.items() if all(d.done() for d in drafts)]
                if finished:
                    return [(ticket, self._reply(ticket)) for ticket in finished]
                under_way = [d for drafts in self._open.values() for d in drafts if not d.done()]
                ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()  # a failure ends the call at once
        except BaseException:
            self.close()
            raise
        return []

    def close(self) -> None:
        """Drop everything; see `Stream.close`. Requests under way end by themselves."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool, self._open = None, {}
        with self._lock:  # what had not begun never will
            self._submitted = self._begun

    def gauges(self) -> Gauges:
        """Count requests; see `harness.telemetry.telemetry.Gauged`."""
        with self._lock:
            running, waiting = self._begun - self._ended, self._submitted - self._begun
            return Gauges(running, max(0, waiting), self._decoded)

    def _one(self, request: Extend, place: int) -> tuple[Draft, Tokens]:
        """Continue one draft, and count."""
        with self._lock:
            self._begun += 1
        tokens = Tokens()
        try:
            draft, tokens = self._write(request, place)
            return draft, tokens
        finally:
            with self._lock:
                self._ended += 1
                self._decoded += tokens.decode

    def _reply(self, ticket: int) -> Extended:
        written = [future.result() for future in self._open.pop(ticket)]
        spent = sum((tokens for _, tokens in written), Tokens())
        return Extended(tuple(draft for draft, _ in written), spent)
