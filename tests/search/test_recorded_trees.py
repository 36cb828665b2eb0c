"""Three trees that OmegaPRM really grew (openreasoner/openr), with their Monte-Carlo values.

A node's value is the share of 32 roll-outs from it that ended in the right answer. Without the data
(HARNESS_DATA) these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.search.tree import Node, back_up, descend, grow, most_visited_path
from harness.types import Draft

Raw = dict[str, Any]

NODES = (143, 90, 24)
DEPTHS = (4, 3, 3)
ROLLOUTS = 32


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> list[Raw]:
    path = data_dir / "recorded/search_traces/omegaprm_tree_3problems.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no recorded data: {path} (set HARNESS_DATA)")
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def walk(raw: Raw, depth: int = 0) -> Iterator[tuple[Raw, int]]:
    yield raw, depth
    for child in raw["children"]:
        yield from walk(child, depth + 1)


def node_of(raw: Raw, parent: Node | None = None) -> Node:
    """The tree as the search holds it; a node's value is the recorded one."""
    before = parent.draft.steps if parent else ()
    leaf = not raw["children"]
    draft = Draft((*before, raw["text"]), "stop" if leaf else None)
    node = Node(draft, parent, value=raw["mc_value"], depth=len(before))
    grow(node, [node_of(child, node) for child in raw["children"]])
    return node


def leaves(node: Node) -> list[Node]:
    return (
        [node] if not node.children else [one for child in node.children for one in leaves(child)]
    )


def test_the_trees_are_whole(recorded: list[Raw]) -> None:
    walked = [list(walk(one["reasoning_steps"])) for one in recorded]
    assert tuple(len(nodes) for nodes in walked) == NODES
    assert tuple(max(depth for _, depth in nodes) for nodes in walked) == DEPTHS
    for one in recorded:
        assert one["reasoning_steps"]["text"] == one["question"]
        assert set(one["reasoning_steps"]) == {"text", "mc_value", "children"}


def test_values_are_shares_of_32_rollouts(recorded: list[Raw]) -> None:
    for one in recorded:
        for raw, _ in walk(one["reasoning_steps"]):
            hits = ROLLOUTS * raw["mc_value"]
            assert hits == round(hits) and 0 <= hits <= ROLLOUTS


def test_only_undecided_nodes_are_split_and_each_holds_a_right_and_a_better_one(
    recorded: list[Raw],
) -> None:
    """OmegaPRM searches on where roll-outs disagree; one of those that hit goes on as a child."""
    for one in recorded:
        for raw, _ in walk(one["reasoning_steps"]):
            if raw["children"]:
                values = [child["mc_value"] for child in raw["children"]]
                assert 0 < raw["mc_value"] < 1
                assert max(values) == 1 > raw["mc_value"]


def test_the_mean_is_backed_up(recorded: list[Raw]) -> None:
    """After each leaf was backed up once, every node holds the mean of the leaves below it."""
    for one in recorded:
        root = node_of(one["reasoning_steps"])
        for leaf in leaves(root):
            assert leaf.value is not None
            back_up(leaf, leaf.value)
        nodes = [root]
        while nodes:
            node = nodes.pop()
            below = [leaf.value or 0.0 for leaf in leaves(node)]
            assert node.visits == len(below)
            assert node.mean == pytest.approx(sum(below) / len(below))
            nodes += node.children
        assert root.closed


@pytest.mark.parametrize("rule", ["uct", "puct", "rest"])
def test_rules_find_right_solutions_in_a_real_tree(recorded: list[Raw], rule: Any) -> None:
    """With twenty visits per leaf each rule ends on a leaf from which every roll-out is right."""
    for one in recorded:
        root = node_of(one["reasoning_steps"])
        visits = 20 * len(leaves(root))
        for _ in range(visits):
            leaf = descend(root, rule, 0.7)
            back_up(leaf, leaf.value or 0.0)
        assert root.visits == visits
        assert sum(child.visits for child in root.children) == visits
        assert most_visited_path(root)[-1].value == 1.0
        assert root.mean > one["reasoning_steps"]["mc_value"]
