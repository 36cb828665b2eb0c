"""Values across the wall: the same bytes on both sides, and nothing hostile gets through."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter, OrderedDict, defaultdict, namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sandbox import values
from harness.sandbox.frames import Forged, read
from harness.sandbox.job import Calls, Inputs, Returned
from harness.sandbox.namespaces import open_pool, probe
from harness.sandbox.reader import Budget, Unreadable
from harness.sandbox.values import DecimalText, Numpy, Opaque, Ratio, Subclass, decode_bytes

HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=20,
)


def alike(a: object, b: object) -> bool:
    """Equal, of equal types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(map(alike, a.items(), b.items()))
    return a == b


@given(VALUES)
def test_a_value_survives_the_way_there_and_back(value: object) -> None:
    assert alike(decode_bytes(values.encode(value)), value)


@pytest.mark.skipif(not probe().works, reason=probe().why)
def test_a_child_writes_the_same_bytes() -> None:
    """Also for sets of texts, whose order depends on a seed that the two sides do not share."""
    found: list[object] = []

    @settings(max_examples=200, database=None)
    @given(VALUES)
    def collect(value: object) -> None:
        found.append(value)

    collect()
    found += [10**5000, -(10**5000), math.inf, -0.0, {str(i) for i in range(99)}, {1: {2: "s"}}]
    calls = tuple((value,) for value in found)
    with open_pool(1) as pool:
        (execution,) = pool.run([Calls("def f(x): return x", "f", Inputs(calls, "identity"))])
    assert execution.end == "finished"
    for value, returned in zip(found, execution.returned, strict=True):
        assert values.same(values.encode(value), returned), value


def test_what_is_no_builtin_says_what_it_is() -> None:
    point = namedtuple("point", "x y")
    cases = [
        (np.float64(1.5), Numpy("<f8", None, (1.5,))),
        ([np.int64(3)], [Numpy("<i8", None, (3,))]),
        (np.array([[1, 2], [3, 4]]), Numpy("<i8", (2, 2), (1, 2, 3, 4))),
        (Decimal("1.50"), DecimalText("1.50")),
        (Fraction(2, 6), Ratio(1, 3)),
        (Counter("aab"), Subclass("dict", "collections.Counter", {"a": 2, "b": 1})),
        (OrderedDict(a=1), Subclass("dict", "collections.OrderedDict", {"a": 1})),
        (defaultdict(list, {1: [2]}), Subclass("dict", "collections.defaultdict", {1: [2]})),
        (iter([]), Opaque("builtins.list_iterator")),
        (bytearray(b"s"), Opaque("builtins.bytearray")),
        ([{(1,): {2.5}}, object()], [{(1,): {2.5}}, Opaque("builtins.object")]),
    ]
    for value, expected in cases:
        assert decode_bytes(values.encode(value)) == expected
    found = decode_bytes(values.encode(point(1, [2])))
    assert (found.base, found.value) == ("tuple", (1, [2]))


