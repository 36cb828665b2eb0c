"""A search on a board: what its figures are made of, and who has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.boards.ahead import reads_ahead
from harness.boards.build import build, gather
from harness.boards.check import Checked, check
from harness.boards.definition import load_board
from harness.boards.pools import FrozenPool
from harness.search.rejection import RejectionOptions
from tests.boards.made import make_board, make_submission, noisy, rows_of
from tests.stats.test_rejection import by_search

METHODS = ["best_of_n", "speculative_rejection"]
FIGURES = [
    {"pool": "sums", "methods": METHODS, "budgets": [2, 4]},
    {"pool": "errors", "methods": ["first_error"]},
]


@pytest.fixture
def pools(tmp_path: Path) -> dict[str, FrozenPool]:
    return make_board(tmp_path, figures=FIGURES)


def checked(root: Path, folder: Path, pools: dict[str, FrozenPool]) -> Checked:
    (one,) = check([folder], load_board(root, "tiny"), pools)
    assert one.sound, one.findings
    return one


def test_its_figures_are_those_of_the_search_itself(
    tmp_path: Path, pools: dict[str, FrozenPool]
) -> None:
    folder = make_submission(tmp_path, "noisy", pools, noisy(3))
    outcomes = checked(tmp_path, folder, pools).outcomes
    pool = pools["sums"]
    rows: dict[str, list[list[float]]] = {}
    recorded = rows_of(pool, noisy(3))
    for problem, values in zip(recorded["problem"], recorded["scores"], strict=True):
        rows.setdefault(str(problem), []).append(list(values))  # type: ignore[call-overload]
    found = [
        by_search(rows[problem.id], right, 4, RejectionOptions())
        for problem, right in zip(pool.problems, pool.correct.tolist(), strict=True)
    ]
    value = outcomes["sums/speculative_rejection@4/accuracy"]
    written = outcomes["sums/speculative_rejection@4/written"]
    assert value.items is not None and written.items is not None
    assert value.items[0] == pytest.approx([one for one, _ in found])
    assert written.items[0] == pytest.approx([share for _, share in found])
    assert value.figure.value == pytest.approx(np.mean([one for one, _ in found]))
    assert 0 < written.figure.value < 1
    assert value.figure.low <= value.figure.value <= value.figure.high


@pytest.mark.parametrize(
    ("prm", "ahead"),
    [
        ("transformers:org/model,recipe=qwen-prm", False),
        ("transformers:org/model,recipe=math-shepherd,end=</s>", True),
        ("transformers:org/model,recipe=asprm-l", False),
        ("qwen2.5-math-prm-7b", False),
        ("prm-mixed", False),
        ("eurusprm-stage1", True),
        ("llemma-prm-7b", True),
        ("critic:processbench,model=[transformers:org/model]", True),
        ("critic:processbench,model=[transformers:org/model],per=prefix", False),
        ("r-prm-7b-dpo", False),
        ("ensemble:prm-mixed+qwen2.5-math-prm-7b", False),
        ("ensemble:prm-mixed+eurusprm-stage1", True),
        ("recipe.yaml", True),
        ("transformers:org/model,recipe=nobodys", True),
    ],
)
def test_a_prm_that_sees_later_steps_has_no_figure(
    prm: str, ahead: bool, tmp_path: Path, pools: dict[str, FrozenPool]
) -> None:
    folder = make_submission(tmp_path, "one", pools, noisy(1), model={"prm": prm})
    if prm == "recipe.yaml":
        (folder / "recipe.yaml").write_text("model: org/model\nrecipe: qwen-prm\nend: <eos>\n")
    elif "nobodys" not in prm:
        assert reads_ahead(prm) == ahead
    one = checked(tmp_path, folder, pools)
    assert "sums/best_of_n@4/accuracy" in one.outcomes
    assert any("speculative_rejection" in id_ for id_ in one.outcomes) != ahead
    assert any("may change with later steps" in found.what for found in one.findings) == ahead


def test_a_board_can_rank_by_it_and_says_what_is_written(
    tmp_path: Path, pools: dict[str, FrozenPool]
) -> None:
    make_board(tmp_path, figures=FIGURES, ranking=["sums/speculative_rejection@4/accuracy"])
    for name, skill in (("better", 3.0), ("worse", -3.0)):
        make_submission(tmp_path, name, pools, noisy(5, skill))
    board = build(gather(tmp_path, "tiny"))
    assert [entry.id for entry in board.entries[:2]] == ["better", "worse"]
    titles = {column.id: column.title for column in board.columns}
    assert titles["sums/speculative_rejection@4/accuracy"] == "rejection of 4"
    assert titles["sums/speculative_rejection@4/written"] == "steps written of 4"
    for value in board.entries[0].values:
        if "speculative_rejection" in value.column:
            assert (value.cost.prm_tokens, value.cost.policy_tokens) == (None, None)
    references = [entry for entry in board.entries if entry.role == "reference"]
    assert references
    assert not any("written" in value.column for one in references for value in one.values)


def test_only_accuracy_is_ranked_by(tmp_path: Path) -> None:
    make_board(tmp_path, figures=FIGURES, ranking=["sums/speculative_rejection@4/written"])
    with pytest.raises(Exception, match="cannot be ranked by"):
        load_board(tmp_path, "tiny")
