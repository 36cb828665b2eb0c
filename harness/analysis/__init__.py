"""What the results of a run say, whatever run it is: costs, comparisons, ranks. Pure functions.

curve       the record: accuracy and cost of one way of answering as its budget grows
panel       curves on one axis and the same problems, read at equal cost
frontier    bands, Pareto frontier, tests at equal cost, who wins where, areas, gains
claims      published claims: supported, contradicted or not separable
power       what so many problems could have seen
versus      two sides problem by problem: differences by budget, task and part of the problems
ranking     ranks with intervals, and tie groups, of many entries on the same problems
scaling     accuracy against the size of PRMs, and the smallest that is enough
transfer    training domain against evaluation domain
"""

from harness.analysis.claims import CLAIMS, Claim, check
from harness.analysis.curve import AXES, Axis, Curve, Group, groups
from harness.analysis.finding import Finding
from harness.analysis.frontier import Frontier, Gain, Line, Win, frontier, pareto
from harness.analysis.power import Power
from harness.analysis.ranking import Ranking, rank

__all__ = [
    "AXES",
    "CLAIMS",
    "Axis",
    "Claim",
    "Curve",
    "Finding",
    "Frontier",
    "Gain",
    "Group",
    "Line",
    "Power",
    "Ranking",
    "Win",
    "check",
    "frontier",
    "groups",
    "pareto",
    "rank",
]
