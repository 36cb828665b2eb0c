"""The drafts of a pool, problem by problem, in any order; none are held.

Where several workers write a pool, its units stand in the order in which they ended.
"""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO, Self

from harness.errors import DataError
from harness.store.format import PoolFolder, candidate_from
from harness.store.log import parsed, places
from harness.types import Candidate, Draft


class Drafts:
    """Looks drafts up; a context manager that owns an open file from the first look on."""

    def __init__(self, folder: PoolFolder) -> None:
        self._path = folder.candidates
        self._file: BinaryIO | None = None
        self._places: dict[str, list[tuple[int, int]]] = {}

    def __getitem__(self, problem: str) -> tuple[Draft, ...]:
        """Return the drafts of a problem in index order.

        Raises:
            DataError: there are none.
        """
        if self._file is None:
            self._places = places(self._path)
            self._file = self._path.open("rb")
        if problem not in self._places:
            raise DataError(f"{self._path}: problem {problem!r} has no candidates")
        found: list[Candidate] = []
        for start, end in self._places[problem]:
            self._file.seek(start)
            lines = self._file.read(end - start).split(b"\n")[:-1]
            found.extend(candidate_from(parsed(self._path, line, start)) for line in lines)
        return tuple(one.draft for one in sorted(found, key=lambda one: one.index))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
