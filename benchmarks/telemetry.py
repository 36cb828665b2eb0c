"""What telemetry costs per call: counting alone, and with a trace.

A request of a search through the driver takes some 100 µs without any model (`benchmarks.driver`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.telemetry.meter import Rates
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Trace
from harness.types import Tokens

CALLS, TARGET = 20_000, 20.0
"""Calls of each kind; microseconds of the processor that a request may cost, counting alone."""


def microseconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call, the best of three means."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(CALLS):
            call()
        best = min(best, (time.process_time() - start) / CALLS * 1e6)
    return best


def request(telemetry: Telemetry, tokens: Tokens) -> None:
    """All that the driver says of one request of a search and its judgement."""
    since = telemetry.submitted(4)
    telemetry.check()
    with telemetry.span("policy", "p", "write"):
        pass
    telemetry.wrote("p", "q", 4, since, tokens)
    telemetry.spent(1e9)
    with telemetry.span("PRM", "m", "judge"):
        pass
    telemetry.judged(tokens)
    telemetry.spent(1e9)


def main() -> None:
    tokens = Tokens(4, 400, 100, 80)
    with tempfile.TemporaryDirectory() as folder:
        for name, trace in (("counting", None), ("with a trace", Trace(Path(folder) / "t.json"))):
            with Telemetry(trace=trace) as telemetry:
                telemetry.start("search", 1, 0, "searches")

                def span(telemetry: Telemetry = telemetry) -> None:
                    with telemetry.span("policy", "p", "write"):
                        pass

                def whole(telemetry: Telemetry = telemetry) -> None:
                    request(telemetry, tokens)

                print(f"{name:<14} a span            {microseconds(span):6.2f} µs")
                print(f"{name:<14} a search request  {microseconds(whole):6.2f} µs")
                rates = Rates()
                reading = microseconds(lambda t=telemetry, r=rates: t.read(r))  # type: ignore[misc]
                print(
                    f"{name:<14} a reading         {reading:6.2f} µs (once or a few times a second)"
                )
    print(f"target: a search request, counting, below {TARGET:g} µs")


if __name__ == "__main__":
    main()
