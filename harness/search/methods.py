"""The methods by name: what each needs, and who described it.

All of these work on one frozen pool of complete candidates, so one pool serves every PRM, every
aggregation and every budget: the expected accuracy at budget n is the mean over all subsets of n
candidates, computed by `harness.stats` exactly or over seeded subsets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as `ls methods` shows it."""

    name: str
    title: str
    needs_prm: bool
    metric: str
    """Name of its main metric in results."""
    steps: bool
    """Works on tasks of kind ``steps``; all others work on candidate pools."""
    source: str
    about: str


_ALL = (
    Method(
        "greedy",
        "Greedy",
        False,
        "accuracy",
        False,
        "-",
        "One candidate at temperature 0; recorded pools hold none.",
    ),
    Method(
        "majority",
        "Majority vote",
        False,
        "accuracy",
        False,
        "Wang et al. 2022, arXiv 2203.11171",
        "The answer of the largest class of equivalent answers; ties are shared in expectation.",
    ),
    Method(
        "weighted_vote",
        "Weighted vote",
        True,
        "accuracy",
        False,
        "Li et al. 2022, arXiv 2206.02336",
        "The class of answers with the largest sum of PRM scores.",
    ),
    Method(
        "best_of_n",
        "Best of N",
        True,
        "accuracy",
        False,
        "Lightman et al. 2023, arXiv 2305.20050",
        "The candidate with the highest aggregated score; ties are shared in expectation.",
    ),
    Method(
        "pass_at_n",
        "Pass@N",
        False,
        "pass_at_n",
        False,
        "Chen et al. 2021, arXiv 2107.03374",
        "Whether any of N candidates is correct: the ceiling of every choice; at N=1 the mean.",
    ),
    Method(
        "first_error",
        "First wrong step",
        True,
        "f1",
        True,
        "Zheng et al. 2024, arXiv 2412.06559 (ProcessBench)",
        "The first step scored below the threshold is called wrong; F1 of the accuracies on "
        "solutions with and without an error.",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
