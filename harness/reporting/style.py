"""How figures look: a PRM has one colour in every figure, a method one marker.

The colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), which stay apart for
readers with any common form of colour blindness and in grey; their yellow is left out, being too
pale for a line on white. Marker and line style say the same once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.reporting.lines import Line, prm_names
from harness.types import ResultRow

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK = "#262626"
GREY = "#6E6E6E"

_LABELS = {
    "greedy": "greedy",
    "majority": "majority vote",
    "weighted_vote": "weighted vote",
    "best_of_n": "best of N",
    "pass_at_n": "pass@N (ceiling)",
    "adaptive_best_of_n": "adaptive best of N",
    "speculative_rejection": "speculative rejection",
    "beam": "beam search",
    "dvts": "DVTS",
    "rebase": "REBASE",
    "mcts": "MCTS",
    "step_beam": "step beam",
    "particle": "particles",
    "particle_gibbs": "particle Gibbs",
}
_MARKERS = {
    "weighted_vote": "s",
    "best_of_n": "o",
    "majority": "D",
    "greedy": "*",
    "pass_at_n": "",
    "beam": "^",
    "dvts": "v",
    "rebase": "P",
    "mcts": "X",
    "step_beam": "<",
    "particle": "p",
    "particle_gibbs": "h",
    "adaptive_best_of_n": "d",
    "guided_greedy": ">",
    "value_guided": "8",
    "tournament": "H",
    "speculative_rejection": ".",
}
_SPARE_MARKERS = "^vP<>Xph8d"

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.edgecolor": "#8A8A8A",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "xtick.color": "#8A8A8A",
    "ytick.color": "#8A8A8A",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Names with a dollar sign are names, not formulas.
    "text.parse_math": False,
    # The same picture gives the same bytes.
    "svg.hashsalt": "prm-harness",
    "svg.fonttype": "path",
}
"""matplotlib settings under which every figure is drawn and saved."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one curve is drawn."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]
    width: float = 1.6


@dataclass(frozen=True, slots=True)
class Style:
    """The looks of all PRMs and methods of a run."""

    prms: tuple[str, ...]
    methods: tuple[str, ...]

    def prm(self, name: str) -> Look:
        """Return a PRM's colour; PRMs beyond the palette repeat it with other dashes."""
        turn, place = divmod(self.prms.index(name), len(COLOURS))
        dashes = ("-", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))[turn % 4]
        return Look(COLOURS[place], "", dashes)

    def marker(self, method: str) -> str:
        """Return a method's marker."""
        if method in _MARKERS:
            return _MARKERS[method]
        others = [name for name in self.methods if name not in _MARKERS]
        return _SPARE_MARKERS[others.index(method) % len(_SPARE_MARKERS)]

    def line(self, line: Line) -> Look:
        """Return how a line is drawn: by its PRM and method, methods without PRM in greys."""
        row = line.last
        marker = self.marker(row.method)
        if row.prm is not None:
            look = self.prm(row.prm)
            return Look(look.colour, marker, look.dashes)
        if line.ceiling:
            return Look(GREY, marker, (0, (4, 2)), 1.3)
        return Look(INK, marker, (0, (1, 1)) if row.method == "greedy" else "-", 1.3)


def style_of(rows: Iterable[ResultRow]) -> Style:
    """Return the style of a run: colours in the order in which its rows name the PRMs."""
    rows = list(rows)
    return Style(prm_names(rows), tuple(dict.fromkeys(row.method for row in rows)))


def marker_of(method: str) -> str:
    """Return the marker of a method by its name alone."""
    return _MARKERS.get(method) or _SPARE_MARKERS[sum(map(ord, method)) % len(_SPARE_MARKERS)]


def label(method: str) -> str:
    """Return a method's name in words, with its options as they are."""
    name, comma, options = method.partition(",")
    return f"{_LABELS.get(name, name.replace('_', ' '))}{comma}{options}"
