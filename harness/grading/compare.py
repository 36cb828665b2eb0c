r"""Compares two short answers without computer algebra, where that is certain; else says so.

`quick` decides pairs of plain numbers and equal spellings, which are 78 % of the pairs of a
recorded pool. On numbers it never contradicts math-verify 0.9.0 (a property test holds it); equal
spellings it accepts even where math-verify cannot read them. Everything else goes to a worker
process, after `refusal` has looked at its size: math-verify hands its input to sympy, which happily
starts to compute ``5^{5^{5^{5^5}}}``.

What math-verify means by "equal", where it may surprise (0.9.0): ``5%`` equals 0.05 and also 5;
``(1,2)``, ``\{1,2\}`` and ``2,1`` are equal, since an open interval, a pair and a set of two look
alike; decimals are rounded to 6 places, so 0.333333 equals 1/3, but an integer equals only itself;
3.14 is not ``\pi``; units, degrees, dollar signs and the base in ``52_8`` are ignored; ``x=5``
equals 5.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

MAX_CHARS = 1_000
"""Longest answer that is compared. The longest gold answer of MATH-500, GSM8K and OlympiadBench
has 204 characters; a longer one is no final answer."""
MAX_NESTING = 32
"""Deepest nesting of brackets; the parser recurses."""
MAX_EXPONENT = 100_000
"""Largest numeral, or power of numerals, in an exponent."""
MAX_DIGITS = 15
"""Numerals longer than this are left to computer algebra: its floats have 15 digits."""

_NUMERAL = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_FRACTION = re.compile(r"([-+]?)\\frac\{(-?\d{1,15})\}\{(\d{1,15})\}|([-+]?)(\d{1,15})/(\d{1,15})")
_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,!; ]|\{,\}|,\s*\\!\s*)+(?=\d{3}(?!\d))")
_NO_MEANING = re.compile(
    r"\\(?:left|right|displaystyle|[!,;:])(?![A-Za-z])|\$|(?<!\d)\s+|\s+(?!\d)"
)
_TEXT = re.compile(r"\\(?:text|textbf|textit|mbox|mathrm)\s?\{([^{}]*)\}")
_OPENED = re.compile(r"(?<=\^)[\s{(]+")
_TOWER = re.compile(r"\^\s*-?(\d+(?:\^-?\d+)*)")
_ROUNDING = Decimal("0.000002")
"""Two decimals further apart than this differ after rounding to 6 places."""


def normalise(answer: str) -> str:
    r"""Return `answer` in one spelling: no spaces, ``$``, ``\left``, ``\text`` or final stop.

    A space between two digits stays: ``1 1/2`` is not ``11/2``. Only for comparing spellings: the
    text that goes to math-verify is `prepared`. An answer over `MAX_CHARS` is returned as it is.
    """
    if len(answer) > MAX_CHARS:
        return answer
    text = _TEXT.sub(r"\1", _THOUSANDS.sub(_thousands, answer))
    text = _NO_MEANING.sub("", text)
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"\\frac(\d)(\d)(?!\d)", r"\\frac{\1}{\2}", text)
    return text.rstrip(".") or answer.strip()


def prepared(answer: str) -> str:
    r"""Return `answer` as math-verify reads it best.

    One line, no dollar signs, no spaces inside numerals (``10\,000`` would be 10 times 0), no full
    stop at the end (``5.`` would not parse), ``%`` without its backslash.
    """
    text = _THOUSANDS.sub(_thousands, answer).replace("\\$", "").replace("$", "")
    return " ".join(text.replace("\\%", "%").split()).rstrip(".")


def quick(gold: str, answer: str) -> bool | None:
    """Return whether the two answers are equal; None where it takes computer algebra to know.

    Certain are: equal spellings; two integers; two fractions of integers, or one and an integer;
    two decimals that are equal or differ by more than the rounding.
    """
    left, right = normalise(gold), normalise(answer)
    if left == right:
        return True if any(c.isalnum() for c in left) else None
    a, b = _number(left), _number(right)
    if a is None or b is None:
        return None
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return _decimals(a, b)
    return None


def refusal(answer: str) -> str | None:
    """Return why `answer` is not even read: ``too long``, ``too deep``, ``exponent too large``.

    None for a fit answer. Long and deep texts are no final answers; an exponent beyond the limit
    may be one, so its grade must be ``ungraded``.
    """
    if len(answer) > MAX_CHARS:
        return "too long"
    depth = deepest = 0
    for char in answer:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        return "too deep"
    chained = _OPENED.sub("", answer.replace("**", "^"))
    return "exponent too large" if any(map(_towers, _TOWER.findall(chained))) else None


def _towers(exponent: str) -> bool:
    """Whether an exponent such as ``5^5^5`` is above the limit; powers associate to the right."""
    value = 1.0
    for numeral in reversed(exponent.replace("^-", "^").split("^")):
        base = int(numeral[:9]) if len(numeral) < 9 else 10**9
        if base > 1 and value * math.log(base) > math.log(MAX_EXPONENT):
            return True
        value = float(base) ** value
    return False


def _thousands(separator: re.Match[str]) -> str:
    """Keep a comma between groups of digits, drop every other separator."""
    return "," if "," in separator.group().replace("\\,", "") else ""


def _number(text: str) -> Fraction | Decimal | None:
    """Read a plain number: exact ones as Fraction, those with a decimal point as Decimal."""
    if len(text) <= 2 * MAX_DIGITS and _NUMERAL.fullmatch(text):
        plain = text.replace(",", "")
        if sum(c.isdigit() for c in plain) > MAX_DIGITS:
            return None
        return Decimal(plain) if "." in plain else Fraction(int(plain))
    fraction = _FRACTION.fullmatch(text)
    if not fraction:
        return None
    sign, above, below = fraction.groups()[:3] if fraction[3] else fraction.groups()[3:]
    if int(below) == 0:
        return None
    return Fraction(int(above), int(below)) * (-1 if sign == "-" else 1)


def _decimals(a: Decimal, b: Decimal) -> bool | None:
    """Compare two decimals; None where they are so close that the rounding decides."""
    if a == b:
        return True
    return False if abs(a - b) > _ROUNDING else None
