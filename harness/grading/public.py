"""Inputs on which the behaviour of programs is compared: what a solver may see, and no more.

They come from the prompt of a problem alone, never from its tests: the arguments that its examples
show (`harness.grading.prompts`), and variations of them. Without examples the annotations of the
signature say what to make up. The draw is seeded by the prompt.
"""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Sequence
from typing import Any

from harness.grading.prompts import Call, examples

CALLS = 16
"""Inputs per problem, examples included."""
_TRIES = 25
"""Draws per input, at most."""
_WORDS = ("abc", "Hello world", "racecar", "a1 b2 c3", "", "The quick brown Fox")


def calls(prompt: str, entry: str) -> tuple[Call, ...]:
    """Return the public inputs of a problem; () if the prompt shows no call and no types."""
    rng = random.Random(f"{entry}\n{prompt}")
    found = examples(prompt, entry)
    if not found:
        found = from_signature(prompt, entry, rng)
    return grown(found, rng) if found else ()


def grown(
    seeds: Sequence[Call], rng: random.Random, count: int = CALLS, negative: bool = False
) -> tuple[Call, ...]:
    """Return the seeds, at most `count` in all, and distinct variations of them up to `count`.

    Numbers stay of the size of those shown; they turn negative only if one of those is, or with
    `negative`.
    """
    known = {repr(call): call for call in seeds[:count]}
    negative = negative or any(_has_negative(value) for call in seeds for value in call)
    shown = {letter for call in seeds for value in call for letter in _letters(value)}
    if len(shown) < 4:
        shown |= set(string.ascii_lowercase[:6])
    letters = "".join(sorted(shown))
    vary = _Variation(rng, negative, letters)
    pool = list(known.values())
    for _ in range(_TRIES * count):
        if len(known) >= count:
            break
        call = list(rng.choice(pool))
        if call:
            at = rng.randrange(len(call))
            call[at] = vary(call[at])
        new = tuple(call)
        if repr(new) not in known:
            known[repr(new)] = new
            pool.append(new)
    return tuple(known.values())


def from_signature(prompt: str, entry: str, rng: random.Random) -> list[Call]:
    """Return a few calls with arguments of the annotated types; [] if a parameter has none."""
    try:
        body = ast.parse(prompt).body
    except (SyntaxError, ValueError):
        return []
    heads = [n for n in body if isinstance(n, ast.FunctionDef) and n.name == entry]
    if not heads or not all(argument.annotation for argument in heads[-1].args.args):
        return []
    notes = [ast.unparse(a.annotation) for a in heads[-1].args.args if a.annotation]
    try:
        return [tuple(_made(note, rng) for note in notes) for _ in range(6)]
    except KeyError:
        return []


def _made(note: str, rng: random.Random) -> Any:
    """Return a value of an annotated type; KeyError for a type that is not known."""
    if note.startswith(("List[", "list[")):
        return [_made(note[5:-1], rng) for _ in range(rng.randrange(1, 6))]
    if note in ("list", "List"):
        return [rng.randrange(0, 20) for _ in range(rng.randrange(1, 6))]
    made: dict[str, Any] = {
        "int": rng.randrange(0, 20),
        "float": round(rng.uniform(0, 20), 2),
        "bool": rng.random() < 0.5,
        "str": rng.choice(_WORDS),
    }
    return made[note]


class _Variation:
    """Changes one thing in a value and keeps its type."""

    def __init__(self, rng: random.Random, negative: bool, letters: str) -> None:
        self._rng, self._negative, self._letters = rng, negative, letters

    def __call__(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, str):
            return "".join(self._sequence(list(value), lambda _: self._rng.choice(self._letters)))
        if isinstance(value, list):
            return self._sequence(value, self)
        if isinstance(value, tuple):
            return tuple(self._sequence(list(value), self))
        if isinstance(value, set):
            return set(self._sequence(sorted(value, key=repr), self))
        if isinstance(value, dict) and value:
            key = self._rng.choice(sorted(value, key=repr))
            return {**value, key: self(value[key])}
        return value

    def _number(self, value: float) -> float:
        """A neighbour, half, or a number of the same size, at most twice as large."""
        span = max(10, 2 * abs(int(value)))
        new = self._rng.choice((value + 1, value - 1, self._rng.randint(0, span), value // 2))
        if isinstance(value, float):
            new = self._rng.choice((new, round(self._rng.uniform(0, span), 2)))
        if self._negative and self._rng.random() < 0.3:
            new = -new
        if new < 0 and not self._negative:
            new = -new
        return float(new) if isinstance(value, float) else int(new)

    def _sequence(self, items: list[Any], change: Any) -> list[Any]:
        """Change, drop, repeat, swap or turn round; an empty sequence stays."""
        if not items:
            return items
        new = list(items)
        i, j = self._rng.randrange(len(new)), self._rng.randrange(len(new))
        what = self._rng.randrange(6)
        if what <= 1:
            new[i] = change(new[i])
        elif what == 2:
            del new[i]
        elif what == 3:
            new.insert(j, new[i])
        elif what == 4:
            new[i], new[j] = new[j], new[i]
        else:
            new.reverse()
        return new


def _has_negative(value: Any) -> bool:
    if isinstance(value, int | float):
        return value < 0
    if isinstance(value, dict):
        return any(map(_has_negative, value.values()))
    return isinstance(value, list | tuple | set) and any(map(_has_negative, value))


def _letters(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(map(_letters, [*value, *value.values()]))
    return "".join(map(_letters, value)) if isinstance(value, list | tuple | set) else ""
