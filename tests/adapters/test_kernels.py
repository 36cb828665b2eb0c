"""Attention on a GPU: the kernels that are left out are those that are slow or wrong there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from harness.adapters.kernels import attention_kernels  # noqa: E402


def model(device: str, heads: int) -> SimpleNamespace:
    text = SimpleNamespace(num_key_value_heads=heads)
    config = SimpleNamespace(get_text_config=lambda: text)
    return SimpleNamespace(device=torch.device(device), config=config)


def test_nothing_is_chosen_on_a_cpu() -> None:
    before = torch.backends.cuda.mem_efficient_sdp_enabled()
    with attention_kernels(model("cpu", 1)):
        assert torch.backends.cuda.mem_efficient_sdp_enabled() == before


def test_what_is_left_out_is_left_out_for_the_call_only() -> None:
    cuda = torch.backends.cuda
    before = cuda.cudnn_sdp_enabled(), cuda.mem_efficient_sdp_enabled()
    with attention_kernels(model("cuda", 2)):
        assert (cuda.cudnn_sdp_enabled(), cuda.mem_efficient_sdp_enabled()) == (False, True)
    with attention_kernels(model("cuda", 1)):
        assert (cuda.cudnn_sdp_enabled(), cuda.mem_efficient_sdp_enabled()) == (False, False)
    assert (cuda.cudnn_sdp_enabled(), cuda.mem_efficient_sdp_enabled()) == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_one_key_head_seen_by_many_queries_through_a_mask() -> None:
    torch.manual_seed(0)
    query = torch.randn(1, 4, 101, 16, device="cuda")
    key = torch.randn(1, 1, 101, 16, device="cuda").expand(1, 4, 101, 16)
    mask = torch.zeros(101, 101, device="cuda").masked_fill_(
        torch.rand(101, 101, device="cuda").triu(1) > 0, torch.finfo(torch.float32).min
    )
    with attention_kernels(model("cuda", 1)):
        found = scaled_dot_product_attention(query, key, key, attn_mask=mask[None, None])
    weights = (query.double() @ key.double().mT / 4 + mask.double()).softmax(-1)
    assert (found.double() - weights @ key.double()).abs().max() < 1e-5
