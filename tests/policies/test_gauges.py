"""What streams say of themselves while they work."""

from __future__ import annotations

import itertools
import threading

import pytest

from harness.policies.requests import RequestStream
from harness.telemetry.telemetry import Gauged
from harness.types import Draft, Extend, Gauges, Question, Sampling, Tokens

QUESTION = Question("t", "q", "1+1=")


def request(drafts: int) -> Extend:
    return Extend(QUESTION, (Draft(),) * drafts, Sampling(max_tokens=12))


def test_a_stream_of_requests_counts_those_under_way_and_those_that_wait() -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)

    def write(asked: Extend, index: int) -> tuple[Draft, Tokens]:
        begun.release()
        gate.wait()
        return Draft(("2",), "stop", 3), Tokens(1, 4, 4, 3)

    stream = RequestStream(2, lambda asked: None, write)
    assert isinstance(stream, Gauged)
    assert stream.gauges() == Gauges(0, 0, 0)
    stream.submit(1, request(5))
    for _ in range(2):
        begun.acquire()
    assert stream.gauges() == Gauges(running=2, waiting=3, decoded=0)
    gate.set()
    assert len(stream.collect()) == 1
    assert stream.gauges() == Gauges(0, 0, 15)


def test_requests_that_never_begin_wait_no_more_once_a_stream_is_closed() -> None:
    gate, begun = threading.Event(), threading.Event()

    def write(asked: Extend, index: int) -> tuple[Draft, Tokens]:
        begun.set()
        gate.wait()
        return Draft(("2",), "stop", 3), Tokens(1, 4, 4, 3)

    stream = RequestStream(1, lambda asked: None, write)
    stream.submit(1, request(4))
    begun.wait()
    stream.close()
    assert stream.gauges().waiting == 0
    gate.set()


def test_a_stream_of_a_model_counts_rows_and_tokens_between_two_passes() -> None:
    pytest.importorskip("torch")
    from harness.policies.transformers import TransformersPolicy
    from harness.types import Spec

    policy = TransformersPolicy(Spec("p", "transformers", "embedded:policy", {"batch": 3}))
    stream = policy.stream()
    assert isinstance(stream, Gauged)
    assert stream.gauges() == Gauges(0, 0, 0, 0.0)
    stream.submit(1, request(5))
    assert stream.gauges() == Gauges(0, 5, 0, 0.0)
    seen = []
    original = stream._writer.work

    def work() -> list[object]:
        done = original()
        seen.append(stream.gauges())
        return list(done)

    stream._writer.work = work  # type: ignore[assignment,method-assign]
    ((_, reply),) = stream.collect()
    assert (seen[0].running, seen[0].waiting, seen[0].decoded) == (3, 2, 3)
    assert all(a.decoded <= b.decoded for a, b in itertools.pairwise(seen))  # type: ignore[operator]
    assert seen[-1].decoded == reply.tokens.decode
    assert seen[0].cache is not None and 0 < seen[0].cache < 1
    policy.close()
    bare = TransformersPolicy(Spec("p", "transformers", "embedded:policy", {"cache": 0})).stream()
    assert bare.gauges().cache is None
