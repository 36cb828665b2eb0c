"""``critic:FAMILY,model=POLICY``: a language model that criticises, and is read as a recipe says.

FAMILY is one of ``recipes.yaml`` or a YAML file of one's own, POLICY any policy that the harness
can open; one with options of its own stands in brackets: ``model=[transformers:ORG/NAME,batch=8]``.
The other options are the recipe's, which go before it, and ``sandbox``, ``sandbox_url``: where
programs that a critic writes are run. They are never run here.

What an answer says depends on the conversation, the seed and the number of its chain alone; so
drafts of a call that begin alike share the critiques of what they have in common, and a draft is
judged alone as beside others. Tokens: a chain is one sequence, its conversation and what was put in
are read (``prefill``), the rest is written (``decode``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.critics.chains import Chain, Chains
from harness.prms.critics.programs import Programs
from harness.prms.critics.questions import Case, case
from harness.prms.critics.recipe import from_options, with_recipe
from harness.prms.critics.verdicts import Verdict, combined, read
from harness.prms.critics.writer import Writer
from harness.prms.prm import Covers, check_fit, check_steps
from harness.sandbox.choice import SandboxChoice
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

logger = logging.getLogger(__name__)

_SANDBOXES = ("auto", "namespaces", "docker", "podman", "gvisor", "remote")
"""All that isolate."""

_Key = tuple[int, tuple[str, ...]]
"""Number of the request, and the steps that are criticised."""


class CriticPrm:
    """A model that writes before it judges.

    Raises:
        ConfigError: a wrong option, no model, one that cannot do what the recipe needs.
        DataError: a recipe file that cannot be read.
    """

    def __init__(self, spec: Spec, open_writer: Callable[[str], Writer]) -> None:
        options = Options(with_recipe(spec), "PRM")
        self.spec = spec
        self._recipe = from_options(options)
        model = options.text("model", None)
        where = options.choice("sandbox", "auto", _SANDBOXES)
        url = options.text("sandbox_url", None)
        options.done()
        if model is None:
            raise ConfigError(
                f"PRM {spec.name}: which model writes? Add model=POLICY (run-benchmark ls "
                "policies), in brackets if it has options: model=[transformers:ORG/NAME,batch=8]"
            )
        self._writer = open_writer(model.removeprefix("[").removesuffix("]"))
        self._check_abilities(model)
        self._programs = Programs(SandboxChoice(where, url).open)
        self._chains = Chains(self._recipe, self._writer, self._programs)

    def _check_abilities(self, model: str) -> None:
        """Refuse a writer that cannot do what the recipe needs."""
        recipe = self._recipe
        wanted = {
            "weigh": ("say how probable given words are", recipe.read == "words"),
            "continue": ("go on with a text", bool(recipe.begin or recipe.rounds or recipe.until)),
            "chat": ("be asked by several turns", bool(recipe.system or recipe.per == "turn")),
        }
        for ability, (words, needed) in wanted.items():
            if needed and ability not in self._writer.abilities:
                raise ConfigError(f"PRM {self.spec.name}: the policy {model} cannot {words}")

    @property
    def semantics(self) -> Semantics:
        """The recipe's."""
        return self._recipe.semantics

    @property
    def aggregation(self) -> str:
        """The recipe's."""
        return self._recipe.aggregation

    @property
    def threshold(self) -> float | None:
        """The recipe's."""
        return self._recipe.threshold

    @property
    def covers(self) -> Covers:
        """The recipe's."""
        return self._recipe.covers

    @property
    def live(self) -> bool:
        """Whether the writer can write of anything; a recording cannot."""
        return self._writer.max_samples is None

    @property
    def architecture(self) -> Architecture | None:
        """The writer's."""
        return self._writer.architecture

    @property
    def unit_rows(self) -> int:
        """As many drafts as give the writer what it likes."""
        return max(1, self._writer.unit_rows // self._recipe.chains)

    def identity(self) -> dict[str, Json]:
        """The recipe and the writer."""
        return {
            "adapter": "critic",
            "recipe": self._recipe.identity,
            "writer": self._writer.identity(),
        }

    def describe(self) -> dict[str, Json]:
        """The writer's, and what it is told."""
        return {"critic": self.spec.target, **self._writer.describe()}

    def load(self) -> None:
        """Load the writer."""
        self._writer.load()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Criticise and score; see `Prm.judge`."""
        for request in requests:
            check_steps(request)
        wanted: dict[_Key, None] = {}
        for number, request in enumerate(requests):
            for draft in request.drafts:
                wanted |= dict.fromkeys((number, part) for part in self._parts(draft))
        findings: dict[_Key, Finding] = {}
        if self._recipe.per == "turn":
            # A turn shows the answers to those before it.
            for size in sorted({len(steps) for _, steps in wanted}):
                self._criticise(requests, [key for key in wanted if len(key[1]) == size], findings)
        elif wanted:
            self._criticise(requests, list(wanted), findings)
        return [self._reply(number, r, findings) for number, r in enumerate(requests)]

    def remember(self, on: bool) -> None:
        """A critique is of what it is asked; none is kept."""

    def close(self) -> None:
        """Close the writer and the sandbox."""
        self._writer.close()
        self._programs.close()

    def _parts(self, draft: Draft) -> list[tuple[str, ...]]:
        """Return what is criticised of a draft: its steps up to some of them."""
        sizes = range(1, len(draft.steps) + 1)
        if self._recipe.per == "solution":
            sizes = sizes[-1:]
        return [draft.steps[:size] for size in sizes]

    def _criticise(
        self, requests: Sequence[Judge], keys: Sequence[_Key], findings: dict[_Key, Finding]
    ) -> None:
        """Criticise some parts and note what is found."""
        cases = [self._case(requests[key[0]], key, findings) for key in keys]
        findings.update(zip(keys, self._find(cases), strict=True))

    def _find(self, cases: Sequence[Case]) -> list[Finding]:
        """Have critiques written, and read them."""
        written = self._chains.write(cases)
        found = [
            Finding(one, chains, self._verdicts(one, chains), self.architecture)
            for one, chains in zip(cases, written, strict=True)
        ]
        self._tell(written, [verdict for one in found for verdict in one.verdicts])
        return found

    def _case(self, request: Judge, key: _Key, findings: dict[_Key, Finding]) -> Case:
        number, steps = key
        if self._recipe.per != "turn":
            return case(self._recipe, request.question, steps)
        before = [findings[number, steps[:size]].chains[0] for size in range(1, len(steps))]
        return case(
            self._recipe,
            request.question,
            steps,
            [chain.text for chain in before],
            tuple(code for chain in before for code in chain.programs),
            before[-1].size if before else 0,
        )

    def _verdicts(self, one: Case, chains: Sequence[Chain]) -> list[Verdict | None]:
        """Return each chain's verdict."""
        if self._recipe.read == "words":
            return [None if c.probability is None else (c.probability,) for c in chains]
        return [read(self._recipe, chain.text[chain.put :], len(one.steps)) for chain in chains]

    def _tell(self, written: Sequence[Sequence[Chain]], verdicts: Sequence[Verdict | None]) -> None:
        """Say how many answers hold no verdict."""
        missing, cut = verdicts.count(None), [c for own in written for c in own if c.truncated]
        if not missing:
            return
        full = sum(not chain.decoded for chain in cut)
        logger.warning(
            "PRM %s: %d of %d answers hold no verdict; %d were cut at max_tokens or at the end of "
            "the context%s",
            self.spec.name,
            missing,
            len(verdicts),
            len(cut),
            f", {full} of them before they began: the question alone fills it" if full else "",
        )

    def _reply(self, number: int, request: Judge, findings: dict[_Key, Finding]) -> Judged:
        """Return the scores of one request's drafts and what they cost."""
        own = [[findings[number, part] for part in self._parts(d)] for d in request.drafts]
        scores = tuple(
            self._scores(draft, parts) if parts else None
            for draft, parts in zip(request.drafts, own, strict=True)
        )
        return Judged(scores, spent([one for parts in own for one in parts]))

    def _scores(self, draft: Draft, parts: Sequence[Finding]) -> StepScores:
        """Return the scores of one draft: its one verdict, or those of its parts."""
        found = [combined(self._recipe.combine, part.verdicts) for part in parts]
        values = tuple(value for verdict in found if verdict is not None for value in verdict)
        missing = sum(part.verdicts.count(None) for part in parts)
        silent = None in found
        costs = [part.flops for part in parts]
        known = [cost for cost in costs if cost is not None]
        if len(parts) == 1 and len(draft.steps) > 1 and self.covers == "steps":
            known = [0] * (len(draft.steps) - 1) + known
        scores = StepScores(
            () if silent else values,
            self._recipe.semantics,
            truncated=any(chain.truncated for part in parts for chain in part.chains),
            tokens=sum(part.read + part.decoded for part in parts),
            flops=None if None in costs else tuple(known),
            unparsed=1.0 if silent else missing / sum(len(part.verdicts) for part in parts),
        )
        return check_fit(scores, draft, self.covers, self.spec.name)


class Finding:
    """What the chains of a case say, and what they cost."""

    def __init__(
        self,
        one: Case,
        chains: Sequence[Chain],
        verdicts: list[Verdict | None],
        shape: Architecture | None,
    ) -> None:
        self.chains, self.verdicts = chains, verdicts
        self.decoded = sum(chain.decoded for chain in chains)
        self.read = sum(chain.size - chain.decoded for chain in chains)
        self.computed = sum(chain.computed for chain in chains)
        orders = [chains[::2], chains[1::2]] if one.turned else [chains]
        self.flops = (
            None if shape is None else sum(_flops(shape, one, own) for own in orders if own)
        )
        """Of an engine that keeps what it has read: the conversation (of a pair each order) is read
        once for all chains, and of a later turn what is new."""


def spent(findings: Sequence[Finding]) -> Tokens:
    """Return the tokens that a reply's findings took; one that is there twice was written once."""
    unique = {id(one): one for one in findings}.values()
    return Tokens(
        calls=sum(len(one.chains) for one in findings),
        prefill_logical=sum(one.read for one in findings),
        prefill_computed=sum(one.computed for one in unique),
        decode=sum(one.decoded for one in unique),
    )


def _flops(shape: Architecture, one: Case, chains: Sequence[Chain]) -> int:
    prompt = chains[0].prompt
    known = min(one.known, prompt)
    total = shape.prefill(prompt - known, cached=known, outputs=0)
    for chain in chains:
        # Every token that was written took the head's numbers, and so did the verdict's place.
        outputs = chain.decoded + (chain.probability is not None)
        total += shape.prefill(chain.size - prompt, cached=prompt, outputs=outputs)
    return total
