"""How a critic is asked and how its answer is read: data, with a digest.

A recipe says five things, each an option on the command line and a key in ``recipes.yaml``, which
holds those of the published families:

``per``      what one critique is of: the whole solution, each beginning of it, a step, a turn of a
             conversation, or two solutions
the question ``system``, ``template``, ``step``, ``separator``, and ``begin``, with which every
             answer begins
writing      ``chains``, ``max_tokens``, ``temperature``, ``top_p``, ``seed``, ``stop``, ``until``;
             ``rounds`` of programs that are run, and the texts around them
``read``     where the verdict is: an index, labels, lists of numbers, or the probability of words
``combine``  how the verdicts of several chains become one

`harness.prms.critics.questions` builds what is asked, `harness.prms.critics.verdicts` reads.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml

from harness.adapters.options import Options
from harness.digest import digest
from harness.errors import ConfigError, unknown
from harness.prms import aggregate
from harness.prms.prm import Covers
from harness.prms.recipe import check_slots, read_file
from harness.types import Json, Sampling, Semantics, Spec

FAMILIES = Path(__file__).with_name("recipes.yaml")
"""The recipes of the published families."""

Per = Literal["solution", "prefix", "step", "turn", "pair"]
"""What a critique is of: the whole solution · the solution up to a step, once for each step · a
step, the earlier ones beside it · a step that is a turn of a conversation, the critiques of the
earlier ones being the answers before it · two whole solutions, ``good`` being the word for the one
that is shown first."""

Read = Literal["index", "labels", "numbers", "words"]
"""Where the verdict is: the index of the first wrong step (from 0; -1: none) in the last
``\\boxed{}`` · a ``\\boxed{}`` with ``good`` or ``bad`` for each step, up to the first wrong one
(of a pair the last such box) · a list of JSON, a number from -1 to 1 per step, under the key
``field`` · the probability of ``good``, if only it and ``bad`` can be next."""

Combine = Literal["mean", "vote"]
"""The mean of all chains with a verdict · the most frequent verdict; none is one too, and of
equally frequent ones the first."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One family of critics.

    Raises:
        ConfigError: choices that do not go together.
    """

    template: str
    """The user's turn: ``{prompt}``, and ``{steps}`` (``per`` solution and prefix), ``{previous}``
    and ``{step}`` (per step), ``{step}`` (per turn; the turns after the first are the step alone)
    or ``{first}`` and ``{second}`` (per pair)."""
    per: Per = "solution"
    system: str = ""
    """The system's turn; if empty, there is none."""
    step: str = "{step}"
    """A step as it is shown; ``{k}`` is its number from 1, ``{i}`` from 0."""
    separator: str = "\n"
    """Between steps."""
    begin: str = ""
    """With which every answer begins; ``{k}`` is the number of steps that it has seen."""
    chains: int = 1
    """Answers that are written to one question. Per pair every other one is asked of the two in the
    other order."""
    max_tokens: int = 8192
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these."""
    until: tuple[str, ...] = ()
    """It ends after the first of these."""
    rounds: int = 0
    """Times that an answer is written on, a program of it being run in between; 0: once, and no
    program is run."""
    analysis: str = ""
    """What an answer says first ends with this."""
    program: str = ""
    """Then the program begins with this,"""
    fence: str = ""
    """and ends with this;"""
    output: str = ""
    """then what it printed is put in: ``{output}``."""
    read: Read = "words"
    field: str = "validity"
    """The key of the list of numbers."""
    good: str = "yes"
    bad: str = "no"
    mark: str = ""
    """Words are weighed after the last place of this that one of them follows, or nothing does."""
    forced: str = ""
    """If there is no such place, the answer is given this end, and they are weighed there."""
    close: str = ""
    """After the more probable word, where an answer that was given its end is shown later."""
    combine: Combine = "mean"
    semantics: Semantics = "p_correct"
    aggregation: str = "min"
    """Declared before results are seen."""
    threshold: float | None = 0.5
    """A step with a lower score is called wrong."""

    def __post_init__(self) -> None:
        wanted = {
            "step": ("prompt", "previous", "step"),
            "turn": ("prompt", "step"),
            "pair": ("prompt", "first", "second"),
        }
        slots = wanted.get(self.per, ("prompt", "steps"))
        check_slots("template", self.template, slots)
        check_slots("step", self.step, ("step", "k", "i"))
        for slot in slots:
            if self.template.count(f"{{{slot}}}") != 1:
                raise ConfigError(f"per={self.per}: the template must hold {{{slot}}} once")
        if self.step.count("{step}") != 1:
            raise ConfigError(f"step {self.step!r} must hold {{step}} once")
        if self.per == "pair" and (self.read not in ("words", "labels") or self.combine == "vote"):
            raise ConfigError(
                "per=pair reads words or labels and takes their mean, so that both orders count "
                f"alike; not read={self.read},combine={self.combine}"
            )
        if self.per not in ("solution", "pair") and self.read != "words":
            raise ConfigError(f"per={self.per} reads words; read={self.read} is of whole solutions")
        if self.combine == "vote" and self.read not in ("index", "labels"):
            raise ConfigError(f"combine=vote counts equal verdicts; read={self.read} has numbers")
        if self.read in ("words", "labels") and not (self.good and self.bad):
            raise ConfigError(f"read={self.read} needs good= and bad=")
        if self.rounds and not (self.program and self.fence and self.output.count("{output}") == 1):
            raise ConfigError("rounds= needs program=, fence= and output= with {output}")
        aggregate.check(self.aggregation, self.semantics)
        _ = self.sampling

    @property
    def covers(self) -> Covers:
        """``pair``, ``whole`` where one probability is read of a whole solution, else ``steps``."""
        if self.per == "pair":
            return "pair"
        return "whole" if (self.per, self.read) == ("solution", "words") else "steps"

    @property
    def sampling(self) -> Sampling:
        """How a chain is written."""
        try:
            return Sampling(self.temperature, self.top_p, self.max_tokens, self.stop, self.seed)
        except ValueError as error:
            raise ConfigError(str(error)) from error

    @property
    def identity(self) -> str:
        """Digest of all that decides a score: not the aggregation, nor the threshold."""
        plain = replace(self, aggregation=aggregate.declared(self.semantics), threshold=None)
        return digest([list(x) if isinstance(x, tuple) else x for x in astuple(plain)])


def from_options(options: Options) -> Recipe:
    """Read a recipe from a critic's options; whatever is not given has its default.

    Raises:
        ConfigError: a value that does not exist, choices that do not go together.
    """
    read = options.choice("read", "words", get_args(Read))
    combine = options.choice("combine", "mean", get_args(Combine))
    usual: Semantics = "p_correct"
    if read == "numbers":
        usual = "value"
    elif combine == "vote":
        usual = "verdict"
    semantics = aggregate.check_semantics(options.text("semantics", usual) or usual)
    default = {one.name: one.default for one in fields(Recipe)}
    limit = aggregate.threshold(semantics)
    if read == "numbers":
        # Of another list (redundancy) nobody knows that high is right.
        limit = 0.0 if options.text("field", "") in ("", default["field"]) else None

    def text(key: str) -> str:
        return options.text(key, str(default[key])) or ""

    def number(key: str, high: float) -> float:
        return options.number(key, float(str(default[key])), 0.0, high)

    def count(key: str, low: int = 1) -> int:
        found = options.integer(key, int(str(default[key])), low)
        assert found is not None
        return found

    return Recipe(
        template=options.text("template", "") or "",
        per=options.choice("per", "solution", get_args(Per)),
        **{key: text(key) for key in ("system", "step", "separator", "begin", "field")},
        **{key: text(key) for key in ("analysis", "program", "fence", "output")},
        **{key: text(key) for key in ("good", "bad", "mark", "forced", "close")},
        chains=count("chains"),
        max_tokens=count("max_tokens"),
        temperature=number("temperature", 100.0),
        top_p=number("top_p", 1.0),
        seed=count("seed", 0),
        stop=options.texts("stop", ()),
        until=options.texts("until", ()),
        rounds=count("rounds", 0),
        read=read,
        combine=combine,
        semantics=semantics,
        aggregation=options.text("aggregation", None) or aggregate.declared(semantics),
        threshold=options.number_or("threshold", limit, -1e9, 1e9),
    )


KEYS = ("model", "recipe", *(field.name for field in fields(Recipe)))
"""What a recipe file may say; ``recipe`` is the family that it departs from."""


def with_recipe(spec: Spec) -> Spec:
    """Return a critic's spec with the options of the recipe that its target names.

    The target is a family of ``recipes.yaml`` or a YAML file with a recipe's keys. What the spec
    says itself goes before what the recipe says; what decides how the verdict is meant is only
    taken over from a family as long as the verdict is read and combined as there.

    Raises:
        ConfigError: no such family, a file with a key that no recipe has.
        DataError: a file that is not there or no YAML.
    """
    name, given = spec.target, dict(spec.options)
    if name.endswith((".yaml", ".yml")):
        found = read_file(Path(name), KEYS)
        family = found.pop("recipe", None)
        if family is not None:
            found = {**_family(str(family), name), **found}
    else:
        found = _family(name)
    if any(given.get(key, found.get(key)) != found.get(key) for key in ("read", "combine")):
        for key in ("semantics", "aggregation", "threshold"):
            found.pop(key, None)
    if given.get("field", found.get("field")) != found.get("field"):
        found.pop("threshold", None)
    return replace(spec, options={**found, **given})


def _family(name: str, where: str = "") -> dict[str, Json]:
    if name not in families():
        known = [*families()] if where else [*families(), "FILE.yaml"]
        raise unknown("critic", name, known, where)
    return dict(families()[name])


@cache
def families() -> dict[str, dict[str, Json]]:
    """Return the options of every published family."""
    data = yaml.safe_load(FAMILIES.read_text(encoding="utf-8"))
    return {name: {k: v for k, v in entry.items() if k != "source"} for name, entry in data.items()}
