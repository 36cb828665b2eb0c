"""Checks that tasks are what they say, down to their gold solutions, without any model.

Every YAML is read strictly, every row is loaded and compared with the pinned revision, and every
gold answer and solution goes through the task's own grader, which must call all of them correct.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal, TypeAlias

from harness import paths
from harness.errors import UserError
from harness.problems import strict, yamlfile
from harness.problems.bridge import Opened, open_task, rows_digest
from harness.problems.catalog import Catalog, Include, catalog, yaml_files
from harness.problems.definition import Definition, Group
from harness.problems.files import NoData
from harness.problems.load import problems
from harness.types import Grade, Problem

Grader: TypeAlias = Callable[[Sequence[tuple[Problem, str]]], Sequence[Grade]]
"""Grades solution texts, in order: ``MathGrader().grade``."""

Level = Literal["error", "warning"]

_HIDDEN = "\N{REPLACEMENT CHARACTER}hidden\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a task (error), or that could not be checked (warning)."""

    task: str
    level: Level
    where: str
    """A file, or the id of a problem."""
    message: str


def validate(
    names: Sequence[str] = (),
    *,
    grade: Grader | None,
    data_dir: str | PathLike[str] | None = None,
    include: Include = (),
) -> tuple[Finding, ...]:
    """Return what is wrong with the tasks and groups `names` (none given: with all).

    A YAML that cannot be read hides which tasks there are; such errors come alone.

    Args:
        names: of tasks and groups.
        grade: grades the gold solutions of these tasks; None: they are not graded.
        data_dir: folder of local data files; by default $HARNESS_DATA.
        include: folders with the user's own tasks.

    Raises:
        ConfigError: a name that does not exist, a folder that is not there.
        DataError: the data folder is not there.
    """
    folder = paths.data_folder(data_dir)
    broken = tuple(_broken(include))
    if broken:
        return broken
    try:
        known = catalog(include)
    except UserError as error:
        return (Finding("", "error", "", str(error)),)
    wanted = _wanted(known, names)
    return tuple(finding for one in wanted for finding in check(one, grade=grade, data_dir=folder))


