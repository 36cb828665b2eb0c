"""A made-up board of any size with values as real ones have: for tests and pictures of the page.

Every PRM has a latent skill that rises with its size and levels off, shifted by domain; figures are
that skill plus noise, with intervals as wide as so many problems leave them. Nothing here is a
result of anything.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.boards.standing import (
    Bin,
    Board,
    Calibration,
    Card,
    Column,
    ColumnPair,
    Contamination,
    Cost,
    Entry,
    Link,
    Pair,
    Place,
    Pool,
    Sample,
    Scored,
    Slice,
    Solution,
    Trust,
    Value,
)

TASKS = (
    ("math500", "math", "MATH-500", 500),
    ("gsm8k", "math", "GSM8K", 500),
    ("olympiad", "math", "Olympiad", 200),
    ("humaneval_plus", "code", "HumanEval+", 164),
    ("mbpp_plus", "code", "MBPP+", 378),
)
COLUMNS = tuple(
    Column(f"{task}/best_of_n@64/accuracy", task, domain, f"{task}-7b", "best_of_n", 64, "accuracy",
           title, True)
    for task, domain, title, _ in TASKS
)  # fmt: skip
FIRST_ERROR = Column(
    "process/first_error/f1", "process", "math", "process", "first_error", None, "f1",
    "First error F1", False,
)  # fmt: skip
SIZES = (0.5e9, 1.5e9, 3e9, 7e9, 8e9, 14e9, 32e9, 72e9)
FAMILIES = ("Aster", "Borealis", "Cirrus", "Delta", "Ember", "Fathom", "Gradient", "Helix")
DATA = {"math": ("PRM800K", "Math-Shepherd"), "code": ("APPS", "TACO")}
SUBJECTS = ("Algebra", "Counting and probability", "Geometry", "Number theory", "Precalculus")
PROMPTS = (
    "A store sells pencils at 4 for a dollar and pens at 3 for two dollars. Ana buys 12 pencils "
    "and 9 pens. How many dollars does she spend?",
    "Find the remainder when $3^{40}$ is divided by $7$.",
    "How many positive divisors does 360 have?",
    "What is the sum of the first 20 odd numbers?",
)
STEPS = (
    "First write down what is given.\n",
    "Group the terms so that the common factor shows: 12 / 4 = 3 and 9 / 3 = 3.\n",
    "So the pencils cost 3 dollars and the pens cost 3 · 2 = 6 dollars.\n",
    "Check the units: both are dollars, so they may be added.\n",
    "Therefore the answer is \\boxed{9}.\n",
)


def interval(p: float, n: int) -> tuple[float, float]:
    """Wilson's interval."""
    z = 1.96
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def board(
    prms: int = 24, cited: int = 4, samples: int = 3, seed: int = 0, names: Sequence[str] = ()
) -> Board:
    """Return a board of `prms` ranked PRMs; the first of them are called by `names`."""
    dice = random.Random(seed)
    ranked = [_prm(number, dice, names) for number in range(prms)] + [_baseline(dice)]
    ranked = _placed(ranked)
    shown = tuple(_sample(number, dice) for number in range(samples))
    ranked = [_with(entry, samples=_scored(entry, shown, dice)) for entry in ranked]
    others = [_cited(number, dice) for number in range(cited)] + _references()
    return Board(
        name="synthetic",
        title="Synthetic board",
        version=3,
        description="Choosing among 64 solutions of one policy, on five tasks of mathematics and "
        "code. All values of this board are made up.",
        digest="5e" * 32,
        harness="0.1.0",
        aggregation="each PRM's declared aggregation, fixed before its scores were seen",
        ranking="mean accuracy of best-of-64 over the five tasks, ties by name",
        replicas=1,
        trust="recomputed",
        columns=(*COLUMNS, FIRST_ERROR),
        pools=tuple(
            Pool(f"{task}-7b", task, "1.0", "code_function" if domain == "code" else "math", domain,
                 "policy-7b", problems, 64, f"{i + 1:x}" * 64, "MIT", "", True, domain == "code")
            for i, (task, domain, _, problems) in enumerate(TASKS)
        ),
        entries=(*ranked, *sorted(others, key=lambda entry: entry.name)),
        pairs=tuple(_pairs(ranked)),
        samples=shown,
        remarks=("Programs were graded by the board; their references are withheld.",),
    )  # fmt: skip


def _with(entry: Entry, **changes: object) -> Entry:
    from dataclasses import replace

    return replace(entry, **changes)  # type: ignore[arg-type]


