"""The data sets behind the shipped tasks, as ``custom_dataset`` functions for lm-eval.

Each function gets the task's ``metadata`` as keywords (and ``data_dir`` where it was given) and
returns ``{"test": Dataset}`` with the columns that its docstring lists. Two formats of the same
rows give the same columns. Values that Arrow cannot type, such as test inputs, are JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.problems.files import NoData, Row, rows

if TYPE_CHECKING:
    from datasets import Dataset

Splits = dict[str, "Dataset"]


def math500(**metadata: Any) -> Splits:
    """MATH-500: ``unique_id, problem, solution, answer, subject, level`` (1 to 5).

    The data set goes round in two formats, with the level as a number and as ``Level N``.
    """
    plain = ("unique_id", "problem", "solution", "answer", "subject")
    return _test(
        {**_take(row, plain), "level": int(str(row["level"]).removeprefix("Level "))}
        for row in _rows(metadata)
    )


def gsm8k(**metadata: Any) -> Splits:
    """GSM8K: ``id, problem, solution, answer``.

    The data set has no ids: ``gsm8k-test-0000`` is the first row of its test file. The answer is
    what follows ``####`` in the solution, without thousands separators.
    """
    return _test(
        {
            "id": f"gsm8k-test-{i:04d}",
            "problem": row["question"],
            "solution": row["answer"],
            "answer": row["answer"].rpartition("####")[2].strip().replace(",", ""),
        }
        for i, row in enumerate(_rows(metadata))
    )


def processbench(**metadata: Any) -> Splits:
    """ProcessBench: ``id, generator, problem, steps, final_answer_correct, label``.

    ``label`` is the index of the first wrong step from 0, or -1; ``steps`` have no delimiter at
    their ends.
    """
    columns = ("id", "generator", "problem", "steps", "final_answer_correct", "label")
    return _test(_take(row, columns) for row in _rows(metadata))


def evalplus(**metadata: Any) -> Splits:
    """HumanEval+ and MBPP+ in evalplus's release format.

    ``task_id, prompt, entry_point, solution, contract, base_input, plus_input, atol``: `solution`
    is the whole reference program, the two inputs are JSON text of a list of argument lists.
    """
    return _test(
        {
            **_take(row, ("task_id", "prompt", "entry_point", "contract")),
            "solution": row["prompt"] + row["canonical_solution"],
            "base_input": json.dumps(row["base_input"]),
            "plus_input": json.dumps(row["plus_input"]),
            "atol": float(row["atol"]),
        }
        for row in _rows(metadata)
    )


def livecodebench(
    *, released_until: str = "9999", without: Sequence[str] = (), **metadata: Any
) -> Splits:
    """LiveCodeBench: one of its releases.

    ``question_id, title, content, starter_code, platform, difficulty, date, kind, func_name,
    public_tests, private_tests``: the tests are the data set's own strings or None, and the
    private ones stay encoded (on the hub they are base64 of a zlib-packed pickle, which nothing
    here opens). `kind` is ``code_function`` where the tests call ``Solution().func_name``.

    Args:
        released_until: keep the contests up to this date (ISO, inclusive).
        without: ids inside that window that a later release brought in.
    """
    return _test(
        (
            _livecodebench_row(row)
            for row in _rows(metadata)
            if row["contest_date"][:10] <= released_until and row["question_id"] not in without
        ),
        large=("public_tests", "private_tests"),
    )


_PRMBENCH = {
    "redundency": "NR",
    "circular": "NCL",
    "counterfactual": "ES",
    "step_contradiction": "SC",
    "domain_inconsistency": "DC",
    "confidence": "CI",
    "missing_condition": "PS",
    "deception": "DR",
    "multi_solutions": "MS",
}
"""The data's names of categories (theirs in spelling) → the benchmark's."""


def prmbench(**metadata: Any) -> Splits:
    """PRMBench: ``id, problem, steps, wrong, category, origin``.

    A modified solution per row; `wrong` holds the indices of its wrong steps from 0, `origin` names
    the problem that it was made from. The unmodified solutions follow, category ``original``, as
    they stand in the rows of the category NR. As in the authors' code the first of rows with one id
    counts, and steps beyond the solution's end are no steps. Both parts are in the order of their
    ids: hub and repository need not agree on that of the categories.
    """
    modified: dict[str, Row] = {}
    originals: dict[str, Row] = {}
    for row in _rows(metadata):
        kind = row["classification"]
        # The hub's ids begin with the category, those of the repository do not.
        origin = str(row["idx"]).removeprefix(f"{kind}_")
        steps = row["modified_process"]
        wrong = [step - 1 for step in row["error_steps"] if step <= len(steps)]
        item = _labelled(f"{kind}_{origin}", row["modified_question"], steps, wrong, kind, origin)
        modified.setdefault(item["id"], item)
        if kind == "redundency":
            question, steps = row["original_question"], row["original_process"]
            item = _labelled(f"correct_{origin}", question, steps, [], "original", origin)
            originals.setdefault(origin, item)
    return _test([part[name] for part in (modified, originals) for name in sorted(part)])


def _labelled(
    name: str, problem: str, steps: list[str], wrong: list[int], kind: str, origin: str
) -> Row:
    if kind not in _PRMBENCH and kind != "original":
        raise DataError(f"PRMBench has no category {kind!r}; it has {', '.join(_PRMBENCH)}")
    return {
        "id": name,
        "problem": problem,
        "steps": steps,
        "wrong": sorted(wrong),
        "category": _PRMBENCH.get(kind, kind),
        "origin": origin,
    }


def rewardmath(*, texts: str, **metadata: Any) -> Splits:
    """RewardMATH: ``id, problem, solutions, right, writers``.

    The files of recorded results say which solutions a problem has, not how they read; the texts
    come from the file `texts` of the data folder, where it is there, with a row per solution as on
    the hub. `solutions` are lists of steps, empty ones without the texts; `writers` say who wrote
    each, and the human solution is the right one.
    """
    found = [
        {
            "id": f"rewardmath-{i:04d}",
            "problem": row["problem"],
            "solutions": [[] for _ in row["solution_reference"]],
            "right": row["solution_reference"].index("human_to_GPT-4"),
            "writers": row["solution_reference"],
        }
        for i, row in enumerate(_rows(metadata))
    ]
    return _test(_with_texts(found, texts, metadata.get("data_dir")))


def _with_texts(found: Sequence[Row], texts: str, data_dir: str | None) -> Sequence[Row]:
    """Return the problems with the texts of their solutions, if the data folder has them.

    Raises:
        DataError: texts of other problems or solutions.
    """
    try:
        told = list(rows(data_dir=data_dir, local=texts))
    except NoData:
        return found
    own: dict[int, list[Row]] = {}
    for row in told:
        own.setdefault(row["problem_id"], []).append(row)
    for number, problem in enumerate(found):
        solutions = own.get(number, [])
        told_of = [(row["problem"], row["solution_reference"]) for row in solutions]
        if told_of != [(problem["problem"], writer) for writer in problem["writers"]]:
            raise DataError(
                f"{texts}: the solutions of problem {number} are not those of {problem['id']}; "
                "the file needs a row per solution, with problem_id, in the data set's order"
            )
        problem["solutions"] = [row["eval_solution"] for row in solutions]
    return found


def rewardbench_math(**metadata: Any) -> Splits:
    """The subset math-prm of RewardBench: ``id, problem, solutions, right, subject, level``.

    `solutions` are the chosen and the rejected one, in the steps that RewardMATH's authors cut.
    """
    pairs: dict[int, dict[str, Row]] = {}
    for row in _rows(metadata):
        pairs.setdefault(row["problem_id"], {})[row["solution_type"]] = row
    return _test(
        {
            "id": f"math-prm-{number:04d}",
            **_take(pair["chosen"], ("problem", "subject", "level")),
            "solutions": [pair[kind]["eval_solution"] for kind in ("chosen", "rejected")],
            "right": 0,
        }
        for number, pair in pairs.items()
    )


def chain_errors(*, domain: str, **_: Any) -> Splits:
    """One domain (``math`` or ``code``) of our generated solutions, with ProcessBench's columns."""
    wanted = {"math": "arithmetic", "code": "programs"}[domain]
    return _test(row for row in _chain_errors() if row["domain"] == wanted)


