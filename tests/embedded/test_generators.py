"""The generators: always the same rows, no problem in both splits, gold solutions that are
right."""

import hashlib
import json
import random
import subprocess
import sys
from itertools import islice

import pytest

from harness.embedded import chain_arithmetic, chain_errors, chain_programs, datasets, program_tests
from harness.embedded.checkers import CHECKERS
from harness.embedded.corpus import DOMAINS, TASKS, examples, problems, write
from harness.embedded.mistakes import MODAL, Hand
from harness.embedded.splits import split_of

PINNED = {
    "arithmetic": "67126022b517e922c77187b4ed30dd8918ef9cc1341f9bc8f0c9b98d70a1848f",
    "programs": "fa667b8919a9c8e0189d6c06d42244cf833da03630c6a01c8cdf4afeffce49af",
    "errors": "7abefb223bf827f7faa02747811c40df2b80b1440f89face49f08f495d854511",
}
"""sha256 of the canonical JSON of the rows: a change here is a new version of the task."""


@pytest.fixture(scope="module")
def rows():
    names = {"arithmetic": "chain_arithmetic", "programs": "chain_programs"}
    return {name: datasets.shipped(names.get(name, "chain_errors")) for name in PINNED}


@pytest.mark.parametrize("name", PINNED)
def test_rows_are_pinned(rows, name):
    text = json.dumps(rows[name], sort_keys=True, ensure_ascii=True)
    assert PINNED[name] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("name", PINNED)
def test_shipped_rows_are_the_generated_ones(rows, name):
    """The first of each domain: generating all takes a minute."""
    generated = {
        "arithmetic": lambda: datasets.arithmetic_rows(80),
        "programs": lambda: datasets.program_rows(80),
        "errors": lambda: chain_errors.rows(50),
    }[name]()
    by_domain: dict[object, int] = {}
    first = []
    for row in rows[name]:
        domain = row.get("domain")
        by_domain[domain] = by_domain.get(domain, 0) + 1
        if by_domain[domain] <= (50 if name == "errors" else 80):
            first.append(row)
    assert json.loads(json.dumps(generated)) == first


def test_rows_have_distinct_ids_and_problems(rows):
    for found in rows.values():
        assert len(found) == len({row["id"] for row in found})
        assert len(found) == len({row["problem"] for row in found})


@pytest.mark.parametrize("domain", DOMAINS)
def test_splits_share_no_problem(domain):
    train = {problem.text for problem in islice(problems(domain, "train", "x"), 1500)}
    test = {problem.text for problem in islice(problems(domain, "test", "x"), 200)}
    assert not train & test
    assert {"train"} == {split_of(text) for text in train}
    assert {"test"} == {split_of(text) for text in test}


def test_every_task_row_is_of_the_test_split(rows):
    assert {"test"} == {split_of(row["problem"]) for found in rows.values() for row in found}


@pytest.mark.parametrize("domain", DOMAINS)
def test_text_and_problem_are_one(domain):
    for problem in islice(problems(domain, "train", "y"), 500):
        assert problem == TASKS[domain].parse(problem.text)


@pytest.mark.parametrize("domain", DOMAINS)
def test_level_is_the_number_of_steps_and_all_levels_come(domain):
    levels = set()
    for problem in islice(problems(domain, "test", "levels"), 90):
        gold = write(problem, Hand())
        assert problem.level == len(gold.steps)
        levels.add(problem.level)
    assert set(range(4, 13)) == levels


def test_gold_answers_agree_with_plain_python(rows):
    for row in rows["arithmetic"]:
        values: dict[str, int] = {}
        *equations, _ = row["problem"].split(";")
        for equation in equations:
            name, body = equation.split("=")
            values[name] = eval(body, {"__builtins__": {}}, values)
        assert row["answer"] == str(values[name])
        assert row["solution"].endswith(f"\\boxed{{{row['answer']}}}\n")


def test_program_tests_agree_with_plain_python(rows):
    for row in rows["programs"]:
        space: dict[str, object] = {}
        exec(row["solution"], space)
        public = {test["input"][0] for test in row["public_tests"]}
        for test in row["public_tests"] + row["hidden_tests"]:
            assert test["expected"] == space[row["entry_point"]](*test["input"])
        assert not public & {test["input"][0] for test in row["hidden_tests"]}


def test_hidden_tests_catch_nearly_every_single_mistake():
    caught = total = 0
    for problem in islice(problems("programs", "test", "caught"), 60):
        rng = random.Random(problem.text)
        for _ in range(8):
            solution = write(problem, Hand(rng, limit=1))
            if solution.made:
                total += 1
                caught += not program_tests.passes(
                    solution.steps, program_tests.hidden_tests(problem)
                )
    assert caught / total > 0.9


def test_checker_finds_the_injected_mistakes():
    """The first mistake of the solver is the checker's first wrong step, thousands of times."""
    for item in islice(examples("checked", 0.5), 4000):
        made = item.solution.made[0][0] if item.solution.made else -1
        assert made == CHECKERS[item.domain](item.problem, item.solution.steps)


def test_modal_traps_stay_within_their_quota(rows):
    for row in rows["arithmetic"]:
        hand = Hand()
        chain_arithmetic.solve(chain_arithmetic.parse(row["problem"]), hand)
        assert sum(kind in MODAL for _, kind in hand.traps) <= 2


def test_errors_have_the_stated_mixture(rows):
    for domain in DOMAINS:
        mine = [row for row in rows["errors"] if row["domain"] == domain]
        assert len(mine) == 400
        assert sum(row["label"] == -1 for row in mine) == 200
        assert sum(row["label"] >= 0 and row["final_answer_correct"] for row in mine) == 40
        for row in mine:
            assert row["label"] == CHECKERS[domain](row["problem"], row["steps"])
            assert row["label"] >= 0 or row["final_answer_correct"]


def test_unreadable_problems_are_refused():
    for text in ("", "a=1+2", "a=1+2;b?", "a=1//2;a?"):
        with pytest.raises(ValueError):
            chain_arithmetic.parse(text)
    for text in ("", "f(x): ", "f(x): add", "g(x): add 3"):
        with pytest.raises(ValueError):
            chain_programs.parse(text)


def test_generators_import_no_heavy_library():
    code = (
        "import sys; import harness.embedded.datasets, harness.embedded.checkers\n"
        "heavy = {'torch', 'transformers', 'datasets', 'numpy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_sets_carry_the_rows(rows):
    pytest.importorskip("datasets")
    found = datasets.chain_programs(version=1, metadata={"any": "thing"})["test"]
    assert rows["programs"] == list(found)