def check(
    one: Definition | Group, *, grade: Grader | None, data_dir: str | PathLike[str] | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with one task, or with a group itself (not with its tasks).

    Raises:
        DataError: the data folder is not there.
    """
    folder = paths.data_folder(data_dir)
    found = list(_card(one))
    if isinstance(one, Definition):
        found += _data(one, str(folder) if folder else None, grade)
    return tuple(found)


def _broken(include: Include) -> Iterator[Finding]:
    for path in yaml_files(include):
        try:
            strict.parse(yamlfile.read(path))
        except UserError as error:
            yield Finding(path.stem, "error", str(path), str(error))


def _wanted(known: Catalog, names: Sequence[str]) -> Iterator[Definition | Group]:
    """Yield the groups asked for, then all tasks asked for, each once."""
    chosen = names or known.names
    yield from (known.groups[name] for name in chosen if name in known.groups)
    yield from dict.fromkeys(task for name in chosen for task in known.expand(name))


def _card(one: Definition | Group) -> Iterator[Finding]:
    """Check that there is a card and that its changelog speaks of the version."""
    if not one.card.is_file():
        yield Finding(one.name, "error", str(one.card), "the task has no card (README.md)")
        return
    log = one.card.read_text("utf-8").partition("## Changelog")[2]
    if not re.search(rf"^[-*] \**{re.escape(one.version)}(?![.\d])", log, re.MULTILINE):
        message = f"no entry '- {one.version}: …' under '## Changelog'"
        yield Finding(one.name, "error", str(one.card), message)


def _data(definition: Definition, data_dir: str | None, grade: Grader | None) -> Iterator[Finding]:
    name, path = definition.name, str(definition.path)
    try:
        opened = open_task(definition, data_dir)
        found = problems(opened)
    except NoData as error:
        yield Finding(name, "warning", path, f"not checked: {error}")
        return
    except UserError as error:
        yield Finding(name, "error", path, str(error))
        return
    if definition.rows is None:
        yield Finding(name, "warning", path, f"metadata.rows is missing: {len(found)}")
    if definition.identity and not definition.sha256:
        message = f"metadata.sha256 is missing: {rows_digest(opened)}"
        yield Finding(name, "warning", path, message)
    yield from _prompts(opened, found)
    yield from _steps(found)
    yield from _right(found)
    yield from _gold(opened, found, grade)


def _prompts(opened: Opened, found: Sequence[Problem]) -> Iterator[Finding]:
    """Check that prompts say something, and nothing of the gold answer.

    An answer like 2 stands in many a problem by chance. So the check renders the prompt again with
    the gold columns replaced: it must not change.
    """
    definition = opened.definition
    gold = {definition.solution, definition.config["doc_to_target"]} - {definition.id, None}
    hidden = {column: _HIDDEN for column in gold if column in opened.rows[0]}
    for column in sorted(hidden.keys() & set(definition.meta)):
        message = f"metadata.meta gives the gold column {column!r} away"
        yield Finding(definition.name, "error", str(definition.path), message)
    for problem, row in zip(found, opened.rows, strict=True):
        if not problem.prompt.strip():
            yield Finding(problem.task, "error", problem.id, "the prompt is empty")
        if opened.prompt({**row, **hidden}) != problem.prompt:
            yield Finding(problem.task, "error", problem.id, "the prompt contains the gold answer")


def _steps(found: Sequence[Problem]) -> Iterator[Finding]:
    for problem in found:
        if problem.kind != "steps":
            continue
        reference = problem.reference
        last = len(problem.steps) - 1
        if isinstance(reference, dict) and isinstance(wrong := reference.get("wrong"), list):
            if strange := [
                step for step in wrong if type(step) is not int or not 0 <= step <= last
            ]:
                message = f"wrong steps {strange!r}; each must be one of 0 … {last}"
                yield Finding(problem.task, "error", problem.id, message)
            continue
        label = reference.get("label") if isinstance(reference, dict) else None
        if type(label) is not int or not -1 <= label <= last:
            message = f"the label is {label!r}; the first wrong step must be one of -1 … {last}"
            yield Finding(problem.task, "error", problem.id, message)


def _right(found: Sequence[Problem]) -> Iterator[Finding]:
    for problem in found:
        if problem.kind != "preference":
            continue
        reference = problem.reference
        right = reference.get("right") if isinstance(reference, dict) else None
        last = len(problem.solutions) - 1
        if type(right) is not int or not 0 <= right <= last:
            message = f"the right solution is {right!r}; it must be one of 0 … {last}"
            yield Finding(problem.task, "error", problem.id, message)


def _gold(opened: Opened, found: Sequence[Problem], grade: Grader | None) -> Iterator[Finding]:
    """Grade the gold answer in a box and, where the data has one, the gold solution."""
    definition = opened.definition
    graded = definition.grader in ("math", "code")
    if not graded or (definition.grader == "code" and not definition.solution):
        return
    if grade is None:
        message = "gold solutions not graded: no sandbox works here (run-benchmark doctor)"
        yield Finding(definition.name, "warning", str(definition.path), message)
        return
    texts = []
    if definition.grader == "math":
        texts += [(problem, rf"\boxed{{{problem.reference}}}") for problem in found]
    if definition.solution:
        column = definition.solution
        pairs = zip(found, opened.rows, strict=True)
        texts += [(problem, str(opened.column(row, column))) for problem, row in pairs]
    for (problem, text), verdict in zip(texts, grade(texts), strict=True):
        if verdict.verdict != "correct":
            what = "gold answer" if text.startswith(r"\boxed") else "gold solution"
            message = f"the {what} grades as {verdict.verdict}: {verdict.reason or verdict.answer}"
            yield Finding(problem.task, "error", problem.id, message)
