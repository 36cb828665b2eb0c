r"""Finds the program in a solution text.

The rule, in this order:

1. A text with markdown fences: its code blocks whose language is Python or not named. Of a problem
   that asks for a function, the last block that defines it; else, and for whole programs, the last
   block. (A model that corrects itself is taken at its last word, and a usage example after the
   solution, which defines nothing, is passed over.) A fence that is never closed runs to the end of
   the text. If every block is in another language there is no program.
2. A text without fences is a program as it is. Where the problem came with the head of a function
   and the text begins with an indented line, it is that function's body and is put behind the
   head, as completions of base models are.
3. Nothing but blanks is no program.

Nothing is repaired: prose around a program without fences is a syntax error, as for any grader that
is told to expect code.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(?P<ticks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$")
_PYTHON = ("", "python", "py", "python3", "python2", "pycon3", "py3")


def program(text: str, entry: str | None = None, head: str = "") -> str | None:
    """Return the program in a text, None if there is none.

    Args:
        text: what the policy wrote.
        entry: the function that the problem asks for; None for a whole program.
        head: the problem's own code, which a bare body continues.
    """
    blocks = code_blocks(text)
    if blocks is None:
        if not text.strip():
            return None
        first = next(line for line in text.splitlines() if line.strip())
        return head + text if head and first[0] in " \t" else text
    codes = [code for language, code in blocks if language in _PYTHON and code.strip()]
    if entry is not None:
        defines = re.compile(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(entry)}\b", re.M)
        assigns = re.compile(rf"^{re.escape(entry)}[ \t]*=", re.M)
        own = [code for code in codes if defines.search(code) or assigns.search(code)]
        codes = own or codes
    return codes[-1] if codes else None


def code_blocks(text: str) -> list[tuple[str, str]] | None:
    """Return (language, code) of each fenced block in order; None if the text has no fence."""
    blocks: list[tuple[str, str]] = []
    fence = language = ""
    lines: list[str] = []
    for line in text.splitlines():
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, lines = found["ticks"], []
                language = (found["info"].split() or [""])[0].strip("{}.").lower()
        elif found and not found["info"].strip() and found["ticks"].startswith(fence):
            blocks.append((language, _joined(lines)))
            fence = ""
        else:
            lines.append(line)
    if fence:
        blocks.append((language, _joined(lines)))
    return blocks or None


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
