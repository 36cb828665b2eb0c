"""Reads the examples that the prompt of a function shows: arguments only, and literals only."""

from __future__ import annotations

import ast
import re
from typing import Any, TypeAlias

Call: TypeAlias = tuple[Any, ...]

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_SCALAR = re.compile(r"[-+]?\d+(?:\.\d+)?|True\b|False\b|None\b")
_LONGEST = 5_000


def examples(prompt: str, entry: str) -> list[Call]:
    """Return the distinct argument lists that a prompt shows, by the first of three rules that
    finds any; [] if none does.

    1. Calls of `entry` with literals: ``>>> f([1], 2)``, ``assert f([1], 2) == 3``, "f([1], 2)
       returns 3". A call with a keyword, a name or an operator is left out.
    2. Every parameter with its value, in order: "Input: arr = [1], k = 2"; for one parameter also
       "Input: [1]".
    3. Calls of a function by another name with as many literals as `entry` has parameters.
    """
    names = parameters(prompt, entry)
    found = _calls(prompt, re.escape(entry))
    if not found and names:
        found = _named(prompt, names)
    if not found and names:
        found = [call for call in _calls(prompt, r"[A-Za-z_]\w*") if len(call) == len(names)]
    return list({repr(call): call for call in found}.values())


def parameters(prompt: str, entry: str) -> list[str]:
    """Return the names of the positional parameters of `entry`; [] if the prompt has no head."""
    head = re.search(rf"^def {re.escape(entry)}\((.*?)\)[^\n]*:", prompt, re.M | re.S)
    return re.findall(r"(?:^|,)\s*(\w+)\s*(?=[:,=]|$)", head[1]) if head else []


def literal(text: str) -> Any:
    """Return the Python literal at the beginning of a text.

    Raises:
        ValueError: there is none.
    """
    found = text[: _end(text)]
    try:
        return ast.literal_eval(found.replace("\n", " "))
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"no literal: {found[:50]!r}") from error


def _calls(prompt: str, name: str) -> list[Call]:
    found = []
    for match in re.finditer(rf"(?<![\w.]){name}(?=\()", prompt):
        text = prompt[match.end() :]
        try:
            # "(1)" is no tuple, "(1,)" is; a generator, a keyword or a name is no literal.
            inside = text[: _end(text)][1:-1].strip().rstrip(",")
            found.append(literal(f"({inside},)") if inside else ())
        except ValueError:
            continue
    return found


def _named(prompt: str, names: list[str]) -> list[Call]:
    places = [re.compile(rf"\b{re.escape(name)}\s*[=:]\s*(?=[^\s=])") for name in names]
    if len(names) == 1:
        places[0] = re.compile(rf"(?:{places[0].pattern}|\bInput:\s*(?=[^\s=]))")
    found = []
    for first in places[0].finditer(prompt):
        at, values = first.start(), list[Any]()
        for place in places:
            match = place.search(prompt, at)
            if match is None or (values and match.start() - at > 40):
                break
            rest = prompt[match.end() : match.end() + _LONGEST]
            try:
                values.append(literal(rest))
            except ValueError:
                break
            at = match.end() + _end(rest)
        if len(values) == len(names):
            found.append(tuple(values))
    return found


def _end(text: str) -> int:
    """Return where the literal at the beginning of a text ends; ValueError if there is none."""
    open_: list[str] = []
    at = 0
    while at < min(len(text), _LONGEST):
        letter = text[at]
        if letter in "\"'":
            at = _end_of_string(text, at)
        elif letter in _CLOSING:
            open_.append(_CLOSING[letter])
            at += 1
        elif open_ and letter == open_[-1]:
            open_.pop()
            at += 1
        elif open_:
            at += 1
        else:
            match = _SCALAR.match(text, at)
            at = match.end() if match else len(text)
        if not open_ and at <= len(text):
            return at
    raise ValueError("no literal")


def _end_of_string(text: str, at: int) -> int:
    close = at + 1
    while close < len(text) and text[close] != text[at]:
        close += 2 if text[close] == "\\" else 1
    if close >= len(text):
        raise ValueError("a string that does not end")
    return close + 1
