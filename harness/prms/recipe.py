"""How a solution is shown to a PRM and how its numbers become scores: data, with a digest.

A recipe says five things, each an option on the command line and a key in ``recipes.yaml``, which
holds those of the published families:

``render``   ``template``, ``chat``, ``system``, ``step``, ``separator``, ``end``, ``newlines`` and
             ``encode``: the text, and whether its parts are encoded one by one or all at once
``tag``      the token that marks the end of a step, if one does
``read``     where a step's number stands: ``at`` that token or ``before`` it; ``inputs``: whether
             all steps are one input, every step has its own, or there is one number in all
``head``     from the model's numbers to a score (`harness.prms.numbers`); ``weights``, ``good``,
             ``bad``, ``scale``, ``beta`` for it
``semantics``  what the score means, and with it which aggregations are legal

`harness.prms.render` builds the input, `harness.prms.heads` the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml

from harness.adapters import named
from harness.adapters.options import Options
from harness.digest import digest
from harness.errors import ConfigError, nearest, unknown
from harness.prms import aggregate, numbers
from harness.prms.numbers import HEADS, LM_HEADS, NUMBERS, RATIOS, USUAL, Floats, Head
from harness.types import Json, Semantics, Spec

FAMILIES = Path(__file__).with_name("recipes.yaml")
"""The recipes of the published families."""

Chat = Literal["none", "answer", "turns"]
"""Plain text · the tokenizer's chat template, with the solution as the assistant's one answer · the
same, with a user's turn per step, each answered by the assistant with ``good``."""

Encode = Literal["parts", "text"]
"""Prompt and steps are encoded one by one and their ids joined (a tokenizer may merge across a
step's end and move the place that is read), or as one text, if the model was trained so."""

Unreadable = Literal["error", "skip"]
"""An input longer than ``max_length``, or a step that holds the tag: stop with an error, or give
this draft no scores. There is no third: steps that the model has not seen have no score, and none
is made up for them."""

