from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grading import MathGrader, classes, pool_classes


def never(pairs):  # type: ignore[no-untyped-def]
    return [False for _ in pairs]


CASES = [
    ([], []),
    ([None], [-1]),
    (["1/2", "0.5", r"\frac12", None, r"\frac{2}{4}"], [0, 0, 0, -1, 0]),
    (["7", "8", "7", None, "8"], [0, 1, 0, -1, 1]),
    (["0.05", "5%", "5"], [0, 1, 1]),  # 5% equals both; 5 is the shortest spelling
    (["(1,2)", r"\{1,2\}", "2,1"], [0, 0, 0]),
    (["0.333333", r"\frac13", "0.33"], [0, 0, 1]),
    (["3.14", r"\pi"], [0, 1]),
    (["x=5", "5", "5 \\text{ cm}"], [0, 0, 0]),
    (["\\sin x", "\\sin  x", "\\cos x"], [0, 0, 1]),
    (["Evelyn", "\\text{Evelyn}"], [0, 0]),
    (["5^{5^{5^{5^5}}}", "5", "5^{5^{5^{5^5}}}"], [0, 1, 0]),  # not compared is different
]


@pytest.mark.parametrize(("answers", "expected"), CASES)
def test_classes(grader: MathGrader, answers: list[str | None], expected: list[int]) -> None:
    assert expected == grader.classes([answers])[0]


def test_the_partition_does_not_depend_on_the_order(grader: MathGrader) -> None:
    answers = ["0.05", "5%", "5", "5.0", r"\frac{1}{20}"]
    partitions = set()
    for order in itertools.permutations(answers):
        numbers = grader.classes([order])[0]
        groups: dict[int, set[str]] = {}
        for answer, number in zip(order, numbers, strict=True):
            groups.setdefault(number, set()).add(answer)
        partitions.add(frozenset(map(frozenset, groups.values())))
    assert len(partitions) == 1


def test_a_pool_gives_what_its_problems_give_one_by_one(grader: MathGrader) -> None:
    pools = [answers for answers, _ in CASES]
    assert [expected for _, expected in CASES] == grader.classes(pools)


@given(st.lists(st.one_of(st.none(), st.sampled_from("abcde")), max_size=12))
def test_without_equalities_classes_are_spellings(answers: list[str | None]) -> None:
    seen: list[str] = []
    expected = []
    for answer in answers:
        if answer is not None and answer not in seen:
            seen.append(answer)
        expected.append(-1 if answer is None else seen.index(answer))
    assert expected == classes(answers, never)


@given(st.lists(st.lists(st.integers(0, 30).map(str), max_size=10), max_size=4))
def test_an_equivalence_gives_its_classes(pools: list[list[str]]) -> None:
    """With a true equivalence (equal modulo 3), classes are exactly its classes."""
    asked = []

    def modulo_3(pairs):  # type: ignore[no-untyped-def]
        asked.extend(pairs)
        return [int(a) % 3 == int(b) % 3 for a, b in pairs]

    for answers, numbers in zip(pools, pool_classes(pools, modulo_3), strict=True):
        for (a, i), (b, j) in itertools.product(zip(answers, numbers, strict=True), repeat=2):
            assert (int(a) % 3 == int(b) % 3) == (i == j)
    assert len(asked) <= sum(3 * len(set(answers)) for answers in pools)
