"""Our grader and evalplus' own, side by side on mutants of the reference solutions.

Time is no matter here: what is too slow for either, by its own limit, is passed over. Mutants are
made here, so that no program of a model runs in evalplus, which does not isolate. Over both data
sets more than 500 are compared.
"""

from __future__ import annotations

import ast
import copy
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InfrastructureError
from harness.grading.code import CodeGrader
from harness.types import Problem

WRAPPERS = [
    "list(_f(*a))",
    "tuple(_f(*a))",
    "float(_f(*a))",
    "str(_f(*a))",
    "_f(*a) + 1e-7",
    "_f(*a) or None",
    "(x for x in _f(*a))",
    "__import__('collections').Counter(_f(*a))",
    "__import__('decimal').Decimal(_f(*a))",
    "(_f(*a), print('noise'))[0]",
]
SEED, TASKS, PER_TASK = 7, 32, 10


class _Mutate(ast.NodeTransformer):
    """Changes the one place with this number."""

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0

    def _here(self) -> bool:
        self.seen += 1
        return self.seen == self.at + 1

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int) and self._here():
            return ast.copy_location(ast.Constant(int(node.value) + 1), node)
        if isinstance(node.value, str) and self._here():
            return ast.copy_location(ast.Constant(node.value + " "), node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        swap: dict[type, type] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE}
        swap |= {ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn}
        if type(node.ops[0]) in swap and self._here():
            node.ops[0] = swap[type(node.ops[0])]()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        swap: dict[type, type] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}
        if type(node.op) in swap and self._here():
            node.op = swap[type(node.op)]()
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        return ast.Return(None) if self._here() else node

    def visit_While(self, node: ast.While) -> ast.AST:
        return node  # a changed loop condition seldom ends


def mutants(code: str, entry: str, rng: random.Random) -> Iterator[str]:
    """Programs near a right one: the program itself, wrapped results, one place changed."""
    yield code
    for wrapper in rng.sample(WRAPPERS, 4):
        yield f"{code}\n\n_f = {entry}\n\ndef {entry}(*a):\n    return {wrapper}\n"
    tree = ast.parse(code)
    counter = _Mutate(-1)
    counter.visit(copy.deepcopy(tree))
    for at in rng.sample(range(counter.seen), min(5, counter.seen)):
        yield ast.unparse(ast.fix_missing_locations(_Mutate(at).visit(copy.deepcopy(tree))))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", ["humaneval", "mbpp"])
def test_verdicts_on_mutants_are_those_of_evalplus(data: str, rows: Any) -> None:
    pytest.importorskip("evalplus.eval", reason="evalplus is not installed")
    from harness.sandbox.backends import open_sandbox

    try:
        sandbox = open_sandbox()
    except InfrastructureError as error:
        pytest.skip(f"no sandbox: {error}")
    rng = random.Random(SEED)
    folder, file = f"{data}_plus", {"humaneval": "HumanEvalPlus-v0.1.10", "mbpp": "MbppPlus-v0.2.0"}
    tasks = rows(f"{folder}/{file[data]}.jsonl.gz")
    # evalplus 0.3.1 fails every answer to HumanEval/32. The tests of the others take seconds or, in
    # it, a gigabyte; their verdicts are compared with recorded ones.
    numbers = {"humaneval": (32, 15, 36, 59, 83, 94, 130, 139), "mbpp": (255, 271, 392, 599, 603)}
    tasks = [task for task in tasks if int(task["task_id"].partition("/")[2]) not in numbers[data]]
    asked: list[tuple[Problem, str]] = []
    jobs = []
    for task in rng.sample(tasks, TASKS):
        entry, code = task["entry_point"], task["prompt"] + task["canonical_solution"]
        reference = {key: task[key] for key in ("entry_point", "prompt", "contract")}
        reference |= {"solution": code, "atol": float(task["atol"])}
        reference |= {key: json.dumps(task[key]) for key in ("base_input", "plus_input")}
        problem = Problem(task["task_id"], folder, "1.0", "code_function", "?", reference)
        codes = list(mutants(code, entry, rng))[:PER_TASK]
        asked += [(problem, mutant) for mutant in codes]
        jobs.append(json.dumps({"data": data, "task": task, "codes": codes}))
    peer = [sys.executable, Path(__file__).with_name("evalplus_peer.py")]
    done = subprocess.run(peer, input="\n".join(jobs), capture_output=True, text=True, check=True)
    theirs = [tuple(found) for line in done.stdout.splitlines() for found in json.loads(line)]
    with CodeGrader(lambda: sandbox) as grader:
        results = list(grader.results(asked, both=True))
    ours = [(result.base, result.plus) for result in results]
    decided = [
        (problem.id, code[-200:], [one is not None and one.passed for one in mine], other)
        for (problem, code), mine, other in zip(asked, ours, theirs, strict=True)
        if "timeout" not in other and "timeout" not in [one and one.word for one in mine]
    ]
    assert len(decided) >= 255
    differing = [one for one in decided if one[2] != [status == "pass" for status in one[3]]]
    assert differing == []
    assert 0.15 < sum(all(one[2]) for one in decided) / len(decided) < 0.85
