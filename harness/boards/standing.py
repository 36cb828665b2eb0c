"""A built board as it is published: the records behind board.json, every table and the page.

Everything that a reader sees of a board is here, and every number of it was computed from step
scores on a frozen pool, except in entries of trust ``published``, which cite their source and have
no rank. The records hold plain data; `to_json` and `from_json` are the two ways through a file.

::

    Board ── columns ◄── id ── Value ── Entry (a PRM, a baseline, a reference)
      ├──── pools    ◄── name ── Column, Sample
      ├──── pairs    ◄── id ── Entry                every two ranked entries, paired, after Holm
      └──── samples  ◄── id ── Scored ── Entry      a few problems, with every entry's step scores

Shares and accuracies lie in [0, 1]; tables print them as per cent. Costs are means per problem.
None is unknown or does not apply, never zero. Texts come from others: whoever writes them into a
page, table or terminal escapes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.errors import DataError
from harness.types import Json

SCHEMA_VERSION = 1

Trust = Literal["published", "self-reported", "recomputed", "re-run"]
"""Where an entry's numbers come from, rising: cited from others · typed by whoever submitted it ·
recomputed here from the step scores that were submitted · besides, a seeded slice of the scores was
made again on the board's machine and agreed. Only the last says that the model made the scores."""

TRUST: tuple[Trust, ...] = ("published", "self-reported", "recomputed", "re-run")

Role = Literal["prm", "baseline", "reference"]
"""A submitted PRM · a PRM that knows nothing (random, length), to be beaten · a figure of the pool
that needs no PRM (majority, one sample, the ceiling pass@n), which has no rank."""

Contamination = Literal["none-known", "possible", "known", "undeclared"]


@dataclass(frozen=True, slots=True)
class Pool:
    """A frozen pool that the board judges on."""

    name: str
    task: str
    task_version: str
    kind: str
    domain: str
    policy: str
    """Who wrote the candidates; ``given`` where they come with the task."""
    problems: int
    samples: int
    """Candidates per problem, at most."""
    digest: str
    licence: str
    obtain: str
    """How to get the archive: a command or an address; empty where it lies beside the board."""
    present: bool
    """False: the archive was not there when the board was built, so its columns are empty."""
    withheld: bool
    """The archive holds verdicts and no reference answers."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure that every entry is asked for."""

    id: str
    """``task/method@budget/metric``, without what does not apply; unique on the board."""
    task: str
    domain: str
    pool: str | None
    """Name of the pool; None for cited figures, which have none."""
    method: str
    budget: int | None
    metric: str
    title: str
    """Short, for a table's head."""
    ranked: bool
    """The board's ranking is the mean of these columns."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What judging one problem at a column's budget takes."""

    prm_tokens: float | None = None
    policy_tokens: float | None = None
    flops: float | None = None
    """Of the PRM, where its shape is known."""
    seconds: float | None = None
    """As measured by whoever made the scores, on their machine; see `Card.provenance`."""


