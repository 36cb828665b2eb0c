"""What grades code, each in a process of its own: ours, its peers, and a bare interpreter.

``python -m benchmarks.systems NAME WORKERS`` reads orders from standard input, one per line, and
answers each with the seconds that it took and how many programs passed. Whatever a system needs to
know beforehand (data, expected values, warm workers) is there before its clock starts. Programs
are trusted here: peers do not isolate.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

ORDERS = ("functions", "calls", "programs", "canonical", "command")
"""Trivial functions tested as EvalPlus does · as LiveCodeBench does · trivial programs, as
LiveCodeBench does · the tests of HumanEval+ on its own solutions · the same as one command, from
the files of samples and data to the file of results."""
Result = tuple[float, int]
ARGUMENTS = ([1, 2], [3, 4], [5, 6])
DATA = Path(os.environ.get("HARNESS_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
HUMANEVAL = DATA / "humaneval_plus" / "HumanEvalPlus-v0.1.10.jsonl.gz"
PEERS = Path(os.environ.get("BENCH_PEERS", Path(sys.prefix) / "peers"))
"""Where LiveCodeBench's runner is: beside our packages, as its own requirements clash with them."""


def functions(count: int) -> list[str]:
    """Return trivial functions, each another text."""
    return [f"def f(a, b):\n    return a + b  # {i}\n" for i in range(count)]


def programs(count: int) -> list[str]:
    """Return trivial programs, each another text."""
    return [f"a, b = map(int, input().split())\nprint(a + b)  # {i}\n" for i in range(count)]


def tests(function: bool) -> list[dict[str, str]]:
    """Return three tests as LiveCodeBench writes them."""
    sep = "\n" if function else " "
    return [{"input": f"{a}{sep}{b}", "output": str(a + b)} for a, b in ARGUMENTS]


def humaneval() -> list[dict[str, Any]]:
    """Return the rows of HumanEval+."""
    return [json.loads(line) for line in gzip.decompress(HUMANEVAL.read_bytes()).splitlines()]


def solution(row: dict[str, Any]) -> str:
    """Return the data set's own solution."""
    return f"{row['prompt']}{row['canonical_solution']}"


def samples(folder: Path) -> Path:
    """Write the data set's own solutions as a samples file."""
    path = folder / "samples.jsonl"
    rows = ({"task_id": row["task_id"], "solution": solution(row)} for row in humaneval())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Ours:
    """This harness in its sandbox: `CodeGrader`, as `run` and `grade` use it."""

    def __init__(self, workers: int) -> None:
        from harness.grading.code import CodeGrader
        from harness.sandbox.backends import open_sandbox

        self._workers = workers
        self._grader = CodeGrader(lambda: open_sandbox(workers=workers), style="livecodebench")
        self._problems: list[tuple[Any, str]] = []

    def functions(self, count: int) -> Result:
        reference = {"entry_point": "f", "prompt": "", "solution": functions(1)[0], "atol": 0}
        reference |= {"base_input": [*ARGUMENTS], "plus_input": []}
        return self._trivial("Trivial/0", reference, functions(count))

    def calls(self, count: int) -> Result:
        reference = {"func_name": "f", "public_tests": tests(True), "private_tests": None}
        return self._trivial("calls", reference, functions(count))

    def programs(self, count: int) -> Result:
        reference = {"func_name": None, "public_tests": tests(False), "private_tests": None}
        return self._trivial("programs", reference, programs(count))

    def _trivial(self, name: str, reference: dict[str, Any], codes: list[str]) -> Result:
        from harness.types import Problem

        problem = Problem(name, "trivial", "1", "code_function", "?", reference)
        return self._timed([(problem, code) for code in codes])

    def canonical(self, _: int) -> Result:
        if not self._problems:
            self._problems = [(_problem(row), solution(row)) for row in humaneval()]
            self._timed(self._problems)  # runs the references, which gives the expected values
        return self._timed(self._problems)

    def _timed(self, items: list[tuple[Any, str]]) -> Result:
        start = time.perf_counter()
        words = [result.word for result in self._grader.results(items, both=True)]
        return time.perf_counter() - start, words.count("passed")

    def command(self, _: int) -> Result:
        from harness.problems import load
        from harness.runner.evalplus_file import grade_file
        from harness.runner.progress import Silent
        from harness.sandbox.choice import SandboxChoice

        with tempfile.TemporaryDirectory() as folder:
            path = samples(Path(folder))
            start = time.perf_counter()
            (task,) = load("humaneval_plus", data_dir=DATA)
            out = Path(folder) / "out"
            made = grade_file(path, task, out, SandboxChoice(), Silent())
            return time.perf_counter() - start, round(164 * made.plus[1].value)


def _problem(row: dict[str, Any]) -> Any:
    from harness.types import Problem

    reference = {key: row[key] for key in ("entry_point", "prompt", "contract")}
    reference |= {"solution": solution(row), "atol": float(row["atol"])}
    reference |= {key: json.dumps(row[key]) for key in ("base_input", "plus_input")}
    return Problem(row["task_id"], "humaneval_plus", "1.0", "code_function", "?", reference)


class Light:
    """evalplus' check in a process that holds nothing else, which no user has."""

    def __init__(self, workers: int) -> None:
        from evalplus.eval import untrusted_check

        self._workers, self._check = workers, untrusted_check

    def functions(self, count: int) -> Result:
        calls, expected, spent = [*ARGUMENTS], [3, 7, 11], [0.0] * 3
        asked = [
            ("humaneval", code, calls, "f", expected, 0, spent, True) for code in functions(count)
        ]
        return _pooled(self._workers, self._check, asked, lambda found: found[0] == "pass")


