"""The problems of all tasks: what there is (`names`, `describe`), and the rows (`load`)."""

from harness.problems.catalog import Catalog, catalog, describe, names
from harness.problems.definition import Definition, Group
from harness.problems.load import Task, load, subset
from harness.problems.validate import Finding, check, validate

__all__ = [
    "Catalog",
    "Definition",
    "Finding",
    "Group",
    "Task",
    "catalog",
    "check",
    "describe",
    "load",
    "names",
    "subset",
    "validate",
]