def _skill(size: float) -> float:
    return 0.66 - 0.30 * (size / 0.3e9) ** -0.55


def _prm(number: int, dice: random.Random, names: Sequence[str]) -> Entry:
    family = FAMILIES[number % len(FAMILIES)]
    size = SIZES[(number * 5 + number // 8) % len(SIZES)]
    trained = (("math",), ("math", "code"), ("code",), ("math",))[number % 4]
    billions = f"{size / 1e9:g}B"
    name = names[number] if number < len(names) else f"{family}-PRM-{billions}" + (
        f"-v{number // 64 + 1}" if number >= 64 else ""
    )  # fmt: skip
    values = []
    for column, (_, domain, _, problems) in zip(COLUMNS, TASKS, strict=True):
        shift = 0.05 if domain in trained else -0.07
        hard = {"gsm8k": 0.22, "olympiad": -0.24}.get(column.task, 0.0)
        p = min(0.97, max(0.04, _skill(size) + shift + hard + dice.gauss(0, 0.02)))
        p = round(p * problems) / problems
        low, high = interval(p, problems)
        tokens = 64 * dice.uniform(280, 460)
        cost = Cost(tokens, 64 * 310.0, 2 * size * tokens, 2e-14 * 2 * size * tokens)
        values.append(Value(column.id, p, low, high, problems, "min", cost=cost))
    f1 = min(0.9, max(0.05, _skill(size) + dice.gauss(0, 0.05)))
    values.append(Value(FIRST_ERROR.id, f1, f1 - 0.03, f1 + 0.03, 1000, threshold=0.5))
    trust: Trust = "re-run" if number % 3 == 0 else "recomputed"
    contamination: Contamination = ("none-known", "undeclared", "possible")[number % 3]
    card = Card(
        authors=(f"{family} team", "N. N."),
        links=(Link("paper", "https://example.org/paper"), Link("weights", "https://example.org/w")),
        licence="Apache-2.0" if number % 2 else "MIT",
        model=f"{family.lower()}/{name}"[:80],
        revision=f"{dice.getrandbits(160):040x}",
        base=f"base-{billions}",
        parameters=int(size),
        recipe=f"{family.lower()}-prm",
        recipe_digest=f"{dice.getrandbits(256):064x}",
        training_domains=trained,
        training_data=tuple(data for domain in trained for data in DATA[domain]),
        contamination=contamination,
        contamination_note="Trained before the tasks were published." if number % 3 == 0 else "",
        semantics="p_correct",
        command=f"run-benchmark score pools/math500-7b --prm hf:{family.lower()}/{name}",
        provenance={"harness": "0.1.0", "torch": "2.9.0", "machine": "1 GPU, 80 GB",
                    "started": "2026-11-20T09:12:44Z"},
        note="Scores of this row are the mean of two heads." if number % 7 == 0 else "",
    )  # fmt: skip
    return Entry(f"prm-{number:03d}", name, "prm", trust, card, tuple(values),
                 slices=_slices(values, dice), calibration=(_calibration(dice),))  # fmt: skip


def _baseline(dice: random.Random) -> Entry:
    values = []
    for column, (_, _, _, problems) in zip(COLUMNS, TASKS, strict=True):
        p = {"gsm8k": 0.5, "olympiad": 0.12}.get(column.task, 0.32)
        low, high = interval(p, problems)
        values.append(Value(column.id, p, low, high, problems, "min"))
    card = Card(
        command="run-benchmark score pools/math500-7b --prm fake:random", semantics="p_correct"
    )
    return Entry("random", "random scores", "baseline", "re-run", card, tuple(values))


def _cited(number: int, dice: random.Random) -> Entry:
    p = 0.6 + dice.gauss(0, 0.04)
    source = "Table 3 of an imagined paper (2025)"
    values = (Value(COLUMNS[0].id, p, None, None, 500, source=source),)
    card = Card(
        authors=("N. N.",), parameters=int(7e9), links=(Link("paper", "https://example.org/c"),)
    )
    return Entry(f"cited-{number}", f"Zenith-PRM-{number + 1}", "prm", "published", card, values)


def _references() -> list[Entry]:
    made = []
    for id_, name, base in (
        ("majority", "majority vote of 64", 0.55),
        ("pass", "pass@64, the ceiling", 0.86),
    ):
        values = []
        for column, (_, _, _, problems) in zip(COLUMNS, TASKS, strict=True):
            hard = {"gsm8k": 0.12, "olympiad": -0.2}.get(column.task, 0.0)
            p = min(0.99, base + hard)
            low, high = interval(p, problems)
            values.append(Value(column.id, p, low, high, problems))
        made.append(Entry(id_, name, "reference", "re-run", Card(), tuple(values)))
    return made


def _placed(entries: list[Entry]) -> list[Entry]:
    scored = sorted(entries, key=lambda e: (-_score(e), e.name))
    half = 0.018
    placed: list[Entry] = []
    group, leader = 0, math.inf
    for rank, entry in enumerate(scored, start=1):
        score = _score(entry)
        if leader - score > 1.4 * half:
            group, leader = group + 1, score
        better = sum(_score(other) - score > 1.8 * half for other in scored)
        worse = sum(score - _score(other) > 1.8 * half for other in scored)
        place = Place(
            score, score - half, score + half, rank, better + 1, len(scored) - worse, group
        )
        placed.append(_with(entry, place=place))
    return placed


def _score(entry: Entry) -> float:
    return sum(value.value for value in entry.values[: len(COLUMNS)]) / len(COLUMNS)


def _pairs(ranked: Sequence[Entry]) -> list[Pair]:
    found = []
    for i, a in enumerate(ranked):
        for b in ranked[i + 1 :]:
            difference = _score(a) - _score(b)
            p = math.erfc(abs(difference) / 0.0125 / math.sqrt(2))
            p_holm = min(1.0, p * len(ranked))
            ends = difference - 0.0245, difference + 0.0245
            found.append(Pair(a.id, b.id, difference, *ends, p, p_holm, _by_column(a, b)))
    return found


def _by_column(a: Entry, b: Entry) -> tuple[ColumnPair, ...]:
    made = []
    for column, left, right in zip(COLUMNS, a.values, b.values, strict=False):
        difference = left.value - right.value
        own = math.erfc(abs(difference) / 0.02 / math.sqrt(2))
        ends = difference - 0.0392, difference + 0.0392
        made.append(ColumnPair(column.id, difference, *ends, own, min(1.0, 100 * own)))
    return tuple(made)


def _slices(values: Sequence[Value], dice: random.Random) -> tuple[Slice, ...]:
    made = []
    for facet, names in (("subject", SUBJECTS), ("level", ("1", "2", "3", "4", "5"))):
        for place, name in enumerate(names):
            p = (
                values[0].value
                + dice.gauss(0, 0.05)
                + (0.12 - 0.06 * place if facet == "level" else 0)
            )
            p = min(0.98, max(0.02, p))
            low, high = interval(p, 100)
            made.append(Slice(COLUMNS[0].id, facet, name, p, low, high, 100))
    return tuple(made)


def _calibration(dice: random.Random) -> Calibration:
    bins = []
    for i in range(10):
        score = (i + 0.5) / 10
        right = min(0.99, max(0.01, score**1.4 + dice.gauss(0, 0.02)))
        n = int(40 + 400 * abs(score - 0.4))
        low, high = interval(right, n)
        bins.append(Bin(score, right, low, high, n))
    return Calibration("process", tuple(bins))


def _sample(number: int, dice: random.Random) -> Sample:
    solutions = []
    for index in range(6):
        steps = STEPS[: 3 + (index + number) % 3]
        right = dice.random() < 0.5
        wrong = None if right else dice.randrange(len(steps))
        solutions.append(
            Solution(index, steps, right if index != 4 else None, "9" if right else "7", wrong)
        )
    task = TASKS[number % 2]
    return Sample(
        id=f"{task[0]}/{number}",
        pool=f"{task[0]}-7b",
        problem=f"{task[0]}-{number}",
        prompt=PROMPTS[number % len(PROMPTS)],
        facts={"subject": SUBJECTS[number % 5], "level": 3},
        solutions=tuple(solutions),
    )


def _scored(entry: Entry, shown: Sequence[Sample], dice: random.Random) -> tuple[Scored, ...]:
    made = []
    for sample in shown:
        scores: list[tuple[float, ...] | None] = []
        for solution in sample.solutions:
            wrong = solution.first_wrong
            middles = [
                0.85 if wrong is None or i < wrong else 0.2 for i in range(len(solution.steps))
            ]
            scores.append(tuple(min(1.0, max(0.0, dice.gauss(m, 0.12))) for m in middles))
        made.append(Scored(sample.id, tuple(scores)))
    return tuple(made)
