"""The tokenizer of the tiny models: bytes, and whole words where a text is never cut.

Every byte is a token of its own, so numbers are read digit by digit and any text survives the round
trip; there are no merges. The frequent words of the two tasks are single tokens. No token reaches
over a line end, so the tokens of a text are the tokens of its lines one after the other.

Technically a byte-level BPE without merges, the words being added tokens: the one form that
`AutoTokenizer` loads unchanged for a Qwen2 model (transformers 5 rebuilds Qwen2 tokenizers from
their vocabulary, merges and added tokens alone).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS = "<pad>", "<eos>"

WORDS = (
    "\\boxed{",
    *("f(x): ", "add ", "sub ", "mul ", " then mul ", "if x", "unless x", "at least ", "at most "),
    *(" else ", "for ", " to ", "; ", "keep y", "set y "),
    *("def f(x):", "    ", "x = x + ", "x = x - ", "x = x * ", "x = (x + ", "x = (x - ", ") * "),
    *(" * ", "y = ", "if x ", ">= ", "<= ", "> ", "< ", "else:", "for i in range(", ", ", "):"),
    "return x",
)
"""Tokens of more than one character, told apart by the longest match from the left."""


def vocabulary() -> dict[str, int]:
    """Token -> number, without the words (these come after)."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return {token: number for number, token in enumerate((PAD, EOS, *alphabet))}


def build() -> "PreTrainedTokenizerFast":
    """The tokenizer; `save_pretrained` writes what `AutoTokenizer.from_pretrained` reads."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(vocabulary(), merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([PAD, EOS])
    core.add_tokens([AddedToken(word, normalized=False) for word in WORDS])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
        padding_side="left",
    )
