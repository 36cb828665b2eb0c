"""Boards: what may be asked, what is built, and that nothing is written when something is wrong."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.analysis.contrast import holm
from harness.analysis.versus import Answers, versus
from harness.analysis.versus import Pair as Compared
from harness.boards.build import build as built
from harness.boards.build import gather
from harness.boards.changes import changes, read_board
from harness.boards.publish import publish
from harness.boards.standing import TRUST, Board, from_json
from harness.errors import DataError
from harness.stats import best_of_n, compare, estimate, vote
from tests.boards.made import make_board, make_submission, noisy


def build(root: Path, name: str) -> Board:
    return built(gather(root, name))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pools = make_board(tmp_path)
    make_submission(tmp_path, "good", pools, noisy(1, 3.0))
    make_submission(tmp_path, "middling", pools, noisy(2, 1.0))
    make_submission(tmp_path, "bad", pools, noisy(3, -2.0))
    return tmp_path


def test_built_from_scores(root: Path) -> None:
    board = build(root, "tiny")
    assert [entry.name for entry in board.ranked] == ["good", "middling", "bad"]
    assert [e.place.rank for e in board.ranked if e.place] == [1, 2, 3]
    for entry in board.ranked:
        assert entry.place is not None and entry.trust == "recomputed"
        columns = [entry.value(c.id) for c in board.columns if c.ranked]
        assert entry.place.score == pytest.approx(np.mean([v.value for v in columns if v]))
        assert entry.place.low <= entry.place.score <= entry.place.high
        assert entry.place.rank_low <= entry.place.rank <= entry.place.rank_high
        assert {s.name for s in entry.slices if s.facet == "level"} == {"0", "1"}
        assert entry.calibration[0].task == "errors"
        shown = {sample.id: sample for sample in board.samples}
        for scored in entry.samples:
            for scores, solution in zip(scored.scores, shown[scored.sample].solutions, strict=True):
                assert scores is not None and len(scores) == len(solution.steps)
    good, bad = board.ranked[0], board.ranked[-1]
    assert good.place and bad.place and good.place.group < bad.place.group
    (pair,) = [p for p in board.pairs if (p.a, p.b) == ("good", "bad")]
    assert pair.difference == pytest.approx(good.place.score - bad.place.score)
    assert pair.low < pair.difference < pair.high and pair.p <= pair.p_holm < 0.05
    assert len(board.pairs) == 3 and max(p.p_holm for p in board.pairs) <= 1


def test_p_is_corrected_for_all_pairs(root: Path) -> None:
    board = build(root, "tiny")
    one_sided = [p for pair in board.pairs for p in (pair.p / 2, 1 - pair.p / 2)]
    assert [pair.p_holm for pair in board.pairs] == pytest.approx(list(holm(one_sided)[::2]))


def test_pairs_by_column_are_those_of_a_comparison(root: Path) -> None:
    """The same interval as of `run-benchmark compare`, whichever figure the column holds."""
    gathered = gather(root, "tiny")
    outcomes = {one.folder.name: one.outcomes for one in gathered.checked}
    ranked = [column for column in gathered.board.columns() if column.id in gathered.board.ranking]
    problems = tuple(map(str, range(12)))
    pairs = built(gathered).pairs
    for pair in pairs:
        assert [one.column for one in pair.columns] == [column.id for column in ranked]
        for own in pair.columns:
            sides = [
                Answers(name, problems, (None,), outcome.items.T, outcome.kinds)  # type: ignore[union-attr]
                for name in (pair.a, pair.b)
                for outcome in [outcomes[name][own.column]]
            ]
            (found,) = versus([Compared("", "", *sides)])
            wanted = found.last.difference
            assert (own.difference, own.low, own.high) == pytest.approx(
                (wanted.value, wanted.low, wanted.high)
            )
            if sides[0].error is None:
                left, right = (side.values[:, 0] for side in sides)
                assert (own.low, own.high) == pytest.approx(
                    (lambda d: (d.low, d.high))(compare("", "", left, right).difference)
                )
    own = [one for pair in pairs for one in pair.columns]
    assert len(own) == 3 * 2
    one_sided = [p for one in own for p in (one.p / 2, 1 - one.p / 2)]
    assert [one.p_holm for one in own] == pytest.approx(list(holm(one_sided)[::2]))


def test_references_need_no_prm(root: Path) -> None:
    board = build(root, "tiny")
    found = {e.name: e for e in board.entries if e.role == "reference"}
    assert set(found) == {"ceiling (pass@N)", "majority vote", "one sample"}
    assert all(entry.place is None for entry in found.values())
    column = "sums/weighted_vote@4/accuracy"
    # One, two or three of four are right, on four problems each; two against two is a tie.
    assert found["majority vote"].value(column).value == pytest.approx((0 + 0.5 + 1) / 3)  # type: ignore[union-attr]
    assert found["one sample"].value(column).value == pytest.approx(0.5)  # type: ignore[union-attr]
    assert found["ceiling (pass@N)"].value(column).value == 1  # type: ignore[union-attr]


def test_files_agree(root: Path) -> None:
    board, out = build(root, "tiny"), root / "published" / "tiny"
    paths = publish(board, out)
    assert {"board.json", "table.md", "table.tex", "results.csv"} <= {p.name for p in paths}
    assert from_json(json.loads((out / "board.json").read_text())) == board
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(entry.values) for entry in board.entries)
    for row in rows:
        entry = next(e for e in board.entries if e.id == row["entry"])
        at = f"@{row['budget']}" if row["budget"] else ""
        value = entry.value(f"{row['pool']}/{row['method']}{at}/{row['metric']}")
        assert value is not None and float(row["value"]) == value.value
    table = (out / "table.md").read_text()
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(board.entries)
    assert "good" in lines[2] and f"{100 * board.ranked[0].place.score:.1f}" in lines[2]  # type: ignore[union-attr]
    before = {path.name: path.read_bytes() for path in paths}
    assert {path.name: path.read_bytes() for path in publish(build(root, "tiny"), out)} == before


def test_the_estimators_are_those_of_a_run(root: Path) -> None:
    from harness.boards.build import load_pools
    from harness.boards.definition import load_board
    from harness.boards.scores import read_scores

    board = build(root, "tiny")
    pool = load_pools(root, load_board(root, "tiny"))[0]["sums"]
    for name in ("good", "middling", "bad"):
        path = root / "submissions" / "tiny" / name / "scores" / "sums.parquet"
        scores, _ = read_scores(path, pool)
        assert scores is not None
        single = np.minimum.reduceat(scores.values, scores.offsets[:-1]).reshape(12, 4)
        best = best_of_n(single, pool.correct, pool.present, [2, 4])
        weighted = vote(pool.classes, pool.correct, pool.present, [2, 4], single, draws=100).value
        entry = next(e for e in board.entries if e.id == name)
        for values, method in ((best, "best_of_n"), (weighted, "weighted_vote")):
            for at, budget in enumerate((2, 4)):
                wanted, found = (
                    estimate(values[:, at]),
                    entry.value(f"sums/{method}@{budget}/accuracy"),
                )
                assert found is not None
                assert (found.value, found.low, found.high) == pytest.approx(
                    (wanted.value, wanted.low, wanted.high)
                )


def test_who_is_ranked(root: Path) -> None:
    pools = make_board(root)
    make_submission(root, "part", {"sums": pools["sums"]}, noisy(5))
    make_submission(root, "typed", {}, noisy(6), reported={"errors/first_error/f1": 0.6667})
    board = build(root, "tiny")
    entries = {entry.id: entry for entry in board.entries}
    assert entries["part"].place is None and entries["part"].trust == "recomputed"
    assert any("has no rank" in remark for remark in entries["part"].remarks)
    assert entries["typed"].place is None and entries["typed"].trust == "self-reported"
    assert entries["typed"].values[0].low is None
    assert TRUST.index(entries["typed"].trust) < TRUST.index(board.trust)


def _edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = root / "boards" / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b["figures"][0].update(pool="sum"), "the pool 'sum'; did you mean 'sums'?"),
        (lambda b: b["figures"][0].update(budgets=[8]), "budgets of sums go from 1 to 4"),
        (lambda b: b["figures"][0].update(budgets=[]), "name no budgets; add budgets: [4, 16]"),
        (lambda b: b["figures"][1].update(methods=["best_of_n"]), "best_of_n is not defined on"),
        (lambda b: b["ranking"].append("sums/best_of_n@3/accuracy"), "no column 'sums/best_of_n@3"),
        (lambda b: b["ranking"].append("errors/first_error/acc_error"), "cannot be ranked by"),
        (lambda b: b.update(aggregation="medium"), "aggregation: "),
        (lambda b: b.update(trust="self-reported"), "only what was recomputed is ranked"),
        (lambda b: b.update(titel="x"), "unknown key 'titel'; did you mean 'title'?"),
        (lambda b: b["pools"]["sums"].update(file="../x.pool.zip"), "pools.sums.file: "),
        (lambda b: b["pools"]["sums"].update(digest="0" * 64), "wanted is 000"),
        (lambda b: b["pools"]["sums"].update(samples=5), "samples is 5, the pool's is 4"),
        (lambda b: b.update(name="other"), "the board is called 'other'; name the file other.yaml"),
    ],
)
def test_definitions_are_checked(root: Path, change, says: str) -> None:  # type: ignore[no-untyped-def]
    from harness.errors import DataError

    _edit(root, change)
    with pytest.raises(DataError) as error:
        build(root, "tiny")
    assert says in str(error.value)


def test_a_pool_that_is_not_there(cli, root: Path) -> None:  # type: ignore[no-untyped-def]
    (root / "pools" / "errors-1.pool.zip").unlink()
    _edit(root, lambda b: b["pools"]["errors"].update(obtain="ask N. N."))
    done = cli("board", "build", "tiny", "--leaderboards", root)
    assert done.code == 2 and not (root / "published").exists()
    assert "the board's pool errors (errors-1.pool.zip, digest" in done.err
    assert "ask N. N." in done.err
    assert "errors (not here)" in cli("board", "ls", "--leaderboards", root).out
    opened = cli("board", "open", "tiny", "--out", root / "run", "--leaderboards", root)
    assert opened.code == 2 or "not here, so not in it: errors" in opened.out


def test_one_unsound_submission_stops_the_board(cli, root: Path) -> None:  # type: ignore[no-untyped-def]
    path = root / "submissions" / "tiny" / "bad" / "scores" / "sums.parquet"
    path.write_bytes(path.read_bytes()[:100])
    done = cli("board", "build", "tiny", "--leaderboards", root)
    assert done.code == 2 and not (root / "published").exists()
    assert done.err.count("error:") == 1 and str(path) in done.err


def test_cited_figures_are_never_ranked(root: Path) -> None:
    cited = {"ProcessBench F1": {"gsm8k": "errors/first_error/f1"}}
    _edit(root, lambda b: b.update(cited=cited))
    board = build(root, "tiny")
    published = [entry for entry in board.entries if entry.trust == "published"]
    assert len(published) >= 10 and all(entry.place is None for entry in published)
    (one,) = [e for e in published if e.name == "math-shepherd-7b (published)"]
    (value,) = one.values
    assert (value.value, value.source) == (pytest.approx(0.479), "arXiv:2501.07301")
    assert one.card.parameters == 7 * 10**9
    assert [e.id for e in board.ranked] == ["good", "middling", "bad"]


def test_changes(root: Path) -> None:
    first = build(root, "tiny")
    publish(first, root / "old")
    make_submission(root, "better", make_board(root), noisy(9, 8.0))
    second = build(root, "tiny")
    table = changes(read_board(root / "old" / "board.json"), second)
    texts = [[cell.text for cell in row] for row in table.rows]
    assert texts[0][:3] == ["1", "new", "better"] and texts[1][:3] == ["2", "1", "good"]
    assert second.digest != first.digest
    assert changes(second, first).notes == ("No longer there: better.",)


def test_a_new_version_keeps_what_the_one_before_published(root: Path) -> None:
    out = root / "published" / "tiny"
    first = {path.name: path.read_bytes() for path in publish(build(root, "tiny"), out)}
    for version in (2, 4):
        _edit(root, lambda b, version=version: b.update(version=version))
        publish(build(root, "tiny"), out)
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["v1", "v2"]
    assert {path.name: path.read_bytes() for path in (out / "v1").iterdir()} == first
    assert read_board(out / "v2" / "board.json").version == 2
    page = (out / "index.html").read_text()
    assert 'href="v1/index.html"' in page and 'href="v2/index.html"' in page
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    publish(build(root, "tiny"), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    _edit(root, lambda b: b.update(version=3))
    with pytest.raises(DataError, match="version 4 of the board, later than 3; raise"):
        publish(build(root, "tiny"), out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_text_of_candidates_is_never_markup(tmp_path: Path) -> None:
    from harness.boards.archive import write_archive
    from tests.boards.made import card, pool_members

    pools = make_board(tmp_path)
    members = pool_members("<script>alert({i})</script>|`")
    own = card(members)
    write_archive(tmp_path / "pools" / "sums-1.pool.zip", own, members)
    _edit(tmp_path, lambda b: b["pools"]["sums"].update(digest=own.digest))
    from harness.boards.pools import load_pool

    pools["sums"] = load_pool(tmp_path / "pools" / "sums-1.pool.zip")
    make_submission(tmp_path, "a", pools, noisy(1))
    board = build(tmp_path, "tiny")
    publish(board, tmp_path / "out")
    assert any("<script>" in sample.prompt for sample in board.samples)
    for name in ("table.md", "table.tex", "results.csv", "index.html"):
        path = tmp_path / "out" / name
        assert not path.exists() or "<script>alert" not in path.read_text()


def test_review_of_a_change(cli, root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:  # type: ignore[no-untyped-def]
    import shutil

    change = tmp_path_factory.mktemp("change")
    shutil.copytree(root, change, dirs_exist_ok=True)

    def reviewed() -> Any:
        return cli("board", "review", "--base", root, "--change", change, "--out", root / "built")

    done = reviewed()
    assert done.code == 0 and "No submission changes." in done.out
    pools = {name: pool for name, pool in make_board(change).items()}
    folder = make_submission(change, "better", pools, noisy(9, 8.0))
    done = reviewed()
    assert done.code == 0, done.err
    assert "Board tiny: better new or changed." in done.out
    assert "|    1 |    new | better" in done.out and "|    2 |      1 | good" in done.out
    assert (root / "built" / "tiny" / "board.json").exists()
    assert not (root / "submissions" / "tiny" / "better").exists()
    # What the change says of boards, pools and reruns is not believed.
    (change / "reruns" / "tiny").mkdir(parents=True)
    (change / "reruns" / "tiny" / "better.json").write_text("{}")
    done = reviewed()
    assert done.code == 0 and "also touches reruns" in done.out and "re-run" not in done.out
    path = folder / "scores" / "sums.parquet"
    path.write_bytes(b"\x80\x04 no")
    done = reviewed()
    assert done.code == 2
    assert "**error**" in done.out and "is a pickle" in done.out
