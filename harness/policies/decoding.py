"""Writing many drafts at once: the loop between a causal language model and its tokens.

Drafts come and go between two tokens. One that ends leaves its row in the table of keys and values
at once, and what it read and wrote is remembered if it can go on. Every draft enters with its last
token unread, and reads it together with everybody else's next one: a continuation of what is
remembered costs no pass of its own. What is not remembered is read before it enters; such passes
hold everybody up, so they wait until they bring an eighth of the rows at work, but no longer than
eight tokens.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.adapters.kv import Table
from harness.adapters.memory import Memory, read
from harness.adapters.prefixes import Ids
from harness.policies.ends import Ends
from harness.policies.rows import Done, Ints, Rows, Rules, Task
from harness.policies.sampling import choose, logprobs, most_probable
from harness.types import Gauges

_SHARE = 8
"""One part in so many of the rows at work is worth a pass of reading."""

_PATIENCE = 8
"""Tokens that a draft waits at most for others to be read with, while there is room for it."""

_HOLES = 16
"""Holes are closed when they are one row in so many: a hole costs its share of the arithmetic,
closing it a copy of a row, and the next draft may fill it for nothing."""


class Writer:
    """A model that is writing."""

    works_on = False

    def __init__(
        self,
        model: Any,
        ends: Ends,
        windows: Mapping[str, int | None],
        rows: int,
        memory: Memory,
        reading: int,
    ) -> None:
        """Args: model and its ways, most rows at once, memory, most tokens of a pass of reading."""
        self._model, self._ends, self._windows = model, ends, windows
        self._limit, self._memory, self._reading = rows, memory, reading
        self._table = Table(model, windows)
        self._rows = Rows()
        self._rules: dict[Rules, int] = {}
        self._watch: NDArray[np.bool_] = np.empty((0, 0), bool)
        """(rules, vocabulary): tokens after which a draft may have ended."""
        self._floor: NDArray[np.float32] = np.empty(0, np.float32)
        """(rules,): log-probability below which a token ends the step before it."""
        self._known: deque[Task] = deque()
        self._unread: deque[Task] = deque()
        self._held_up = 0
        self._decoded = 0
        """Tokens chosen so far."""

    def gauges(self) -> Gauges:
        """Say what it is doing: rows, drafts that wait for one, tokens, memory in use."""
        waiting, budget = len(self._known) + len(self._unread), self._memory.budget
        used = min(1.0, self._memory.held / budget) if budget else None
        return Gauges(self._rows.open, waiting, self._decoded, used)

    def submit(self, task: Task) -> None:
        """Let a draft wait for a row."""
        body = task.body
        known = len(self._memory.find(body)) == len(body)
        (self._known if known else self._unread).append(task)

    @torch.inference_mode()
    def work(self) -> list[Done]:
        """Write one token in every row; return what has ended by it."""
        if entering := self._entering():
            self._enter(entering)
        rows = self._rows
        if len(rows.holes) * _HOLES > len(rows.tasks):
            sources, targets = rows.close_holes()
            self._table.move(sources, targets, len(rows.tasks))
        done = []
        if rows.open:
            self._table.lengths[rows.holes] = 0
            ids = rows.pending[: len(rows.tasks), None]
            logits = self._table.feed(ids, logits_to_keep=1)[:, -1]
            at_work = rows.at_work()
            if len(at_work) < len(logits):
                logits = logits[torch.from_numpy(at_work).to(logits.device)]
            done = self._write(at_work, logits)
        self._memory.trim()
        return done

    def _entering(self) -> list[Task]:
        """Return who enters now: those who need no reading, and the others if they are due."""
        room = self._limit - self._rows.open
        entering = []
        if size := min(room, len(self._unread)):
            self._held_up += 1
            working = self._rows.open + min(room, len(self._known))
            if size * _SHARE >= working or self._held_up > _PATIENCE:
                entering = [self._unread.popleft() for _ in range(size)]
                self._held_up = 0
        more = min(room - len(entering), len(self._known))
        return entering + [self._known.popleft() for _ in range(more)]

    def _enter(self, tasks: Sequence[Task]) -> None:
        """Read what is not remembered of some tasks, and give them rows."""
        spent = self._read(tasks)
        known = {task.body: self._memory.find(task.body) for task in tasks}
        rows = [
            self._rows.put(task, self._number(task.rules), 1 + tokens)
            for task, tokens in zip(tasks, spent, strict=True)
        ]
        self._memory.load(self._table, np.array(rows), [known[task.body] for task in tasks])

    def _read(self, tasks: Sequence[Task]) -> list[int]:
        """Read and remember; return the tokens that each task, the first to need them, cost."""
        first: dict[Ids, int] = {}
        for i, task in enumerate(tasks):
            first.setdefault(task.body, i)
        unread = [
            tasks[i].prompt
            for body, i in first.items()
            if len(self._memory.find(body)) < len(tasks[i].prompt)
        ]
        # Different texts after one prompt: the prompt is read once, in a pass before theirs.
        shared = {prompt for prompt, texts in Counter(unread).items() if texts > 1}
        prompts: dict[Ids, int] = {}
        for i, task in enumerate(tasks):
            if task.prompt in shared:
                prompts.setdefault(task.prompt, i)
        spent = [0] * len(tasks)
        for wanted in (prompts, first):
            found = {sequence: self._memory.find(sequence) for sequence in wanted}
            missing = [s for s, slots in found.items() if len(slots) < len(s)]
            known = [found[s] for s in missing]
            for part, _, _ in read(
                self._model,
                self._windows,
                self._memory,
                missing,
                known,
                self._reading,
                logits_to_keep=1,
            ):
                for i in part:
                    spent[wanted[missing[i]]] += len(missing[i]) - len(known[i])
        return spent

    def _write(self, rows: Ints, logits: torch.Tensor) -> list[Done]:
        """Choose a token for each of some rows; return what has ended by it."""
        state, rule = self._rows, self._rows.rule[rows]
        chosen = self._choose(logits, rule, state.uniforms.next(rows))
        wanted = [rules.logprobs or rules.confidence for rules in self._rules]
        chances = logprobs(logits, chosen).cpu().numpy() if any(wanted) else None
        tokens = chosen.cpu().numpy()
        state.note(rows, tokens, chances)
        self._decoded += len(rows)
        count = state.count[rows]
        refused = np.zeros(len(rows), bool)
        if chances is not None:
            refused = (chances < self._floor[rule]) & (count > 1)
        look = self._watch[rule, tokens] | (count >= state.look[rows]) | refused
        done, going = [], []
        for i in np.flatnonzero(look):
            row = int(rows[i])
            if (end := self._end(row, logits[i], bool(refused[i]))) is not None:
                done.append(end)
                going.append((row, any(step.finish is None for step in end.written)))
        self._leave(going)
        return done

    def _choose(self, logits: torch.Tensor, rule: Ints, noise: NDArray[np.float64]) -> torch.Tensor:
        """Choose a token per row, all rows together that are sampled alike."""
        rules = list(self._rules)
        alike: dict[tuple[float, float], list[int]] = {}
        for number in np.unique(rule).tolist():
            key = (rules[number].temperature, rules[number].top_p)
            alike.setdefault(key, []).append(number)
        uniforms = torch.from_numpy(noise).to(logits.device)
        if len(alike) == 1:
            return choose(logits, *next(iter(alike)), uniforms)
        chosen = torch.empty(len(rule), dtype=torch.long, device=logits.device)
        for (temperature, top_p), numbers in alike.items():
            at = torch.from_numpy(np.flatnonzero(np.isin(rule, numbers))).to(logits.device)
            chosen[at] = choose(logits[at], temperature, top_p, uniforms[at])
        return chosen

    def _end(self, row: int, logits: torch.Tensor, refused: bool) -> Done | None:
        """Return what came of a row's task, if its last token has ended it."""
        task, count = self._rows.task(row), int(self._rows.count[row])
        read, rules = self._rows.read[row], task.rules
        if rules.alternatives:
            best, chances = most_probable(logits, rules.alternatives)
            steps = [
                self._ends.end(task, [token], [chance])
                for token, chance in zip(best.tolist(), chances.tolist(), strict=True)
            ]
            return Done(task.key, tuple(step for step in steps if step), read, 1)
        tokens = self._rows.tokens[row, :count].tolist()
        chances = self._rows.chances[row, :count].tolist()
        step = self._ends.end(task, tokens[:-1], chances[:-1], cut=True) if refused else None
        step = step or self._ends.end(task, tokens, chances)
        return None if step is None else Done(task.key, (step,), read, count)

    def _leave(self, going: Sequence[tuple[int, bool]]) -> None:
        """Give rows free, and remember those that may be continued."""
        kept = [row for row, remember in going if remember]
        if kept and self._memory.budget:
            lengths = self._table.lengths
            sequences = [self._rows.sequence(row)[: lengths[row]] for row in kept]
            self._memory.save(self._table, kept, sequences)
        for row, _ in going:
            self._rows.leave(row)

    def _number(self, rules: Rules) -> int:
        """Return the number of some rules."""
        if rules not in self._rules:
            self._rules[rules] = len(self._rules)
            watch = self._ends.watched(rules)[None]
            self._watch = np.concatenate([self._watch.reshape(-1, watch.shape[1]), watch])
            floor = (
                np.log(rules.confidence or 0.0, dtype=np.float32) if rules.confidence else -np.inf
            )
            self._floor = np.append(self._floor, np.float32(floor))
        return self._rules[rules]
