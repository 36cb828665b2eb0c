"""A submission is data that somebody else wrote: each way to be wrong has its finding."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from harness.boards.build import load_pools
from harness.boards.check import Checked, check
from harness.boards.definition import load_board
from harness.boards.pools import FrozenPool
from harness.boards.scores import POOL_KEY, read_scores, write_scores
from harness.boards.submission import Submission
from tests.boards.made import make_board, make_submission, noisy, rows_of

Pools = dict[str, FrozenPool]


@pytest.fixture
def pools(tmp_path: Path) -> Pools:
    return make_board(tmp_path)


def checked(root: Path, *folders: Path) -> list[Checked]:
    board = load_board(root, "tiny")
    return check(list(folders), board, load_pools(root, board)[0])


def errors(one: Checked) -> list[str]:
    return [finding.text for finding in one.findings if finding.level == "error"]


def warnings(one: Checked) -> list[str]:
    return [finding.text for finding in one.findings if finding.level == "warning"]


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the columns of a score file, keeping its metadata."""
    table = pq.read_table(path)
    columns = table.to_pydict()
    change(columns)
    kinds = {field.name: field.type for field in table.schema}
    schema = pa.schema([(name, kinds[name]) for name in columns if name in kinds])
    typed = len(schema) == len(columns) and not isinstance(columns["scores"][0], str)
    made = pa.table(columns, schema) if typed else pa.table(columns)
    pq.write_table(made.replace_schema_metadata(table.schema.metadata), path)


