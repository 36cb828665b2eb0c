"""What is being written: drafts to continue, their rows in the table, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.policies.randomness import Uniforms, generator
from harness.types import Finish

_COLUMNS = 64
"""Tokens per row that room is made for at first."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a draft is sampled and where its step ends; see `Sampling`, `Cut` and `Extend`."""

    temperature: float
    top_p: float
    stop: tuple[str, ...] = ()
    delimiters: tuple[str, ...] = ()
    tokens: int | None = None
    confidence: float | None = None
    alternatives: int | None = None
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One draft to continue."""

    key: tuple[int, int]
    """The caller's name for it."""
    prompt: tuple[int, ...]
    text: tuple[int, ...]
    """Tokens of what the draft already holds; empty for a new one."""
    before: str
    """The same as text."""
    limit: int
    """Tokens that may be decoded; at least 1."""
    random: int
    """The key of its random numbers."""
    rules: Rules

    @property
    def body(self) -> tuple[int, ...]:
        """All that the model reads but the last token."""
        return (self.prompt + self.text)[:-1]


@dataclass(frozen=True, slots=True)
class Written:
    """A step of a draft."""

    text: str
    finish: Finish | None
    tokens: int
    """Tokens that belong to it, an end token and a cut stop string included."""
    logprobs: tuple[float, ...] | None
    ids: tuple[int, ...] | None = None
    """Its tokens, if they spell exactly its text and the draft goes on."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task."""

    key: tuple[int, int]
    written: tuple[Written, ...]
    """One step, or one for each alternative."""
    read: int
    """Tokens of prompt and text that this task, the first to need them, sent through the model."""
    decoded: int
    """Tokens chosen: one more than was kept where the last was refused, one for alternatives."""


class Rows:
    """The rows of the table. A row whose task has ended is a hole until another takes its place."""

    def __init__(self) -> None:
        self.tasks: list[Task | None] = []
        """None: a hole."""
        self.read: list[int] = []
        """See `Done.read`."""
        self.uniforms = Uniforms()
        size = 64
        self.tokens: Ints = np.zeros((size, _COLUMNS), np.int64)
        """(rows, columns) decoded in this step."""
        self.chances: NDArray[np.float32] = np.zeros((size, _COLUMNS), np.float32)
        """Their log-probabilities, where they are wanted."""
        self.count: Ints = np.zeros(size, np.int64)
        """Tokens decoded in this step."""
        self.look: Ints = np.zeros(size, np.int64)
        """Number of tokens from which on a row may have ended whatever its tokens are."""
        self.pending: Ints = np.zeros(size, np.int64)
        """The token that the model reads next."""
        self.rule: Ints = np.zeros(size, np.int64)
        """The number of the task's rules."""
        self.holes: list[int] = []
        """Rows without a task."""

    @property
    def open(self) -> int:
        """Rows at work."""
        return len(self.tasks) - len(self.holes)

    def put(self, task: Task, rule: int, read: int) -> int:
        """Give a task a row, a hole if there is one, and return its number."""
        row = self.holes.pop() if self.holes else len(self.tasks)
        if row == len(self.tasks):
            self.tasks.append(task)
            self.read.append(read)
            if row == len(self.count):
                self._grow()
        rules = task.rules
        self.tasks[row], self.read[row], self.rule[row], self.count[row] = task, read, rule, 0
        early = 1 if rules.alternatives else rules.tokens
        self.look[row] = min(task.limit, early or task.limit)
        self.pending[row] = (task.prompt + task.text)[-1]
        self.uniforms.put(row, generator(task.random))
        return row

    def task(self, row: int) -> Task:
        """Return the task of a row that is at work."""
        task = self.tasks[row]
        assert task is not None
        return task

    def sequence(self, row: int) -> tuple[int, ...]:
        """Return all tokens of a row, those of its step last."""
        task = self.task(row)
        return (*task.prompt, *task.text, *self.tokens[row, : self.count[row]].tolist())

    def leave(self, row: int) -> None:
        """Make a hole of a row."""
        self.tasks[row] = None
        self.pending[row] = 0
        self.holes.append(row)

    def at_work(self) -> Ints:
        """Return the numbers of all rows that are no holes, in order."""
        if not self.holes:
            return np.arange(len(self.tasks))
        return np.array([i for i, task in enumerate(self.tasks) if task is not None], np.int64)

    def close_holes(self) -> tuple[Ints, Ints]:
        """Move the last rows into the holes; return from where and to where."""
        rows = self.open
        targets = np.array([hole for hole in self.holes if hole < rows], np.int64)
        sources = np.array([i for i in range(rows, len(self.tasks)) if self.tasks[i]], np.int64)
        for array in (self.tokens, self.chances, self.count, self.look, self.pending, self.rule):
            array[targets] = array[sources]
        for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
            self.tasks[target], self.read[target] = self.tasks[source], self.read[source]
        del self.tasks[rows:], self.read[rows:]
        self.uniforms.move(sources, targets, rows)
        self.holes = []
        return sources, targets

    def note(self, rows: Ints, chosen: Ints, chances: NDArray[np.float32] | None) -> None:
        """Append one token to each of these rows."""
        count = self.count[rows]
        if int(count.max()) == self.tokens.shape[1]:
            more = ((0, 0), (0, self.tokens.shape[1]))
            self.tokens, self.chances = np.pad(self.tokens, more), np.pad(self.chances, more)
        self.tokens[rows, count] = chosen
        if chances is not None:
            self.chances[rows, count] = chances
        self.count[rows] = count + 1
        self.pending[rows] = chosen

    def _grow(self) -> None:
        """Make room for twice as many rows."""
        more = len(self.count)
        self.tokens = np.pad(self.tokens, ((0, more), (0, 0)))
        self.chances = np.pad(self.chances, ((0, more), (0, 0)))
        for name in ("count", "look", "pending", "rule"):
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
