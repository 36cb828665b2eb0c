"""A figure of several panels with common axes, three across."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.reporting.figures import DPI

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PERCENT = (0, 25, 50, 75, 100)
"""Ticks of an axis that shows shares."""


def grid_of(
    count: int, x: str, y: str, height: float = 2.55, sharex: bool = False
) -> tuple[Canvas, list[Any]]:
    """Return a figure and so many panels, three across at most, four as two by two.

    They share their vertical axis; ticks have labels where no panel stands beside or below.
    """
    from matplotlib.figure import Figure as Canvas

    across = 2 if count == 4 else min(count, 3)
    down = math.ceil(count / across)
    size = 1.9 + 3.1 * across + (0.8 if across == 1 else 0), 0.45 + height * down
    canvas = Canvas(figsize=size, dpi=DPI, layout="constrained")
    panels = list(canvas.subplots(down, across, squeeze=False, sharey=True, sharex=sharex).flat)
    for number, panel in enumerate(panels[:count]):
        if number + across >= count:
            panel.set_xlabel(x)
            panel.tick_params(labelbottom=True)
        if number % across == 0:
            panel.set_ylabel(y)
    for panel in panels[count:]:
        panel.set_visible(False)
    return canvas, panels[:count]
