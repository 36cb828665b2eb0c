"""The rules that cut a solution into steps, as values with a digestible written form.

==================  ==============================================================
``delimiter:TEXT``  a step ends after TEXT (``delimiter:\\n\\n``: paragraphs)
``code_lines``      a step is one line of Python, continued lines and comments included
``whole``           the text is one step
==================  ==============================================================

Whatever the rule and the text, ``"".join(rule.cut(text)) == text``, no step is blank unless the
whole text is, and an empty text has no steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from harness.errors import ConfigError, unknown
from harness.segment.code import code_steps

_NAMES = ("delimiter:TEXT", "code_lines", "whole")


@dataclass(frozen=True, slots=True)
class Delimiter:
    """A step ends after each run of `text`; the delimiter stays with the step before it."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise ConfigError(
                "a delimiter needs a text, as in delimiter:\\n\\n; to keep a solution in one step "
                "write 'whole'"
            )

    @property
    def spec(self) -> str:
        """The rule as a task's YAML writes it."""
        return f"delimiter:{self.text}"

    def cut(self, text: str) -> tuple[str, ...]:
        """Return the steps of `text`.

        A piece of nothing but delimiters and white space is no step of its own: it belongs to the
        step before it, at the start of the text to the first one.
        """
        pieces = text.split(self.text)
        kept = [piece + self.text for piece in pieces[:-1]] + pieces[-1:]
        blank = [not piece.strip() for piece in pieces]
        steps: list[str] = []
        head = ""
        for piece, empty in zip(kept, blank, strict=True):
            if not empty:
                steps.append(head + piece)
                head = ""
            elif steps:
                steps[-1] += piece
            else:
                head += piece
        return tuple(steps) if steps or not head else (head,)

    def close(self, step: str) -> str:
        """Return a step as it stands in a text, with its end."""
        return step if step.endswith(self.text) else step + self.text


@dataclass(frozen=True, slots=True)
class CodeLines:
    """A step is one logical line of Python; see `harness.segment.code` for the details."""

    @property
    def spec(self) -> str:
        """The rule as a task's YAML writes it."""
        return "code_lines"

    def cut(self, text: str) -> tuple[str, ...]:
        """Return the steps of `text`, which may be prose with code in it."""
        return code_steps(text)

    def close(self, step: str) -> str:
        """Return a step as it stands in a text, with its line end."""
        return step if step.endswith("\n") else step + "\n"


@dataclass(frozen=True, slots=True)
class Whole:
    """The text is one step."""

    @property
    def spec(self) -> str:
        """The rule as a task's YAML writes it."""
        return "whole"

    def cut(self, text: str) -> tuple[str, ...]:
        """Return the text as its only step."""
        return (text,) if text else ()

    def close(self, step: str) -> str:
        """Return the step: nothing ends it."""
        return step


Segmenter: TypeAlias = Delimiter | CodeLines | Whole


def parse(spec: str, where: str = "") -> Segmenter:
    """Return the rule that `spec` writes; `where` (file and line) goes into the error.

    Raises:
        ConfigError: an unknown rule, a delimiter without a text.
    """
    name, colon, text = spec.partition(":")
    if name == "delimiter" and colon:
        return Delimiter(text)
    if spec == "code_lines":
        return CodeLines()
    if spec == "whole":
        return Whole()
    raise unknown("rule for steps", spec, _NAMES, where)
