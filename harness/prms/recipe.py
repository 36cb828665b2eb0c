"""How a solution is shown to a PRM and how its numbers become scores: data, with a digest.

A recipe says five things, each an option on the command line and a key in ``recipes.yaml``, which
holds those of the published families:

``render``   ``template``, ``chat``, ``system``, ``step``, ``separator``, ``end``, ``newlines`` and
             ``encode``: the text, and whether its parts are encoded one by one or all at once
``tag``      the token that marks the end of a step, if one does
``read``     where a step's number stands: ``at`` that token or ``before`` it
``head``     from the model's numbers to a score; ``weights``, ``good``, ``bad``, ``scale`` for it
``semantics``  what the score means, and with it which aggregations are legal

`harness.prms.render` builds the input, `harness.prms.heads` the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from harness.adapters.options import Options
from harness.digest import digest
from harness.errors import ConfigError, DataError, nearest, unknown
from harness.prms import aggregate
from harness.types import Json, Semantics, Spec

FAMILIES = Path(__file__).with_name("recipes.yaml")
"""The recipes of the published families."""

Floats = NDArray[np.float64]

Head = Literal[
    "sigmoid",
    "tanh",
    "clamp",
    "raw",
    "softmax",
    "difference",
    "validity",
    "redundancy",
    "pair",
    "vocabulary",
]
"""From numbers to a score. Of one number: its sigmoid · its hyperbolic tangent · itself, cut to
0…1 · itself. Of two classes (wrong, right): the second's softmax · the second's less the first's.
Of three (negative, neutral, positive): the last two's softmax · the middle one's. Of the language
model's logits: softmax of the token ``good`` against ``bad`` · sigmoid of the mean over the whole
vocabulary."""

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

HEADS: tuple[Head, ...] = get_args(Head)
LM_HEADS: tuple[Head, ...] = ("pair", "vocabulary")
"""Those that read the language model's own output."""
NUMBERS: Mapping[Head, int] = {
    **dict.fromkeys(HEADS, 1),
    **dict.fromkeys(("softmax", "difference", "pair"), 2),
    **dict.fromkeys(("validity", "redundancy"), 3),
}
"""How many numbers per token a head reads."""

_USUAL: Mapping[Head, Semantics] = {
    **dict.fromkeys(HEADS, "p_correct"),
    **dict.fromkeys(("tanh", "clamp", "difference"), "value"),
    **dict.fromkeys(("raw", "redundancy"), "reward"),
}
"""What scores mean if nothing is said."""


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
    """Text in the place of the last separator; special tokens in it are such."""
    newlines: Literal["keep", "space"] = "keep"
    """What becomes of line breaks within a step."""
    encode: Encode = "parts"
    tag: str = ""
    """The token in the separator at which a step is read; if empty, its last token."""
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

    def __post_init__(self) -> None:
        last = {"none": True, "turns": True, "answer": False}[self.chat]
        if self.template.count("{prompt}") != 1:
            raise ConfigError(f"template {self.template!r} must hold {{prompt}} once")
        if self.template.endswith("{steps}") != last or self.template.count("{steps}") != last:
            wanted = "end with {steps}" if last else "leave {steps} to the assistant's turn"
            raise ConfigError(f"chat={self.chat}: template {self.template!r} must {wanted}")
        if self.step.count("{step}") != 1:
            raise ConfigError(f"step {self.step!r} must hold {{step}} once")
        if self.tag and self.tag not in self.separator:
            raise ConfigError(f"separator {self.separator!r} does not hold the tag {self.tag!r}")
        if self.chat != "none" and self.encode == "text":
            raise ConfigError(f"chat={self.chat} is encoded in parts: its tokens mark their ends")
        if (self.head in LM_HEADS) != (self.weights == "lm"):
            reads = "the language model" if self.head in LM_HEADS else "a head"
            raise ConfigError(f"head={self.head} reads {reads}; weights={self.weights} is another")
        if self.scale <= 0:
            raise ConfigError(f"scale={self.scale:g} must be above 0")
        aggregate.check(self.aggregation, self.semantics)

    @property
    def identity(self) -> str:
        """Digest of all that decides a score: not the aggregation, the threshold, nor what is not
        scored."""
        return digest(
            list(astuple(replace(self, aggregation="last", threshold=None, unreadable="error")))
        )

    def before_steps(self, prompt: str) -> str:
        """Return the text before the steps. The prompt is inserted, never interpreted."""
        before, after = self.template.removesuffix("{steps}").split("{prompt}")
        return before + prompt + after

    def step_text(self, step: str, number: int) -> str:
        """Return the text of a step without its separator; `number` counts from 1."""
        if self.separator or self.end:
            step = step.rstrip()
        if self.chat == "turns":
            step = step.strip()
        if self.newlines == "space":
            step = " ".join(line.strip() for line in step.splitlines() if line.strip())
        before, after = self.step.replace("{k}", str(number)).split("{step}")
        return before + step + after

    def raw(self, numbers: Floats) -> Floats:
        """Return (steps,) what the score is a growing function of, from (steps, numbers)."""
        match self.head:
            case "softmax" | "difference":
                return numbers[:, 1] - numbers[:, 0]
            case "pair":
                return numbers[:, 0] - numbers[:, 1]
            case "validity":
                return np.logaddexp(numbers[:, 1], numbers[:, 2]) - numbers[:, 0]
            case "redundancy":
                return numbers[:, 1] - np.logaddexp(numbers[:, 0], numbers[:, 2])
        return numbers[:, 0] / self.scale

    def scores(self, numbers: Floats) -> Floats:
        """Return the scores of the model's numbers: (steps, numbers) to (steps,)."""
        return _SQUASH[self.head](self.raw(numbers))


