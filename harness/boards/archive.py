"""A frozen pool as one file: this docstring is the contract, this module its only definition.

``NAME.pool.zip`` holds, and nothing else::

    card.json         `PoolCard`: what the pool is, where it comes from, sha256 of the records
    README.md         the same for people: the data card. It follows from the others and is not read
    problems.jsonl    `harness.store.format`'s records; with withheld references these are null
    candidates.jsonl  in the order of the problems, then by index (not where solutions are given)
    grades.jsonl      one per candidate, in the same order (not where solutions are given)

The pool's digest is the sha256 of card.json, which names the digests of the records: equal content
has an equal digest, however it was compressed and its README worded. The same content also gives
the same bytes (fixed dates, order and rights), as far as the same zlib compresses.

An archive is hostile until it was read: the members' names are compared with the list above and
never become paths, sizes are limited before and while they are unpacked, a line is JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.digest import canonical
from harness.errors import DataError
from harness.files import write_bytes
from harness.types import Json, Kind

SUFFIX = ".pool.zip"
CARD, README = "card.json", "README.md"
PROBLEMS, CANDIDATES, GRADES = "problems.jsonl", "candidates.jsonl", "grades.jsonl"
MEMBERS = (CARD, README, PROBLEMS, CANDIDATES, GRADES)

MAX_FILE = 1 << 30
"""Bytes of an archive."""
MAX_MEMBER = 1 << 30
"""Bytes of a member, unpacked; a member is held in memory while it is read."""
MAX_RATIO = 200
"""Unpacked by packed size of members above `_FREE`. Solutions of language models pack to a fifth;
a bomb to a thousandth."""
_FREE = 1 << 24
_CHUNK = 1 << 20


NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")
"""What a pool may be called: files have its name."""


class PoolCard(BaseModel):
    """What a frozen pool is. Its canonical JSON is card.json, and decides the pool's digest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["prm-harness-pool"] = "prm-harness-pool"
    schema_version: Literal[1] = 1
    name: str = Field(pattern=NAME.pattern)
    version: int = Field(ge=1)
    task: str
    task_version: str
    kind: Kind
    domain: str
    policy: str
    """Who wrote the candidates; ``given`` where they come with the task."""
    samples: int = Field(ge=1)
    """Candidates per problem; at most so many where solutions are given."""
    problems: int = Field(ge=1)
    n_total: int
    """Problems that the task has; the pool may hold fewer."""
    licence: str = Field(min_length=1)
    source: str
    """Where problems and candidates come from, in a sentence."""
    withheld: bool
    """References were left out."""
    pool: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the run's pool that was frozen (`harness.store`)."""
    header: dict[str, Any]
    """Its header: identity (policy, sampling, task) and facts."""
    members: dict[str, str]
    """Name → sha256 of the members that hold records."""

    @property
    def content(self) -> bytes:
        """The bytes of card.json."""
        plain: Json = self.model_dump(mode="json")
        return canonical(plain)

    @property
    def digest(self) -> str:
        """The pool's digest."""
        return hashlib.sha256(self.content).hexdigest()


def write_archive(path: Path, card: PoolCard, members: Mapping[str, bytes]) -> None:
    """Write an archive, at once. `members` are all but card.json."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in MEMBERS:
            content = card.content if name == CARD else members.get(name)
            if content is None:
                continue
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            file.writestr(info, content, compresslevel=9)
    write_bytes(path, buffer.getvalue())


class Archive:
    """An archive that was opened and whose digests were compared; use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open an archive and compare every member with the card.

        Raises:
            DataError: no such file, no archive, too large, a member too many, too few or changed.
        """
        self.path = path
        self._file = _open(path)
        try:
            self._sizes = _checked_members(path, self._file)
            self.card = _card(path, self._bytes(CARD))
            odd = sorted({CARD, README, *self.card.members} ^ {README, *self._sizes})
            if odd:
                raise DataError(f"{path}: {odd[0]} is in the card or in the archive, not in both")
            if hashlib.sha256(self._bytes(CARD)).hexdigest() != self.card.digest:
                raise DataError(f"{path}: {CARD} is not in canonical form; freeze the pool again")
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        """The pool's digest."""
        return self.card.digest

    def read(self, name: str) -> bytes:
        """Return a member's bytes.

        Raises:
            DataError: they are not those that the card names.
        """
        content = self._bytes(name)
        if hashlib.sha256(content).hexdigest() != self.card.members[name]:
            raise DataError(
                f"{self.path}: {name} was changed: its content has another digest than the card "
                "says; get the archive again"
            )
        return content

    def records(
        self, name: str, problems: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (place, record) for every line of a member that was compared with the card.

        Args:
            name: The member.
            problems: Leave out records that name another problem, without reading more of them.

        Raises:
            DataError: the member is missing or changed, or a line is no JSON object.
        """
        if name not in self.card.members:
            raise DataError(f"{self.path}: holds no {name}")
        wanted = None if problems is None else {json.dumps(p, ensure_ascii=False) for p in problems}
        for number, line in enumerate(self.read(name).split(b"\n"), start=1):
            named = _PROBLEM.match(line) if wanted is not None else None
            if line and (named is None or named[1].decode("utf-8", "replace") in (wanted or ())):
                place = f"{self.path} ({name}:{number})"
                yield place, _object(place, line)

    def _bytes(self, name: str) -> bytes:
        """Unpack a member, never more than it says."""
        size = self._sizes.get(name)
        if size is None:
            raise DataError(f"{self.path}: holds no {name}")
        try:
            with self._file.open(name) as member:
                content = member.read(size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise DataError(
                f"{self.path}: {name} is torn ({error}); get the archive again"
            ) from None
        if len(content) != size:
            raise DataError(f"{self.path}: {name} has not the size that the archive says")
        return content


def _open(path: Path) -> zipfile.ZipFile:
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise DataError(f"{path}: {size:,} bytes, more than the {MAX_FILE:,} of a pool")
        return zipfile.ZipFile(path)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{path}: there is no such pool archive") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise DataError(f"{path}: no pool archive ({error}); get it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _checked_members(path: Path, file: zipfile.ZipFile) -> dict[str, int]:
    """Return the members' sizes, after comparing names and sizes with what a pool may hold."""
    sizes: dict[str, int] = {}
    for info in file.infolist():
        name = info.filename
        if name not in MEMBERS or name in sizes:
            raise DataError(
                f"{path}: the member {name!r} does not belong in a pool, which holds "
                f"{', '.join(MEMBERS)}, each once; nothing was unpacked"
            )
        packed = max(1, info.compress_size)
        if info.file_size > MAX_MEMBER or (
            info.file_size > _FREE and info.file_size > MAX_RATIO * packed
        ):
            raise DataError(
                f"{path}: {name} would unpack from {info.compress_size:,} to {info.file_size:,} "
                "bytes; that is no pool, nothing was unpacked"
            )
        if info.flag_bits & 1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise DataError(f"{path}: {name} is encrypted or packed in a way that pools are not")
        sizes[name] = info.file_size
    return sizes


def _card(path: Path, content: bytes) -> PoolCard:
    try:
        return PoolCard.model_validate(_object(f"{path} ({CARD})", content))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DataError(f"{path} ({CARD}): {key}: {first['msg']}") from None


def _object(place: str, line: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{place}: a line that is no JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_PROBLEM = re.compile(rb'\{"problem": ("(?:[^"\\]|\\.)*")')
"""How a record begins that is of one problem."""