Inputs = Literal["once", "prefixes", "whole"]
"""All steps, each read in its place · for every step the solution so far, with an end of its own,
read at its last token · an outcome model: all steps as one, with one number in all."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One family of PRMs.

    Raises:
        ConfigError: choices that do not go together.
    """

    template: str = "{prompt}{steps}"
    """Text around the prompt; the steps come last. In a chat, the (first) turn of the user: with
    ``chat=answer`` without ``{steps}``, with ``chat=turns`` ``{steps}`` is the first step."""
    chat: Chat = "none"
    system: str = ""
    """The system's turn; if empty, the chat template decides."""
    step: str = "{step}"
    """Text of a step; ``{k}`` is its number, from 1."""
    separator: str = ""
    """Text after every step, in the place of the white space that it ends with; empty where a
    step's own end marks it."""
    end: str = ""
    """Text in the place of the last separator (with ``inputs=prefixes`` after it); special tokens
    in it are such, and ``{eos}`` is the tokenizer's own. A chat that is read ``whole`` ends as its
    template says, unless this does."""
    newlines: Literal["keep", "space"] = "keep"
    """What becomes of line breaks within a step."""
    encode: Encode = "parts"
    tag: str = ""
    """The token in the separator at which a step is read; if empty, its last token. ``id:N`` names
    a token by its number: here, as in ``good`` and ``bad``, for models that say no words."""
    read: Literal["at", "before"] = "at"
    head: Head = "sigmoid"
    weights: str = "classifier"
    """Where the head is: ``classifier`` (transformers' token classification), ``lm`` (rows of the
    language model's head) or the name of tensors (``v_head.summary``, ``score``): one linear layer,
    or several with rectifiers between."""
    good: str = "+"
    bad: str = "-"
    scale: float = 1.0
    """The number is divided by it first."""
    semantics: Semantics = "p_correct"
    aggregation: str = "min"
    """Declared before results are seen."""
    threshold: float | None = 0.5
    """A step with a lower score is called wrong; None: it has to be tuned."""
    max_length: int | None = None
    """Tokens of an input; None: the model's context."""
    unreadable: Unreadable = "error"
    inputs: Inputs = "once"
    beta: float | None = None
    """Of a log ratio: its factor. There is no usual one."""

    def __post_init__(self) -> None:
        last = {"none": True, "turns": True, "answer": False}[self.chat]
        check_slots("template", self.template, ("prompt", "steps") if last else ("prompt",))
        check_slots("step", self.step, ("step", "k"))
        if self.template.count("{prompt}") != 1:
            raise ConfigError(f"template {self.template!r} must hold {{prompt}} once")
        if self.template.endswith("{steps}") != last or self.template.count("{steps}") != last:
            wanted = "end with {steps}" if last else "leave {steps} to the assistant's turn"
            raise ConfigError(f"chat={self.chat}: template {self.template!r} must {wanted}")
        if self.step.count("{step}") != 1:
            raise ConfigError(f"step {self.step!r} must hold {{step}} once")
        numbered = named_by_id(self.tag) is not None
        if self.tag not in self.separator and not numbered:
            raise ConfigError(f"separator {self.separator!r} does not hold the tag {self.tag!r}")
        if self.chat == "turns" and self.encode == "text":
            raise ConfigError("chat=turns is encoded in parts: its tokens mark their ends")
        if numbered and self.encode != "text":
            raise ConfigError(f"tag={self.tag} is found in a text: it needs encode=text")
        if (self.head in LM_HEADS) != (self.weights == "lm"):
            reads = "the language model" if self.head in LM_HEADS else "a head"
            raise ConfigError(f"head={self.head} reads {reads}; weights={self.weights} is another")
        if self.scale <= 0:
            raise ConfigError(f"scale={self.scale:g} must be above 0")
        if self.inputs != "once" and (self.chat == "turns" or self.tag or self.read != "at"):
            raise ConfigError(
                f"inputs={self.inputs} is read at its last token: no tag, chat=turns or read=before"
            )
        if self.head in RATIOS:
            self._check_ratio()
        elif self.beta is not None:
            raise ConfigError(f"head={self.head} has no beta; heads that do: {', '.join(RATIOS)}")
        aggregate.check(self.aggregation, self.semantics)

    def _check_ratio(self) -> None:
        """Refuse what two models that are set beside each other do not have."""
        if self.beta is None:
            raise ConfigError(
                f"head={self.head} needs beta=…, the factor of the log ratio that the model was "
                "trained with; there is no usual one"
            )
        if self.inputs != "once" or self.chat == "turns" or self.tag or self.read != "at":
            raise ConfigError(
                f"head={self.head} adds up the tokens of a solution: no inputs, tag, chat=turns or "
                "read=before"
            )
        if self.scale != 1:
            raise ConfigError(f"head={self.head} has a beta and no scale")

    @property
    def identity(self) -> str:
        """Digest of all that decides a score: not the aggregation, the threshold, nor what is not
        scored."""
        usual = Recipe()
        neutral = replace(self, aggregation="last", threshold=None, unreadable="error")
        said = {field.name: getattr(neutral, field.name) for field in fields(neutral)}
        # Keys that came later count where they are used: what was scored before keeps its digest.
        later = {key: said.pop(key) for key in ("inputs", "beta")}
        used = {key: value for key, value in later.items() if value != getattr(usual, key)}
        return digest([*said.values(), *([used] if used else [])])

    def before_steps(self, prompt: str) -> str:
        """Return the text before the steps. The prompt is inserted, never interpreted."""
        before, after = self.template.removesuffix("{steps}").split("{prompt}")
        return before + prompt + after

    def step_text(self, step: str, number: int) -> str:
        """Return the text of a step without its separator; `number` counts from 1."""
        if self.separator or self.end or (self.inputs == "whole" and self.chat != "none"):
            step = step.rstrip()
        if self.chat == "turns":
            step = step.strip()
        if self.newlines == "space":
            step = " ".join(line.strip() for line in step.splitlines() if line.strip())
        before, after = self.step.replace("{k}", str(number)).split("{step}")
        return before + step + after

    def raw(self, found: Floats) -> Floats:
        """Return (steps,) what the score is a growing function of, from (steps, numbers)."""
        if NUMBERS[self.head] == 1:
            found = found / self.scale if self.beta is None else found * self.beta
        return numbers.raw(self.head, found)

    def scores(self, found: Floats) -> Floats:
        """Return the scores of the model's numbers: (steps, numbers) to (steps,)."""
        return numbers.squash(self.head, self.raw(found))


def check_slots(key: str, text: str, slots: Sequence[str]) -> None:
    """Refuse a slot for what no PRM is given; ``\\boxed{answer}`` is text, not a slot.

    Raises:
        ConfigError: names it, and the slots that there are.
    """
    found = re.search(r"(?<!\w)\{(?:answer|reference|gold|solution)\}", text)
    if found:
        valid = ", ".join(f"{{{slot}}}" for slot in slots)
        raise ConfigError(
            f"{key}: there is no slot {found[0]}; a PRM is given the prompt and the steps alone, "
            f"never a reference answer; slots are {valid}"
        )