@cache
def _chain_errors() -> tuple[Row, ...]:
    """Generating both domains takes seconds, and the group asks for it once per domain."""
    from harness.embedded.datasets import chain_errors as generated

    return tuple(generated()["test"])


def _livecodebench_row(row: Row) -> Row:
    func_name = json.loads(row["metadata"]).get("func_name")
    return {
        **_take(row, ("question_id", "starter_code", "platform", "difficulty")),
        "title": row["question_title"],
        "content": row["question_content"],
        "date": row["contest_date"][:10],
        "kind": "code_function" if func_name else "code_stdin",
        "func_name": func_name,
        "public_tests": row["public_test_cases"],
        "private_tests": row["private_test_cases"],
    }


def _rows(metadata: Mapping[str, Any]) -> Iterable[Row]:
    return rows(
        **{key: metadata[key] for key in ("data_dir", "source", "local") if key in metadata}
    )


def _take(row: Row, columns: Iterable[str]) -> Row:
    return {column: row[column] for column in columns}


def _test(items: Iterable[Row], large: Sequence[str] = ()) -> Splits:
    """Return the rows as the split ``test``; columns in `large` may exceed 2 GiB in all."""
    from datasets import Dataset, Features, Value

    try:
        kept = list(items)
    except KeyError as error:
        raise DataError(
            f"the data has no column {error}: it is another data set, or another revision of it"
        ) from error
    if not kept:
        raise DataError("the data has no rows")
    if not large:
        return {"test": Dataset.from_list(kept)}
    types = {name: Value("large_string" if name in large else "string") for name in kept[0]}
    return {"test": Dataset.from_list(kept, features=Features(types))}
