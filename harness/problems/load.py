"""Tasks with their problems as plain records."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike

from harness import paths
from harness.digest import digest
from harness.errors import ConfigError, DataError, unknown
from harness.problems import lm_eval
from harness.problems.bridge import Opened, open_task
from harness.problems.catalog import Include, catalog
from harness.problems.definition import Definition
from harness.problems.files import Row
from harness.segment import Segmenter
from harness.types import KINDS, Json, Kind, Problem, Sampling


@dataclass(frozen=True, slots=True)
class Task:
    """One task, ready to run: its rules and its problems."""

    name: str
    version: str
    kind: Kind
    """Of most of its problems; each problem has its own."""
    domain: str
    grader: str
    """``math``, ``code``, ``steps``, ``preference`` or ``lm-eval``."""
    steps: Segmenter
    """How a solution is cut into steps."""
    sampling: Sampling
    """Defaults of the task."""
    problems: tuple[Problem, ...]
    """In the order of the data set; a seeded subset of it if a limit was given."""
    total: int
    """Problems of the task before any limit."""
    digest: str
    """Identity of the task's rules and of all its problems, whatever the limit and the order."""
    note: str = ""
    """What a user should know before a run, if anything."""


def load(
    name: str,
    *,
    data_dir: str | PathLike[str] | None = None,
    include: Include = (),
    limit: int | None = None,
    seed: int = 0,
) -> tuple[Task, ...]:
    """Return the task `name`, or the tasks of the group `name` in its order.

    Args:
        name: of a task or a group, or ``lm-eval:NAME`` (`harness.problems.lm_eval`).
        data_dir: folder of local data files; by default $HARNESS_DATA, without it the public hub.
        include: folders with the user's own tasks.
        limit: at most so many problems per task, drawn by `subset`.
        seed: of that draw.

    Raises:
        ConfigError: no such task, a mistake in its YAML, a limit below 1.
        DataError: the data is out of reach, torn, or of another revision.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"the limit must be at least 1, not {limit}")
    if name.startswith(lm_eval.PREFIX):
        return (_foreign(name, include, limit, seed),)
    folder = paths.data_folder(data_dir)
    tasks = []
    for definition in catalog(include).expand(name):
        found = problems(open_task(definition, str(folder) if folder else None))
        tasks.append(_task(definition, found, limit, seed))
    return tuple(tasks)


def subset(problems: tuple[Problem, ...], limit: int, seed: int) -> tuple[Problem, ...]:
    """Return `limit` problems drawn at random, in their old order; all of them if there are fewer.

    The draw depends on seed and ids alone, not on the order of the file, and a larger limit keeps
    what a smaller one drew.
    """
    ranked = sorted(problems, key=lambda p: hashlib.sha256(f"{seed}\n{p.id}".encode()).digest())
    chosen = {problem.id for problem in ranked[:limit]}
    return tuple(problem for problem in problems if problem.id in chosen)


def problems(opened: Opened) -> tuple[Problem, ...]:
    """Return the problem of each row, in the order of the rows.

    Raises:
        ConfigError: the YAML names a column that the data does not have, or a target that is no
            text.
        DataError: a row that makes no problem.
    """
    return tuple(_problem(opened, row) for row in opened.rows)


def _problem(opened: Opened, row: Row) -> Problem:
    definition = opened.definition
    kind = definition.kind
    if definition.kind_column is not None:
        kind = opened.column(row, definition.kind_column)
        if kind not in KINDS:
            raise unknown("kind", str(kind), KINDS, str(definition.path))
    name = str(opened.column(row, definition.id))
    steps = opened.column(row, "steps") if kind == "steps" else ()
    solutions = opened.column(row, "solutions") if kind == "preference" else ()
    close = definition.steps.close
    try:
        problem = Problem(
            id=name,
            task=definition.name,
            task_version=definition.version,
            kind=kind,
            prompt=opened.prompt(row),
            reference=_reference(opened, row),
            # Data sets keep steps without their ends; PRMs may read at the end of a step.
            steps=tuple(close(step) for step in steps),
            solutions=tuple(tuple(close(step) for step in one) for one in solutions),
            meta={column: opened.column(row, column) for column in definition.meta},
        )
        problem.digest  # noqa: B018  (computed here so that a value without one stops here)
    except (TypeError, ValueError) as error:
        raise DataError(f"task {definition.name!r}, row {name!r}: {error}") from error
    return problem


def _reference(opened: Opened, row: Row) -> Json:
    """Return what the grader gets: the columns in ``metadata.reference``, else the target."""
    if opened.definition.reference:
        return {name: opened.column(row, name) for name in opened.definition.reference}
    target = opened.target(row)
    if not isinstance(target, str):
        # lm-eval reads a rendered "[0, 1]" as a list, and leaves a bare column alone.
        raise ConfigError(
            f"{opened.definition.path}: doc_to_target gives no text but {target!r}; write the bare "
            "name of a column"
        )
    return target


def _task(definition: Definition, found: tuple[Problem, ...], limit: int | None, seed: int) -> Task:
    identity = {
        "name": definition.name,
        "version": definition.version,
        "grader": definition.grader,
        "steps": definition.steps.spec,
        "problems": sorted(problem.digest for problem in found),
    }
    return Task(
        name=definition.name,
        version=definition.version,
        kind=definition.kind,
        domain=definition.domain,
        grader=definition.grader,
        steps=definition.steps,
        sampling=definition.sampling,
        problems=found if limit is None else subset(found, limit, seed),
        total=len(found),
        digest=digest(identity),
    )


def _foreign(name: str, include: Include, limit: int | None, seed: int) -> Task:
    """Return a task of lm-eval's own."""
    found = lm_eval.open_task(name, include)
    identity = {
        "name": name,
        "version": found.version,
        "rules": found.rules,
        "steps": found.steps.spec,
        "problems": sorted(problem.digest for problem in found.problems),
    }
    return Task(
        name=name,
        version=found.version,
        kind="lm_eval",
        domain=found.domain,
        grader="lm-eval",
        steps=found.steps,
        sampling=found.sampling,
        problems=found.problems if limit is None else subset(found.problems, limit, seed),
        total=len(found.problems),
        digest=digest(identity),
        note=found.note,
    )
