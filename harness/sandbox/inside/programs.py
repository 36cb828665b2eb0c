"""Runs code as a whole program: a real one, or in LiveCodeBench's emulation of one.

The emulation follows what their test runner does, flaws and all, because published numbers have
them in: the code becomes the body of a function, so that ``global`` at module level misses; the
stand-in for standard input cannot be iterated and its ``buffer.readline`` repeats line one; what
is written to descriptors or by threads that nobody joined is lost; SystemExit is no error.
"""

from __future__ import annotations

import ast
import builtins
import io
import random
import sys
from types import ModuleType
from typing import Any

from .calls import guard, lcb_module
from .report import EXITED, NOT_COMPILED, RAISED, Report, message


def run_real(job: dict[str, Any], report: Report) -> int:
    """Run a program as `python program.py` would; return its exit status."""
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    random.seed(0)  # a rerun must give the same verdict
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv[:] = ["program.py"]
    sys.setrecursionlimit(1000)
    try:
        compiled = compile(job["code"], "program.py", "exec", dont_inherit=True)
    except BaseException as error:
        report.close(NOT_COMPILED, message(error))
        return 1
    main.__dict__["__builtins__"] = builtins
    status = 0
    try:
        exec(compiled, main.__dict__)
    except SystemExit as error:
        status = _status(error)
    except BaseException as error:
        report.close(RAISED, message(error))
        status = 1
    return _leave(status)


def _status(error: SystemExit) -> int:
    """Return the exit status that an interpreter makes of a SystemExit."""
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def _leave(status: int) -> int:
    """Do what an interpreter does at its end: wait for threads, run exit handlers, flush."""
    import atexit
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:
        status = status or 1
    try:
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    except BaseException:
        status = status or 120
    return status


def run_livecodebench(job: dict[str, Any], report: Report) -> tuple[int, bytes]:
    """Run a program in the emulation; return the exit status that stands for its outcome, and
    what it printed."""
    guard(evalplus=False)
    builtins.exit = sys.exit  # type: ignore[assignment]
    random.seed(0)
    try:
        code = _as_function(_without_main(job["code"]))
        compiled, space = lcb_module(code)
    except BaseException as error:
        report.close(NOT_COMPILED, message(error))
        return 1, b""
    text = job["stdin"].decode("utf-8", "surrogateescape")
    captured = io.StringIO()
    try:
        exec(compiled, space)
        if "class Solution" in code:
            space = vars(space["Solution"]())
        function = space["wrapped_function"]
        _patch_stdin(text)
        sys.stdout = captured
        captured.close = lambda: None  # type: ignore[method-assign]
        try:
            function()
        except SystemExit:
            report.close(EXITED)
    except BaseException as error:
        report.close(RAISED, message(error))
        return 1, b""
    return 0, captured.getvalue().encode("utf-8", "surrogatepass")


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


def _patch_stdin(text: str) -> None:
    """Put the stand-in in place; the real object, which an import may hold, gets three methods."""
    real, lines = sys.stdin, iter(text.split("\n"))
    real.readline = lambda *_: next(lines)  # type: ignore[method-assign]
    real.readlines = lambda *_: text.split("\n")  # type: ignore[method-assign]
    real.read = lambda *_: text  # type: ignore[method-assign]
    sys.stdin = _Stdin(text)
