"""From step scores to one score of a solution, and from that to the weight of a vote. Pure numpy.

Which aggregation is allowed follows from what the numbers mean (`legal`): a product of unbounded
rewards or a geometric mean of signed progress is no quantity at all, so asking for it is a user
error. `aggregate_many` works on all solutions of a pool at once: flat scores and offsets.

=================  ================================================================================
last               the last step's score
min, max, mean     over steps; ``max`` and ``mean`` hide a single fatal step
geometric_mean     exp of the mean log: a product that does not punish length
product            probability that all steps are right if they were independent; punishes length
sum                rewards length
mean_logit         mean of the logits, mapped back by the sigmoid (RewardMATH's, up to that map)
mean_odds          mean of the odds ``p/(1-p)``, mapped back by ``o/(1+o)``
softmin            weighted mean with weights ``exp(-score/T)``, T = 0.1: between min and mean
                   (PURE, arXiv:2504.15275)
=================  ================================================================================

The two maps back change no ranking and keep the result a probability, fit to weigh votes. Before
logits and odds, probabilities are clamped to [1e-6, 1 − 1e-6]: a recorded 1.0 is a rounded number,
not certainty, and one such step must not outweigh all others. Zeros make a product and a geometric
mean exactly 0. A product below 1e-308 is 0 too, and ties with other such products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError, nearest, unknown
from harness.types import SEMANTICS, Semantics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLAMP = 1e-6
SOFTMIN_TEMPERATURE = 0.1

_ORDER = ("last", "min", "max", "mean")
_LEGAL: MappingProxyType[Semantics, tuple[str, ...]] = MappingProxyType(
    {
        "p_correct": (
            *_ORDER,
            "geometric_mean",
            "product",
            "sum",
            "mean_logit",
            "mean_odds",
            "softmin",
        ),
        # A value already speaks of the whole solution so far: multiplying or adding values counts
        # the same chance of success again and again, and a value may be negative.
        "value": (*_ORDER, "softmin"),
        # Progress adds up to what the whole solution gained.
        "advantage": (*_ORDER, "sum", "softmin"),
        "reward": (*_ORDER, "sum", "softmin"),
        # 0 or 1: a geometric mean or a soft minimum would only rename the minimum.
        "verdict": (*_ORDER, "product"),
    }
)
_DECLARED: MappingProxyType[Semantics, str] = MappingProxyType(
    {
        "p_correct": "min",
        "value": "last",
        "advantage": "sum",
        "reward": "min",
        "verdict": "min",
    }
)


def legal(semantics: Semantics) -> tuple[str, ...]:
    """Return the aggregations that scores of this meaning allow."""
    return _LEGAL[semantics]


def declared(semantics: Semantics) -> str:
    """Return the aggregation that a PRM uses when it declares none.

    A solution is as good as its worst step (correctness, rewards), as good as it looks at its end
    (values), or the sum of what its steps gained (advantages).
    """
    return _DECLARED[semantics]


def threshold(semantics: Semantics) -> float | None:
    """Return the score below which a step is called wrong if a PRM declares none.

    Half for what lies between 0 and 1, no progress for progress; a reward has no such point.
    """
    return {"reward": None, "advantage": 0.0}.get(semantics, 0.5)


def check(name: str, semantics: Semantics) -> None:
    """Refuse an aggregation that does not exist or that the scores' meaning forbids.

    Raises:
        ConfigError: with the legal ones.
    """
    if name not in _REDUCERS:
        raise unknown("aggregation", name, _REDUCERS)
    if name not in _LEGAL[semantics]:
        raise ConfigError(
            f"aggregation {name!r} is not defined for scores that mean {semantics!r}; "
            f"legal: {', '.join(_LEGAL[semantics])}"
        )


def check_semantics(name: str) -> Semantics:
    """Return `name` as a semantics.

    Raises:
        ConfigError: it does not exist; the nearest valid one is named.
    """
    for semantics in SEMANTICS:
        if semantics == name:
            return semantics
    raise ConfigError(f"semantics {name!r} does not exist; {nearest(name, SEMANTICS)}")


def aggregate(name: str, values: Sequence[float]) -> float:
    """Return the score of one solution from its step scores; see `aggregate_many`."""
    if name in _ALONE and values:
        return float(_ALONE[name](values))
    return float(aggregate_many(name, np.asarray(values, float), np.array([0, len(values)]))[0])


def aggregate_many(name: str, values: Floats, offsets: Ints) -> Floats:
    """Return one score per solution.

    Args:
        name: One of the table above.
        values: (steps of all solutions,) scores, one solution after the other.
        offsets: (solutions + 1,) where each starts, from 0 to ``len(values)``.

    Returns:
        (solutions,) float64.

    Raises:
        ConfigError: an unknown aggregation.
        ValueError: a solution without steps, offsets that do not fit, or a probability outside
            [0, 1] where the aggregation needs probabilities.
    """
    if name not in _REDUCERS:
        raise unknown("aggregation", name, _REDUCERS)
    lengths = np.diff(offsets)
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(values):
        raise ValueError("offsets must run from 0 to the number of scores")
    if (lengths < 1).any():
        raise ValueError(f"solution {int(np.argmax(lengths < 1))} has no steps to aggregate")
    if name in _PROBABILITIES and len(values) and (values.min() < 0 or values.max() > 1):
        raise ValueError(f"aggregation {name!r} needs probabilities, found scores beyond [0, 1]")
    return _REDUCERS[name](np.asarray(values, float), offsets[:-1], lengths)


def vote_weight(scores: Floats, semantics: Semantics) -> Floats:
    """Return the non-negative weights with which solutions of these scores vote.

    A probability, a verdict or a value is its own weight: two solutions of 0.4 weigh as much as one
    of 0.8, in expectation of being right. A negative value weighs nothing. Rewards and advantages
    have no scale or zero of their own and go through the sigmoid, as their authors do (Qwen2.5-Math
    rm_maj_eval, EurusPRM); it keeps the order and cannot be negative.

    Each weight depends on its own score alone, so that a vote over a part of the pool agrees with
    the vote over the whole. Weights of one vote may all be 0: the caller's tie rule decides.
    """
    scores = np.asarray(scores, float)
    if semantics in ("reward", "advantage"):
        return sigmoid(scores)
    return np.maximum(scores, 0.0)


def sigmoid(x: Floats) -> Floats:
    """Return 1/(1 + exp(-x)) without overflow."""
    e: Floats = np.exp(-np.abs(x))
    found: Floats = np.where(x >= 0, 1.0, e) / (1.0 + e)
    return found


# --- the reducers: values (steps,), starts (solutions,), lengths (solutions,) -> (solutions,) ---


def _sum(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    total: Floats = np.add.reduceat(values, starts) if len(starts) else np.zeros(0)
    return total


def _mean(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    return _sum(values, starts, lengths) / lengths


def _min(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    low: Floats = np.minimum.reduceat(values, starts) if len(starts) else np.zeros(0)
    return low


def _max(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    return -_min(-values, starts, lengths)


def _last(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    last: Floats = values[starts + lengths - 1]
    return last


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):  # log 0 = -inf is meant: exp of it is exactly 0
        return np.log(values)


def _product(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    return np.exp(_sum(_log(values), starts, lengths))


def _geometric_mean(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    return np.exp(_mean(_log(values), starts, lengths))


def _clamped(values: Floats) -> Floats:
    return np.clip(values, CLAMP, 1.0 - CLAMP)


def _mean_logit(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    p = _clamped(values)
    return sigmoid(_mean(np.log(p / (1.0 - p)), starts, lengths))


def _mean_odds(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    p = _clamped(values)
    odds = _mean(p / (1.0 - p), starts, lengths)
    return odds / (1.0 + odds)


def _softmin(values: Floats, starts: Ints, lengths: Ints) -> Floats:
    # Subtracting each solution's minimum first keeps the exponentials in range.
    low = np.repeat(_min(values, starts, lengths), lengths)
    weights = np.exp((low - values) / SOFTMIN_TEMPERATURE)
    return _sum(weights * values, starts, lengths) / _sum(weights, starts, lengths)


_REDUCERS: MappingProxyType[str, Callable[[Floats, Ints, Ints], Floats]] = MappingProxyType(
    {
        "last": _last,
        "min": _min,
        "max": _max,
        "mean": _mean,
        "geometric_mean": _geometric_mean,
        "product": _product,
        "sum": _sum,
        "mean_logit": _mean_logit,
        "mean_odds": _mean_odds,
        "softmin": _softmin,
    }
)
_ALONE: MappingProxyType[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {"last": lambda values: values[-1], "min": min, "max": max}
)
"""The same for one solution without an array: a search asks for it draft by draft."""
_PROBABILITIES = frozenset({"geometric_mean", "product", "mean_logit", "mean_odds"})

AGGREGATIONS: tuple[str, ...] = tuple(_REDUCERS)