_SQUASH: dict[Head, Callable[[Floats], Floats]] = {
    **dict.fromkeys(HEADS, aggregate.sigmoid),
    "tanh": np.tanh,
    "clamp": lambda raw: np.clip(raw, 0.0, 1.0),
    "raw": lambda raw: raw,
    "difference": lambda raw: np.tanh(raw / 2),
}


def from_options(options: Options) -> Recipe:
    """Read a recipe from a PRM's options; whatever is not given has its default.

    Raises:
        ConfigError: a value that does not exist, choices that do not go together.
    """
    head = options.choice("head", "sigmoid", HEADS)
    semantics = aggregate.check_semantics(options.text("semantics", None) or _USUAL[head])
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
        threshold=options.number_or("threshold", _threshold(head, semantics), -1e9, 1e9),
        max_length=options.integer("max_length", None, low=2),
        unreadable=options.choice("unreadable", "error", get_args(Unreadable)),
    )


def _threshold(head: Head, semantics: Semantics) -> float | None:
    """Return where a head's scores are as far from right as from wrong, if that can be said."""
    if head in ("tanh", "difference"):
        return 0.0
    return None if head == "redundancy" else aggregate.threshold(semantics)


KEYS = ("model", "revision", "recipe", *(field.name for field in fields(Recipe)))
"""What a recipe file may say; ``recipe`` is the family that it departs from."""


def with_recipe(spec: Spec) -> Spec:
    """Return a spec with the options of the recipe that its option ``recipe`` names.

    ``recipe=`` is a family of ``recipes.yaml`` or a YAML file with a recipe's keys. What the spec
    says itself goes before what the recipe says.

    Raises:
        ConfigError: no such family, a file with a key that no recipe has.
        DataError: a file that is not there or no YAML.
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
        ConfigError: a key that no recipe has.
        DataError: a file that is not there or no mapping of YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node, data = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the recipe {path}: {error}") from error
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise DataError(f"{path}{line}: not valid YAML") from error
    if not isinstance(node, yaml.MappingNode):
        raise DataError(f"{path}: a recipe is a mapping of {', '.join(keys)}")
    for key, _ in node.value:
        if key.value not in keys:
            where = f"{path}:{key.start_mark.line + 1}"
            raise ConfigError(f"{where}: a recipe has no {key.value!r}; {nearest(key.value, keys)}")
    found: dict[str, Json] = data
    return found


def of_file(name: str) -> Spec:
    """Return the PRM that a recipe file with the key ``model`` describes.

    Raises:
        ConfigError: a key that no recipe has, no model.
        DataError: a file that is not there or no mapping of YAML.
    """
    path = Path(name)
    found = read_file(path)
    model = found.pop("model", None)
    if not isinstance(model, str):
        raise ConfigError(f"{path} names no model: a folder or ORG/NAME")
    return Spec(path.stem, "transformers", model, found)