class EvalPlus:
    """evalplus as ``evalplus.evaluate`` runs it: data set and expected outputs in the parent."""

    def __init__(self, workers: int) -> None:
        os.environ["HUMANEVAL_OVERRIDE_PATH"] = str(HUMANEVAL)
        from evalplus import evaluate

        self._workers, self._evalplus = workers, evaluate
        self._tasks = evaluate.get_human_eval_plus()
        digest = evaluate.get_human_eval_plus_hash()
        self._expected = evaluate.get_groundtruth(self._tasks, digest, [])

    def functions(self, count: int) -> Result:
        problem = {"task_id": "f", "base_input": [*ARGUMENTS], "entry_point": "f", "atol": 0}
        expected = {"base": [3, 7, 11], "base_time": [0.0] * 3}
        return self._checked([(problem, code, expected, True) for code in functions(count)])

    def canonical(self, _: int) -> Result:
        rows = self._tasks.items()
        return self._checked([(r, solution(r), self._expected[name], False) for name, r in rows])

    def _checked(self, items: list[tuple[Any, str, Any, bool]]) -> Result:
        asked = [
            ("humaneval", i, problem, code, expected, base_only, True, str(i))
            for i, (problem, code, expected, base_only) in enumerate(items)
        ]
        check = self._evalplus.check_correctness
        return _pooled(self._workers, check, asked, _passed)

    def command(self, _: int) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            path = samples(Path(folder))
            start = time.perf_counter()
            self._evalplus.evaluate("humaneval", str(path), parallel=self._workers)
            spent = time.perf_counter() - start
            found = json.loads(path.with_name("samples_eval_results.json").read_text())["eval"]
            passed = [r["base_status"] == r["plus_status"] == "pass" for (r,) in found.values()]
            return spent, sum(passed)


def _passed(found: dict[str, Any]) -> bool:
    return all(found[key][0] == "pass" for key in ("base", "plus") if key in found)


def _pooled(
    workers: int, check: Callable[..., Any], asked: list[Any], right: Callable[[Any], bool]
) -> Result:
    """Run checks as ``evalplus.evaluate`` does: in a pool that forks a process for each."""
    start = time.perf_counter()
    with ProcessPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(check, *words) for words in asked]
        passed = sum(right(future.result()) for future in as_completed(futures))
    return time.perf_counter() - start, passed


class LiveCodeBench:
    """LiveCodeBench's runner, as NVIDIA packages it."""

    def __init__(self, workers: int) -> None:
        sys.path.append(str(PEERS))
        from livecodebench.evaluation.compute_code_generation_metrics import evaluate_generations

        self._workers, self._evaluate = workers, evaluate_generations

    def calls(self, count: int) -> Result:
        return self._evaluated("f", functions(count))

    def programs(self, count: int) -> Result:
        return self._evaluated(None, programs(count))

    def _evaluated(self, name: str | None, codes: list[str]) -> Result:
        asked = tests(name is not None)
        text = {key: [test[key[:-1]] for test in asked] for key in ("inputs", "outputs")}
        sample = {"input_output": json.dumps(text | ({"fn_name": name} if name else {}))}
        start = time.perf_counter()
        found, _ = self._evaluate(
            [sample] * len(codes), [[code] for code in codes], num_process_evaluate=self._workers
        )
        spent = time.perf_counter() - start
        return spent, sum(all(r is True for r in rows[0]) for rows in found.values())


class Bare:
    """An interpreter that makes the calls and does nothing else: no isolation, no comparison."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._fork = multiprocessing.get_context("fork")

    def canonical(self, _: int) -> Result:
        start, next_ = self._fork.Barrier(self._workers + 1), self._fork.Value("i", 0)
        processes = [
            self._fork.Process(target=_call_all, args=(start, next_)) for _ in range(self._workers)
        ]
        for process in processes:
            process.start()
        start.wait()
        begun = time.perf_counter()
        for process in processes:
            process.join()
        spent = time.perf_counter() - begun
        return spent, 164 * all(process.exitcode == 0 for process in processes)


def _call_all(start: Any, next_: Any) -> None:
    """Make all calls of every task that no other process took; inputs are read beforehand."""
    rows = humaneval()
    start.wait()
    while True:
        with next_.get_lock():
            number = next_.value
            next_.value += 1
        if number >= len(rows):
            os._exit(0)
        row = rows[number]
        for key in ("base_input", "plus_input"):
            space: dict[str, Any] = {}
            exec(solution(row), space)
            function = space[row["entry_point"]]
            for arguments in row[key]:
                function(*arguments)


SYSTEMS: dict[str, Callable[[int], Any]] = {
    "ours": Ours,
    "evalplus": EvalPlus,
    "evalplus, light parent": Light,
    "LiveCodeBench": LiveCodeBench,
    "bare interpreter": Bare,
}


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """Point standard output elsewhere; yield what it was."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    yield answers


def main() -> None:
    """Obey orders until there are no more."""
    with silent() as answers:
        system = SYSTEMS[sys.argv[1]](int(sys.argv[2]))
        os.write(answers, b"ready\n")
        for line in sys.stdin:
            order, count = line.split()
            assert order in ORDERS
            seconds, passed = getattr(system, order)(int(count))
            os.write(answers, f"{seconds} {passed}\n".encode())
    os._exit(0)  # evalplus leaves a thread that sleeps


if __name__ == "__main__":
    main()
