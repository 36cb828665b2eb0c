"""Ends of drafts: which string ends first, and tokens that may complete one."""

from __future__ import annotations

import pytest

from harness.policies.stops import Decoder, Ending, ending

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("text", "stops", "delimiters", "expected"),
    [
        ("abc", ("x",), ("y",), None),
        ("ab\ncd", (), ("\n",), Ending("ab\n", None)),
        ("ab\ncd", ("c",), ("\n",), Ending("ab\n", None)),
        ("ab\ncd", ("b",), ("\n",), Ending("a", "stop")),
        ("abc", ("bc", "c"), (), Ending("a", "stop")),
        ("abc", ("abc", "b"), (), Ending("a", "stop")),
        ("ab\n", ("b\n",), ("\n",), Ending("a", "stop")),
        ("a. b\n", (), ("\n", ". "), Ending("a. ", None)),
        ("a\n\nb", (), ("\n\n", "\n"), Ending("a\n", None)),
    ],
)
def test_the_string_that_is_complete_first_ends_the_draft(
    text: str, stops: tuple[str, ...], delimiters: tuple[str, ...], expected: Ending | None
) -> None:
    assert ending(text, stops, delimiters) == expected


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("a#", "#b", Ending("", "stop")),
        ("a##", "b", None),
        ("a#", "b##c", Ending("b", "stop")),
        ("", "#", None),
        ("a\n", "\nb", None),
    ],
)
def test_a_stop_string_may_begin_in_an_earlier_step_and_a_delimiter_may_not(
    before: str, text: str, expected: Ending | None
) -> None:
    assert ending(text, ("##",), ("\n\n",), before) == expected


def _metaspace() -> object:
    """A tokenizer that drops the first token's space when it decodes, as SentencePiece does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "▁a", "▁b", "▁so", "!", "\n", "▁"]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>")


def test_a_continuation_keeps_its_leading_space() -> None:
    decoder = Decoder(_metaspace())
    assert decoder.text([3, 4]) == " so!"
    assert decoder.texts([[2], []]) == [" b", ""]


def test_tokens_that_may_complete_a_string() -> None:
    decoder = Decoder(_metaspace())
    assert decoder.enders(("so!", "xb"), 9).tolist() == [i in (2, 4) for i in range(9)]
    assert decoder.enders(("a b ",), 7).tolist() == [i in (1, 2, 3, 6) for i in range(7)]
