"""Runs code once and calls its entry with each input, as EvalPlus or LiveCodeBench would."""

from __future__ import annotations

import builtins
import os
import random
import sys
from types import FrameType, ModuleType
from typing import Any

from . import emulation
from .report import END, NO_MEMORY, NOT_COMPILED, NOT_IMPORTED, RAISED, Report, message

DEPTH = 972
"""Levels of recursion that EvalPlus leaves to a function, measured there under Python 3.11."""
LCB_DEPTH = 50_000
LCB_DIGITS = 50_000
# Their prelude: every public name of these modules, then the modules themselves.
_STARS = [
    "string",
    "re",
    "datetime",
    "collections",
    "heapq",
    "bisect",
    "copy",
    "math",
    "random",
    "statistics",
    "itertools",
    "functools",
    "operator",
    "io",
    "sys",
    "json",
    "builtins",
    "typing",
]
_MODULES = [name for name in _STARS if name not in ("builtins", "typing")]
PRELUDE = (
    "".join(f"from {name} import *\n" for name in _STARS)
    + "".join(f"import {name}\n" for name in _MODULES)
    + f"sys.setrecursionlimit({LCB_DEPTH})\n"
)
_PRELUDE_CODE = compile(PRELUDE, "<prelude>", "exec", dont_inherit=True)
# Both peers take these away; a program that needs one fails there, so it must fail here.
_NO_MODULES = ("ipdb", "joblib", "resource", "psutil", "tkinter")
_NO_OS = [
    "kill",
    "system",
    "putenv",
    "remove",
    "removedirs",
    "rmdir",
    "fchdir",
    "setuid",
    "fork",
    "forkpty",
    "killpg",
    "rename",
    "renames",
    "truncate",
    "replace",
    "unlink",
    "fchmod",
    "fchown",
    "chmod",
    "chown",
    "chroot",
    "lchflags",
    "lchmod",
    "lchown",
    "getcwd",
    "chdir",
]
_EXACT = frozenset([type(None), bool, int, float, complex, str, bytes, list, tuple, dict])


def _guard(evalplus: bool) -> None:
    """Take away what the peers' guards take away."""
    gone = ("exit", "quit", "open", "help") if evalplus else ("quit", "help")
    for name in gone:
        setattr(builtins, name, None)
    for name in _NO_OS:
        setattr(os, name, None)
    for name in _NO_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    if not evalplus:
        sys.set_int_max_str_digits(LCB_DIGITS)


def _lcb_module(code: str) -> tuple[Any, dict[str, Any]]:
    """Return compiled code and the module namespace, prelude done, in which it is to run."""
    space = ModuleType("tmp_sol", "").__dict__
    if "__future__" in code:  # after a prelude that is a syntax error, and there it stays one
        return compile(PRELUDE + "\n\n" + code, "<solution>", "exec", dont_inherit=True), space
    compiled = compile(code, "<solution>", "exec", dont_inherit=True)
    exec(_PRELUDE_CODE, space)
    return compiled, space


def run(job: dict[str, Any], calls: tuple[tuple[Any, ...], ...], report: Report) -> None:
    """Execute a job's code and make its calls, reporting each."""
    evalplus, program = job["style"] == "evalplus", job["style"] == "livecodebench program"
    _guard(evalplus)
    random.seed(0)
    space: dict[str, Any] = {}
    code = job["code"]
    try:
        if evalplus:
            compiled = compile(code, "<solution>", "exec", dont_inherit=True)
        else:
            code = emulation.source(code) if program else code
            compiled, space = _lcb_module(code)
    except BaseException as error:
        return report.close(NOT_COMPILED, message(error))
    if evalplus:
        sys.setrecursionlimit(_frames() + DEPTH + 1)  # one for `_call`
    try:
        exec(compiled, space)
        entry = emulation.function(code, space) if program else _entry(job["entry"], code, space)
    except BaseException as error:
        return report.close(NOT_IMPORTED, message(error))
    _call(entry, job, calls, report)


def _entry(name: str, code: str, space: dict[str, Any]) -> Any:
    """Return what to call: a global, or the method of a fresh instance."""
    owner, _, method = name.rpartition(".")
    if owner and ("class " + owner) in code:
        return getattr(space[owner](), method)
    if method not in space:
        raise NameError(f"name '{method}' is not defined")
    return space[method]


def _call(
    entry: Any, job: dict[str, Any], calls: tuple[tuple[Any, ...], ...], report: Report
) -> None:
    """Make the calls in order."""
    raw, as_set, stop = frozenset(job["raw"]), job["as_set"], job["stop"]
    begin, pause = report.begin, report.pause
    for i, arguments in enumerate(calls):
        start = begin(i)
        try:
            value = entry(*arguments)
            if as_set and type(value) not in _EXACT and hasattr(type(value), "__iter__"):
                value = set(value)
        except MemoryError:
            report.ended(pause() - start, NO_MEMORY, b"")
        except BaseException as error:
            report.ended(pause() - start, RAISED, message(error))
        else:
            report.value(pause() - start, value, i in raw)
            value = None
            continue
        if stop:
            break
    report.close(END)


def _frames() -> int:
    """Return how deep this function's caller is."""
    frame: FrameType | None = sys._getframe(1)
    depth = 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth
