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
        found: list[Candidate] = []
        file, spans = self._find(problem)
        for start, end in spans:
            file.seek(start)
            lines = file.read(end - start).split(b"\n")[:-1]
            found.extend(candidate_from(parsed(self._path, line, start)) for line in lines)
        return tuple(one.draft for one in sorted(found, key=lambda one: one.index))

    def size(self, problem: str) -> int:
        """Return the bytes of a problem's drafts; raises as looking them up does."""
        return sum(end - start for start, end in self._find(problem)[1])

    def _find(self, problem: str) -> tuple[BinaryIO, list[tuple[int, int]]]:
        if self._file is None:
            self._places = places(self._path)
            self._file = self._path.open("rb")
        if problem not in self._places:
            raise DataError(f"{self._path}: problem {problem!r} has no candidates")
        return self._file, self._places[problem]

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
