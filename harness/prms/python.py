"""``python:MODULE:NAME`` is one's own PRM: a class or a function that can be imported.

A function gets a prompt and solutions, lists of steps, and gives a list of numbers for each, or
None; a class is made without arguments and has such a method ``score``::

    def score(prompt: str, solutions: list[list[str]]) -> list[list[float]]: ...

``semantics=`` and ``aggregation=`` say what the numbers mean. A class with `harness.prms.prm.Prm`'s
members is taken as it is, made with its `Spec`. Importing it runs it: it is the user's own code.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any

from harness.adapters.options import Options
from harness.digest import file_digest
from harness.errors import ConfigError, DataError, InfrastructureError, UserError, nearest
from harness.prms.function import Ask, FunctionPrm
from harness.prms.prm import Prm
from harness.types import Spec


def open_python(spec: Spec) -> Prm:
    """Import and open one's own PRM.

    Raises:
        ConfigError: no such module or name, or it is neither a PRM nor a function.
    """
    module, colon, name = spec.target.partition(":")
    if not colon or not name.isidentifier():
        raise ConfigError(f"PRM python:{spec.target}: write python:MODULE:NAME")
    found = _import(module)
    if not hasattr(found, name):
        known = [key for key in vars(found) if not key.startswith("_")]
        raise ConfigError(f"{found.__file__} has no {name!r}; {nearest(name, known)}")
    own = getattr(found, name)
    if isinstance(own, type) and hasattr(own, "judge"):
        made = own(spec)
        if isinstance(made, Prm):
            return made
        wanted = [key for key in dir(Prm) if not key.startswith("_") and not hasattr(made, key)]
        raise ConfigError(f"PRM {name} lacks {', '.join(wanted)} (harness/prms/prm.py)")
    score: Any = own().score if isinstance(own, type) and hasattr(own, "score") else own
    if isinstance(score, type) or not callable(score):
        raise ConfigError(
            f"PRM {name} is neither a function nor a class with a method score(prompt, solutions)"
        )
    _check_arguments(name, score)
    identity = {"adapter": "python", "name": f"{module}:{name}"}
    if found.__file__:
        identity["source"] = file_digest(Path(found.__file__))
    return FunctionPrm(spec, Options(spec, "PRM"), _told(name, score), {**identity})


def _check_arguments(name: str, score: Any) -> None:
    try:
        signature = inspect.signature(score)
    except ValueError:  # some functions written in C do not tell
        return
    try:
        signature.bind("", [])
    except TypeError:
        raise ConfigError(
            f"PRM {name} takes {signature}; write score(prompt, solutions): that is all a PRM is "
            "given, no reference answer ever reaches one"
        ) from None


def _told(name: str, score: Any) -> Ask:
    """Return the function, whose own errors say where in one's code they arose."""

    def ask(prompt: str, solutions: list[list[str]]) -> object:
        try:
            return score(prompt, solutions)
        except (UserError, InfrastructureError):
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise DataError(
                f"PRM {name} raised {type(error).__name__}: {error} ({last.filename}:{last.lineno})"
            ) from error

    return ask


def _import(module: str) -> Any:
    """Import a module, from the current folder too."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise ConfigError(f"no module {module!r} here or among the installed ones") from error
        raise
    finally:
        sys.path.remove(here)
