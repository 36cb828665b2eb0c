"""Text made safe for the format it is written in. Names come from users and from models."""

from __future__ import annotations

import re
import unicodedata

_LATEX = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "\u00a0": "~",
    # A bare bracket after a line break would be read as its optional argument.
    "[": "{[}",
    "]": "{]}",
    **{c: "\\" + c for c in "{}$&#%_"},
}


def plain(text: str) -> str:
    """Return `text` on one line, without control characters (which could drive a terminal)."""
    kept = (c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return "".join(kept)


def escape_markdown(text: str) -> str:
    """Return `text` for GitHub Markdown, safe in a table cell; newlines become spaces."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*|~$])", r"\\\1", text).replace("](", r"]\(")
    # Inside a word GitHub reads no emphasis: best_of_n stays readable in the source.
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def escape_latex(text: str) -> str:
    """Return `text` for LaTeX with UTF-8 input; newlines become spaces."""
    return "".join(_LATEX.get(c, c) for c in plain(text))
