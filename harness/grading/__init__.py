"""Says which solutions are right: final answers of mathematics, and classes of equal answers.

Start at `grader.py`. Computer algebra runs in worker processes that can be killed, never in this
one; importing this package loads none of it.
"""

from harness.grading.answers import NO_CLASS, classes, pool_classes
from harness.grading.extract import final_answer
from harness.grading.grader import CodeGrader, Grader, grader_for
from harness.grading.math import MathGrader, gold_answer

__all__ = [
    "NO_CLASS",
    "CodeGrader",
    "Grader",
    "MathGrader",
    "classes",
    "final_answer",
    "gold_answer",
    "grader_for",
    "pool_classes",
]