def named_by_id(word: str) -> int | None:
    """Return the number of a token that is named ``id:N``, None for one named by its text."""
    return int(word[3:]) if re.fullmatch(r"id:\d+", word) else None


def from_options(options: Options) -> Recipe:
    """Read a recipe from a PRM's options; whatever is not given has its default.

    Raises:
        ConfigError: a value that does not exist, choices that do not go together.
    """
    head = options.choice("head", "sigmoid", HEADS)
    semantics = aggregate.check_semantics(options.text("semantics", None) or USUAL[head])
    usual = Recipe()

    def text(key: str) -> str:
        return options.text(key, getattr(usual, key)) or ""

    chat = options.choice("chat", "none", get_args(Chat))
    template = options.text("template", "{prompt}" if chat == "answer" else usual.template) or ""
    return Recipe(
        template=template,
        chat=chat,
        **{key: text(key) for key in ("system", "step", "separator", "end", "tag", "good", "bad")},
        newlines=options.choice("newlines", "keep", ("keep", "space")),
        encode=options.choice("encode", "parts", get_args(Encode)),
        read=options.choice("read", "at", ("at", "before")),
        head=head,
        weights=options.text("weights", "lm" if head in LM_HEADS else usual.weights) or "",
        scale=options.number("scale", 1.0, 0.0, 1e6),
        semantics=semantics,
        aggregation=options.text("aggregation", None) or aggregate.declared(semantics),
        threshold=options.number_or("threshold", numbers.threshold(head, semantics), -1e9, 1e9),
        max_length=options.integer("max_length", None, low=2),
        unreadable=options.choice("unreadable", "error", get_args(Unreadable)),
        inputs=options.choice("inputs", "once", get_args(Inputs)),
        beta=options.number_or("beta", None, 1e-9, 1e6),
    )


KEYS = (
    "model",
    "revision",
    "reference",
    "reference_revision",
    "recipe",
    *(field.name for field in fields(Recipe)),
)
"""What a recipe file may say; ``recipe`` is the family that it departs from."""


def with_recipe(spec: Spec) -> Spec:
    """Return a spec with the options of the recipe that its option ``recipe`` names.

    ``recipe=`` is a family of ``recipes.yaml`` or a YAML file with a recipe's keys. What the spec
    says itself goes before what the recipe says.

    Raises:
        ConfigError: no such family, a file that is not there or holds no recipe.
    """
    name = spec.options.get("recipe")
    if name is None:
        return spec
    given = {key: value for key, value in spec.options.items() if key != "recipe"}
    if str(name).endswith((".yaml", ".yml")):
        found = {k: v for k, v in read_file(Path(str(name))).items() if k != "model"}
        if found.get("recipe", "") not in ("", *families()):
            raise unknown("recipe", str(found["recipe"]), families(), str(name))
        return with_recipe(replace(spec, options={**found, **given}))
    if name in families():
        found = families()[str(name)]
    else:
        raise unknown("recipe", str(name), [*families(), "FILE.yaml"])
    return replace(spec, options={**found, **given})


@cache
def families() -> dict[str, dict[str, Json]]:
    """Return the options of every published family."""
    data = yaml.safe_load(FAMILIES.read_text(encoding="utf-8"))
    return {name: {k: v for k, v in entry.items() if k != "source"} for name, entry in data.items()}


def read_file(path: Path, keys: Sequence[str] = KEYS) -> dict[str, Json]:
    """Return the options that a recipe file gives; `keys` are those it may give.

    Raises:
        ConfigError: a file that is not there or no mapping of YAML, a key that no recipe has.
    """
    found, places = named.read(path, f"a recipe is a mapping of {', '.join(keys)}")
    for key, where in places.items():
        if key not in keys:
            raise ConfigError(f"{where}: a recipe has no {key!r}; {nearest(key, keys)}")
    return found


def of_file(name: str) -> Spec:
    """Return the PRM that a recipe file with the key ``model`` describes.

    Raises:
        ConfigError: a file that is not there or holds no recipe, no model.
    """
    path = Path(name)
    found = read_file(path)
    model = found.pop("model", None)
    if not isinstance(model, str):
        raise ConfigError(f"{path} names no model: a folder or ORG/NAME")
    return Spec(path.stem, "transformers", model, found)
