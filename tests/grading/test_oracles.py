"""EvalPlus' comparison rules, by hand-made cases and against evalplus' own code."""

from __future__ import annotations

import builtins
import enum
import math
import pickle
import random
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from harness.grading.oracles import FLOAT_TOLERANCE, NOT_NONE_TASKS, SET_TASKS, Rule, is_floats
from harness.grading.plain import Value, value_of
from harness.sandbox.inside.encoding import encode
from harness.sandbox.job import Returned

Pair = namedtuple("Pair", "a b")


class Colour(enum.IntEnum):
    RED = 1


class Odd(list):  # type: ignore[type-arg]
    def __eq__(self, other: object) -> bool:
        return True


class Same:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def through(value: Any) -> Value:
    """The value as it comes out of a sandbox."""
    data = encode(value)
    return value_of(Returned("tagged" if data[:1] == b"#" else "value", data, len(data)))


EXACT = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict)


def judged(rule: Rule, out: Any, expected: Any, arguments: Any, tolerance: float) -> bool:
    """What a grader says of a value, after the sandbox did what it does for set tasks."""
    if rule.sets and type(out) not in EXACT and hasattr(type(out), "__iter__"):
        try:
            out = set(out)
        except TypeError:
            return False
    return rule.right(through(out), Value.of(expected), arguments, tolerance)


PLAIN = Rule("f", mbpp=True)


def right(out: Any, expected: Any, rule: Rule = PLAIN, arguments: tuple[Any, ...] = ()) -> bool:
    tolerance = rule.tolerance or (FLOAT_TOLERANCE if is_floats(expected) else 0.0)
    return judged(rule, out, expected, arguments, tolerance)


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        (1, 1),
        (1.0, 1),
        (True, 1),
        ([1, (2, "a")], [1, (2, "a")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({3, 1, 2}, {1, 2, 3}),
        (0.1 + 0.2, 0.3),
        ([1.0000001, 2.0], [1.0, 2.0]),
        (math.inf, math.inf),
        (None, None),
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.array([7]), 7),
        ([np.float64(1.0)], [1.0]),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 2), 0.5),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(int, {1: 2}), {1: 2}),
        (Pair(1, 2), (1, 2)),
        (Colour.RED, 1),
        (2**60 * 10**4000, 2**60 * 10**4000),
        (1 + 0j, 1),
    ],
)
def test_equal(out: Any, expected: Any) -> None:
    assert right(out, expected)


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        (1, 2),
        ("1", 1),
        ((1, 2), [1, 2]),
        ([1], (1,)),
        (1.1, 1.0),
        (math.nan, math.nan),
        ([math.nan], [math.nan]),
        (-math.inf, math.inf),
        (None, 0),
        (np.float64(1.00000001), 1.0),  # near, but of another type
        (np.array([1, 2]), [1, 2]),
        (deque([1, 2]), [1, 2]),
        (Same(), 1),
        ([Same()], [1]),
        (Odd([1]), [1]),
        ((i for i in [1]), [1]),
        (lambda: 1, 1),
        (2**60 * 10**4000 + 1, 2**60 * 10**4000),
        ([1.0], [1.0, 1.0]),
        ([1.0000001], (1.0,)),
        (1, 1.0000001),
    ],
)
def test_different(out: Any, expected: Any) -> None:
    assert not right(out, expected)


def test_special_tasks() -> None:
    anything = Rule("are_equivalent", mbpp=True)
    assert right(Same(), True, anything)
    assert not right(Same(), True, Rule("are_equivalent", mbpp=False))
    assert right(0, 12, Rule("sum_div", mbpp=True))
    assert not right(1, 12, Rule("sum_div", mbpp=True))
    assert right(35, 99, Rule("surface_Area", mbpp=True), (3, 4))
    assert not right(34, 99, Rule("surface_Area", mbpp=True), (3, 4))
    assert right(1, 99, Rule("digit_distance_nums", mbpp=True), (1, 2))
    assert right(7, 99, Rule("digit_distance_nums", mbpp=True), (23, 156))
    assert not right(6, 99, Rule("digit_distance_nums", mbpp=True), (23, 156))


