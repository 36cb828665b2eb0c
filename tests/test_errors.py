"""Errors say what, where and what to type."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from harness.errors import (
    DataError,
    InfrastructureError,
    MissingDependency,
    UserError,
    nearest,
    unknown,
    writing,
)


def test_the_nearest_name_is_offered_else_all() -> None:
    assert nearest("majorty", ["majority", "greedy"]) == "did you mean 'majority'?"
    assert nearest("zzz", ["b", "a"]) == "valid: a, b"
    assert nearest("zzz", []) == "there are none"
    thousands = [f"n{i}" for i in range(3000)]
    assert nearest("zzz", thousands) == "none of the 3,000 names is like it"
    assert nearest("n299x", thousands) == "did you mean 'n299'?"
    assert str(unknown("task", "x", ["y"], "f.yaml:3")) == "f.yaml:3: unknown task 'x'; valid: y"


def test_a_missing_package_names_the_extra() -> None:
    error = MissingDependency("sampling", "hf")
    assert isinstance(error, UserError)
    assert "pip install 'prm-harness[hf]'" in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, InfrastructureError),
        (errno.EDQUOT, InfrastructureError),
        (errno.EACCES, DataError),
        (errno.EROFS, DataError),
    ],
)
def test_refusals_of_the_system_are_classified(code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="/x/y"), writing(Path("/x/y")):
        raise OSError(code, "no")
