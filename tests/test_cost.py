"""FLOPs from a model's shape: against sums, and against what torch counts."""

from __future__ import annotations

import pytest

from harness.adapters.shape import architecture, of_model
from harness.cost import Architecture

SHAPE = Architecture(matrices=1000, active=600, head=50, layers=3, attention_width=8)


def test_closed_forms_equal_the_sum_over_positions() -> None:
    def token(i: int) -> int:
        return 2 * 600 + 4 * 3 * 8 * i

    assert SHAPE.prefill(17, outputs=0) == sum(token(i) for i in range(1, 18))
    assert SHAPE.prefill(5, cached=12, outputs=2) == sum(map(token, range(13, 18))) + 2 * 2 * 50
    assert SHAPE.decode(12, 5) == sum(token(i) + 2 * 50 for i in range(13, 18))
    assert SHAPE.prefill(0, outputs=0) == 0


def test_reading_in_parts_costs_the_same() -> None:
    parts = SHAPE.prefill(10, outputs=0) + SHAPE.prefill(7, cached=10)
    assert parts == SHAPE.prefill(17)


@pytest.mark.parametrize("head", ["lm", "value"])
def test_torch_counts_the_same_within_two_percent(head: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.Qwen2Config(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        num_labels=1,
        attn_implementation="eager",
    )
    kind = {
        "lm": transformers.AutoModelForCausalLM,
        "value": transformers.AutoModelForTokenClassification,
    }[head]
    model = kind.from_config(config).eval()
    shape = architecture(config, head)
    assert shape == of_model(model)
    assert shape is not None
    ids, cache, counted = torch.ones(1, 40, dtype=torch.long), transformers.DynamicCache(), 0
    with torch.inference_mode():
        for i in range(40):  # token by token, because a masked square is counted in full
            with FlopCounterMode(display=False) as counter:
                if head == "lm":
                    model(ids[:, i : i + 1], past_key_values=cache, use_cache=True)
                else:
                    body = model.model(ids[:, i : i + 1], past_key_values=cache, use_cache=True)
                    model.score(body.last_hidden_state)
            counted += counter.get_total_flops()
    assert shape.prefill(40, outputs=40) == pytest.approx(counted, rel=0.02)


def test_only_the_active_experts_count() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.MixtralConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_local_experts=8,
        num_experts_per_tok=2,
    )
    shape = architecture(config)
    assert shape is not None
    experts = 2 * 8 * 3 * 32 * 48
    dense = 2 * (4 * 32 * 32 + 8 * 32)
    assert (shape.matrices, shape.active) == (dense + experts, dense + experts // 4)
    assert shape.head == 50 * 32


def test_what_is_no_transformer_has_no_shape() -> None:
    transformers = pytest.importorskip("transformers")
    assert architecture(transformers.MambaConfig(hidden_size=8, num_hidden_layers=1)) is None
