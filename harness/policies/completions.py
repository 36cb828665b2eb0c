"""What an OpenAI-compatible server answers: one completion, read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import DataError
from harness.types import Finish


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server wrote for one draft."""

    text: str
    finish: Finish | None
    stopped: str | None
    """The string at which it stopped, where it says so."""
    tokens: int
    prompt: int
    cached: int
    logprobs: tuple[float, ...] | None


def read(reply: Any, chat: bool, logprobs: bool, where: str) -> Answer:
    """Return what a reply says.

    Args:
        reply: JSON.
        chat: Whether it answers a conversation.
        logprobs: Whether they were asked for.
        where: How errors call the server.

    Raises:
        DataError: an answer without text, reason or usage.
    """
    try:
        (choice,) = reply["choices"]
        usage = reply["usage"]
        text = choice["message"]["content"] or "" if chat else choice["text"]
        finish, stopped = choice["finish_reason"], choice.get("stop_reason")
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        if finish not in ("stop", "length") or not isinstance(text, str):
            raise ValueError(f"finish_reason {finish!r}")
        return Answer(
            text,
            finish,
            stopped if isinstance(stopped, str) else "" if "stop_reason" in choice else None,
            int(usage["completion_tokens"]),
            int(usage["prompt_tokens"]),
            int(cached),
            _logprobs(choice, chat) if logprobs else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{where}: an answer that is no completion "
            f"({type(error).__name__}: {error}): {str(reply)[:120]}"
        ) from error


def _logprobs(choice: dict[str, Any], chat: bool) -> tuple[float, ...]:
    """Return the log-probability of each token written."""
    found = choice["logprobs"]
    given = [token["logprob"] for token in found["content"]] if chat else found["token_logprobs"]
    return tuple(map(float, given))