@dataclass(frozen=True, slots=True)
class Value:
    """One entry's figure in one column, with its 95 % interval."""

    column: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    """Problems or items behind it."""
    aggregation: str | None = None
    """From step scores to a solution's score; declared before the scores were seen."""
    threshold: float | None = None
    """Below which a step is called wrong, where the method needs one."""
    replicas: int = 1
    ungraded: int = 0
    """Candidates without a grade; left out, never counted as wrong."""
    cost: Cost = Cost()
    source: str | None = None
    """Where a cited figure stands; None for a computed one."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A column's figure on a part of its problems."""

    column: str
    facet: str
    """``subject``, ``level``, ``source`` …: a key of the problems' facts."""
    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands among the ranked ones."""

    score: float
    """Mean of the ranked columns."""
    low: float
    high: float
    rank: int
    """From 1, by score."""
    rank_low: int
    rank_high: int
    """95 % interval of the rank; best and worst that the data allow."""
    group: int
    """Tie group, from 1: entries of one group are not told apart from its best after Holm."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Steps whose scores lie together: their mean score, and the share of them that is right."""

    score: float
    right: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """An entry's reliability diagram on one task, bins by rising score."""

    task: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A labelled address; http(s) only."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """What whoever submitted an entry says of it."""

    authors: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    licence: str = ""
    model: str = ""
    """Hub id, catalogue name or folder name."""
    revision: str = ""
    base: str = ""
    """The model that it was trained from."""
    parameters: int | None = None
    recipe: str = ""
    """Name of the recipe by which it is read."""
    recipe_digest: str = ""
    training_domains: tuple[str, ...] = ()
    training_data: tuple[str, ...] = ()
    contamination: Contamination = "undeclared"
    contamination_note: str = ""
    semantics: str = ""
    """What a step score means (`harness.types.Semantics`)."""
    command: str = ""
    """The command that made the scores."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Versions, machine and time of that command (`harness.provenance`)."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """An entry's step scores for one sample, candidate by candidate."""

    sample: str
    scores: tuple[tuple[float, ...] | None, ...]
    """None: no scores for this candidate."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the board."""

    id: str
    """Fit for a file name or an anchor; unique on the board."""
    name: str
    role: Role
    trust: Trust
    card: Card
    values: tuple[Value, ...]
    place: Place | None = None
    """None: not ranked (cited, a reference, or a ranked column is missing)."""
    slices: tuple[Slice, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    samples: tuple[Scored, ...] = ()
    remarks: tuple[str, ...] = ()
    """What the checks found worth knowing, in sentences."""

    def value(self, column: str) -> Value | None:
        """Return its figure in a column, None if there is none."""
        return next((value for value in self.values if value.column == column), None)


@dataclass(frozen=True, slots=True)
class ColumnPair:
    """The paired difference a - b of two ranked entries in one ranked column."""

    column: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """After Holm over all pairs of the board in all ranked columns."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The paired difference a - b of two ranked entries' scores."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """After Holm over all pairs of the board."""
    columns: tuple[ColumnPair, ...] = ()
    """The same column by column."""


@dataclass(frozen=True, slots=True)
class Solution:
    """One candidate of a sample."""

    index: int
    steps: tuple[str, ...]
    correct: bool | None
    """None: ungraded."""
    answer: str | None = None
    first_wrong: int | None = None
    """Index of the first wrong step where the task labels steps; -1 if every step is right."""
    wrong: tuple[int, ...] | None = None
    """Indices of all wrong steps where the task labels every step."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A problem to look at, drawn by the board's seed, not by anybody's scores."""

    id: str
    pool: str
    problem: str
    prompt: str
    facts: Mapping[str, Any]
    solutions: tuple[Solution, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """A built board."""

    name: str
    title: str
    version: int
    """Rises with every change of tasks, pools, rule or ranking: numbers of two versions do not
    compare."""
    description: str
    digest: str
    """Of the definition and of every entry's content: equal inputs, equal digest."""
    harness: str
    """Version of the harness that built it."""
    aggregation: str
    """The rule, in words."""
    ranking: str
    """What the rank goes by, in words."""
    replicas: int
    """Independent repetitions that a submission must hold."""
    trust: Trust
    """The least trust that is ranked."""
    columns: tuple[Column, ...]
    pools: tuple[Pool, ...]
    entries: tuple[Entry, ...]
    """Ranked ones by rank, then the others by name."""
    pairs: tuple[Pair, ...] = ()
    samples: tuple[Sample, ...] = ()
    remarks: tuple[str, ...] = ()
    """What a reader should know of the whole: pools that are absent, submissions left out."""

    def column(self, id_: str) -> Column:
        """Return the column of an id."""
        return next(column for column in self.columns if column.id == id_)

    @property
    def ranked(self) -> tuple[Entry, ...]:
        """The entries that have a rank, the best first."""
        return tuple(entry for entry in self.entries if entry.place is not None)


def to_json(board: Board) -> Json:
    """Return `board` as plain JSON data, with `schema_version`."""
    plain: dict[str, Any] = _adapter().dump_python(board, mode="json")
    return {"schema_version": SCHEMA_VERSION, **plain}


def from_json(value: Json, where: str = "board.json") -> Board:
    """Return the board of `to_json`'s data.

    Raises:
        DataError: another schema version, or data of another form.
    """
    from pydantic import ValidationError

    if not isinstance(value, dict) or value.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{where}: not a board of schema version {SCHEMA_VERSION}")
    plain = {key: item for key, item in value.items() if key != "schema_version"}
    try:
        board: Board = _adapter().validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where}: not a built board ({place}: {first['msg']})") from None
    return board


def dumps(board: Board) -> str:
    """Return the text of board.json: one line per entry, so that a change shows in a diff."""
    value = to_json(board)
    assert isinstance(value, dict)
    lines = []
    for key, item in value.items():
        if key in ("entries", "samples", "columns", "pools", "pairs") and item:
            assert isinstance(item, list)
            rows = ",\n  ".join(_compact(one) for one in item)
            lines.append(f"{json.dumps(key)}: [\n  {rows}\n ]")
        else:
            lines.append(f"{json.dumps(key)}: {_compact(item)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _adapter() -> Any:
    """pydantic reads and writes the records as they are; it is loaded when needed."""
    from pydantic import TypeAdapter

    global _ADAPTER
    if _ADAPTER is None:
        _ADAPTER = TypeAdapter(Board)
    return _ADAPTER


_ADAPTER: Any = None