@pytest.mark.parametrize("entry", sorted(SET_TASKS))
def test_set_tasks(entry: str) -> None:
    rule = Rule(entry, mbpp=True)
    assert right([3, 3, 1.0], (1, 3), rule)
    assert right({1, 3}, (3, 1), rule)
    assert right("ab", ["b", "a", "a"], rule)
    assert right(np.array([3, 1]), (1, 3), rule)
    assert not right([[1], [3]], (1, 3), rule)
    assert not right([1], (1, 3), rule)
    assert not right(3, (1, 3), rule)
    assert not right([Same()], (1,), rule)


@pytest.mark.parametrize("entry", sorted(NOT_NONE_TASKS))
def test_not_none_tasks(entry: str) -> None:
    rule = Rule(entry, mbpp=True)
    assert right("anything", True, rule)
    assert right(0, True, rule)
    assert right(None, False, rule)
    assert right(False, False, rule)
    assert not right(False, True, rule)
    assert not right(None, True, rule)
    assert not right(0, False, rule)


def test_a_root_is_checked_on_our_own_polynomial() -> None:
    rule = Rule("find_zero", mbpp=False, tolerance=1e-4)
    assert right(-0.5, 99.0, rule, ([1, 2],))
    assert not right(0.0, 99.0, rule, ([1, 2],))
    assert not right(10**400, 0.0, rule, ([1, 2],))
    assert not right(1j, 0.0, rule, ([1, 0, 1],))
    assert not right(Same(), 0.0, rule, ([1, 2],))


def test_the_reference_s_own_root_is_right_where_the_polynomial_is_steep() -> None:
    rule = Rule("find_zero", mbpp=False, tolerance=1e-4)
    steep = ([-1e9, 1e9],)
    near = 1 + 1e-10
    assert right(near, near, rule, steep)
    assert not right(near, 1.0, rule, steep)


def test_items_made_to_collide_cost_nothing() -> None:
    modulus = 2**61 - 1
    hostile = [i * modulus for i in range(1, 40_001)]
    assert not right(hostile, (1, 2), Rule("similar_elements", mbpp=True))


# --- against evalplus itself ---------------------------------------------------------------------


def _noise(rng: random.Random, value: Any) -> Any:
    """A value that is nearly, or in another type, or not at all the same."""
    what = rng.random()
    if what < 0.25:
        return value
    if isinstance(value, bool):
        return rng.choice([int(value), not value, np.bool_(value), None])
    if isinstance(value, int):
        near: list[Any] = [value + 1, float(value), bool(value), str(value), Decimal(value)]
        near += [
            np.int64(value % 2**62),
            np.float64(value),
            Fraction(value),
            complex(value),
            -value,
        ]
        near += [np.array([value]), np.array(value), Colour(1), None, -value, [value], value + 1e-7]
        return rng.choice(near)
    if isinstance(value, float):
        steps = [1e-9, 1e-7, 9e-7, 1.1e-6, 1e-5, 1e-4, 1e-3, 1.0]
        off = rng.choice(steps) * rng.choice([1, -1]) * rng.choice([1, max(1.0, abs(value))])
        return rng.choice([value + off, np.float64(value + off), np.float32(value), -value])
    if isinstance(value, str):
        return rng.choice([value + " ", value.encode(), list(value), value.upper()])
    if isinstance(value, list | tuple):
        items = [_noise(rng, item) if rng.random() < 0.5 else item for item in value]
        if rng.random() < 0.3:
            items = rng.choice([items[1:], [*items, 1.0], items[::-1], items * 2])
        kinds: list[Any] = [type(value)] * 6 + [list, tuple, deque, np.array]
        try:
            return rng.choice(kinds)(items)
        except (ValueError, TypeError, OverflowError):
            return items
    if isinstance(value, dict):
        items_ = [(k, _noise(rng, v)) for k, v in value.items()]
        return rng.choice([dict, OrderedDict, Counter])(dict(items_))
    if isinstance(value, set):
        return rng.choice([frozenset(value), list(value), value | {99}, sorted(value, key=repr)])
    return value


