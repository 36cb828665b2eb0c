"""What a board asks for: ``leaderboards/boards/NAME.yaml``, checked when it is read.

Columns follow from `figures`: one per pool, method, budget and metric, named
``pool/method@budget/metric``. The ranking names some of them and is their plain mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from harness.boards.documents import Digest, Document, Name, Slug, Text, read_document
from harness.boards.findings import Finding, Findings
from harness.boards.standing import TRUST, Column, Trust
from harness.errors import nearest, unknown
from harness.prms.aggregate import AGGREGATIONS
from harness.stats.prm_score import GROUPS
from harness.types import Kind

BoardMethod = Literal[
    "best_of_n",
    "weighted_vote",
    "speculative_rejection",
    "first_error",
    "preference",
    "prm_score",
]

METRICS: dict[str, tuple[str, ...]] = {
    "best_of_n": ("accuracy",),
    "weighted_vote": ("accuracy",),
    "speculative_rejection": ("accuracy", "written"),
    "first_error": ("f1", "acc_error", "acc_correct"),
    "preference": ("preference_accuracy",),
    "prm_score": ("prm_score", *GROUPS),
}
"""Method → its metrics, the one that can be ranked by first."""

CHOOSING = ("best_of_n", "weighted_vote", "speculative_rejection")
"""Methods with a budget. The last is a search that can be replayed on candidates that were written
to their ends; ``written`` is the share of their steps that it writes."""

_KINDS: dict[str, tuple[str, ...]] = {
    "best_of_n": ("math", "code_function", "code_stdin"),
    "weighted_vote": ("math", "code_function", "code_stdin"),
    "speculative_rejection": ("math", "code_function", "code_stdin"),
    "first_error": ("steps",),
    "prm_score": ("steps",),
    "preference": ("preference",),
}

_TITLES = {
    "best_of_n": "best of {n}",
    "weighted_vote": "vote of {n}",
    "speculative_rejection": "rejection of {n}",
    "written": "steps written of {n}",
    "f1": "F1",
    "acc_error": "acc. error",
    "acc_correct": "acc. correct",
    "preference_accuracy": "choice",
    "prm_score": "PRMScore",
    **{group: group for group in GROUPS},
}


def main_columns(columns: Sequence[Column]) -> list[Column]:
    """Return the ranked columns, and the main figures of pools that the ranking leaves out."""
    pools = {column.pool for column in columns if column.ranked}
    main = {(method, metrics[0]) for method, metrics in METRICS.items()}
    return [
        column
        for column in columns
        if column.ranked or (column.pool not in pools and (column.method, column.metric) in main)
    ]


class PoolRef(Document):
    """A frozen pool that the board judges on; its archive may be elsewhere."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.pool\.zip$")
    """Under ``leaderboards/pools/``."""
    digest: Digest
    task: Name
    task_version: str
    kind: Kind
    domain: Name
    policy: Name
    problems: int = Field(ge=1)
    samples: int = Field(ge=1)
    licence: Text
    obtain: Text = ""
    """How to make or get the archive where it does not lie beside the board."""


class Figures(Document):
    """What is computed on one pool."""

    pool: Slug
    methods: tuple[BoardMethod, ...] = Field(min_length=1)
    budgets: tuple[int, ...] = ()


class BoardDefinition(Document):
    """A board as it is defined."""

    name: Slug
    title: Text
    version: int = Field(ge=1)
    description: Text
    pools: dict[Slug, PoolRef] = Field(min_length=1)
    figures: tuple[Figures, ...] = Field(min_length=1)
    ranking: tuple[str, ...] = Field(min_length=1)
    """Columns; their mean is what the rank goes by."""
    aggregation: str = "declared"
    """``declared``: each PRM's own, said before any result; or one for all."""
    replicas: int = Field(default=1, ge=1, le=100)
    trust: Trust = "recomputed"
    """The least trust that is ranked."""
    seed: int = 0
    """Of subsets, resampling, and the problems that are shown."""
    shown: int = Field(default=4, ge=0, le=20)
    """Problems per pool that the page shows."""
    cited: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Benchmark → part → column: which figures of the catalogue stand on the board, as cited."""

    @model_validator(mode="after")
    def _hangs_together(self) -> BoardDefinition:
        for one in self.figures:
            if one.pool not in self.pools:
                raise ValueError(
                    f"figures name the pool {one.pool!r}; {nearest(one.pool, self.pools)}"
                )
            pool = self.pools[one.pool]
            for method in one.methods:
                if pool.kind not in _KINDS[method]:
                    raise ValueError(f"{method} is not defined on {one.pool}; it is {pool.kind}")
            if any(m in CHOOSING for m in one.methods) and not one.budgets:
                raise ValueError(f"figures of {one.pool} name no budgets; add budgets: [4, 16]")
            if any(not 1 <= n <= pool.samples for n in one.budgets):
                raise ValueError(f"budgets of {one.pool} go from 1 to {pool.samples}")
        known = [id_ for id_, *_ in self._cells()]
        for id_ in (*self.ranking, *(c for parts in self.cited.values() for c in parts.values())):
            if id_ not in known:
                raise ValueError(f"there is no column {id_!r}; {nearest(id_, known)}")
        for id_ in self.ranking:
            rule, metric = id_.split("/")[1].split("@")[0], id_.split("/")[2]
            if metric != METRICS[rule][0]:
                raise ValueError(
                    f"{id_} cannot be ranked by; choose accuracies, F1, PRMScore or choices"
                )
        if self.aggregation not in ("declared", *AGGREGATIONS):
            raise ValueError(f"aggregation: {nearest(self.aggregation, AGGREGATIONS)}")
        if self.trust not in TRUST[2:]:
            raise ValueError("trust: only what was recomputed is ranked; recomputed or re-run")
        return self

    def _cells(self) -> Iterator[tuple[str, str, str, int | None, str]]:
        for one in self.figures:
            for method in one.methods:
                for budget in one.budgets if method in CHOOSING else (None,):
                    at = "" if budget is None else f"@{budget}"
                    for metric in METRICS[method]:
                        yield f"{one.pool}/{method}{at}/{metric}", one.pool, method, budget, metric

    def columns(self) -> tuple[Column, ...]:
        """Return the board's columns."""
        return tuple(
            Column(
                id=id_,
                task=self.pools[pool].task,
                domain=self.pools[pool].domain,
                pool=pool,
                method=method,
                budget=budget,
                metric=metric,
                title=_TITLES.get(metric, _TITLES.get(method, metric)).format(n=budget),
                ranked=id_ in self.ranking,
            )
            for id_, pool, method, budget, metric in self._cells()
        )


def board_names(root: Path) -> list[str]:
    """Return the boards under a folder of leaderboards."""
    return sorted(path.stem for path in (root / "boards").glob("*.yaml"))


def load_board(root: Path, name: str) -> BoardDefinition:
    """Read a board's definition.

    Raises:
        ConfigError: there is no such board.
        Findings: the file is not as it should be.
    """
    if name not in board_names(root):
        raise unknown("board", name, board_names(root), str(root / "boards"))
    path = root / "boards" / f"{name}.yaml"
    board, findings = read_document(path, BoardDefinition)
    if board is None:
        raise Findings(findings)
    if board.name != name:
        what = f"the board is called {board.name!r}"
        raise Findings([Finding(path, what, f"name the file {board.name}.yaml", 1)])
    return board
