"""A submission: a folder of data. Nothing in it is ever executed or unpickled.

::

    leaderboards/submissions/BOARD/NAME/
      submission.yaml      `Submission`: the PRM, who made it, of what, what it was trained on
      provenance.json      versions, machine and command of the scores (`harness.provenance`)
      recipe.yaml          where the PRM is read by a recipe of its own
      scores/POOL.parquet  `harness.boards.scores`, one per pool of the board
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictFloat, StrictInt

from harness.boards.documents import Address, Digest, Document, Name, Slug, Text
from harness.boards.findings import Finding
from harness.boards.standing import Contamination
from harness.prms.aggregate import AGGREGATIONS
from harness.registry import PRMS
from harness.types import Semantics

FILE, PROVENANCE, RECIPE, SCORES = "submission.yaml", "provenance.json", "recipe.yaml", "scores"
MAX_FILES = 64
MAX_BYTES = 1 << 28
"""Of one file: 500 problems with 256 candidates of 50 steps each take a fifth of it."""

READERS = ("transformers", "vllm", "ensemble", "pav", "critic", "fake")
"""Adapters that a submission may name. Others run code of its own (python), ask a server, or copy
numbers."""
_TOLD = re.compile(r"(?<![\w./-])fake:(?!constant\b)[\w-]*")
_WORD = re.compile(r"(?<![\w./-])([a-z][\w-]*):")
_PATH = re.compile(r"(?:^|[:=+\[,])\s*(?:[/~]|\.\.?/)|\.\.|[\w.-]+/[\w.-]+/")
"""A name of the hub is ORG/NAME: what has more parts, or begins elsewhere, is a path."""


def names_a_path(text: str) -> bool:
    """Return whether a PRM, or a model, is named by a place on somebody's disk."""
    return _PATH.search(text) is not None


def _prm(text: str) -> str:
    for word in _WORD.findall(text):
        if word in PRMS and word not in READERS:
            raise ValueError(
                f"names {word}:, which a submission cannot be; name weights and a recipe: "
                "transformers:ORG/NAME,recipe=NAME"
            )
    if told := _TOLD.search(text):
        raise ValueError(f"names {told[0]}, which is told the answers; a baseline is fake:constant")
    if "trust_remote_code" in text:
        raise ValueError("asks for a checkpoint's own code; submit with a recipe instead")
    if names_a_path(text):
        raise ValueError("names a path; name a model of the hub, or of the catalogue")
    return text


def _aggregation(text: str) -> str:
    if text not in AGGREGATIONS:
        raise ValueError(f"{text!r} does not exist; one of {', '.join(AGGREGATIONS)}")
    return text


class Model(Document):
    """What was run."""

    prm: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_prm)]
    """As on the command line: a name of the catalogue, ``transformers:ORG/NAME,recipe=NAME`` …, or
    ``recipe.yaml``, the file beside this one."""
    revision: Text = ""
    """Commit of the weights."""
    base: Text = ""
    parameters: StrictInt | None = Field(default=None, ge=1)
    identity: Digest | None = None
    """Digest of all that decides its scores, as the harness found it when it scored."""


class Training(Document):
    """What it was trained on."""

    domains: tuple[Name, ...] = ()
    data: tuple[Text, ...] = ()


class Declaration(Document):
    """Whether test problems were in its training data, as far as its makers know."""

    status: Contamination
    statement: Text


class Submission(Document):
    """submission.yaml."""

    schema_version: Literal[1]
    board: Slug
    name: Name
    role: Literal["prm", "baseline"] = "prm"
    authors: tuple[Name, ...] = Field(min_length=1)
    links: dict[Name, Address] = Field(default_factory=dict)
    licence: Text = Field(min_length=1)
    """Of the weights."""
    model: Model
    training: Training
    contamination: Declaration
    semantics: Semantics
    """What a step score means."""
    aggregation: Annotated[str, AfterValidator(_aggregation)]
    """From step scores to a solution's score; declared before the results were seen."""
    threshold: StrictFloat | StrictInt | None = None
    """The score below which a step is wrong."""
    command: Text = ""
    note: Text = ""
    reported: dict[str, StrictFloat | StrictInt] = Field(default_factory=dict)
    """Column → figure as the submitter computed it, a share; optional, compared with ours."""


def files_of(folder: Path) -> tuple[list[Path], list[Finding]]:
    """Return the plain files of a submission, and what does not belong there.

    Links are never followed; what they point to may lie outside.
    """
    found: list[Path] = []
    findings: list[Finding] = []
    for path in _walk(folder):
        inside = path.relative_to(folder)
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            findings.append(
                Finding(path, "is a link, which may lead out of the folder", "put the file there")
            )
        elif stat.S_ISDIR(mode):
            if inside.as_posix() != SCORES:
                findings.append(Finding(path, "is a folder that does not belong", "remove it"))
        elif not stat.S_ISREG(mode):
            findings.append(Finding(path, "is no plain file", "remove it"))
        elif not _belongs(inside):
            findings.append(
                Finding(
                    path,
                    "does not belong in a submission",
                    f"only {FILE}, {PROVENANCE}, {RECIPE} and {SCORES}/POOL.parquet do",
                )
            )
        elif path.stat().st_size > MAX_BYTES:
            findings.append(Finding(path, f"is larger than {MAX_BYTES:,} bytes", "shorten it"))
        else:
            found.append(path)
        if len(found) + len(findings) > MAX_FILES:
            findings.append(Finding(folder, f"holds more than {MAX_FILES} files", "remove some"))
            break
    return found, findings


def _belongs(inside: Path) -> bool:
    parts = inside.parts
    if len(parts) == 1:
        return parts[0] in (FILE, PROVENANCE, RECIPE)
    return len(parts) == 2 and parts[0] == SCORES and inside.suffix == ".parquet"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder, without going through links."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def scores_path(folder: Path, pool: str) -> Path:
    """Return where the scores of a pool of the board are."""
    return folder / SCORES / f"{pool}.parquet"