def test_a_comparison_of_its_own_makes_a_value_opaque() -> None:
    class Sly(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Plain(int):
        pass

    assert type(decode_bytes(values.encode(Sly(3)))) is Opaque
    assert decode_bytes(values.encode(Plain(3))).value == 3


def test_not_a_number_comes_back() -> None:
    assert math.isnan(decode_bytes(values.encode(math.nan)))


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    for prefix in (b"", b"#", b"#(\x02\x00\x00\x00u\x01\x00\x00\x00l"):
        with contextlib.suppress(Unreadable):
            decode_bytes(prefix + data)
        assert len(values.preview(Returned("value", prefix + data))) <= 200


@settings(max_examples=300)
@given(VALUES, st.integers(0, 10**6), st.integers(0, 255))
def test_one_changed_byte_is_refused_or_read(value: object, place: int, byte: int) -> None:
    data = bytearray(values.encode([value, Fraction(1, 3)]))
    data[place % len(data)] = byte
    with contextlib.suppress(Unreadable):
        decode_bytes(bytes(data))


@settings(max_examples=500)
@given(st.binary(max_size=300), st.integers(0, 3))
def test_random_result_files_are_forged_or_read(blob: bytes, calls: int) -> None:
    with contextlib.suppress(Forged):
        assert len(read(blob, calls).returned) <= calls


HOSTILE = {
    "depth": b"[\x01\x00\x00\x00" * 10_000 + b"N",
    "depth of tags": b"#" + b"(\x02\x00\x00\x00u\x01\x00\x00\x00l[\x01\x00\x00\x00" * 140 + b"N",
    "a decimal that is none": values.encode(Decimal(1)).replace(
        b"\x01\x00\x00\x001", b"\x01\x00\x00\x00x"
    ),
    "a decimal out of all bounds": values.encode(Decimal("1E+999999999")),
    "a length beyond the end": b"[\xff\xff\xff\x7f",
    "a negative length": b"[\xff\xff\xff\xff",
    "digits beyond the end": b"l\xff\xff\xff\x7f",
    "digits beyond fifteen bits": b"l\x03\x00\x00\x00" + b"\xff\xff" * 3,
    "a leading zero digit": b"l\x03\x00\x00\x00" + b"\x01\x00" * 2 + b"\x00\x00",
    "a small number written long": b"l\x01\x00\x00\x00\x01\x00",
    "a reference": b"r\x00\x00\x00\x00",
    "code": b"c\x00\x00\x00\x00",
    "a flagged type": b"\xe9\x00\x00\x00\x00",
    "text that is none": b"u\x01\x00\x00\x00\xff",
    "a member twice": b"<\x02\x00\x00\x00" + b"i\x01\x00\x00\x00" * 2,
    "a list as a key": b"{[\x00\x00\x00\x00N0",
    "a key without a value": b"{N0",
    "an end mark alone": b"0",
    "nothing": b"",
    "trailing bytes": b"NN",
    "an unknown tag": b"#(\x01\x00\x00\x00u\x01\x00\x00\x00x",
    "a container without a tag": b"#[\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        decode_bytes(HOSTILE[name])


def test_colliding_members_are_refused_quickly() -> None:
    modulus = 2**61 - 1
    data = values.encode([i * modulus for i in range(1, 100_000)])
    start = time.perf_counter()
    with pytest.raises(Unreadable, match="collide"):
        decode_bytes(b"<" + data[1:])
    assert time.perf_counter() - start < 5


def test_the_budget_holds() -> None:
    data = values.encode(list(range(1000)))
    with pytest.raises(Unreadable, match="nodes"):
        decode_bytes(data, Budget(nodes=500))
    with pytest.raises(Unreadable, match="bytes"):
        decode_bytes(data, Budget(bytes=500))
    nested = values.encode([[[[1]]]])
    with pytest.raises(Unreadable, match="deep"):
        decode_bytes(nested, Budget(depth=3))


def test_a_huge_integer_is_read_in_linear_time() -> None:
    data = values.encode(1 << 8 * 10**6)
    start = time.perf_counter()
    assert decode_bytes(data) == 1 << 8 * 10**6
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("returned", "shown"),
    [
        (Returned("value", values.encode([1, "a"])), "[1, 'a']"),
        (Returned("raised", b"ValueError: a\nb"), "ValueError: a\\x0ab"),
        (Returned("large", b"x" * 32, 10**6), "(a value of 1,000,000 bytes)"),
        (Returned("out_of_memory", b""), "MemoryError"),
    ],
)
def test_a_preview_is_short(returned: Returned, shown: str) -> None:
    assert values.preview(returned) == shown


def test_a_preview_of_many_digits_is_quick() -> None:
    assert "bytes" in values.preview(Returned("value", values.encode(10**7000)))
    assert len(values.preview(Returned("value", values.encode("x" * 4000)))) <= 200
