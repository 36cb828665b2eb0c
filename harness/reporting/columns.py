"""The columns of results.csv: the fields of ResultRow, with the types that its annotations give."""

from __future__ import annotations

import math
import types
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.errors import DataError
from harness.types import ResultRow


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a column holds."""

    kind: type[str] | type[bool] | type[int] | type[float]
    nullable: bool
    choices: tuple[str, ...] = ()
    """The only texts allowed; empty for any."""

    @property
    def kind_name(self) -> str:
        """The kind in words, for messages."""
        return {str: "a text", bool: "true or false", int: "an integer"}.get(self.kind, "a number")


@cache
def column_types() -> dict[str, ColumnType]:
    """Return the type of every column, in order: the fields of ResultRow."""
    hints = get_type_hints(ResultRow)
    return {f.name: _column_type(hints[f.name]) for f in fields(ResultRow)}


def checked_row(values: dict[str, Any], where: str) -> ResultRow:
    """Return the row after checking every value against its column.

    A null in a column of plain floats is NaN: Parquet and pandas keep the two apart less well.

    Raises:
        DataError: a value is missing or of another type; `where` begins the message.
    """
    checked = {}
    for name, column in column_types().items():
        value = values[name]
        if value is None and column.kind is float and not column.nullable:
            value = math.nan
        if value is None and not column.nullable:
            raise DataError(f"{where}: {name} is empty")
        if value is not None:
            value = _checked(name, column, value, where)
        checked[name] = value
    return ResultRow(**checked)


def _checked(name: str, column: ColumnType, value: Any, where: str) -> str | bool | int | float:
    if column.choices and value not in column.choices:
        raise DataError(
            f"{where}: {name} is {value!r}, expected one of {', '.join(column.choices)}"
        )
    if isinstance(value, str) is (column.kind is str):
        with suppress(TypeError, ValueError, OverflowError):
            converted = column.kind(value)
            if converted == value or converted != converted:
                return converted
    raise DataError(f"{where}: {name} is {value!r}, expected {column.kind_name}")


def check_columns(names: Sequence[str], where: str) -> None:
    """Check that a file has exactly the columns of ResultRow, in any order.

    Raises:
        DataError: the message names those that are missing or unknown.
    """
    known = tuple(column_types())
    missing = [name for name in known if name not in names]
    strange = [name for name in names if name not in known]
    if missing or strange or len(names) != len(known):
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(strange)}"] if strange else []
        raise DataError(
            f"{where}: not the columns of results.csv: {'; '.join(parts) or 'a column twice'}"
        )


def _column_type(hint: Any) -> ColumnType:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    nullable = types.NoneType in parts
    (inner,) = (part for part in parts if part is not types.NoneType)
    if get_origin(inner) is Literal:
        return ColumnType(str, nullable, get_args(inner))
    return ColumnType(inner, nullable)
