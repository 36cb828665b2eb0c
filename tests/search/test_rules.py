"""Rules worked out by hand, on trees and numbers small enough for it."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from scipy.stats import beta

from harness.errors import ConfigError
from harness.search.adaptive import stays_ahead
from harness.search.beam import distinct
from harness.search.mcts import worth
from harness.search.methods import parse_method
from harness.search.moves import UNSCORED, Scored
from harness.search.particle import Particle, weigh
from harness.search.rebase import balance
from harness.search.shares import draw, effective, softmax
from harness.search.tree import (
    CONSTANTS,
    Node,
    back_up,
    descend,
    grow,
    most_visited,
    select,
)
from harness.types import SEMANTICS, Draft


def node(name: str, visits: int = 0, mean: float = 0.0, **given: object) -> Node:
    return Node(Draft((name,)), visits=visits, total=visits * mean, **given)  # type: ignore[arg-type]


def family(parent_visits: int, *children: Node) -> Node:
    parent = node("s", parent_visits)
    for child in children:
        child.parent = parent
    grow(parent, list(children))
    return parent


# --- selection -----------------------------------------------------------------------------------


def test_uct_by_hand() -> None:
    # N(s) = 10, ln 10 = 2.3026, c = 1:
    #   a: 0.6 + √(2.3026 / 6) = 0.6 + 0.6195 = 1.2195
    #   b: 0.3 + √(2.3026 / 3) = 0.3 + 0.8761 = 1.1761
    #   c: 0.0 + √(2.3026 / 1) =       1.5174            <- goes on
    tree = family(10, node("a", 6, 0.6), node("b", 3, 0.3), node("c", 1, 0.0))
    assert select(tree, "uct", 1.0).draft.text == "c"
    # c = 0.5: a 0.9097, b 0.7380, c 0.7587; c = 0: the best mean.
    assert select(tree, "uct", 0.5).draft.text == "a"
    assert select(tree, "uct", 0.0).draft.text == "a"


def test_uct_takes_unvisited_nodes_first_and_in_order() -> None:
    tree = family(3, node("a", 3, 1.0), node("b", value=0.1), node("c", value=0.9))
    assert select(tree, "uct", 1.0).draft.text == "b"


def test_puct_by_hand() -> None:
    # N(s) = 9, √9 = 3, c(s) = 1.25 + ln(19662 / 19652) = 1.2505:
    #   a: 0.5 + 1.2505 · 0.2 · 3 / 6 = 0.5 + 0.1251 = 0.6251
    #   b: 0.4 + 1.2505 · 0.3 · 3 / 5 = 0.4 + 0.2251 = 0.6251 - 0.00000…: see below
    #   c: unvisited, the PRM's 0.1 + 1.2505 · 0.5 · 3 / 1 = 1.9758          <- goes on
    a, b = node("a", 5, 0.5, prior=0.2), node("b", 4, 0.39, prior=0.3)
    c = node("c", value=0.1, prior=0.5)
    assert select(family(9, a, b, c), "puct", 1.25).draft.text == "c"
    # Without c and with b's mean 0.39: b 0.6151 < a 0.6251.
    assert select(family(9, a, b), "puct", 1.25).draft.text == "a"
    # With more weight for exploration, c = 2: a 0.7001, b 0.7501.
    assert select(family(9, a, b), "puct", 2.0).draft.text == "b"


def test_puct_explores_more_the_more_it_has_seen() -> None:
    # N(s) = 19651: c(s) = c + ln(39304 / 19652) = c + ln 2. With c = 0, √19651 = 140.18:
    #   a: 0.5 + 0.6931 · 0.5 · 140.18 / 19001 = 0.5026
    #   b: 0.4 + 0.6931 · 0.5 · 140.18 / 251   = 0.5935     <- goes on
    a, b = node("a", 19000, 0.5, prior=0.5), node("b", 250, 0.4, prior=0.5)
    assert select(family(19651, a, b), "puct", 0.0).draft.text == "b"


def test_rest_by_hand() -> None:
    # N(s) = 8, √(2 ln 8 / N): N=5: √(4.1589/5) = 0.9120; N=3: √(4.1589/3) = 1.1774; c = 0.7:
    #   a: 0.7 + 0.6384 = 1.3384       b: 0.5 + 0.8242 = 1.3242
    a, b = node("a", 5, 0.7), node("b", 3, 0.5)
    assert select(family(8, a, b), "rest", 0.7).draft.text == "a"
    # c = 1: a 1.6120, b 1.6774.
    assert select(family(8, a, b), "rest", 1.0).draft.text == "b"
    # Unvisited ones before all others, the best scored first.
    tree = family(8, a, b, node("c", value=0.2), node("d", value=0.3))
    assert select(tree, "rest", 0.7).draft.text == "d"


@pytest.mark.parametrize("rule", list(CONSTANTS))
def test_ties_go_to_the_first(rule: str) -> None:
    tree = family(4, *(node(name, 2, 0.5, prior=0.5) for name in "ab"))
    assert select(tree, rule, 1.0).draft.text == "a"  # type: ignore[arg-type]


def test_back_up_and_descent_by_hand() -> None:
    a, b = node("a"), node("b")
    root = family(0, a, b)
    back_up(descend(root, "uct", 1.0), 0.2)  # a: unvisited, first
    back_up(descend(root, "uct", 1.0), 0.8)  # b: unvisited
    assert (root.visits, root.total, a.mean, b.mean) == (2, 1.0, 0.2, 0.8)
    # √(ln 2 / 1) = 0.83: a 1.03, b 1.63.
    assert descend(root, "uct", 1.0) is b
    grow(b, [Node(Draft(("b", "x")), b), Node(Draft(("b", "y"), "stop"), b)])
    leaf = descend(root, "uct", 1.0)
    assert leaf.draft.text == "bx"
    back_up(leaf, 0.4)
    # The mean of b is that of 0.8 and 0.4; the root's of 0.2, 0.8 and 0.4.
    assert b.mean == pytest.approx(0.6)
    assert root.mean == pytest.approx(1.4 / 3)


def test_a_tree_is_closed_when_all_its_leaves_are_finished() -> None:
    a, b = node("a"), node("b")
    root = family(0, a, b)
    grow(a, [Node(Draft(("a", "."), "stop"), a)])
    assert a.closed and not root.closed
    grow(b, [Node(Draft(("b", "."), "length"), b)])
    assert root.closed


def test_the_most_visited_path_by_hand() -> None:
    a, b = node("a", 5, 0.9), node("b", 7, 0.1)
    root = family(12, a, b)
    x, y = node("bx", 3, 0.1, found=[0]), node("by", 3, 0.2, found=[1, 2])
    a.found = [3]
    grow(b, [x, y])
    # b has more visits than a; x and y have as many, y the better mean.
    assert most_visited(root) == ((1, 3.0), (2, 3.0))
    # Nothing finished at the end of the path: b speaks for all below it.
    y.found = []
    assert most_visited(root) == ((0, 3.0),)
    x.found = []
    assert most_visited(root) == ((3, 5.0),)


def test_what_a_score_is_worth_in_a_tree() -> None:
    assert worth(0.3, "p_correct") == 0.3
    assert worth(-0.3, "value") == -0.3
    assert worth(0.0, "reward") == 0.5
    assert worth(UNSCORED, "p_correct") == 0.0
    assert worth(UNSCORED, "value") == -1.0
    assert worth(UNSCORED, "reward") == 0.0


# --- REBASE --------------------------------------------------------------------------------------


def test_rebase_by_hand() -> None:
    # Shares 0.6, 0.3, 0.1 of W = 5: ceil(3.0) = 3; of the 2 left 0.3/0.4: ceil(1.5) = 2; none left.
    assert balance([0.6, 0.3, 0.1], 5) == [3, 2, 0]
    # The best is served first wherever it stands: ceil(5 · 0.6) = 3, then ceil(2 · 0.75) = 2.
    assert balance([0.1, 0.3, 0.6], 5) == [0, 2, 3]
    # Equal shares of 4 among 3: ceil(4/3) = 2, ceil(2/2) = 1, 1.
    assert balance([1 / 3] * 3, 4) == [2, 1, 1]
    assert balance([1.0, 0.0], 3) == [3, 0]
    assert balance([0.5, 0.5], 0) == [0, 0]
    # More nodes than steps: the first get one each.
    assert balance([0.25] * 4, 2) == [1, 1, 0, 0]


def test_rebase_gives_away_exactly_what_there_is() -> None:
    rng = random.Random(0)
    for _ in range(500):
        shares = softmax([rng.gauss(0, 3) for _ in range(rng.randint(1, 9))])
        width = rng.randint(1, 40)
        assert sum(balance(shares, width)) == width


def test_softmax_and_effective_size() -> None:
    # e^(0.4/0.2) : e^(0.2/0.2) = e² : e = 0.7311 : 0.2689
    assert softmax([2.0, 1.0]) == pytest.approx([0.7311, 0.2689], abs=1e-4)
    assert effective([0.5, 0.5]) == pytest.approx(2.0)
    assert effective([0.7311, 0.2689]) == pytest.approx(1 / (0.7311**2 + 0.2689**2))
    assert softmax([-math.inf, -math.inf]) == [0.5, 0.5]
    assert softmax([]) == []


# --- particles -----------------------------------------------------------------------------------


def _particle(score: float) -> Particle:
    return Particle((Scored(Draft(("x",)), None, score),))


def test_particle_weights_by_hand() -> None:
    # The softmax of logits is the odds, made to add up: 0.8/0.2 = 4, 0.5/0.5 = 1.
    assert weigh([_particle(0.8), _particle(0.5)], 1.0) == pytest.approx([0.8, 0.2])
    # T = 0.5 squares the odds: 16 : 1.
    assert weigh([_particle(0.8), _particle(0.5)], 0.5) == pytest.approx([16 / 17, 1 / 17])
    # 1.0 is clamped to 1 - 1e-6: odds of 999 999, not infinite.
    sure = weigh([_particle(1.0), _particle(0.5)], 1.0)
    assert sure[1] == pytest.approx(1e-6, rel=1e-6)
    assert weigh([_particle(0.1), _particle(UNSCORED)], 1.0) == [1.0, 0.0]


def test_a_weight_needs_a_probability() -> None:
    with pytest.raises(ConfigError, match=r"gives 1\.5"):
        weigh([_particle(1.5)], 1.0)


def test_draws_have_their_shares() -> None:
    rng = random.Random(1)
    shares = [0.5, 0.3, 0.2]
    for how in ("multinomial", "systematic"):
        counts: Counter[int] = Counter()
        for _ in range(2000):
            counts.update(draw(shares, 5, how, rng))  # type: ignore[arg-type]
        for place, share in enumerate(shares):
            assert counts[place] / 10_000 == pytest.approx(share, abs=0.02)
    for _ in range(200):
        drawn = Counter(draw(shares, 5, "systematic", rng))
        # 2.5, 1.5 and 1 expected: rounded down or up.
        assert drawn[0] in (2, 3) and drawn[1] in (1, 2) and drawn[2] == 1


# --- others --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "chance"),
    [
        ([], 0.5),  # nothing known
        ([0], 0.75),  # Beta(2, 1): 1 - (1/2)²
        ([0, 0, 0, 0], 1 - 0.5**5),  # Beta(5, 1): 0.96875, over 0.95
        ([0, 0, 0], 1 - 0.5**4),  # 0.9375, under it
        ([0, 1], 0.5),
        ([0, 0, 1], 11 / 16),  # Binomial(4, 1/2) <= 2: (1 + 4 + 6) / 16
        ([-1, -1, -1, -1, -1], 0.5),  # no answer is no vote
    ],
)
def test_the_chance_that_an_answer_stays_ahead(votes: list[int], chance: float) -> None:
    assert stays_ahead(votes) == pytest.approx(chance)
    counts = [n for _, n in Counter(v for v in votes if v >= 0).most_common(2)]
    a, b = [*counts, 0, 0][:2]
    assert stays_ahead(votes) == pytest.approx(beta.sf(0.5, a + 1, b + 1))


def test_equal_children_count_once() -> None:
    drafts = [Draft(("a",), tokens=i) for i in (1, 2)] + [Draft(("a",), "stop"), Draft(("b",))]
    assert distinct(drafts) == [drafts[0], drafts[2], drafts[3]]


# --- what methods refuse -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "legal"),
    [
        ("particle", {"p_correct", "value", "verdict"}),
        ("particle_gibbs", {"p_correct", "value", "verdict"}),
        ("beam,variant=cumulative", {"p_correct", "advantage", "reward"}),
        ("beam,rank=advantage", {"p_correct", "value", "advantage"}),
        ("beam,agg=product", {"p_correct", "verdict"}),
        ("mcts,agg=mean_logit", {"p_correct"}),
        ("rebase", set(SEMANTICS)),
        ("mcts", set(SEMANTICS)),
        ("value_guided", set(SEMANTICS)),
    ],
)
def test_scores_that_do_not_mean_what_a_method_needs(method: str, legal: set[str]) -> None:
    spec = parse_method(method)
    for semantics in SEMANTICS:
        if semantics in legal:
            spec.check(64, semantics)
        else:
            with pytest.raises(ConfigError, match="legal: "):
                spec.check(64, semantics)
    spec.check(64, None)


def test_other_refusals() -> None:
    with pytest.raises(ConfigError, match="agg=sum"):
        parse_method("particle,agg=sum").check(8, "p_correct")
    with pytest.raises(ConfigError, match="rank=advantage cannot"):
        parse_method("beam,variant=cumulative,rank=advantage")
    with pytest.raises(ConfigError, match="needs 4 candidates at least"):
        parse_method("dvts").check(3, "p_correct")
    with pytest.raises(ConfigError, match="width: Input should be greater than or equal to 1"):
        parse_method("beam,width=0")
    with pytest.raises(ConfigError, match="'uct', 'puct' or 'rest'"):
        parse_method("mcts,selection=ucb")
    assert "logprobs" in parse_method("mcts,selection=puct,prior=policy").abilities
    assert "logprobs" not in parse_method("mcts").abilities
