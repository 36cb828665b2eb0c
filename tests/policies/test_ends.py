"""Where steps end: not within a character."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from harness.policies.ends import Ends
from harness.policies.rows import Rules, Task, Written
from harness.policies.stops import Decoder


def _bytes() -> Ends:
    """A tokenizer of which every token is one byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    core = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<eos>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<eos>")
    return Ends(Decoder(tokenizer), (0,), len(words))


def _task(rules: Rules, limit: int = 99) -> Task:
    return Task((0, 0), (1,), (), "", limit, 0, rules)


def test_a_step_waits_until_its_last_character_is_whole() -> None:
    ends = _bytes()
    tokens = ends.decoder._tokenizer("aé", add_special_tokens=False).input_ids
    assert len(tokens) == 3
    cut = _task(Rules(1.0, 1.0, tokens=2))
    assert ends.end(cut, tokens[:2], ()) is None
    assert ends.end(cut, tokens, ()) == Written("aé", None, 3, None, tuple(tokens))
    doubt = _task(Rules(1.0, 1.0, confidence=0.5))
    assert ends.end(doubt, tokens[:2], (), cut=True) is None
    assert ends.end(doubt, tokens[:1], (), cut=True) == Written(
        "a", None, 1, None, tuple(tokens[:1])
    )
    full = _task(Rules(1.0, 1.0, tokens=2), limit=2)
    assert ends.end(full, tokens[:2], ()) == Written("a\ufffd", "length", 2, None)
    other = _task(Rules(1.0, 1.0, alternatives=3))
    assert ends.end(other, tokens[1:2], ()) == Written("\ufffd", None, 1, None, tuple(tokens[1:2]))


def test_tokens_are_told_where_they_spell_the_text_of_a_draft_that_goes_on() -> None:
    ends = _bytes()
    tokens = ends.decoder._tokenizer("ab\ncd", add_special_tokens=False).input_ids

    def told(rules: Rules, count: int, *more: int) -> tuple[int, ...] | None:
        written = ends.end(_task(rules), [*tokens[:count], *more], ())
        assert written is not None
        return written.ids

    assert told(Rules(1.0, 1.0, delimiters=("\n",)), 3) == tuple(tokens[:3])
    assert told(Rules(1.0, 1.0, delimiters=("b",)), 3) is None  # a token beyond the cut
    assert told(Rules(1.0, 1.0, stop=("\n",)), 3) is None  # ended
    assert told(Rules(1.0, 1.0), 2, 0) is None  # ended
