"""Identity is content: equal content, equal digest; and it never changes between versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.digest import canonical, digest, file_digest
from harness.types import Problem, Sampling

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_order_of_keys_does_not_matter(value) -> None:  # type: ignore[no-untyped-def]
    assert digest(value) == digest(dict(reversed(value.items())))


@given(JSON, JSON)
def test_different_content_has_different_bytes(a, b) -> None:  # type: ignore[no-untyped-def]
    def same(x: object, y: object) -> bool:
        return type(x) is type(y) and x == y

    if same(a, b) or canonical(a) != canonical(b):
        return
    assert a == b


def test_tuples_are_lists_and_whole_floats_are_integers() -> None:
    assert digest((1, 2.0)) == digest([1, 2])
    assert digest(2.5) != digest(2)
    assert digest(True) != digest(1)


def test_digests_are_stable() -> None:
    assert digest({"b": [1, 2.5, None], "a": "é"}) == (
        "d764fee2563da33e3d57334755404e635da33c995824b0adfabc4b6e1af4f608"
    )
    assert canonical(Sampling()) == (
        b'{"max_tokens":2048,"seed":0,"stop":[],"temperature":1,"top_p":1}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {1, 2}, b"x"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        digest(value)


def test_a_problem_is_its_content() -> None:
    one = Problem("a", "t", "1", "math", "p", "2")
    assert one.digest == Problem("a", "t", "1", "math", "p", "2").digest
    assert one.digest != Problem("a", "t", "2", "math", "p", "2").digest
    assert one.digest != Problem("a", "t", "1", "math", "p", "3").digest
    known = "993f2dcf6c1a0d6f5958bc1d7eec0ddeae8f13f1ae1850196ace3512b930f6c1"
    assert one.digest == known  # files of earlier versions carry it
    choice = Problem("a", "t", "1", "preference", "p", solutions=(("x",), ("y",)))
    assert choice.digest != Problem("a", "t", "1", "preference", "p", solutions=((), ("y",))).digest


def test_file_digest(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_digest(path).startswith("ba7816bf")
