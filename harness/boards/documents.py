"""YAML that strangers wrote, read as data: small, without aliases, every mistake with its line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from harness.boards.findings import Finding
from harness.errors import nearest

MAX_BYTES = 1 << 18
MAX_TEXT = 4000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_Model = TypeVar("_Model", bound=BaseModel)


class Document(BaseModel):
    """Base of what is read from such a file: unknown keys are mistakes, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain(text: str) -> str:
    if any(unicodedata.category(c)[0] == "C" and c != "\n" for c in text):
        raise ValueError("holds control characters; write plain text")
    if "<" in text or ">" in text:
        raise ValueError("holds '<' or '>': HTML is not interpreted; write plain text")
    return text.strip()


def _name(text: str) -> str:
    found = _plain(text)
    if not re.fullmatch(r"\w[\w .+/:=,@()-]{0,79}", found):
        raise ValueError(
            "is empty, longer than 80 characters, or holds one that no name has; "
            "write letters, digits, spaces and .+/:=,@()-"
        )
    return found


def _address(text: str) -> str:
    if not text.startswith(("https://", "http://")) or set(text) & set(" \"'<>()\\`\n\t"):
        raise ValueError("is no address; write https://…")
    return text


Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_plain)]
"""Free text without markup."""
Name = Annotated[str, AfterValidator(_name)]
"""How tables call something: letters, digits, spaces and ``.+/:=,@()-``."""
Address = Annotated[str, Field(max_length=500), AfterValidator(_address)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
"""Fit for a file name."""


def read_document(path: Path, model: type[_Model]) -> tuple[_Model | None, list[Finding]]:
    """Read a file as `model`; None where it cannot be, with the reasons."""
    try:
        data, lines = _parse(path)
    except _Unreadable as error:
        return None, [Finding(path, error.what, error.remedy, error.line)]
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        wrong = error.errors()
        places = [one["loc"] for one in wrong]
        # A list whose items are all wrong is also too short: that is no mistake of its own.
        return None, [
            _finding(path, lines, model, one)
            for one in wrong
            if one["type"] != "too_short"
            or not any(place[:-1] == one["loc"] and place != one["loc"] for place in places)
        ]


def read_mapping(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """Read a file as plain data; empty where it cannot be, with the reason."""
    try:
        return _parse(path)[0], []
    except _Unreadable as error:
        return {}, [Finding(path, error.what, error.remedy, error.line)]


def line_of(path: Path, *keys: str) -> int | None:
    """Return the line of a key in a file that was read before."""
    try:
        return _parse(path)[1].get(keys)
    except _Unreadable:
        return None


class _Unreadable(Exception):
    def __init__(self, what: str, remedy: str, line: int | None = None) -> None:
        super().__init__(what)
        self.what, self.remedy, self.line = what, remedy, line


def _parse(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return the mapping in a file and the line of every key in it."""
    if path.is_symlink():
        raise _Unreadable("is a link, which may lead out of the folder", "put the file there")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _Unreadable(f"is larger than {MAX_BYTES:,} bytes", "shorten it")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise _Unreadable("is not there", "run-benchmark submit new writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _Unreadable(f"cannot be read ({error})", "write it as UTF-8 text") from None
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None):
                mark = event.start_mark
                line = mark.line + 1 if mark else None
                raise _Unreadable("holds an alias or a tag", "write plain values", line)
        data = yaml.load(text, Loader=_Loader)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "is broken"
        line = mark.line + 1 if mark else 1
        raise _Unreadable(f"is no YAML: {problem}", "correct it there", line) from None
    except (RecursionError, ValueError) as error:
        raise _Unreadable(f"is no YAML: {error}", "write plain values") from None
    if not isinstance(data, dict):
        raise _Unreadable("is no mapping of keys to values", "start from a template", 1)
    lines: dict[tuple[str, ...], int] = {}
    twice = _walk(node, (), lines)
    if twice:
        raise _Unreadable(f"the key {twice[0]!r} is there twice", "leave one", twice[1])
    return data, lines


def _walk(
    node: Any, above: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> tuple[str, int] | None:
    """Note the line of every key and item; return the first key that is there twice."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(i), value, value) for i, value in enumerate(node.value)]
    else:
        return None
    for name, key, value in pairs:
        here, line = (*above, name), key.start_mark.line + 1
        if here in lines:
            return ".".join(here), line
        lines[here] = line
        if twice := _walk(value, here, lines):
            return twice
    return None


def _finding(
    path: Path, lines: Mapping[tuple[str, ...], int], model: type[BaseModel], error: Any
) -> Finding:
    """Turn one of pydantic's complaints into a finding."""
    keys = tuple(str(key) for key in error["loc"])
    line = next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 1)
    dotted = ".".join(keys)
    if error["type"] == "extra_forbidden":
        fields = _fields(model, keys[:-1])
        return Finding(path, f"unknown key {dotted!r}", nearest(keys[-1], fields), line)
    if error["type"] == "missing":
        return Finding(path, f"{dotted!r} is missing", "add it (docs/submitting.md)", line)
    message = error["msg"].removeprefix("Value error, ")
    what, _, remedy = message.partition("; ")
    return Finding(path, f"{dotted}: {what}", remedy or "correct it", line)


def _fields(model: type[BaseModel], keys: tuple[str, ...]) -> list[str]:
    """Return the names of the keys that are valid below `keys`, as far as they are known."""
    current: Any = model
    for key in keys:
        field = getattr(current, "model_fields", {}).get(key)
        current = field.annotation if field else None
    return list(getattr(current, "model_fields", {}))
