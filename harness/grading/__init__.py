"""Says which solutions are right: final answers of mathematics, and classes of equal answers.

Start at `grader.py`. Computer algebra, and the code of lm-eval's tasks (`lm_eval.py`), run in
worker processes that can be killed, and code under test in a sandbox, never in this process;
importing this package loads none of them.

Code: `code.py` is the grader; `verdicts.py` the records; `evalplus.py`, `livecodebench.py` and
`examples.py` are the tests of the data sets; `suite.py`, `oracles.py`, `plain.py` and `tokens.py`
compare; `program.py`, `prompts.py`, `public.py`, `packed.py` and `mbpp.py` read; `behaviour.py`
makes answer classes; `stream.py` keeps the workers busy; `references.py` keeps what references
give; `samples.py` grades samples files.
"""

from harness.grading.answers import NO_CLASS, classes, pool_classes
from harness.grading.code import CodeGrader
from harness.grading.extract import final_answer
from harness.grading.grader import Grader, grader_for
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
