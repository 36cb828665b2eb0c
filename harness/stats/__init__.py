"""Estimators, intervals and tests: pure functions on arrays, with seeds passed in.

best_of_n, pass_at_n    exact expectations over subsets of a candidate pool
vote                    majority and weighted votes, over seeded subsets
estimate, share         a mean over problems with its 95 % interval
compare                 two results on the same problems
first_error             ProcessBench's first-wrong-step figures
quality                 ranking and calibration of step scores, whatever the threshold
preference              which of the given solutions is right
prm_score               PRMBench's figures, where every step has a label
"""

from harness.stats.ballot import NO_ANSWER
from harness.stats.best_of_n import best_of_n, pass_at_n
from harness.stats.first_error import (
    FirstErrorResult,
    Judged,
    Subset,
    SubsetResult,
    count_behind,
    evaluate,
    f1_possible,
    first_below,
    tune,
)
from harness.stats.intervals import estimate, share
from harness.stats.paired import compare
from harness.stats.preference import Preference, preference
from harness.stats.prm_score import Figures, Labelled, prm_score
from harness.stats.quality import Quality, quality
from harness.stats.votes import Votes, vote

__all__ = [
    "NO_ANSWER",
    "Figures",
    "FirstErrorResult",
    "Judged",
    "Labelled",
    "Preference",
    "Quality",
    "Subset",
    "SubsetResult",
    "Votes",
    "best_of_n",
    "compare",
    "count_behind",
    "estimate",
    "evaluate",
    "f1_possible",
    "first_below",
    "pass_at_n",
    "preference",
    "prm_score",
    "quality",
    "share",
    "tune",
    "vote",
]
