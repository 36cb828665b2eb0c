"""Estimators, intervals and tests: pure functions on arrays, with seeds passed in.

best_of_n, pass_at_n    exact expectations over subsets of a candidate pool
chosen_score            the score of what best-of-n chooses, exactly
vote                    majority and weighted votes, over seeded subsets
speculative_rejection   a search that is replayed on a pool
estimate, share         a mean over problems with its 95 % interval
compare                 two results on the same problems
first_error             ProcessBench's first-wrong-step figures
quality, reliability    ranking and calibration of step scores, whatever the threshold
within_auroc, length_correlation, probe_change  scores of whole solutions within a problem
given_length_correlation                        and of solutions that come with a task
threshold_curve         F1 of the first wrong step at every threshold there is
preference              which of the given solutions is right
prm_score               PRMBench's figures, where every step has a label
"""

from harness.stats.ballot import NO_ANSWER
from harness.stats.best_of_n import best_of_n, pass_at_n
from harness.stats.chosen import chosen_score
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
from harness.stats.prm_score import Figures, Labelled, prm_score, step_counts
from harness.stats.quality import Quality, quality
from harness.stats.rejection import Rejection, speculative_rejection
from harness.stats.reliability import Bin, Reliability, reliability
from harness.stats.solutions import (
    given_length_correlation,
    length_correlation,
    probe_change,
    within_auroc,
)
from harness.stats.thresholds import ThresholdCurve, threshold_curve
from harness.stats.votes import Votes, vote

__all__ = [
    "NO_ANSWER",
    "Bin",
    "Figures",
    "FirstErrorResult",
    "Judged",
    "Labelled",
    "Preference",
    "Quality",
    "Rejection",
    "Reliability",
    "Subset",
    "SubsetResult",
    "ThresholdCurve",
    "Votes",
    "best_of_n",
    "chosen_score",
    "compare",
    "count_behind",
    "estimate",
    "evaluate",
    "f1_possible",
    "first_below",
    "given_length_correlation",
    "length_correlation",
    "pass_at_n",
    "preference",
    "prm_score",
    "probe_change",
    "quality",
    "reliability",
    "share",
    "speculative_rejection",
    "step_counts",
    "threshold_curve",
    "tune",
    "vote",
    "within_auroc",
]