def _value(rng: random.Random, depth: int = 2) -> Any:
    kind = rng.randrange(11 if depth else 5)
    if kind <= 1:
        return rng.choice([0, 1, 2, -3, 7, 10**12, 10**30])
    if kind == 2:
        return rng.choice([0.0, 1.0, 0.1, 2.5, -3.75, 1e-7, 1e9, math.inf, math.nan, 123456.789])
    if kind == 3:
        return rng.choice(["", "a", "abc", "é", "1"])
    if kind == 4:
        return rng.choice([True, False, None, 2j])
    if kind in (5, 6):
        return [rng.choice([0.5, 1.5, 1e3, 1e-3]) for _ in range(rng.randrange(1, 4))]
    items = [_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind in (7, 8):
        return items if kind == 7 else tuple(items)
    scalars = [item for item in items if not isinstance(item, list | dict | set | tuple)]
    if kind == 9:
        return set(scalars)
    return dict(zip(scalars, items, strict=False))


def _judged_by_evalplus(
    monkeypatch: pytest.MonkeyPatch,
    mbpp: bool,
    entry: str,
    calls: Any,
    outs: Any,
    exp: Any,
    atol: float,
) -> list[bool]:
    peer = pytest.importorskip("evalplus.eval", reason="evalplus is not installed")
    from contextlib import nullcontext
    from multiprocessing import Array
    from multiprocessing import Value as Shared

    monkeypatch.setattr(peer, "reliability_guard", lambda **_: None)
    monkeypatch.setattr(peer, "create_tempdir", nullcontext)
    queue = list(outs)
    exp = pickle.loads(pickle.dumps(exp))  # as evalplus' workers get it: no NaN is the same object
    monkeypatch.setattr(builtins, "_next_out", lambda: queue.pop(0), raising=False)
    details = Array("b", [False] * len(outs))
    peer.unsafe_execute(
        "mbpp" if mbpp else "humaneval",
        entry,
        f"def {entry}(*a): return _next_out()",
        calls,
        exp,
        [10.0] * len(outs),
        atol,
        False,
        Shared("i", 3),
        details,
        Shared("i", 0),
    )
    return [bool(found) for found in details]


ENTRIES = ["f"] * 8 + ["are_equivalent", "sum_div", "surface_Area", "digit_distance_nums"]
ENTRIES += ["similar_elements", "Diff", "check_str", "text_starta_endb"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(8))
def test_rules_agree_with_evalplus(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of calls, so that the tolerance which sticks after a float is covered too."""
    rng = random.Random(seed)
    compared = 0
    for _ in range(60):
        mbpp, entry = rng.random() < 0.8, rng.choice(ENTRIES)
        atol = rng.choice([0, 0, 0, 0, 1e-6, 1e-4])
        calls = [(rng.randrange(1, 50), rng.randrange(1, 50)) for _ in range(12)]
        if entry in NOT_NONE_TASKS:
            expected: list[Any] = [rng.random() < 0.5 for _ in calls]
        else:
            expected = [_value(rng) for _ in calls]
        outs = [_noise(rng, value) for value in expected]
        theirs = _judged_by_evalplus(monkeypatch, mbpp, entry, calls, outs, expected, atol)
        rule = Rule(entry, mbpp, atol)
        sticky: float = atol
        for call, out, wanted, verdict in zip(calls, outs, expected, theirs, strict=True):
            if not sticky and is_floats(wanted):
                sticky = FLOAT_TOLERANCE
            ours = judged(rule, out, wanted, call, sticky)
            compared += 1
            assert ours == verdict, (mbpp, entry, atol, sticky, out, wanted, ours, verdict)
    assert compared == 720
