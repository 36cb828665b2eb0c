"""Python source, or prose with source in it, cut into one step per logical line.

A logical line runs on while a bracket or a triple-quoted string is open or a line ends in a
backslash. Comments and decorators belong to the line after them, blank lines to the line before.
The cutter never fails: models also write prose, code fences and half a program, so this is a line
scanner and no parser. A bracket or string that is never closed holds up nothing: its line then
ends where it ends. A code fence always closes what is open.
"""

from __future__ import annotations

import re

_MAX_LINES = 100
"""A logical line of more physical lines is taken to be unclosed; keeps the scan linear."""

_TOKEN = re.compile(r"\"\"\"|'''|[\"'#(\[{)\]}]|\\.", re.DOTALL)
_CLOSE = {'"""': re.compile(r'\\.|"""', re.DOTALL), "'''": re.compile(r"\\.|'''", re.DOTALL)}
_STRING = {'"': re.compile(r'(?:\\.|[^"\\])*"'), "'": re.compile(r"(?:\\.|[^'\\])*'")}


def code_steps(text: str) -> tuple[str, ...]:
    """Return the steps of `text`: none is blank unless all of `text` is; joined they give it."""
    lines = text.splitlines(keepends=True)
    steps: list[str] = []
    head = ""
    i = 0
    while i < len(lines):
        end = _end(lines, i)
        piece = "".join(lines[i:end])
        start = piece.lstrip()
        if not start and steps and not head:
            steps[-1] += piece
        elif not start or start[0] in "#@":
            head += piece
        else:
            steps.append(head + piece)
            head = ""
        i = end
    if head and steps and _only_comments(head):
        steps[-1] += head
    elif head:
        steps.append(head)
    return tuple(steps)


def _only_comments(head: str) -> bool:
    """Whether `head`, left over at the end of a text, has no decorator in it."""
    return all(line.lstrip()[:1] in ("", "#") for line in head.splitlines())


def _end(lines: list[str], start: int) -> int:
    """Return the number of the line after the logical line that begins at `start`."""
    depth, quote = 0, ""
    for i in range(start, min(len(lines), start + _MAX_LINES)):
        if i > start and lines[i].lstrip().startswith("```"):
            break
        depth, quote, continued = _scan(lines[i], depth, quote)
        if depth <= 0 and not quote and not continued:
            return i + 1
    return start + 1


def _scan(line: str, depth: int, quote: str) -> tuple[int, str, bool]:
    """Return bracket depth, open triple quote ("" if none) and whether a backslash ends `line`."""
    place = 0
    while True:
        if quote:
            found = _CLOSE[quote].search(line, place)
            if not found:
                return depth, quote, False
            place = found.end()
            if found[0] == quote:
                quote = ""
            continue
        found = _TOKEN.search(line, place)
        if not found:
            return depth, "", False
        token, place = found[0], found.end()
        if token in _CLOSE:
            quote = token
        elif token in _STRING:
            # An apostrophe in prose opens nothing: a plain string closes on its own line.
            string = _STRING[token].match(line, place)
            place = string.end() if string else place
        elif token == "#":
            return depth, "", False
        elif token in ("\\\n", "\\\r"):
            return depth, "", True
        else:
            depth += (token in "([{") - (token in ")]}")
