"""Time the build of a large board: `python -m benchmarks.board`.

100 PRMs x 5 tasks x 500 problems x 64 candidates, steps of eight on the average: 128 million step
scores in 500 score files. The build checks every file, recomputes best-of-n and weighted votes,
ranks, and writes tables and page. It runs in a process of its own, whose peak memory counts.
Making the board's files takes longer than building it, and is not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from harness.boards.archive import CANDIDATES, GRADES, PROBLEMS, SUFFIX, PoolCard, write_archive
from harness.boards.pools import FrozenPool, load_pool
from harness.boards.scores import write_scores
from harness.digest import digest
from harness.store.format import problem_record
from harness.types import Problem

SECONDS, BYTES = 60, 2 << 30
"""What a build may take."""


def lines(records: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def make_pool(path: Path, task: str, problems: int, samples: int, seed: int) -> FrozenPool:
    """Write a pool of unequal problems whose wrong answers are popular."""
    rng = np.random.default_rng(seed)
    asked, candidates, grades = [], [], []
    for i in range(problems):
        name, hard = f"{task}-{i}", rng.beta(1, 1)
        problem = Problem(name, task, "1.0", "math", "?", "1", meta={"level": int(5 * hard)})
        asked.append(problem_record(problem))
        for j in range(samples):
            right, count = bool(rng.random() > hard), int(rng.integers(4, 13))
            steps = [f"step {k} of a solution that is as long as they are\n" for k in range(count)]
            place: dict[str, object] = {"problem": name, "index": j}
            candidates.append(
                {**place, "steps": steps, "finish": "stop", "tokens": 300, "prompt_tokens": 50}
            )
            answer = 0 if right else int(min(rng.zipf(1.8), 20))
            verdict = "correct" if right else "wrong"
            grades.append(
                {**place, "verdict": verdict, "answer": "", "reason": "", "class": answer}
            )
    members = {PROBLEMS: lines(asked), CANDIDATES: lines(candidates), GRADES: lines(grades)}
    identity = {"task": task}
    card = PoolCard(
        name=task,
        version=1,
        task=task,
        task_version="1.0",
        kind="math",
        domain="math",
        policy="synthetic",
        samples=samples,
        problems=problems,
        n_total=problems,
        licence="none",
        source="synthetic",
        withheld=False,
        pool=digest(identity),
        header={"identity": identity, "facts": {}},
        members={name: hashlib.sha256(text).hexdigest() for name, text in members.items()},
    )
    write_archive(path, card, members)
    return load_pool(path)


def make_board(root: Path, prms: int, tasks: int, problems: int, samples: int) -> None:
    """Write board, pools and submissions."""
    pools = {}
    for t in range(tasks):
        path = root / "pools" / f"t{t}-1{SUFFIX}"
        pools[f"t{t}"] = make_pool(path, f"t{t}", problems, samples, seed=t)
    keys = ("task", "task_version", "kind", "domain", "policy", "problems", "samples", "licence")
    content = {
        "name": "large",
        "title": "Large",
        "version": 1,
        "description": "Synthetic.",
        "pools": {
            name: {"file": pool.path.name, "digest": pool.digest}
            | {key: getattr(pool.card, key) for key in keys}
            for name, pool in pools.items()
        },
        "figures": [
            {"pool": name, "methods": methods, "budgets": budgets}
            for name in pools
            for methods, budgets in (
                (["best_of_n", "weighted_vote"], [8, samples]),
                (["speculative_rejection"], [samples]),
            )
        ],
        "ranking": [f"{name}/weighted_vote@{samples}/accuracy" for name in pools],
    }
    (root / "boards").mkdir(parents=True)
    (root / "boards" / "large.yaml").write_text(yaml.safe_dump(content))
    for i in range(prms):
        make_submission(root / "submissions" / "large" / f"prm-{i:03d}", pools, i, prms)


def make_submission(folder: Path, pools: dict[str, FrozenPool], number: int, prms: int) -> None:
    """Write one PRM: the later, the better."""
    rng = np.random.default_rng([7, number])
    for name, pool in pools.items():
        count = pool.steps.ravel()
        truth = np.repeat(pool.correct.ravel(), count)
        skill = 0.2 + 1.5 * number / prms
        scores = 1 / (1 + np.exp(-rng.normal(skill * (2 * truth - 1), 1.5)))
        ends = np.cumsum(count)[:-1]
        rows = {
            "problem": np.repeat([p.id for p in pool.problems], pool.present.shape[1]).tolist(),
            "candidate": np.tile(np.arange(pool.present.shape[1]), len(pool.problems)).tolist(),
            "scores": [part.tolist() for part in np.split(scores.round(4), ends)],
            "tokens": [350] * len(count),
        }
        write_scores(folder / "scores" / f"{name}.parquet", pool, rows, 1.0)
    content = {
        "schema_version": 1,
        "board": "large",
        "name": folder.name,
        "authors": ["synthetic"],
        "licence": "none",
        "model": {"prm": "transformers:org/model,recipe=qwen-prm"},
        "training": {},
        "contamination": {"status": "none-known", "statement": "Synthetic."},
        "semantics": "p_correct",
        "aggregation": "min",
    }
    (folder / "submission.yaml").write_text(yaml.safe_dump(content))
    (folder / "provenance.json").write_text("{}")


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("prms", 100), ("tasks", 5), ("problems", 500), ("samples", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start = time.perf_counter()
        make_board(root, asked.prms, asked.tasks, asked.problems, asked.samples)
        print(f"files made in {time.perf_counter() - start:.0f} s")
        code = "from harness.cli.main import main; main()"
        command = ["board", "build", "large", "--leaderboards", str(root)]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", code, *command],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "2"},
        )
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = used.ru_maxrss * 1024
        page = (root / "published" / "large" / "index.html").stat().st_size
        data = (root / "published" / "large" / "board.json").stat().st_size
    print(f"{asked.prms} PRMs x {asked.tasks} tasks x {asked.problems} x {asked.samples}")
    print(f"build  {seconds:6.1f} s    at most {SECONDS}")
    print(f"       {used.ru_utime + used.ru_stime:6.1f} s of processors")
    print(f"peak   {peak / 2**30:6.2f} GB   at most {BYTES / 2**30:.0f}")
    print(f"page   {page / 2**20:6.2f} MB   at most 5; board.json {data / 2**20:.2f} MB")
    if (asked.prms, asked.tasks, asked.problems, asked.samples) == (100, 5, 500, 64):
        sys.exit(int(seconds > SECONDS or peak > BYTES or page > 5 * 2**20))


if __name__ == "__main__":
    main()
