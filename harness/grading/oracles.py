"""Whether the value of a call is right, by EvalPlus' rules.

They are those of evalplus 0.3.1 (``eval/__init__.py``, ``eval/_special_oracle.py``), where they
differ those of its git head of 2025-10-03.

Values are `harness.grading.plain.Value`: everything compared here was built by us from bytes, and
no method of a foreign class can run. The rules, for a call with value ``out``:

1. ``out == expected`` as Python has it: ``1 == 1.0 == True``, NaN is equal to nothing.
2. Twelve tasks of MBPP compare in another way, three ask only whether the value is None;
   HumanEval/32 asks for a root of the polynomial that it was given, by the grader's own copy, or
   for the reference's own root.
3. Else, if the task has a tolerance (or an expected value so far was a float, or a list or tuple of
   floats: then 1e-6), equal types, equal lengths and ``numpy.allclose(rtol=1e-7)``.

Whatever raises on the way (sets of unhashable items, arrays without one truth value) is wrong.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

from harness.grading.plain import Value, distinct

SET_TASKS = frozenset(
    [
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    ]
)
"""MBPP/2, 7, 111, 140, 232, 249, 579, 769: the set of the items counts."""
NOT_NONE_TASKS = frozenset(["check_str", "text_match_three", "text_starta_endb"])
"""MBPP tasks in which the expected value is whether the reference gives anything but None."""
FLOAT_TOLERANCE = 1e-6
_RELATIVE = 1e-7


@dataclass(frozen=True, slots=True)
class Rule:
    """How the values of one task are compared."""

    entry: str
    mbpp: bool
    tolerance: float = 0.0
    """The data set's absolute tolerance."""

    @property
    def sets(self) -> bool:
        """Whether only the set of a value's items counts."""
        return self.mbpp and self.entry in SET_TASKS

    @property
    def not_none(self) -> bool:
        """Whether only it counts that there is a value."""
        return self.mbpp and self.entry in NOT_NONE_TASKS

    @property
    def by_value(self) -> bool:
        """Whether a right value is one that equals the expected one, or nearly; if not, it can be
        any value (or any other one)."""
        return not (self.not_none or self._any_value or self._root)

    @property
    def _any_value(self) -> bool:
        return self.mbpp and self.entry == "are_equivalent"

    @property
    def _root(self) -> bool:
        return not self.mbpp and self.entry == "find_zero"

    def right(
        self, out: Value, expected: Value, arguments: tuple[Any, ...], tolerance: float
    ) -> bool:
        """Return whether `out` is right.

        Args:
            out: what the program gave.
            expected: what the reference gave; for `not_none` tasks whether it gave anything.
            arguments: of the call, as they were before it.
            tolerance: absolute, after what `tolerance_after` says.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._any_value:
                    return bool(out.object == expected.object) or True
                if self._root:
                    # Bisection ends within 1e-10 of a root, where a steep polynomial can be above
                    # the tolerance: which one depends on how the interpreter's `sum` rounds.
                    found = abs(_polynomial(arguments[0], out.object)) <= tolerance
                    return found or bool(out.object == expected.object)
                exact = self._exact(out, expected, arguments, tolerance)
                if exact or tolerance == 0:
                    return bool(exact)
                return _near(out, expected, tolerance)
        except Exception:  # as EvalPlus: what cannot be compared is wrong
            return False

    def _exact(
        self, out: Value, expected: Value, arguments: tuple[Any, ...], tolerance: float
    ) -> Any:
        """Return what stands for ``out == expected`` in this task, not yet as a truth value."""
        if self.sets:
            return distinct(out.object) == distinct(expected.object)
        if self.not_none:
            if isinstance(out.object, bool):
                return out.object == expected.object
            return expected.object == (out.object is not None)
        equal = out.object == expected.object
        if not self.mbpp or self.entry not in ("sum_div", "surface_Area", "digit_distance_nums"):
            return equal
        if equal:
            return True
        if self.entry == "sum_div":
            return out.object == 0
        if self.entry == "surface_Area":
            # EvalPlus compares before it sets a tolerance for floats, and the task has none.
            return abs(out.object - _surface(*arguments)) <= self.tolerance
        return out.object == _digit_distance(*arguments)


def is_floats(value: Any) -> bool:
    """Whether a value is a float, a non-empty list or tuple of floats, or a float array."""
    if isinstance(value, float):
        return True
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    kind = getattr(value, "dtype", None)
    return kind is not None and str(kind) in ("float64", "float32") and hasattr(value, "ndim")


def _near(out: Value, expected: Value, tolerance: float) -> bool:
    import numpy as np

    if out.type != expected.type:
        return False
    if isinstance(expected.object, list | tuple) and len(out.object) != len(expected.object):
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(out.object, expected.object, rtol=_RELATIVE, atol=tolerance))


def _polynomial(coefficients: list[float], x: Any) -> float:
    return sum(factor * math.pow(x, power) for power, factor in enumerate(coefficients))


def _surface(edge: float, height: float) -> int:
    """Surface of a square pyramid whose height is that of its apex above the base."""
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    return round(edge**2 + 4 * (edge * slant) / 2)


def _digit_distance(one: int, other: int) -> int:
    """Sum of the differences of digits, the shorter number padded with zeros."""
    a, b = str(one), str(other)
    width = max(len(a), len(b))
    pairs = zip(a.zfill(width), b.zfill(width), strict=True)
    return sum(abs(int(x) - int(y)) for x, y in pairs)
