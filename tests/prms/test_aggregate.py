"""Aggregations: against plain arithmetic, at the edges, and what is legal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.prms.aggregate import (
    AGGREGATIONS,
    CLAMP,
    aggregate,
    aggregate_many,
    check,
    check_semantics,
    declared,
    legal,
    vote_weight,
)
from harness.types import SEMANTICS

P = st.lists(st.floats(1e-5, 1 - 1e-5), min_size=1, max_size=12)


def plain(name: str, p: list[float]) -> float:
    n = len(p)
    logit = sum(math.log(x / (1 - x)) for x in p) / n
    odds = sum(x / (1 - x) for x in p) / n
    soft = [math.exp(-x / 0.1) for x in p]
    return {
        "last": p[-1],
        "min": min(p),
        "max": max(p),
        "mean": sum(p) / n,
        "geometric_mean": math.prod(p) ** (1 / n),
        "product": math.prod(p),
        "sum": sum(p),
        "mean_logit": 1 / (1 + math.exp(-logit)),
        "mean_odds": odds / (1 + odds),
        "softmin": sum(w * x for w, x in zip(soft, p, strict=True)) / sum(soft),
    }[name]


@pytest.mark.parametrize("name", AGGREGATIONS)
@given(pool=st.lists(P, min_size=1, max_size=6))
def test_many_equal_one_by_one_equal_plain_arithmetic(name: str, pool: list[list[float]]) -> None:
    offsets = np.cumsum([0, *map(len, pool)])
    many = aggregate_many(name, np.concatenate(pool), offsets)
    assert many == pytest.approx([plain(name, p) for p in pool], rel=1e-9)
    assert many.tolist() == [aggregate(name, p) for p in pool]


@given(p=P)
def test_a_soft_minimum_lies_between_minimum_and_mean(p: list[float]) -> None:
    assert min(p) - 1e-12 <= aggregate("softmin", p) <= sum(p) / len(p) + 1e-12


def test_zeros_and_ones() -> None:
    assert aggregate("product", [1.0, 0.0]) == 0.0
    assert aggregate("geometric_mean", [1.0, 0.0]) == 0.0
    assert aggregate("product", [1.0, 1.0]) == 1.0
    assert aggregate("mean_logit", [0.0]) == pytest.approx(CLAMP)
    assert aggregate("mean_odds", [1.0]) == pytest.approx(1 - CLAMP)


def test_a_long_product_keeps_its_order() -> None:
    assert 0 < aggregate("product", [0.5] * 1000) < aggregate("product", [0.5] * 999)


def test_unbounded_rewards_do_not_overflow_the_soft_minimum() -> None:
    assert aggregate("softmin", [-1e4, 1e4]) == pytest.approx(-1e4)


def test_nothing_to_aggregate_is_an_error() -> None:
    with pytest.raises(ValueError, match="solution 1 has no steps"):
        aggregate_many("min", np.array([0.5]), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match="offsets"):
        aggregate_many("min", np.array([0.5]), np.array([0, 2]))
    assert aggregate_many("softmin", np.array([]), np.array([0])).tolist() == []


@pytest.mark.parametrize("name", ["product", "geometric_mean", "mean_logit", "mean_odds"])
def test_what_needs_probabilities_refuses_others(name: str) -> None:
    for bad in (-0.1, 1.1):
        with pytest.raises(ValueError, match="needs probabilities"):
            aggregate(name, [0.5, bad])


def test_what_the_meaning_forbids_lists_what_is_legal() -> None:
    with pytest.raises(ConfigError, match=r"'product' .* 'reward'; legal: last, min, max, mean"):
        check("product", "reward")
    with pytest.raises(ConfigError, match="did you mean 'product'"):
        check("prodct", "p_correct")
    with pytest.raises(ConfigError, match="did you mean 'p_correct'"):
        check_semantics("pcorrect")


def test_legal_table() -> None:
    for semantics in SEMANTICS:
        check(declared(semantics), semantics)
        assert {"last", "min", "max", "mean"} <= set(legal(semantics)) <= set(AGGREGATIONS)
    assert "product" not in legal("value")
    assert set(AGGREGATIONS) == set(legal("p_correct"))


def test_votes_weigh_non_negative_and_in_order() -> None:
    x = np.linspace(-50, 50, 101)
    for semantics in ("reward", "advantage"):
        w = vote_weight(x, semantics)
        assert (w >= 0).all()
        assert (np.diff(w) >= 0).all()
        assert w[50] == 0.5
    p = np.array([0.0, 0.25, 1.0])
    assert vote_weight(p, "p_correct").tolist() == p.tolist()
    assert vote_weight(np.array([-0.5, 0.5]), "value").tolist() == [0.0, 0.5]
