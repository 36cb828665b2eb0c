"""The methods by name: what each needs, who described it, which options it has.

Two kinds. *Pooled* methods choose from one frozen pool of complete candidates, so one pool serves
every PRM, every aggregation and every budget: the expected accuracy at budget n is the mean over
all subsets of n candidates, computed by `harness.stats` exactly or over seeded subsets. *Searches*
are generators (`harness.search.moves`) that a PRM steers while the policy writes; each is run for
itself by `harness.search.driver`.

On the command line and in a configuration a method is written ``name`` or ``name,key=value,…``;
``name=…`` among the options sets how tables call it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from harness.errors import ConfigError, nearest, unknown
from harness.policies.policy import Ability
from harness.search import best_of_n
from harness.search.moves import Search
from harness.search.options import Options
from harness.search.setting import Setting

Curve = Literal["runs", "anytime", "groups"]
"""Where accuracy at a smaller budget comes from: a run of its own · the same search, stopped
earlier · part of its independent groups."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as `ls methods` shows it."""

    name: str
    title: str
    needs_prm: bool
    metric: str
    """Name of its main metric in results."""
    steps: bool
    """Works on tasks of kind ``steps``; all others work on problems that a policy answers."""
    source: str
    about: str
    search: Callable[[Setting, Any], Search] | None = None
    """The generator; None for methods of tasks of kind ``steps`` and for pass@N."""
    pooled: bool = True
    """Evaluated on a pool; False: searched."""
    options: type[Options] = Options
    curve: Curve = "runs"
    abilities: frozenset[Ability] = frozenset({"continue"})
    """What a search needs of a policy."""
    deviations: str = ""
    """Where it departs from its source, and why."""


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method with its options, as a run asks for it."""

    name: str
    """How tables call it: the method's name, and the options that were given."""
    method: Method
    options: Options

    def search(self, setting: Setting) -> Search:
        """Start a search."""
        if self.method.search is None:
            raise ValueError(f"{self.method.name} is no search")
        return self.method.search(setting, self.options)


def parse_method(text: str, where: str = "") -> MethodSpec:
    """Return the method that ``name,key=value,…`` writes.

    Raises:
        ConfigError: an unknown method or option, a value of the wrong kind.
    """
    name, *pairs = [part.strip() for part in text.split(",")]
    if name not in METHODS:
        raise unknown("method", name, METHODS, where)
    method = METHODS[name]
    place = f"{where}: " if where else ""
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{place}method {text!r}: write {name},key=value")
        given[key.strip()] = value.strip()
    title = given.pop("name", ",".join([name, *pairs]))
    try:
        options = method.options.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"{place}method {name}: no option {key!r}; "
                f"{nearest(key, ['name', *method.options.model_fields])}"
            ) from error
        raise ConfigError(f"{place}method {name}: {key}: {first['msg']}") from error
    return MethodSpec(title, method, options)


def split_methods(text: str) -> list[str]:
    """Split a comma-separated list of methods; ``key=value`` belongs to the method before it.

    >>> split_methods("greedy,beam,width=4,mcts")
    ['greedy', 'beam,width=4', 'mcts']
    """
    return [part for part in re.split(r",(?![^,=]*=)", text) if part]


_ALL = (
    Method(
        "greedy",
        "Greedy",
        False,
        "accuracy",
        False,
        "-",
        "One candidate at temperature 0; recorded pools hold none.",
        best_of_n.greedy,
    ),
    Method(
        "majority",
        "Majority vote",
        False,
        "accuracy",
        False,
        "Wang et al. 2022, arXiv 2203.11171",
        "The answer of the largest class of equivalent answers; ties are shared in expectation.",
        best_of_n.majority,
    ),
    Method(
        "weighted_vote",
        "Weighted vote",
        True,
        "accuracy",
        False,
        "Li et al. 2022, arXiv 2206.02336",
        "The class of answers with the largest sum of PRM scores.",
        best_of_n.best_of_n,
    ),
    Method(
        "best_of_n",
        "Best of N",
        True,
        "accuracy",
        False,
        "Lightman et al. 2023, arXiv 2305.20050",
        "The candidate with the highest aggregated score; ties are shared in expectation.",
        best_of_n.best_of_n,
    ),
    Method(
        "pass_at_n",
        "Pass@N",
        False,
        "pass_at_n",
        False,
        "Chen et al. 2021, arXiv 2107.03374",
        "Whether any of N candidates is correct: the ceiling of every choice; at N=1 the mean.",
    ),
    Method(
        "first_error",
        "First wrong step",
        True,
        "f1",
        True,
        "Zheng et al. 2024, arXiv 2412.06559 (ProcessBench)",
        "The first step scored below the threshold is called wrong; F1 of the accuracies on "
        "solutions with and without an error.",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
