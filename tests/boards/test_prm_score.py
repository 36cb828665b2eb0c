"""Boards that ask for PRMScore: pools in which every step of a solution has a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from harness.analysis.contrast import paired
from harness.analysis.pseudo import prm_score_values
from harness.boards import given
from harness.boards.archive import PROBLEMS, write_archive
from harness.boards.build import build, gather
from harness.boards.pools import FrozenPool, load_pool
from harness.boards.publish import publish
from harness.boards.standing import Board
from harness.errors import DataError
from harness.stats import Labelled, prm_score, step_counts
from harness.stats.prm_score import GROUPS
from harness.store.format import problem_record
from harness.types import Problem
from tests.boards.made import card, lines, make_board, make_submission, noisy

COLUMN = "labelled/prm_score/prm_score"
ORIGINS = 12
CATEGORIES = ("NR", "NCL", "MS")


def members() -> dict[str, bytes]:
    """Of 12 problems a solution per category, of 4 steps, and the unmodified one."""
    rows = []
    for i in range(ORIGINS):
        for category in (*CATEGORIES, "original"):
            wrong = [i % 3, 3] if category in ("NR", "NCL") else []
            reference = {"wrong": wrong, "category": category, "origin": f"p{i}"}
            steps = ("a\n", "b\n", "c\n", "d\n")
            rows.append(
                Problem(f"{category}{i}", "labelled", "1.0", "steps", "?", reference, steps=steps)
            )
    return {PROBLEMS: lines([problem_record(problem) for problem in rows])}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The board `tiny`, ranked by PRMScore besides."""
    pools = make_board(tmp_path)
    own = members()
    facts = {"name": "labelled", "task": "labelled", "kind": "steps", "samples": 1}
    count = len(CATEGORIES) * ORIGINS + ORIGINS
    made = card(own, **facts, policy="given", problems=count, n_total=count)
    write_archive(tmp_path / "pools" / "labelled-1.pool.zip", made, own)
    pools["labelled"] = load_pool(tmp_path / "pools" / "labelled-1.pool.zip")
    keys = ("task", "task_version", "kind", "domain", "policy", "problems", "samples", "licence")
    path = tmp_path / "boards" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    content["pools"]["labelled"] = {
        "file": "labelled-1.pool.zip",
        "digest": made.digest,
        **{key: getattr(made, key) for key in keys},
    }
    content["figures"].append({"pool": "labelled", "methods": ["prm_score"]})
    content["ranking"].append(COLUMN)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    for name, skill in (("good", 2.0), ("middling", 1.0), ("bad", -1.0)):
        make_submission(tmp_path, name, pools, noisy(len(name), skill))
    return tmp_path


def read(
    pool: FrozenPool, scores: Sequence[Sequence[float]]
) -> tuple[list[Labelled], dict[str, tuple[float, ...]]]:
    """The pool's solutions with their scores, in the order of its problems."""
    items, originals = [], {}
    for problem, values in zip(pool.problems, scores, strict=True):
        own, said = tuple(values), dict(problem.reference)  # type: ignore[arg-type]
        if said["category"] == "original":
            originals[said["origin"]] = own
        else:
            wrong = frozenset(said["wrong"])
            items.append(Labelled(own, wrong, str(said["category"]), str(said["origin"])))
    return items, originals


def test_figures_are_those_of_a_run_and_ranks_rest_on_them(root: Path) -> None:
    gathered = gather(root, "tiny")
    board = build(gathered)
    pool = gathered.pools["labelled"]
    counts = {}
    for entry in board.ranked:
        (folder,) = [one.folder for one in gathered.checked if one.folder.name == entry.id]
        table = pq.read_table(folder / "scores" / "labelled.parquet")
        items, originals = read(pool, table["scores"].to_pylist())
        wanted = prm_score(items, originals, 0.5, gathered.board.seed)
        found = entry.value(COLUMN)
        assert found is not None and found.value == pytest.approx(wanted["all"].prm_score.value)
        assert (found.low, found.high) == pytest.approx(
            (wanted["all"].prm_score.low, wanted["all"].prm_score.high)
        )
        counts[entry.id] = step_counts(items, 0.5)[1]
        parts = {one.name: one.value for one in entry.slices if one.facet == "category"}
        assert parts == pytest.approx({c: wanted[c].prm_score.value for c in CATEGORIES})
    assert [entry.id for entry in board.ranked] == ["good", "middling", "bad"]
    for pair in board.pairs:
        (own,) = [one for one in pair.columns if one.column == COLUMN]
        a, b = (prm_score_values(counts[name]) for name in (pair.a, pair.b))
        tested = paired((a - b)[:, None])
        assert own.difference == pytest.approx(float(tested.mean[0]))
        assert (own.low, own.high) == pytest.approx((float(tested.low[0]), float(tested.high[0])))


def test_groups_are_shown_where_all_their_categories_are(root: Path) -> None:
    board: Board = build(gather(root, "tiny"))
    columns = [column.metric for column in board.columns if column.method == "prm_score"]
    assert columns == ["prm_score", *GROUPS]
    entry = board.ranked[0]
    known = [entry.value(f"labelled/prm_score/{metric}") is not None for metric in columns]
    assert known == [True, True, False, False]


def test_it_is_published_where_the_rank_leaves_it_out(root: Path, tmp_path: Path) -> None:
    path = root / "boards" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    content["ranking"].remove(COLUMN)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    folder = tmp_path / "published"
    publish(build(gather(root, "tiny")), folder)
    assert "labelled, PRMScore %" in (folder / "table.md").read_text("utf-8")
    page = (folder / "index.html").read_text("utf-8")
    assert '"wrong":[0,3]' in page.replace(" ", "")


def test_a_pool_with_first_errors_alone_has_none(root: Path) -> None:
    path = root / "boards" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    content["figures"].append({"pool": "errors", "methods": ["prm_score"]})
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(DataError, match=r"prm_score is not defined on errors; .* ask for first_"):
        gather(root, "tiny")


def test_replicas_are_one_figure(root: Path) -> None:
    """Of the counts of all of them, so that the table shows what entries are ranked by."""
    pool = load_pool(root / "pools" / "labelled-1.pool.zip")
    rng = np.random.default_rng(0)
    size = 4 * len(pool.problems)
    values, offsets = rng.uniform(size=2 * size), np.arange(0, 2 * size + 1, 4)
    scores = SimpleNamespace(replicas=2, values=values, offsets=offsets)
    column = SimpleNamespace(id=COLUMN, method="prm_score", metric="prm_score")
    ((_, outcome),) = given._every_step(pool, scores, [column], 0.5, 0)  # type: ignore[arg-type]
    each = [
        step_counts(read(pool, half.reshape(-1, 4).tolist())[0], 0.5)[1]
        for half in np.split(values, 2)
    ]
    kept, missed, found, lost = np.mean(each, axis=0).sum(axis=0)
    right, wrong = 2 * kept / (2 * kept + missed + lost), 2 * found / (2 * found + missed + lost)
    assert outcome.figure.value == pytest.approx((right + wrong) / 2)
    assert outcome.figure.low <= outcome.figure.value <= outcome.figure.high
    assert outcome.steps is not None
    assert prm_score_values(outcome.steps).mean() == pytest.approx(outcome.figure.value)
