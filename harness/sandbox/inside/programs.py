"""Runs code as a whole program, as ``python program.py`` would."""

from __future__ import annotations

import builtins
import random
import sys
from types import ModuleType
from typing import Any

from .report import NOT_COMPILED, RAISED, Report, message


def run(job: dict[str, Any], report: Report) -> int:
    """Run a program; return its exit status."""
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
