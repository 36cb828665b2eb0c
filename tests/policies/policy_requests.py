"""Requests as tests write them."""

from __future__ import annotations

from typing import Any

from harness.types import Draft, Extend, Question, Sampling


def ask(prompt: str = "a=47+38;a?\n", n: int = 1, *, id: str = "p", **sampling: Any) -> Extend:
    """A request for n new drafts."""
    return Extend(Question("t", id, prompt), (Draft(),) * n, Sampling(**sampling))