def test_a_sound_one(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    (one,) = checked(tmp_path, folder)
    assert one.sound and one.trust == "recomputed" and not one.findings
    # By hand: the candidate of the highest least score, ties are not there.
    pool = pools["sums"]
    scores, _ = read_scores(folder / "scores" / "sums.parquet", pool)
    assert scores is not None
    least = np.minimum.reduceat(scores.values, scores.offsets[:-1]).reshape(pool.present.shape)
    best = pool.correct[np.arange(12), least.argmax(axis=1)]
    assert one.outcomes["sums/best_of_n@4/accuracy"].figure.value == best.mean()
    assert one.outcomes["errors/first_error/f1"].figure.n == 12
    assert one.readings["sums"].tokens == 40
    assert one.readings["sums"].seconds == pytest.approx(1.5 / 12)


def test_rows_in_any_order(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = folder / "scores" / "sums.parquet"
    before, _ = read_scores(path, pools["sums"])
    order = np.random.default_rng(0).permutation(48)
    rewrite(path, lambda c: c.update({k: [v[i] for i in order] for k, v in c.items()}))
    after, findings = read_scores(path, pools["sums"])
    assert before and after and not findings
    assert np.array_equal(before.values, after.values)
    assert np.array_equal(before.offsets, after.offsets)


def _first(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda columns: columns[key].__setitem__(4, value)


def _drop(columns: dict[str, Any]) -> None:
    for values in columns.values():
        values.pop()


def _again(columns: dict[str, Any]) -> None:
    for values in columns.values():
        values[5] = values[4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_first("problem", "s99"), ":5: problem 's99' is not in the pool"),
        (_first("candidate", 4), ":5: candidate 4 of problem 's1' is not in the pool"),
        (_first("candidate", -1), ":5: candidate -1 of problem"),
        (_again, ":6: candidate 0 of problem 's1' has two rows"),
        (_drop, "1 candidates have no scores, the first is candidate 3 of problem 's11'"),
        (_first("scores", [0.5] * 9), ":5: candidate 0 of problem 's1' has 9 scores for 2 steps"),
        (_first("scores", [0.5, np.nan]), ":5: candidate 0 of problem 's1' has a score that is no"),
        (_first("scores", [0.5, np.inf]), "no finite number"),
        (_first("scores", [0.5, None]), "a null among the scores"),
        (_first("scores", None), "column 'scores' holds a null"),
        (_first("problem", None), "column 'problem' holds a null"),
        (_first("scores", [0.5, 1.5]), "holds the score 1.5, but semantics is p_correct"),
        (lambda c: c.update(extra=[b"x"] * 48), "has a column 'extra'"),
        (lambda c: c.update(scores=["0.5"] * 48), "column 'scores' is of type string"),
        (lambda c: c.pop("candidate"), "has no column 'candidate'"),
        (lambda c: c.update({k: v * 9 for k, v in c.items()}), "432 rows for 48 candidates"),
    ],
)
def test_scores_that_do_not_fit(tmp_path: Path, pools: Pools, change, says: str) -> None:  # type: ignore[no-untyped-def]
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    rewrite(folder / "scores" / "sums.parquet", change)
    (one,) = checked(tmp_path, folder)
    assert len(errors(one)) == 1
    assert "scores/sums.parquet" in errors(one)[0] and says in errors(one)[0]
    assert not one.outcomes


def test_another_pool(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = folder / "scores" / "sums.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({POOL_KEY: b"f" * 64}), path)
    (one,) = checked(tmp_path, folder)
    assert "says that it scored the pool ffff" in errors(one)[0]


@pytest.mark.parametrize("keep", [0, 3, 4, 100, -1])
def test_truncated_parquet(tmp_path: Path, pools: Pools, keep: int) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = folder / "scores" / "sums.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    (one,) = checked(tmp_path, folder)
    assert "no Parquet file" in errors(one)[0]


class _Danger:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_pickle_in_disguise(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    danger = pickle.dumps(_Danger())
    (folder / "scores" / "sums.parquet").write_bytes(danger)
    (one,) = checked(tmp_path, folder)
    assert "is a pickle: it was not opened" in errors(one)[0]
    # Inside Parquet's own metadata, where a library once unpickled types.
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    kind[b"ARROW:extension:metadata"] = danger
    field = pa.field("scores", pa.list_(pa.float64()), metadata=kind)
    schema = pa.schema([("problem", pa.string()), ("candidate", pa.int32()), field])
    rows = {k: v for k, v in rows_of(pools["sums"], noisy(1)).items() if k in schema.names}
    table = pa.table(rows, schema.with_metadata({POOL_KEY: pools["sums"].digest.encode()}))
    pq.write_table(table, folder / "scores" / "sums.parquet")
    checked(tmp_path, folder)
    assert not (tmp_path / "pwned").exists()


def test_a_parquet_bomb(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = folder / "scores" / "sums.parquet"
    rewrite(path, _first("scores", [0.5] * 2_000_000))
    assert path.stat().st_size < 100_000
    (one,) = checked(tmp_path, folder)
    assert "nothing was unpacked" in errors(one)[0]


def test_paths_that_climb_out(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    secret = tmp_path / "secret"
    secret.write_text("x")
    (folder / "recipe.yaml").symlink_to(secret)
    (folder / "scores" / "more").symlink_to(tmp_path)
    (one,) = checked(tmp_path, folder)
    assert sum("is a link, which may lead out" in text for text in errors(one)) == 2
    assert not any("secret" in text for text in errors(one))


def test_a_link_in_the_place_of_the_yaml(cli, tmp_path: Path, pools: Pools) -> None:  # type: ignore[no-untyped-def]
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = folder / "submission.yaml"
    path.rename(tmp_path / "outside.yaml")
    path.symlink_to(tmp_path / "outside.yaml")
    done = cli("submit", "check", folder, "--leaderboards", tmp_path)
    assert done.code == 2 and "submission.yaml: is a link" in done.err


def test_files_have_a_limit(tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    monkeypatch.setattr("harness.boards.submission.MAX_BYTES", 1000)
    (one,) = checked(tmp_path, folder)
    assert any("is larger than 1,000 bytes" in text for text in errors(one))


def test_what_does_not_belong(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    (folder / "model.pkl").write_bytes(b"")
    (folder / "scores" / "run.py").write_text("")
    (folder / "code").mkdir()
    (one,) = checked(tmp_path, folder)
    assert len(errors(one)) == 3


def yaml_with(folder: Path, **changed: object) -> Path:
    path = folder / "submission.yaml"
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, **changed}, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("changed", "line", "says"),
    [
        ({"name": "<b>x</b>"}, 3, "name: "),
        ({"authors": ["<script>alert(1)</script>"]}, 5, "authors.0: "),
        ({"note": "<img src=x onerror=alert(1)>"}, 22, "HTML is not interpreted"),
        ({"note": "a\x1b[2Jb"}, 22, "control characters"),
        ({"links": {"paper": "javascript:alert(1)"}}, 7, "no address; write https://"),
        ({"licens": "MIT"}, 22, "unknown key 'licens'; did you mean 'licence'?"),
        ({"semantics": "p_corect"}, 20, "semantics: "),
        ({"aggregation": "medium"}, 21, "'medium' does not exist"),
        ({"semantics": "reward", "aggregation": "product"}, 21, "not defined for scores that mean"),
        ({"model": {"prm": "python:evil:Prm"}}, 10, "names python:, which a submission cannot be"),
        ({"model": {"prm": "ensemble:python:evil:Prm+prm-code"}}, 10, "names python:"),
        ({"model": {"prm": "ensemble:[a]+[http://x]"}}, 10, "names http:"),
        ({"model": {"prm": "transformers:a/b,trust_remote_code=true"}}, 10, "own code"),
        ({"model": {"prm": "transformers:/etc/passwd"}}, 10, "names a path"),
        ({"model": {"prm": "transformers:../x"}}, 10, "names a path"),
        ({"model": {"prm": "transformers:runs/mine/step-9"}}, 10, "names a path"),
        ({"board": "other"}, 2, "is for the board 'other'"),
        ({"name": "b"}, 3, "the folder of 'b' is called 'a'"),
    ],
)
def test_what_the_yaml_may_say(
    tmp_path: Path, pools: Pools, changed: dict[str, object], line: int, says: str
) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    path = yaml_with(folder, **changed)
    (one,) = checked(tmp_path, folder)
    assert errors(one)[0].startswith(f"{path}:"), errors(one)
    assert says in errors(one)[0]
    assert one.findings[0].line == line
    assert not one.outcomes


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: *a\n",
        "a: !!python/object/apply:os.system ['true']\n",
        "a: [" * 5000,
        "a: 1\na: 2\n",
        "- a\n",
        "a: \x00\n",
        "x" * 300_000,
    ],
)
def test_yaml_is_plain(tmp_path: Path, pools: Pools, text: str) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    (folder / "submission.yaml").write_text(text)
    (one,) = checked(tmp_path, folder)
    assert len(errors(one)) == 1 and "submission.yaml" in errors(one)[0]


def test_a_recipe_is_data(tmp_path: Path, pools: Pools) -> None:
    own = {"model": {"prm": "recipe.yaml"}}
    folder = make_submission(tmp_path, "a", pools, noisy(1), **own)
    (one,) = checked(tmp_path, folder)
    assert "recipe.yaml: is not there" in errors(one)[0]
    (folder / "recipe.yaml").write_text("model: org/name\nrecipe: qwen-prm\n")
    assert checked(tmp_path, folder)[0].sound
    (folder / "recipe.yaml").write_text("model: ../../x\npython: evil:Prm\n")
    (one,) = checked(tmp_path, folder)
    assert "recipe.yaml:1: model names a path" in errors(one)[0]
    assert "recipe.yaml:2: a recipe has no 'python'" in errors(one)[1]


# --- typed figures -------------------------------------------------------------------------------


def test_a_forged_accuracy(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    (one,) = checked(tmp_path, folder)
    true = {id_: round(o.figure.value, 4) for id_, o in one.outcomes.items()}
    yaml_with(folder, reported=true)
    assert checked(tmp_path, folder)[0].sound
    for id_, value in true.items():
        forged = value + 1 / 12 if value < 0.9 else value - 1 / 12
        path = yaml_with(folder, reported={**true, id_: round(forged, 4)})
        (one,) = checked(tmp_path, folder)
        assert len(errors(one)) == 1, id_
        assert errors(one)[0].startswith(f"{path}:") and id_ in errors(one)[0]


def test_a_share_is_k_of_n(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", {}, noisy(1))
    cases = {
        "errors/first_error/acc_error": (0.5, 0.501),
        "errors/first_error/acc_correct": (0.833, 0.835),
        "errors/first_error/f1": (0.6667, 0.6717),
        "sums/best_of_n@4/accuracy": (0.583, 0.59),
    }
    for id_, (possible, impossible) in cases.items():
        yaml_with(folder, reported={id_: possible})
        (one,) = checked(tmp_path, folder)
        assert one.sound and one.trust == "self-reported", errors(one)
        yaml_with(folder, reported={id_: impossible})
        (one,) = checked(tmp_path, folder)
        assert f"{id_} cannot be {impossible}" in errors(one)[0]
    yaml_with(folder, reported={"sums/weighted_vote@4/accuracy": 0.59})  # ties are shared
    assert checked(tmp_path, folder)[0].sound
    yaml_with(folder, reported={"errors/first_error/f2": 0.5})
    assert "did you mean 'errors/first_error/f1'?" in errors(checked(tmp_path, folder)[0])[0]
    yaml_with(folder, reported={"errors/first_error/f1": 66.7})
    assert "a share between 0 and 1" in errors(checked(tmp_path, folder)[0])[0]
    yaml_with(folder, reported={})
    assert "holds no scores" in errors(checked(tmp_path, folder)[0])[0]


# --- suspicion -----------------------------------------------------------------------------------


def labels(pool: FrozenPool, row: int, candidate: int, step: int) -> float:
    if pool.kind == "steps":
        return float(pool.labels[row] == -1 or step < pool.labels[row])
    return float(pool.correct[row, candidate])


def test_scores_that_equal_labels(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, labels)
    (one,) = checked(tmp_path, folder)
    assert sum("the scores equal the labels" in text for text in errors(one)) == 1
    # Twelve solutions have too few with an error to be sure: they raise a warning no more.
    shifted = make_submission(tmp_path, "b", pools, lambda *at: 0.2 + 0.6 * labels(*at))
    assert any("the scores equal the labels" in t for t in errors(checked(tmp_path, shifted)[0]))
    # To call it a baseline excuses saying the same of everything, and nothing else.
    again = make_submission(tmp_path, "c", pools, labels, role="baseline")
    assert any("the scores equal the labels" in t for t in errors(checked(tmp_path, again)[0]))


@pytest.mark.parametrize(
    "prm", ["fake:oracle", "fake:noisy,p=0.8", "ensemble:prm-mixed+fake:noisy"]
)
def test_who_is_told_the_answers_is_no_submission(tmp_path: Path, pools: Pools, prm: str) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1), role="baseline", model={"prm": prm})
    assert any("is told the answers" in text for text in errors(checked(tmp_path, folder)[0]))


def test_a_name_with_markup_is_said_once(tmp_path: Path, pools: Pools) -> None:
    folder = make_submission(tmp_path, "a", pools, noisy(1), authors=["<b>N. N.</b>"])
    (said,) = errors(checked(tmp_path, folder)[0])
    assert "authors.0: holds '<' or '>': HTML is not interpreted; write plain text" in said


def test_perfectly_separated(tmp_path: Path, pools: Pools) -> None:
    rng = np.random.default_rng(3)

    def near(pool: FrozenPool, row: int, candidate: int, step: int) -> float:
        return 0.3 + 0.4 * labels(pool, row, candidate, step) + 0.1 * float(rng.random())

    (one,) = checked(tmp_path, make_submission(tmp_path, "a", pools, near))
    assert one.sound
    assert any("each right candidate scores above each wrong one" in t for t in warnings(one))


def test_all_the_same(tmp_path: Path, pools: Pools) -> None:
    flat = make_submission(tmp_path, "a", pools, lambda *_: 0.5)
    assert any("every score is the same" in text for text in warnings(checked(tmp_path, flat)[0]))
    baseline = make_submission(tmp_path, "b", pools, lambda *_: 0.5, role="baseline")
    first, second = checked(tmp_path, flat, baseline)
    assert first.sound and second.sound and not second.findings


def test_somebody_elses_scores(tmp_path: Path, pools: Pools) -> None:
    a = make_submission(tmp_path, "a", pools, noisy(1))
    b = make_submission(tmp_path, "b", pools, noisy(1))
    first, second = checked(tmp_path, a, b)
    assert first.sound and len(errors(second)) == 2
    assert "holds the very scores of a" in errors(second)[0]
    halved = noisy(1)
    c = make_submission(tmp_path, "c", pools, lambda *at: 0.5 * halved(*at))
    first, third = checked(tmp_path, a, c)
    assert third.sound and any("orders all steps as a does" in text for text in warnings(third))


def test_replicas(tmp_path: Path) -> None:
    pools = make_board(tmp_path, replicas=2)
    folder = make_submission(tmp_path, "a", pools, noisy(1))
    (one,) = checked(tmp_path, folder)
    assert "holds 1 replicas; the board asks 2" in errors(one)[0]
    for name, pool in pools.items():
        own = [rows_of(pool, noisy(seed)) for seed in (1, 2)]
        rows = {key: [*own[0][key], *own[1][key]] for key in own[0]}
        rows["replica"] = [0] * len(own[0]["problem"]) + [1] * len(own[1]["problem"])
        write_scores(folder / "scores" / f"{name}.parquet", pool, rows, None)
    (one,) = checked(tmp_path, folder)
    assert one.sound, errors(one)
    apart = []
    for seed in (1, 2):
        single = make_board(tmp_path / str(seed))
        other = make_submission(tmp_path / str(seed), "a", single, noisy(seed))
        apart.append(checked(tmp_path / str(seed), other)[0].outcomes)
    for id_, outcome in one.outcomes.items():
        if outcome.kinds is None and "first_error" not in id_:
            mean = np.mean([own[id_].figure.value for own in apart])
            assert outcome.figure.value == pytest.approx(mean)
            assert outcome.figure.clusters == 12 and outcome.figure.n == 24


def test_the_fields_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
    for name in Submission.model_fields:
        assert f"`{name}`" in text or name == "schema_version", name
