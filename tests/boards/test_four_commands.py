"""From a run to a frozen pool, and the four commands by which a PRM comes onto a board."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from harness.boards.build import build, gather
from harness.boards.changes import read_board
from harness.boards.definition import board_names, load_board
from harness.boards.pools import load_pool
from harness.cli.main import main

TASK = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: '{{{{problem}}}}'
doc_to_target: answer
generation_kwargs: {{until: [], max_gen_toks: 100}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, kind: math, domain: math, grader: math, steps: "delimiter:\\n"}}
"""
NAMED = ("--name", "sums", "--licence", "MIT")
NEW = ("submit", "new", "mine", "--board", "mine", "--run", "board", "--author", "N. N.")


def call(*arguments: str | Path) -> tuple[str, str]:
    """Run a command that must succeed, in this process; outside of any one test."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr("sys.argv", ["run-benchmark", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
    assert exit_.value.code in (0, None), err.getvalue()
    return out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, board `mine` on its pool, and that pool opened and scored by a PRM `mine`."""
    folder = tmp_path_factory.mktemp("made")
    rows = [{"id": f"s{i}", "problem": f"{i}+{i}=?", "answer": str(2 * i)} for i in range(12)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = folder / "tasks" / "sums"
    task.mkdir(parents=True)
    (task / "README.md").write_text("# sums\n\n## Changelog\n\n- 1.0: first version\n")
    (task / "sums.yaml").write_text(TASK.format(data=folder / "rows.jsonl"))
    texts = [
        [f"one\nso \\boxed{{{2 * i + (j > i % 3)}}} {j}\n" for j in range(4)] for i in range(12)
    ]
    lines = [json.dumps({"id": f"s{i}", "texts": own}) for i, own in enumerate(texts)]
    (folder / "script.jsonl").write_text("\n".join(lines) + "\n")
    call(
        "run", "--include-path", folder / "tasks", "--task", "sums", "--budget", "1,2,4",
        "--method", "majority,best_of_n,weighted_vote", "--prm", "fake:noisy",
        "--policy", f"fake:{folder / 'script.jsonl'}", "--out", folder / "run",
    )  # fmt: skip
    root = folder / "leaderboards"
    path = root / "pools" / "sums-1.pool.zip"
    out, _ = call("pool", "freeze", folder / "run", *NAMED, "--out", path)
    card = json.loads(call("pool", "info", path, "--json")[0])
    assert card["digest"] in out
    keys = ("task", "task_version", "kind", "domain", "policy", "problems", "samples", "licence")
    pool = {"file": path.name, "digest": card["digest"], **{key: card[key] for key in keys}}
    board = {
        "name": "mine",
        "title": "Mine",
        "version": 1,
        "description": "A test.",
        "pools": {"sums": pool},
        "figures": [{"pool": "sums", "methods": ["best_of_n", "weighted_vote"], "budgets": [2, 4]}],
        "ranking": ["sums/weighted_vote@4/accuracy"],
    }
    (root / "boards").mkdir()
    (root / "boards" / "mine.yaml").write_text(yaml.safe_dump(board))
    call("board", "open", "mine", "--out", folder / "board", "--leaderboards", root)
    call("score", folder / "board", "--prm", "fake:constant,value=0.3,name=mine")
    return folder


@pytest.fixture
def frozen(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it all in the working folder; returns the leaderboards."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "leaderboards"


def test_four_commands(cli, frozen: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    new = cli(*NEW)  # `made` gave the first two
    assert new.code == 0, new.err
    folder = frozen / "submissions" / "mine" / "mine"
    checked = cli("submit", "check", folder)
    assert checked.code == 0, checked.err
    assert "sound; trust recomputed" in checked.out
    assert "contamination is not declared" in checked.err
    content = yaml.safe_load((folder / "submission.yaml").read_text())
    assert content["role"] == "baseline" and content["model"]["prm"].startswith("fake:constant")
    assert "score" in content["command"]
    assert json.loads((folder / "provenance.json").read_text())["command"] == content["command"]
    figures = json.loads(cli("submit", "check", folder, "--json").out)[0]["figures"]
    # The run's own table says the same: the file is the run's pool, and so are the estimators.
    with (tmp_path / "board" / "results.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["prm"] == "mine" and r["headline"] == "true"]
    for row in rows:
        if row["metric"] == "accuracy" and row["budget"] in ("2", "4"):
            column = figures[f"sums/{row['method']}@{row['budget']}/accuracy"]
            assert column["value"] == pytest.approx(float(row["value"]))
            assert column["low"] == pytest.approx(float(row["ci_low"]))
    built = cli("board", "build", "mine")
    assert built.code == 0 and "mine  (recomputed)" in built.out
    again = cli(*NEW)
    assert again.code == 2 and "is there already" in again.err


def test_a_rerun_raises_trust(cli, frozen: Path) -> None:  # type: ignore[no-untyped-def]
    cli(*NEW)
    folder = frozen / "submissions" / "mine" / "mine"
    record = frozen / "reruns" / "mine" / "mine.json"
    path = folder / "scores" / "sums.parquet"
    honest = path.read_bytes()
    table = pq.read_table(path)
    columns = table.to_pydict()
    columns["scores"] = [[x + 0.002 * (i == 3) for x in s] for i, s in enumerate(columns["scores"])]
    forged = table.from_pydict(columns, schema=table.schema)
    pq.write_table(forged, path)
    arguments = ("board", "rerun", folder, "--problems", "12")
    done = cli(*arguments)
    assert done.code == 2 and not record.exists()
    assert "of 96 scores made again differ by more than 0.001, the most by 0.002" in done.err
    assert cli(*arguments, "--tolerance", "0.01").code == 0
    path.write_bytes(honest)
    # The record is of other files.
    assert "mine  (recomputed)" in cli("board", "build", "mine").out
    assert cli(*arguments, "--seed", "7").code == 0
    assert json.loads(record.read_text())["seed"] == 7
    assert "mine  (re-run)" in cli("board", "build", "mine").out
    other = cli(*arguments, "--prm", "fake:constant,value=0.4")
    assert other.code == 2 and "the most by 0.1" in other.err
    other = cli(*arguments, "--prm", "critic:pairwise,model=fake:echo")
    assert other.code == 2 and "a submission needs a score of each" in other.err


def test_withheld_references(cli, frozen: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "held.pool.zip"
    arguments = ("pool", "freeze", tmp_path / "run", *NAMED)
    assert cli(*arguments, "--withhold-references", "--out", path).code == 0
    open_, held = load_pool(frozen / "pools" / "sums-1.pool.zip"), load_pool(path)
    assert all(problem.reference is None for problem in held.problems)
    assert all(problem.reference is not None for problem in open_.problems)
    assert held.digest != open_.digest and np.array_equal(held.correct, open_.correct)
    assert "withheld: verdicts only" in cli("pool", "info", path).out
    assert f"digest {held.digest}" in cli("pool", "verify", path).out
    wrong = cli("pool", "verify", path, "--digest", open_.digest)
    assert wrong.code == 2 and "wanted is" in wrong.err


def test_frozen_twice_is_the_same_file(cli, frozen: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    again = tmp_path / "again.pool.zip"
    arguments = ("pool", "freeze", tmp_path / "run", *NAMED)
    assert cli(*arguments, "--out", again).code == 0
    assert again.read_bytes() == (frozen / "pools" / "sums-1.pool.zip").read_bytes()


def test_mistakes_say_what_to_type(cli, frozen: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    new = ("submit", "new", "x", "--author", "N. N.")
    assert "did you mean 'mine'?" in cli(*new, "--board", "mien").err
    assert "give --run FOLDER too" in cli(*new, "--board", "mine", "--prm", "a").err
    run = ("--board", "mine", "--run", "run")
    assert "unknown PRM of this run 'nosy'" in cli(*new, *run, "--prm", "nosy").err
    freeze = ("pool", "freeze", "run", *NAMED)
    assert "unknown task of this run 'sum'" in cli(*freeze, "--task", "sum").err
    named = cli(*freeze, "--name", "a/b")
    assert named.code == 2 and "--name 'a/b': letters, digits" in named.err
    unlicensed = cli(*freeze, "--licence", "")
    assert unlicensed.code == 2 and "--licence says under which terms" in unlicensed.err
    done = cli("submit", "check", "nowhere")
    assert done.code == 2 and "submission.yaml: is not there" in done.err
    empty = cli("board", "ls", "--leaderboards", tmp_path)
    assert empty.code == 2 and "no folder of leaderboards" in empty.err
    assert not (frozen / "submissions").exists()


def test_a_run_of_equal_settings_is_not_the_pool(cli, frozen: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Candidates are compared by text: another machine may have sampled others."""
    (path,) = (tmp_path / "board" / "pools").glob("*/candidates.jsonl")
    text = path.read_text()
    path.write_text(text.replace("one", "two", 1))
    done = cli(*NEW)
    assert done.code == 2 and "are not those of sums-1.pool.zip" in done.err
    assert not (frozen / "submissions").exists()


def test_the_embedded_board_is_as_its_folder_says(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """What is committed: sound pools, sound submissions, and the table that follows from them."""
    root = Path(__file__).resolve().parents[2] / "leaderboards"
    for path in sorted((root / "pools").glob("*.pool.zip")):
        assert cli("pool", "verify", path).code == 0
    done = cli("board", "build", "embedded", "--out", tmp_path, "--leaderboards", root)
    assert done.code == 0, done.err
    ours = read_board(tmp_path / "board.json")
    theirs = read_board(root / "published" / "embedded" / "board.json")
    assert ours.digest == theirs.digest
    for own, published in zip(ours.entries, theirs.entries, strict=True):
        assert own.name == published.name and own.trust == published.trust
        values = {value.column: value.value for value in published.values}
        assert {v.column: v.value for v in own.values} == pytest.approx(values)


def test_every_board_that_ships_is_sound() -> None:
    root = Path(__file__).resolve().parents[2] / "leaderboards"
    boards = {name: load_board(root, name) for name in board_names(root)}
    assert {"embedded", "process-error", "math", "code"} <= set(boards)
    for board in boards.values():
        for pool in board.pools.values():
            assert (root / "pools" / pool.file).exists() or pool.obtain
    # Cited rows need no pool; they have no rank.
    cited = build(gather(root, "process-error"))
    assert not cited.ranked and len(cited.entries) >= 10
    assert {entry.trust for entry in cited.entries} == {"published"}
