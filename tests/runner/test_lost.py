"""What a user is told of why a worker is lost, from what Ray says of it."""

from __future__ import annotations

import pytest

from harness.runner.spread.ray import _reason

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
