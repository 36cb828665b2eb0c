"""The tree of remembered beginnings, against a plain dictionary of all of them."""

from __future__ import annotations

import random

import numpy as np

from harness.adapters.prefixes import Prefixes


def test_it_finds_what_a_dictionary_of_all_beginnings_finds() -> None:
    chance = random.Random(0)
    tree, known = Prefixes(10**6), dict[tuple[int, ...], int]()
    for _ in range(500):
        tokens = tuple(chance.choices(range(3), k=chance.randint(1, 12)))
        longest = max((k for k in range(len(tokens) + 1) if tokens[:k] in known), default=0)
        slots = tree.find(tokens)
        assert slots.tolist() == [known[tokens[: k + 1]] for k in range(longest)]
        new = tree.add(tokens)
        assert len(new) == len(tokens) - longest
        known.update({tokens[: longest + i + 1]: slot for i, slot in enumerate(new.tolist())})
        assert tree.held == len(known)
    slots = sorted(known.values())
    assert slots == sorted(set(slots))
    assert slots[-1] < tree.capacity


def test_what_was_used_last_stays_and_no_slot_is_used_twice() -> None:
    chance = random.Random(1)
    tree = Prefixes(200)
    for _ in range(300):
        tokens = tuple(chance.choices(range(4), k=chance.randint(1, 30)))
        tree.add(tokens)
        tree.trim()
        assert tree.held <= 200
        # The sequence just added is the last used: it may only lose to the budget itself.
        assert len(tree.find(tokens)) == len(tokens)
    found = [tree.find(tuple(chance.choices(range(4), k=30))) for _ in range(500)]
    assert max(slots.max(initial=0) for slots in found) < tree.capacity <= 400


def test_ends_go_before_the_beginnings_they_hang_on() -> None:
    tree = Prefixes(8)
    tree.add((1, 2, 3, 4))
    tree.add((1, 2, 5, 6, 7))
    tree.find((1, 2, 5, 6, 7))
    tree.add((1, 2, 8, 9))
    tree.trim()
    assert len(tree.find((1, 2, 3, 4))) == 2
    assert len(tree.find((1, 2, 8, 9))) == 4


def test_without_a_budget_nothing_stays_and_room_is_used_again() -> None:
    tree = Prefixes(0)
    for i in range(50):
        assert len(tree.add((i, i + 1, i + 2))) == 3
        tree.trim()
        assert tree.held == 0
    assert tree.capacity <= 6
    assert np.array_equal(tree.find((49, 50, 51)), [])
