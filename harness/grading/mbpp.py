"""Reads the inputs of MBPP+, which its JSON file holds as lists where the tasks mean other types.

Which tasks, and what they mean, are facts of the data set (evalplus 0.3.1,
``data/mbpp.py: mbpp_deserialize_inputs``), written down here as one shape per argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Shape: TypeAlias = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _tuples(value: Any) -> Any:
    """A list of tuples."""
    return [tuple(item) for item in value]


def _tuple_of_tuples(value: Any) -> Any:
    return tuple(tuple(item) for item in value)


def _tuple_of_pairs(value: Any) -> Any:
    """A tuple, in which lists are tuples."""
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def _sets(value: Any) -> Any:
    """A list of sets; what is empty, or no list, is an empty dict."""
    return [set(item) if isinstance(item, list) and item else {} for item in value]


def _tuple_values(value: Any) -> Any:
    return {key: tuple(item) for key, item in value.items()}


def _deep_tuple(value: Any) -> Any:
    return tuple(_deep_tuple(item) for item in value) if isinstance(value, list) else value


_EVERY: dict[Shape, tuple[int, ...]] = {
    tuple: (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616),
        *(630, 726, 740, 744, 809),
    ),
    _tuples: (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    _tuple_of_tuples: (259, 401, 445),
    _tuple_of_pairs: (278,),
    _sets: (115,),
    complex: (252,),
    _deep_tuple: (580, 615, 791),
}
"""Shape of every argument -> numbers of the tasks."""

_EACH: dict[tuple[Shape, ...], tuple[int, ...]] = {
    (_tuples, _same): (75, 413, 444, 753),
    (_same, tuple): (106, 750),
    (float, complex): (124,),
    (tuple, _same): (250, 405, 446, 617, 720, 763, 808),
    (tuple, _same, _same): (307,),
    (_tuple_values, _same): (722,),
}
"""Shapes of the first arguments -> numbers of the tasks; further arguments stay as they are."""

_SHAPES = {number: shapes for shapes, numbers in _EACH.items() for number in numbers}
_SHAPE = {number: shape for shape, numbers in _EVERY.items() for number in numbers}


def arguments(task_id: str, call: list[Any]) -> tuple[Any, ...]:
    """Return the arguments of one call of a task (``Mbpp/2``) from their JSON form."""
    number = int(task_id.rpartition("/")[2])
    if number in _SHAPE:
        return tuple(_SHAPE[number](value) for value in call)
    shapes = _SHAPES.get(number, ())
    shapes += (_same,) * (len(call) - len(shapes))
    return tuple(shape(value) for shape, value in zip(shapes, call, strict=True))
