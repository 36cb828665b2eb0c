"""The three generated tasks as data sets, under the names that the task files give.

Each function returns a dictionary of splits, as lm-eval's `custom_dataset` expects, and takes no
notice of the keyword arguments that come with it. Only these functions import the `datasets`
library; the rows themselves are plain Python. The model reads exactly `problem + "\\n"` and
writes the solution.
"""

from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.embedded import chain_errors as _errors
from harness.embedded import chain_programs as _programs
from harness.embedded import program_tests
from harness.embedded.corpus import problems, write
from harness.embedded.mistakes import Hand

if TYPE_CHECKING:
    from datasets import Dataset

ARITHMETIC, PROGRAMS, ERRORS = 200, 164, 400
"""Numbers of test problems; ERRORS is per domain."""


def arithmetic_rows() -> list[dict[str, Any]]:
    """Rows of `chain_arithmetic`: id, problem, answer, level, solution."""
    found = []
    for number, problem in enumerate(islice(problems("arithmetic", "test", "test"), ARITHMETIC)):
        gold = write(problem, Hand())
        row = {"id": f"arith-{number:04d}", "problem": problem.text, "answer": gold.answer}
        found.append(row | {"level": problem.level, "solution": gold.text})
    return found


def program_rows() -> list[dict[str, Any]]:
    """Rows of `chain_programs`: id, problem, entry_point, tests, level, solution."""
    found = []
    for number, row in enumerate(islice(problems("programs", "test", "test"), PROGRAMS)):
        program = _programs.parse(row.text)
        found.append(
            {
                "id": f"prog-{number:04d}",
                "problem": program.text,
                "entry_point": _programs.ENTRY_POINT,
                "public_tests": [test.row() for test in program_tests.public_tests(program)],
                "hidden_tests": [test.row() for test in program_tests.hidden_tests(program)],
                "level": program.level,
                "solution": write(program, Hand()).text,
            }
        )
    return found


def chain_arithmetic(**_: Any) -> dict[str, "Dataset"]:
    """Chains of integer operations: 200 test problems, 4 to 12 steps."""
    return {"test": _dataset(arithmetic_rows())}


def chain_programs(**_: Any) -> dict[str, "Dataset"]:
    """Small functions after a specification: 164 test problems, 4 to 12 lines."""
    return {"test": _dataset(program_rows())}


def chain_errors(**_: Any) -> dict[str, "Dataset"]:
    """Solutions with the index of their first wrong step: 400 per domain."""
    return {"test": _dataset(_errors.rows(ERRORS))}


def _dataset(rows: list[dict[str, Any]]) -> "Dataset":
    from datasets import Dataset

    return Dataset.from_list(rows)
