"""A small board made by hand: two frozen pools, and submissions with scores of any kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from harness.boards.archive import CANDIDATES, GRADES, PROBLEMS, PoolCard, write_archive
from harness.boards.pools import FrozenPool, load_pool
from harness.boards.scores import write_scores
from harness.digest import digest
from harness.store.format import problem_record
from harness.types import Problem

PROBLEM_COUNT, SAMPLES = 12, 4


def lines(records: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def pool_members(prompt: str = "{i}+{i}=?") -> dict[str, bytes]:
    """12 sums with 4 candidates each: i % 3 + 1 right ones at changing places."""
    problems, candidates, grades = [], [], []
    for i in range(PROBLEM_COUNT):
        problem = Problem(
            f"s{i}", "sums", "1.0", "math", prompt.format(i=i), str(2 * i), meta={"level": i % 2}
        )
        problems.append(problem_record(problem))
        for j in range(SAMPLES):
            right = (j + i) % SAMPLES <= i % 3
            steps = [f"step {k} of {j}\n" for k in range(1 + (i + j) % 3)]
            candidates.append(
                {
                    "problem": f"s{i}",
                    "index": j,
                    "steps": steps,
                    "finish": "stop",
                    "tokens": 10,
                    "prompt_tokens": 5,
                }
            )
            grades.append(
                {
                    "problem": f"s{i}",
                    "index": j,
                    "verdict": "correct" if right else "wrong",
                    "answer": str(2 * i) if right else "x",
                    "reason": "",
                    "class": 0 if right else 1,
                }
            )
    return {PROBLEMS: lines(problems), CANDIDATES: lines(candidates), GRADES: lines(grades)}


def step_members() -> dict[str, bytes]:
    """12 given solutions of 3 steps; every second one goes wrong at step i % 3."""
    problems = [
        problem_record(
            Problem(
                f"e{i}",
                "errors",
                "1.0",
                "steps",
                "?",
                {"label": i % 3 if i % 2 else -1, "final_answer_correct": not i % 2},
                steps=("a\n", "b\n", "c\n"),
            )
        )
        for i in range(PROBLEM_COUNT)
    ]
    return {PROBLEMS: lines(problems)}


def card(members: dict[str, bytes], **changed: object) -> PoolCard:
    identity = {"pool": "made by hand"}
    return PoolCard(
        **{
            "name": "sums",
            "version": 1,
            "task": "sums",
            "task_version": "1.0",
            "kind": "math",
            "domain": "math",
            "policy": "script",
            "samples": SAMPLES,
            "problems": PROBLEM_COUNT,
            "n_total": PROBLEM_COUNT,
            "licence": "MIT",
            "source": "made by hand",
            "withheld": False,
            "pool": digest(identity),
            "header": {"identity": identity, "facts": {"task": "sums", "samples": SAMPLES}},
            "members": {n: hashlib.sha256(text).hexdigest() for n, text in members.items()},
            **changed,
        }  # type: ignore[arg-type]
    )


def make_board(root: Path, **changed: object) -> dict[str, FrozenPool]:
    """Write board `tiny` with its pools; return them."""
    sums, errors = pool_members(), step_members()
    steps = {"name": "errors", "task": "errors", "kind": "steps", "samples": 1, "policy": "given"}
    cards = {"sums": card(sums), "errors": card(errors, **steps)}
    for name, members in (("sums", sums), ("errors", errors)):
        write_archive(root / "pools" / f"{name}-1.pool.zip", cards[name], members)
    keys = ("task", "task_version", "kind", "domain", "policy", "problems", "samples", "licence")
    content = {
        "name": "tiny",
        "title": "Tiny",
        "version": 1,
        "description": "Made by hand.",
        "pools": {
            name: {
                "file": f"{name}-1.pool.zip",
                "digest": own.digest,
                **{key: getattr(own, key) for key in keys},
            }
            for name, own in cards.items()
        },
        "figures": [
            {"pool": "sums", "methods": ["best_of_n", "weighted_vote"], "budgets": [2, 4]},
            {"pool": "errors", "methods": ["first_error"]},
        ],
        "ranking": ["sums/best_of_n@4/accuracy", "errors/first_error/f1"],
        **changed,
    }
    (root / "boards").mkdir(parents=True, exist_ok=True)
    (root / "boards" / "tiny.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return {name: load_pool(root / "pools" / f"{name}-1.pool.zip") for name in cards}


Scorer = Callable[[FrozenPool, int, int, int], float]
"""(pool, row of the problem, candidate, step) → score."""


def noisy(seed: int, skill: float = 1.0) -> Scorer:
    """A PRM that tends to be right, and is never exactly so."""
    rng = np.random.default_rng(seed)

    def score(pool: FrozenPool, row: int, candidate: int, step: int) -> float:
        if pool.kind == "steps":
            truth = pool.labels[row] == -1 or step < pool.labels[row]
        else:
            truth = pool.correct[row, candidate] == 1
        return float(1 / (1 + np.exp(-rng.normal(skill * (2 * truth - 1), 1.5))))

    return score


def rows_of(pool: FrozenPool, score: Scorer) -> dict[str, list[object]]:
    places = [(r, c) for r, c in np.argwhere(pool.present).tolist()]
    return {
        "problem": [pool.problems[r].id for r, _ in places],
        "candidate": [c for _, c in places],
        "scores": [[score(pool, r, c, k) for k in range(int(pool.steps[r, c]))] for r, c in places],
        "tokens": [10 for _ in places],
    }


def make_submission(
    root: Path, name: str, pools: dict[str, FrozenPool], score: Scorer, **changed: object
) -> Path:
    """Write a sound submission to board `tiny`."""
    folder = root / "submissions" / "tiny" / name
    folder.mkdir(parents=True, exist_ok=True)
    for pool, own in pools.items():
        write_scores(folder / "scores" / f"{pool}.parquet", own, rows_of(own, score), 1.5)
    content = {
        "schema_version": 1,
        "board": "tiny",
        "name": name,
        "authors": ["N. N."],
        "links": {"paper": "https://example.org/paper"},
        "licence": "MIT",
        "model": {"prm": "transformers:org/model,recipe=qwen-prm", "parameters": 1000},
        "training": {"domains": ["math"], "data": ["made by hand"]},
        "contamination": {"status": "none-known", "statement": "Problems are new."},
        "semantics": "p_correct",
        "aggregation": "min",
        **changed,
    }
    (folder / "submission.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    (folder / "provenance.json").write_text("{}")
    return folder
