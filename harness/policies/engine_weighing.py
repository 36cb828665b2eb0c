"""How probable given words would be after a text, asked of vLLM.

A word's first token is asked for after the text, its second after the text and the first, and so
on: one request per text, for all tokens that are asked for after it. What texts have in common is
read once, in whole blocks of the engine's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.adapters.prefixes import Ids
from harness.adapters.vllm import Engine
from harness.policies.weighing import Asked, logical
from harness.types import Tokens, Weighed

_MOST = 64
"""Tokens that one request may ask for; vLLM's own limit is not much higher."""


def weigh(
    engine: Engine, requests: Sequence[Asked], max_length: int, adapter: Any
) -> list[Weighed]:
    """Weigh words; see `harness.policies.policy.Weighing.weigh`.

    Args:
        engine: Runs.
        requests: What is asked.
        max_length: Tokens of prompt, text and word.
        adapter: vLLM's request for an adapter, or None.
    """
    from vllm import SamplingParams

    fit = [len(one.body) + max(map(len, one.words)) <= max_length for one in requests]
    wanted: dict[Ids, list[int]] = {}
    owner: dict[Ids, int] = {}
    for i, one in enumerate(requests):
        for word in one.words if fit[i] else ():
            for place, token in enumerate(word):
                context = one.body + word[:place]
                wanted.setdefault(context, []).append(token)
                owner.setdefault(context, i)
    asked = [
        (context, some)
        for context, tokens in wanted.items()
        for some in _some(list(dict.fromkeys(tokens)))
    ]
    params = [
        SamplingParams(
            temperature=0,
            max_tokens=1,
            ignore_eos=True,
            detokenize=False,
            logprob_token_ids=some,
            flat_logprobs=True,
        )
        for _, some in asked
    ]
    outputs = engine.run([context for context, _ in asked], params, adapter)
    known: dict[tuple[Ids, int], float] = {}
    spent = [0] * len(requests)
    for (context, _), output in zip(asked, outputs, strict=True):
        found = output.outputs[0].logprobs
        for token, chance in zip(found.token_ids, found.logprobs, strict=True):
            known[context, token] = chance
        spent[owner[context]] += len(context) - (output.num_cached_tokens or 0)
    return [
        Weighed(
            tuple(_chance(known, one.body, word) for word in one.words) if fit[i] else None,
            Tokens(1, logical(one) if fit[i] else 0, spent[i], 0),
        )
        for i, one in enumerate(requests)
    ]


def _some(tokens: list[int]) -> list[list[int]]:
    return [tokens[i : i + _MOST] for i in range(0, len(tokens), _MOST)]


def _chance(known: dict[tuple[Ids, int], float], body: Ids, word: Ids) -> float:
    return sum(known[body + word[:place], token] for place, token in enumerate(word))
