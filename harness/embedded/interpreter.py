"""A tiny interpreter for the programs of `chain_programs`: no exec, no eval, no surprises.

It runs the lines of one function of whole numbers: assignments, if/else, for-range loops, return,
and expressions over + - * with parentheses. Anything else, and any run beyond its step or size
budget, has no result. It serves our own generated tests and quick checks during training; code from
elsewhere belongs into the sandbox.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

_MAX_STEPS = 2000
_MAX_SIZE = 10**9
_TOKEN = re.compile(r"\s*(\d+|[a-z]+|[-+*()])")
_DEF = re.compile(r"def [a-z]+\(([a-z]+)\):")
_ASSIGN = re.compile(r"([a-z]+) = (.+)")
_IF = re.compile(r"if (.+?) (>=|<=|>|<) (.+):")
_FOR = re.compile(r"for ([a-z]+) in range\(([^,]+)(?:, ([^,]+))?\):")


class NoResultError(ValueError):
    """The program is not one of this language, or ran out of its budget."""


def run(lines: Sequence[str], argument: int) -> int | None:
    """What the function returns for one argument; None when it returns nothing sensible."""
    if not lines or not (head := _DEF.fullmatch(lines[0].rstrip())):
        return None
    machine = _Machine({head.group(1): argument})
    try:
        return machine.block(_indented(lines[1:]))
    except NoResultError:
        return None


def _indented(lines: Sequence[str]) -> list[tuple[int, str]]:
    rows = []
    for line in lines:
        body = line.strip()
        if body:
            rows.append((len(line) - len(line.lstrip(" ")), body))
    return rows


class _Machine:
    def __init__(self, values: dict[str, int]) -> None:
        self.values = values
        self.steps = 0

    def block(self, rows: list[tuple[int, str]]) -> int | None:
        """Run one block; the value of the first return met, or None."""
        at = 0
        while at < len(rows):
            self.steps += 1
            if self.steps > _MAX_STEPS:
                raise NoResultError("too many steps")
            depth, line = rows[at]
            if depth != rows[0][0]:
                raise NoResultError("indentation")
            body, after = _body(rows, at + 1, depth)
            returned: int | None = None
            if line.startswith("return ") and not body:
                return self.value(line[len("return ") :])
            if match := _ASSIGN.fullmatch(line):
                self.assign(match.group(1), match.group(2), body)
            elif match := _IF.fullmatch(line):
                otherwise: list[tuple[int, str]] = []
                if after < len(rows) and rows[after] == (depth, "else:"):
                    otherwise, after = _body(rows, after + 1, depth)
                returned = self.choose(match, body, otherwise)
            elif match := _FOR.fullmatch(line):
                returned = self.loop(match, body)
            else:
                raise NoResultError(f"unknown statement {line!r}")
            if returned is not None:
                return returned
            at = after
        return None

    def assign(self, name: str, expression: str, body: list[tuple[int, str]]) -> None:
        if body:
            raise NoResultError("indentation")
        self.values[name] = self.value(expression)

    def choose(
        self, test: re.Match[str], body: list[tuple[int, str]], otherwise: list[tuple[int, str]]
    ) -> int | None:
        left, right = self.value(test.group(1)), self.value(test.group(3))
        sign = test.group(2)
        holds = (sign[0] == ">" and left > right) or (sign[0] == "<" and left < right)
        holds = holds or (sign[1:] == "=" and left == right)
        if not body:
            raise NoResultError("empty block")
        return self.block(body if holds else otherwise)

    def loop(self, head: re.Match[str], body: list[tuple[int, str]]) -> int | None:
        if not body:
            raise NoResultError("empty block")
        name, first, second = head.groups()
        start, stop = (0, first) if second is None else (self.value(first), second)
        for turn in range(start, self.value(stop)):
            self.values[name] = turn
            returned = self.block(body)
            if returned is not None:
                return returned
        return None

    def value(self, expression: str) -> int:
        if expression.isdigit() and len(expression) < 10:
            return int(expression)
        tokens = list(_tokens(expression))
        result = self.sum(tokens)
        if tokens or abs(result) > _MAX_SIZE:
            raise NoResultError(f"unreadable expression or large value {expression!r}")
        return result

    def sum(self, tokens: list[str]) -> int:
        total = self.product(tokens)
        while tokens and tokens[-1] in "+-":
            sign = 1 if tokens.pop() == "+" else -1
            total += sign * self.product(tokens)
        return total

    def product(self, tokens: list[str]) -> int:
        result = self.atom(tokens)
        while tokens and tokens[-1] == "*":
            tokens.pop()
            result *= self.atom(tokens)
        return result

    def atom(self, tokens: list[str]) -> int:
        if not tokens or len(tokens) > 40:
            raise NoResultError("no expression, or one too long")
        token = tokens.pop()
        if token == "-":
            return -self.atom(tokens)
        if token == "(":
            inside = self.sum(tokens)
            if not tokens or tokens.pop() != ")":
                raise NoResultError("a parenthesis is missing")
            return inside
        if token.isdigit() and len(token) < 10:
            return int(token)
        if token in self.values:
            return self.values[token]
        raise NoResultError(f"no value for {token!r}")


@lru_cache(maxsize=4096)
def _tokens(expression: str) -> tuple[str, ...]:
    """The tokens of an expression, the last one first."""
    tokens: list[str] = []
    at, text = 0, expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise NoResultError(f"unreadable expression {text!r}")
        tokens.append(match.group(1))
        at = match.end()
    return tuple(reversed(tokens))


def _body(rows: list[tuple[int, str]], at: int, depth: int) -> tuple[list[tuple[int, str]], int]:
    """The rows from `at` on that are deeper than `depth`, and the index after them."""
    end = at
    while end < len(rows) and rows[end][0] > depth:
        end += 1
    return rows[at:end], end
