"""Reading the ``key=value`` options of a spec, strictly: wrong types and unknown keys stop here.

Shared by the adapters of policies and PRMs::

    options = Options(spec, "PRM")
    covers = options.choice("covers", "steps", ("steps", "prefix"))
    options.done()          # refuses whatever nobody asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from harness.errors import ConfigError, nearest
from harness.types import Json, Spec

T = TypeVar("T", bound=str)


class Options:
    """The options of one spec. Every getter notes its key, so that `done` knows the valid ones."""

    def __init__(self, spec: Spec, what: str) -> None:
        self._options = dict(spec.options)
        self._where = f"{what} {spec.adapter}:{spec.target}"
        self._known: set[str] = set()

    def text(self, key: str, default: str | None) -> str | None:
        """Return a text; numbers that were meant as text come back as written by Python."""
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(key, value, "a text")
        return str(value)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return texts: one, or a list of them where a file gives it."""
        value = self._get(key)
        if value is None:
            return default
        given = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in given):
            raise self._wrong(key, value, "a text or a list of texts")
        return tuple(str(one) for one in given if one)

    def choice(self, key: str, default: T, valid: Sequence[T]) -> T:
        """Return one of `valid`."""
        value = self._get(key)
        if isinstance(value, bool):  # YAML reads on/off as booleans
            value = "on" if value else "off"
        if value is None:
            return default
        for name in valid:
            if name == value:
                return name
        raise ConfigError(
            f"{self._where}: {key}={value} does not exist; {nearest(str(value), valid)}"
        )

    def integer(self, key: str, default: int | None, low: int = 1) -> int | None:
        """Return a whole number that is at least `low`."""
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self._wrong(key, value, f"a whole number, at least {low}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """Return a number between `low` and `high`, both allowed."""
        value = self._get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, value, "a number")
        if not low <= value <= high:
            raise self._wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    def number_or(self, key: str, default: float | None, low: float, high: float) -> float | None:
        """Return a number between `low` and `high`, or the default, which may be none."""
        return default if self._get(key) is None else self.number(key, 0.0, low, high)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def done(self) -> None:
        """Refuse the options that no getter asked for.

        Raises:
            ConfigError: names the first of them and the nearest valid key.
        """
        for key in self._options:
            if key not in self._known:
                raise ConfigError(f"{self._where}: no option {key!r}; {nearest(key, self._known)}")

    def _get(self, key: str) -> Json:
        self._known.add(key)
        return self._options.get(key)

    def _wrong(self, key: str, value: Json, wanted: str) -> ConfigError:
        return ConfigError(f"{self._where}: {key}={value!r} must be {wanted}")
