"""Compares the output of a program with the expected text, as LiveCodeBench does.

Both are stripped and cut at line feeds, every line is stripped, and there must be as many lines.
Two lines are equal if they are the same text, or if all their words are decimal numbers and the
numbers are equal: ``6.0`` is ``6``, ``1e3`` is ``1000``, ``inf`` is ``Infinity``; NaN is equal to
nothing unless the whole line is the same text, and there is no tolerance. (LiveCodeBench,
``lcb_runner/evaluation/testing_util.py``.)
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def lines(text: str) -> list[str]:
    """Return the lines that are compared; one empty line for an empty text."""
    return [line.strip() for line in text.strip().split("\n")]


def first_difference(output: str, expected: str) -> int | None:
    """Return the first line, from 0, in which an output is wrong; None if it is right.

    Outputs with another number of lines differ at the end of the shorter one.
    """
    ours, theirs = lines(output), lines(expected)
    if len(ours) != len(theirs):
        return min(len(ours), len(theirs))
    for i, (line, wanted) in enumerate(zip(ours, theirs, strict=True)):
        if not _equal(line, wanted):
            return i
    return None


def _equal(line: str, wanted: str) -> bool:
    if line == wanted:
        return True
    ours, theirs = line.split(), wanted.split()
    if len(ours) != len(theirs):
        return False
    try:
        # The expected line first: most lines are words, and a hostile line can be long.
        numbers = [Decimal(word) for word in theirs]
        return [Decimal(word) for word in ours] == numbers
    except InvalidOperation:
        return False
