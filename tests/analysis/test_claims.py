"""Claims against simulated runs of which the truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.claims import CLAIMS, check
from harness.analysis.claims import latency_then_search as reference
from harness.analysis.claims import majority_to_be_avoided as avoided
from harness.analysis.claims import no_gain_from_trees as no_gain
from harness.analysis.curve import Axis, Curve
from harness.analysis.finding import Finding
from tests.analysis.made import PRM, answers, curve

COST = [100.0, 200, 400, 800, 1600]
BOTH: tuple[Axis, ...] = ("total_tokens", "latency_seconds")


def run(
    truths: dict[str, list[float]], problems: int, seed: int = 0, **more: object
) -> list[Curve]:
    """A run with these mean accuracies, all methods at the same costs."""
    found = answers(truths, problems, seed, alike=0.95)
    return [
        curve(name, values, COST, prm=None if name == "majority" else PRM, **more)  # type: ignore[arg-type]
        for name, values in found.items()
    ]


HOLDS = {
    "best_of_n": [0.60, 0.64, 0.66, 0.68, 0.70],
    "beam": [0.50, 0.58, 0.64, 0.69, 0.714],
    "mcts": [0.46, 0.54, 0.63, 0.70, 0.732],
}
REVERSED = {
    "best_of_n": HOLDS["mcts"],
    "beam": HOLDS["beam"],
    "mcts": HOLDS["best_of_n"],
}


def one(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1
    return found[0]


def test_the_references_claim_is_found_where_it_holds() -> None:
    found = one(reference(run(HOLDS, 20_000, axes=BOTH)))
    assert found.ruling == "supported"
    sides = [(test.a, test.b, test.axis, test.where, test.stated) for test in found.tests]
    assert sides == [
        ("best_of_n", "mcts", "latency_seconds", "tight", None),
        ("best_of_n", "beam", "latency_seconds", "tight", None),
        ("mcts", "beam", "total_tokens", "plentiful", 0.018),
        ("mcts", "best_of_n", "total_tokens", "plentiful", 0.032),
    ]
    assert [test.axis for test in found.others] == ["total_tokens"] * 2 + ["latency_seconds"] * 2
    assert found.tests[2].cost == 1600
    assert found.tests[0].cost == pytest.approx(100 * 16**0.1)
    assert "the stated 1.8 lies inside the interval" in found.sentence()


def test_one_run_of_500_problems_cannot_settle_it() -> None:
    rulings = [one(reference(run(HOLDS, 500, seed))).ruling for seed in range(20)]
    assert rulings.count("not separable") >= 17
    assert "contradicted" not in rulings
    found = one(reference(run(HOLDS, 500)))
    assert "Latency was not measured: tight is meant in tokens." in found.sentence()
    assert "500 problems can separate differences above" in found.sentence()
    assert "1.8 points are seen with a chance of" in found.sentence()


def test_latencies_that_do_not_overlap_are_not_called_unmeasured() -> None:
    curves = run(HOLDS, 200, axes=BOTH)
    slow = curves[2]
    costs = {**slow.costs, "latency_seconds": slow.costs["latency_seconds"] * 1000}
    found = one(reference([*curves[:2], replace(slow, costs=costs)]))
    assert "No latency is common to all three: tight is meant in tokens." in found.sentence()
    assert {test.axis for test in found.tests} == {"total_tokens"}


def test_the_references_claim_is_contradicted_where_it_is_reversed() -> None:
    assert one(reference(run(REVERSED, 5000))).ruling == "contradicted"


def test_no_claim_without_its_methods() -> None:
    curves = run(HOLDS, 50)
    assert reference(curves[:2]) == ()
    assert avoided(curves) == ()
    apart = [curves[0], curves[1], curve("mcts", curves[2].values, [c * 100 for c in COST])]
    assert reference(apart) == ()


VOTES = {"majority": [0.60, 0.63, 0.66, 0.68, 0.69], "best_of_n": [0.60, 0.66, 0.70, 0.73, 0.75]}


def test_the_majority_vote() -> None:
    swapped = {"majority": VOTES["best_of_n"], "best_of_n": VOTES["majority"]}
    assert one(avoided(run(VOTES, 3000))).ruling == "supported"
    assert one(avoided(run(VOTES, 40))).ruling == "not separable"
    assert one(avoided(run(swapped, 3000))).ruling == "contradicted"


def test_each_prm_has_a_finding_of_its_own() -> None:
    found = answers({**VOTES, "worse": [0.60, 0.60, 0.58, 0.55, 0.5]}, 2000, 0, alike=0.95)
    curves = [
        curve("majority", found["majority"], COST, prm=None),
        curve("best_of_n", found["best_of_n"], COST, prm="good"),
        curve("best_of_n", found["worse"], COST, prm="bad"),
    ]
    rulings = {finding.prm: finding.ruling for finding in avoided(curves)}
    assert rulings == {"good": "supported", "bad": "contradicted"}


LEVEL = [0.60, 0.64, 0.67, 0.69, 0.70]


def test_that_there_is_no_gain_has_to_be_shown() -> None:
    same = {"best_of_n": LEVEL, "beam": LEVEL, "mcts": LEVEL}
    assert one(no_gain(run(same, 40))).ruling == "not separable"
    assert one(no_gain(run(same, 30_000))).ruling == "supported"
    assert one(no_gain(run(same, 30_000), worth=0.0001)).ruling == "not separable"
    better = {**same, "mcts": [0.55, 0.62, 0.68, 0.73, 0.76]}
    found = one(no_gain(run(better, 4000)))
    assert found.ruling == "contradicted"
    assert {test.a for test in found.tests} == {"beam", "mcts"}
    assert len(found.tests) + len(found.others) == 10


def test_a_gain_at_equal_candidates_that_costs_more_is_no_gain() -> None:
    found = answers({"best_of_n": LEVEL, "mcts": [x + 0.01 for x in LEVEL]}, 8000, 0, alike=0.97)
    curves = [
        curve("best_of_n", found["best_of_n"], COST),
        curve("mcts", found["mcts"], [4 * c for c in COST]),
    ]
    assert one(no_gain(curves)).ruling == "supported"


def test_a_true_claim_is_rarely_contradicted_and_a_false_one_rarely_supported() -> None:
    level = {name: LEVEL for name in HOLDS}
    wrong = 0
    for seed in range(100):
        rulings = {f.claim: f.ruling for f in check(run(level, 200, seed))}
        wrong += rulings["no_gain_from_trees"] == "contradicted"
        wrong += rulings["latency_then_search"] == "supported"
    assert wrong <= 9


def test_sentences_name_numbers_intervals_and_power() -> None:
    for finding in check(run({**HOLDS, **VOTES}, 300)):
        text = finding.sentence()
        assert text.startswith(("Supported on", "Contradicted on", "Not separable on"))
        assert "points" in text and "[" in text and "p " in text
        assert "300 problems can separate differences above" in text
        assert finding.problems == 300
        assert not any(math.isnan(test.p) for test in finding.tests)
    assert {finding.claim for finding in check(run({**HOLDS, **VOTES}, 300))} == set(CLAIMS)


def test_costs_are_written_with_three_digits() -> None:
    from harness.analysis.finding import _number

    numbers = (0.01234, 12.3456, 999.0, 1234.0, 56_789.0, 1.5e12)
    assert [_number(n) for n in numbers] == ["0.0123", "12.3", "999", "1,230", "56,800", "1.5e12"]


def test_check_reads_any_run() -> None:
    assert check([]) == ()
    assert check([curve("greedy", np.zeros((3, 1)), [1], prm=None)]) == ()


def test_methods_without_a_common_cost_are_named_and_no_number_is_made_up() -> None:
    found = answers(HOLDS, 60, 0, alike=0.95)
    far = [10 * cost for cost in COST]
    curves = [
        curve("best_of_n", found["best_of_n"], COST, axes=BOTH),
        curve("beam", found["beam"][:, -1:], far[-1:], axes=BOTH),
        curve("mcts", found["mcts"], COST, axes=BOTH),
    ]
    assert all("nan" not in finding.sentence() for finding in check(curves))
    (trees,) = no_gain(curves)
    assert "No cost in common: beam and best_of_n." in trees.sentence()
    (alone,) = no_gain(curves[:2])
    assert "no cost in common" in alone.sentence() and "nan" not in alone.sentence()
