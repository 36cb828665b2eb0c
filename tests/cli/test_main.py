"""The command line as a user meets it: help, lists, mistakes, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = ["run", "plan", "score", "grade", "report", "ls", "show", "validate", "doctor", "pool"]


def test_bare_command_and_version(cli) -> None:  # type: ignore[no-untyped-def]
    import harness

    done = cli()
    assert done.code == 0
    assert all(f" {verb} " in done.out for verb in VERBS)
    assert cli("--version").out.strip() == harness.__version__


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(cli, verb: str) -> None:  # type: ignore[no-untyped-def]
    done = cli(verb, "--help")
    assert done.code == 0
    assert "Usage:" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "Did you mean 'run'"),
        (["run", "--bogus"], "try run-benchmark run --help"),
        (["run", "--limit", "x"], "'--limit' / '-L': Input should be a valid integer"),
        (["plan", "--set"], "Option '--set' requires an argument; try"),
        (["ls", "taskz"], "'what': 'taskz' is not one of 'tasks', 'prms'"),
        (["show"], "Missing argument 'what'"),
        (["pool", "freeze", "/nowhere"], "'--name'"),
        (["show", "task", "math501"], "unknown task 'math501'; did you mean 'math500'?"),
        (["show", "prm", "prm-math-larg"], "did you mean 'prm-math-large'?"),
        (["show", "method", "beem"], "did you mean 'beam'"),
        (["show", "preset", "embeded"], "did you mean 'embedded'?"),
        (["run"], "no tasks; name a preset"),
        (["run", "embeded"], "unknown preset or task 'embeded'; did you mean 'embedded'?"),
        (["plan", "chain_arithmetics"], "did you mean 'chain_arithmetic'?"),
        (["run", "gsm8k"], "needs a policy; give --policy"),
        (["run", "gone.yaml"], "gone.yaml: No such file"),
        (["report", "/nowhere"], "no run folder"),
        (["score", "/nowhere", "--prm", "prm-code"], "no run folder"),
        (["score", "/nowhere", "--prm", "prm-code", "--engine", "vlm"], "did you mean 'vllm'?"),
        (["run", "math500"], "needs a policy; give --policy"),
        (["run", "processbench"], "needs a PRM; give --prm"),
    ],
)
def test_mistakes(cli, data_dir: Path, arguments: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    if arguments[0] == "run" and len(arguments) == 2 and "." not in arguments[1]:
        arguments = [*arguments, "--data-dir", str(data_dir)]
    done = cli(*arguments)
    assert done.code == 2, done.err
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_task_is_named_as_a_preset_is(cli) -> None:  # type: ignore[no-untyped-def]
    settings = ("--policy", "embedded", "--method", "majority", "--budget", "2", "--limit", "3")
    whole = json.loads(cli("plan", "--task", "chain_arithmetic", *settings, "--json").out)
    assert json.loads(cli("plan", "chain_arithmetic", *settings, "--json").out) == whole
    both = cli("plan", "chain_errors", "--task", "chain_arithmetic", "--prm", "prm-code", *settings)
    assert {"chain_errors_programs", "chain_arithmetic"} <= set(both.out.split())


@pytest.mark.parametrize("what", ["tasks", "prms", "methods", "policies", "presets"])
def test_lists_for_people_and_programs(cli, what: str) -> None:  # type: ignore[no-untyped-def]
    rows = json.loads(cli("ls", what, "--json").out)
    assert rows
    text = cli("ls", what).out
    assert all(row["name"][:20] in text for row in rows)


@pytest.mark.parametrize(
    ("what", "name", "words"),
    [
        ("task", "math500", ["HuggingFaceH4/MATH-500", "Changelog"]),
        ("prm", "prm-math-large", ["transformers", "Apache-2.0"]),
        (
            "prm",
            "qwen2.5-math-prm-7b",
            ["Qwen License", "0610740060112df12585d00a1c5f4624d2f59051"],
        ),
        ("prm", "pure-prm-7b", ["threshold      0\n"]),
        (
            "prm",
            "rlhflow-8b-deepseek",
            ["  Deepseek-7B rm@1024", "math 58.1 (RLHFlow/RLHF-Reward-Modeling, math-rm)\n"],
        ),
        ("prm", "pqm-7b", ["threshold      none declared\n"]),
        ("prm", "skywork-o1-prm-7b", ["  chosen on GSM8K\n"]),
        ("prm", "h4-prm-7b", ["none declared", "the newest; its commit stands in"]),
        ("policy", "embedded", ["transformers"]),
        ("method", "majority", ["2203.11171"]),
        ("preset", "embedded", ["chain_arithmetic"]),
    ],
)
def test_show(cli, what: str, name: str, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    done = cli("show", what, name)
    assert done.code == 0, done.err
    assert all(word in done.out for word in words)


def test_a_pipe_gets_whole_lines(cli, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = next(
        line for line in cli("ls", "tasks").out.splitlines() if line.startswith("processbench ")
    )
    assert "processbench_gsm8k, processbench_math" in whole
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, cli("ls", "tasks").out.splitlines())) <= 80


def test_doctor_says_what_works(cli, data_dir: Path) -> None:  # type: ignore[no-untyped-def]
    checks = {c["name"]: c for c in json.loads(cli("doctor", "--json", "--data-dir", data_dir).out)}
    assert checks["python"]["state"] == "ok"
    assert str(data_dir) in checks["data"]["detail"]
    assert checks["embedded"]["state"] == "ok"


def test_a_closed_pipe_is_no_error() -> None:
    code = "from harness.cli.main import main; import sys; sys.argv = ['x', 'ls', 'tasks']; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode in {0, 1}
