"""LiveCodeBench's emulation of a program: a function from standard input to standard output.

It follows what their test runner does, flaws and all, because published numbers have them in: the
code becomes the body of a function, which is called once per test in one process, so that
``global`` at module level misses and what modules keep lasts from test to test; the stand-in for
standard input cannot be iterated and its ``buffer.readline`` repeats line one; what is written to
descriptors or by threads that nobody joined is lost; SystemExit is no error.
"""

from __future__ import annotations

import ast
import builtins
import io
import sys
from collections.abc import Callable
from typing import Any


def source(code: str) -> str:
    """Return the code that they run: imports, and one function of all the rest."""
    return _as_function(_without_main(code))


def function(code: str, space: dict[str, Any]) -> Callable[[str], str]:
    """Return a program as a function, once what `source` gave has run in `space`."""
    if "class Solution" in code:
        method = space["Solution"]().wrapped_function
    else:
        method = space["wrapped_function"]
    builtins.exit = sys.exit  # type: ignore[assignment]
    real, out = sys.stdin, sys.stdout

    def run(text: str) -> str:
        captured = io.StringIO()
        captured.close = lambda: None  # type: ignore[method-assign]
        _patch_stdin(real, text)
        sys.stdout = captured
        try:
            method()
        except SystemExit:
            pass
        finally:
            sys.stdout, sys.stdin = out, real
        return captured.getvalue()

    return run


def _without_main(code: str) -> str:
    """Return the code with a main guard at its end replaced by its body."""
    try:
        *before, last = ast.parse(code).body
        if isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'":
            return "\n".join(map(ast.unparse, (*before, *last.body)))
    except Exception:
        return code
    return code


def _as_function(code: str) -> str:
    """Return the code with all that is no import moved into one function."""
    try:
        body = ast.parse(code).body
    except Exception:
        return code
    imports = [s for s in body if isinstance(s, (ast.Import, ast.ImportFrom))]
    rest = [s for s in body if not isinstance(s, (ast.Import, ast.ImportFrom))]
    nothing = ast.arguments([], [], None, [], [], None, [])
    function = ast.FunctionDef("wrapped_function", nothing, rest, [], lineno=-1)
    vars(function)["type_params"] = []  # which Python 3.12 wants
    return "\n".join([*map(ast.unparse, imports), ast.unparse(function)])


class _Buffer:
    """Their stand-in for ``sys.stdin.buffer``."""

    def __init__(self, text: str) -> None:
        self.inputs = text.encode("utf-8", "surrogateescape")

    def read(self, *_: object) -> bytes:
        return self.inputs

    def readline(self, *_: object) -> bytes:
        return self.inputs.partition(b"\n")[0] + b"\n"


class _Stdin:
    """Their stand-in for ``sys.stdin``: no iteration, and reading twice gives the text twice."""

    def __init__(self, text: str) -> None:
        self.inputs = text
        self.buffer = _Buffer(text)
        self._lines = io.StringIO(text)

    def read(self, *_: object) -> str:
        return self.inputs

    def readline(self, *size: int) -> str:
        return self._lines.readline(*size)

    def readlines(self, *_: object) -> list[str]:
        return self.inputs.split("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lines, name)


def _patch_stdin(real: Any, text: str) -> None:
    """Put the stand-in in place; the real object, which an import may hold, gets three methods."""
    lines = iter(text.split("\n"))
    real.readline = lambda *_: next(lines)
    real.readlines = lambda *_: text.split("\n")
    real.read = lambda *_: text
    sys.stdin = _Stdin(text)
