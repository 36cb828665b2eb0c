"""Choosing tokens: the distribution, the nucleus, the edges of the unit interval."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness.policies import sampling  # noqa: E402
from harness.policies.sampling import choose, logprobs  # noqa: E402


def grid(n: int) -> torch.Tensor:
    return torch.arange(n, dtype=torch.float64) / n


def test_inverse_of_the_distribution_hits_every_token_its_share() -> None:
    p = torch.tensor([0.1, 0.0, 0.5, 0.4], dtype=torch.float64)
    chosen = choose(p.log().float().repeat(1000, 1), 1.0, 1.0, grid(1000))
    assert np.bincount(chosen.numpy(), minlength=4) == pytest.approx([100, 0, 500, 400], abs=1)


def test_temperature_sharpens() -> None:
    logits = torch.tensor([[1.0, 0.0]]).repeat(1000, 1)
    for temperature in (0.5, 2.0):
        share = (choose(logits, temperature, 1.0, grid(1000)) == 0).double().mean()
        assert share == pytest.approx(1 / (1 + np.exp(-1 / temperature)), abs=2e-3)


def test_zero_temperature_takes_the_first_of_the_best() -> None:
    logits = torch.tensor([[0.0, 3.0, 3.0], [5.0, 3.0, 3.0]])
    assert choose(logits, 0.0, 0.1, grid(2)).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("top_p", "inside"),
    [(0.3, [3]), (0.4, [3]), (0.5, [3, 1]), (0.7, [3, 1]), (0.71, [3, 1, 0]), (0.95, [3, 1, 0, 2])],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(
    top_p: float, inside: list[int]
) -> None:
    p = torch.tensor([0.2, 0.3, 0.1, 0.4], dtype=torch.float64)
    chosen = choose(p.log().repeat(2000, 1), 1.0, top_p - 1e-6, grid(2000))
    counts = np.bincount(chosen.numpy(), minlength=4) / 2000
    kept = np.where(np.isin(range(4), inside), p.numpy(), 0)
    assert counts == pytest.approx(kept / kept.sum(), abs=2e-3)


def test_a_draw_next_to_one_never_picks_an_impossible_token() -> None:
    logits = torch.full((1, 5), -torch.inf)
    logits[0, 1] = 0.0
    almost = torch.tensor([np.nextafter(1.0, 0.0)], dtype=torch.float64)
    for top_p in (1.0, 0.9):
        assert choose(logits, 1.0, top_p, almost).item() == 1
        assert choose(logits, 1.0, top_p, almost * 0).item() == 1


def test_parts_of_a_large_vocabulary_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(7, 11, generator=torch.Generator().manual_seed(0))
    whole = choose(logits, 1.0, 0.9, grid(7))
    monkeypatch.setattr(sampling, "_CELLS", 22)
    assert choose(logits, 1.0, 0.9, grid(7)).tolist() == whole.tolist()


def test_logprobs_are_before_temperature() -> None:
    logits = torch.tensor([[2.0, 0.0]])
    expected = -np.log1p(np.exp(-2.0))
    assert logprobs(logits, torch.tensor([0])).item() == pytest.approx(expected, abs=1e-6)
