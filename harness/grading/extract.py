r"""Finds the final answer in the text of a solution: pure text work, nothing is evaluated.

The first of these forms that the text has gives the answer:

1. the last ``\boxed{…}`` (or ``\fbox{…}``) whose braces close; boxes right before it that are tied
   to it by nothing but "and", "or", a comma or a semicolon (``$\boxed{1}$ or $\boxed{2}$``) are
   parts of one answer and are joined by commas; a minus sign right before a box belongs to it;
2. the last ``#### 42`` (GSM8K; a Markdown heading has no number behind it);
3. the last formula or number that ``answer is``, ``answer:``, ``ans =`` or ``answer`` announces;
4. the last formula or number of the text's tail, whichever ends later, unless it stands in a
   formula that is not closed (a draft that was cut).

A box goes before everything else because a solution may show several: math-verify reads two boxes
as one set and then judges each single answer wrong. An unclosed box is no answer. Dollar signs are
read as Pandoc does, so that ``$7 + $7 = $14`` is three prices and no formula.

Measured against math-verify 0.9.0 on the full text of 8,000 recorded responses; the responses where
the verdicts differ are listed, each with its reason, in ``tests/grading/disagreements.json``.
"""

from __future__ import annotations

import re

TAIL_CHARS = 2_000
"""Rules 3 and 4 look at no more than this much of the text's end."""
MAX_JOINED_BOXES = 16
"""Boxes joined into one answer; a draft that repeats a box for ever stays linear."""

MAX_GAP_CHARS = 80
"""Boxes further apart than this are not tied to each other."""

_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|\\\\(?!boxed|fbox)|\\[{}]|[{}]")
_MINUS = re.compile(r"(?:[=${(\[:]|^)\s*-\s*\\?$")
_SPACE = r"(?:[\s$.:]|\\[()\[\],;]|\\q?quad)*"
_TIED = re.compile(
    _SPACE
    + r"(?:,|;|\\text\{\s*(?:,?\s*and|or)\s*\}|,?\s*\band\b|,?\s*\bor\b)"
    + _SPACE
    + r"(?:[A-Za-z]\w*\s*=\s*)?"
)
_NUMBER = (
    r"[-+]?(?:(?:\d{1,3}(?:[, ]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:\s*/\s*\d+(?:\.\d+)?)?(?:\s*\\?%)?"
)
_HASHES = re.compile(rf"####\s{{0,4}}(-?)\\?\$?({_NUMBER})")
_MATHS = re.compile(
    r"(?<!\\)\$\$(.+?)(?<!\\)\$\$|(?<!\\)\\\[(.+?)\\\]|\\\((.+?)\\\)"
    r"|(?<![\\\d$])\$(?!\s)((?:\\\$|[^$\n])+?)(?<![\\\s])\$(?![\d<])"
    r"|(?<![\\\d$])\$\s((?:\\\$|[^$\n])+?)\s\$(?![\d<])",
    re.DOTALL,
)
_ANCHOR = re.compile(
    r"(?i:\bans(?:wer)?\b(?:[^.:\n$\\]{0,80}?\bis\b\s*:?[^\d$€£\\\n.-]{0,30}|\s+(?=[-$\d]|\\\()"
    r"|(?P<colon>[\s*]*[:=][\s*]*)))"
)
_LINE_END = re.compile(r"[^\d\n]{0,25}(?:\n|$)")
_PLAIN = re.compile(
    rf"(?:^|(?<=[\s=:(*~≈>]))(?:\\?[$€£])?({_NUMBER})"
    r"(?=(?:st|nd|rd|th)\b|[^\w^]|$)(?!\*{1,2}[\w(]|\s*=)"
)
_UNCLOSED = re.compile(r"(?<![\\\d])\$(?![\d<.-])|\\[(\[]|\\begin\{")
_HOPED = re.compile(r"(?i:final answer is) ([A-Za-z][A-Za-z ]{0,40}?)\.?\s*I hope")


def final_answer(text: str) -> str | None:
    """Return the final answer as written, without its box and dollar signs; None if there is none.

    Ties: of equal forms the last one counts. Empty text and empty boxes give None.
    """
    tail = text[-TAIL_CHARS:]
    return _boxed(text) or _hashed(text) or _announced(tail) or _last(tail)


def _boxed(text: str) -> str | None:
    """Return the contents of the last closed box, joined with the boxes tied to it."""
    parts: list[str] = []
    next_start = len(text)
    for start, inside, end in reversed(_boxes(text)):
        inner = text[inside:end].strip()
        if parts and (end >= next_start or not _are_tied(text, end + 1, next_start)):
            break
        if _MINUS.search(text, max(0, start - 10), start):
            inner = f"-{inner}"
        if inner not in parts:
            parts.append(inner)
        next_start = start
        if len(parts) == MAX_JOINED_BOXES:
            break
    return ",".join(reversed(parts)) or None


def _boxes(text: str) -> list[tuple[int, int, int]]:
    """Return start, start of the contents and end of every closed box that is not empty.

    By start, so that of nested boxes the inner one comes later. One pass: a hostile text with
    a million open boxes takes no longer than any other.
    """
    found: list[tuple[int, int, int]] = []
    opened: list[re.Match[str]] = []
    for brace in _BRACE.finditer(text):
        if brace["box"] or brace.group() == "{":
            opened.append(brace)
        elif brace.group() == "}" and opened:
            opening = opened.pop()
            if opening["box"] and text[opening.end() : brace.start()].strip():
                found.append((opening.start(), opening.end(), brace.start()))
    return sorted(found)


def _are_tied(text: str, start: int, end: int) -> bool:
    """Whether nothing but a connective stands between two boxes."""
    return end - start <= MAX_GAP_CHARS and _TIED.fullmatch(text, start, end) is not None


def _hashed(text: str) -> str | None:
    """Return the number behind the last ``####``."""
    found = _HASHES.findall(text)
    return _number("".join(found[-1])) if found else None


def _announced(tail: str) -> str | None:
    """Return what the last "answer is" announces right away; words only in Minerva's form.

    Behind "Answer:" a whole solution may follow, so there a number must end its line.
    """
    for anchor in reversed(list(_ANCHOR.finditer(tail))):
        found = _MATHS.match(tail, anchor.end()) or _PLAIN.match(tail, anchor.end())
        if found and (not anchor["colon"] or _LINE_END.match(tail, found.end())):
            return _number(found[1]) if found.re is _PLAIN else _inside(found)
    words = _HOPED.search(tail)
    return rf"\text{{{words[1]}}}" if words else None


def _last(tail: str) -> str | None:
    """Return the last formula or number of `tail`."""
    maths = max(_MATHS.finditer(tail), key=lambda found: found.end(), default=None)
    rest = _UNCLOSED.split(tail[maths.end() :] if maths else tail)[0]
    numbers = _PLAIN.findall(rest)
    if numbers:
        return _number(numbers[-1])
    return _inside(maths) if maths else None


def _number(text: str) -> str:
    """Return a numeral without the spaces between its groups of digits."""
    return "".join(text.split())


def _inside(maths: re.Match[str]) -> str | None:
    """Return a formula without its delimiters; None if there is no letter or digit in it."""
    inner = next(group for group in maths.groups() if group is not None)
    return inner.strip() if any(char.isalnum() for char in inner) else None
