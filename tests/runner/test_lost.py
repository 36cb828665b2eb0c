"""What a user is told of why a worker is lost, from what Ray says of it."""

from __future__ import annotations

import pytest

from harness.errors import InfrastructureError
from harness.runner.spread.dispatch import TRIES, Gone
from harness.runner.spread.ray import RayCrew, _reason
from harness.telemetry.telemetry import Telemetry

ACTOR = "The actor died unexpectedly before finishing this task.\n\tclass_name: Worker\n\tpid: 7\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            f"{ACTOR}The actor is dead because its worker process has died. Worker exit type: "
            "SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a connection error.",
            "its process has died",
        ),
        (
            f"{ACTOR}The actor died because its node has died. Node Id: 68\n\tthe actor's node was "
            "preempted: Node received SIGTERM; draining before shutdown.",
            "its node has died",
        ),
        (
            f"{ACTOR}The actor is dead because its worker process has died. Worker exit type: "
            "NODE_OUT_OF_MEMORY Worker exit detail: Task was killed.",
            "its node is out of memory",
        ),
        (
            "The actor died because of an error raised in its creation task, ray::Worker.__init__()"
            " (pid=7)\n  File worker.py, line 1\nModuleNotFoundError: No module named 'harness'",
            "ModuleNotFoundError: No module named 'harness'",
        ),
        ("The actor is unavailable. Try again.", "The actor is unavailable"),
    ],
)
def test_a_paragraph_is_a_few_words(said: str, reason: str) -> None:
    assert _reason(RuntimeError(said)) == reason


class Lent:
    """A worker's actor, without Ray."""

    def __init__(self, there: bool) -> None:
        self.there = there

    def end(self) -> None:
        """Nothing is to be ended."""


def test_who_is_lost_with_the_last_node_is_waited_for() -> None:
    crew = RayCrew.__new__(RayCrew)
    crew._telemetry, crew._failed, crew._looked = Telemetry(), 0, 0.0
    crew._target = 0  # the node was missed before its worker was
    crew._actors = {number: Lent(number == 0) for number in range(1 + TRIES)}  # type: ignore[misc]
    for number in range(TRIES):
        assert [type(event) for event in crew._lose(number, "gone")] == [Gone]
    with pytest.raises(InfrastructureError, match="no worker starts; the last one: gone"):
        crew._lose(TRIES, "gone")
