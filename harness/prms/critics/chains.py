"""Writing critiques: every chain of every case at once, with programs run in between.

A chain is one sequence: a conversation, what was written, what was put in (programs' output, the
end that the verdict is read after). It is charged as one, whatever an engine reads again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from harness.prms.critics.programs import Programs, last_program
from harness.prms.critics.questions import Case
from harness.prms.critics.recipe import Recipe
from harness.prms.critics.verdicts import place, probability
from harness.prms.critics.writer import Weighing, Writer
from harness.types import Cut, Draft, Extend, Question, Weigh


@dataclass(slots=True)
class Chain:
    """One answer on its way."""

    question: Question
    draft: Draft
    put: int
    """Characters of the draft up to the end of what was put in last: no verdict stands there."""
    earlier: tuple[str, ...] = ()
    """Programs that were run in the answers that the conversation holds."""
    programs: list[str] = field(default_factory=list)
    """Those that were run in this one."""
    analysis: str = ""
    """What was written before any program."""
    probability: float | None = None
    """Of the good word, where words are weighed and the context had room for them."""
    truncated: bool = False
    """It was cut at ``max_tokens`` or at the end of the context."""
    prompt: int = 0
    """Tokens of the conversation and of the answer's beginning."""
    size: int = 0
    """Tokens of the whole sequence."""
    decoded: int = 0
    """Those of them that were written."""
    computed: int = 0
    """Tokens that were read by the engine in fact."""

    @property
    def text(self) -> str:
        """The answer, from its beginning."""
        return self.draft.text

    def put_in(self, text: str) -> None:
        """Go on with a text that the writer did not write."""
        self.draft = replace(self.draft, steps=(*self.draft.steps, text), finish=None)
        self.put = len(self.text)

    def charge(self, read: int, computed: int, decoded: int) -> None:
        """Note what one request cost: `read` tokens stood before what was decoded."""
        self.prompt = self.prompt or read
        self.size = max(self.size, read) + decoded
        self.decoded += decoded
        self.computed += computed


class Chains:
    """A writer that writes as a recipe says."""

    def __init__(self, recipe: Recipe, writer: Writer, programs: Programs) -> None:
        self._recipe, self._writer, self._programs = recipe, writer, programs
        self._chats = "chat" in writer.abilities

    def write(self, cases: Sequence[Case]) -> list[list[Chain]]:
        """Return the chains of each case, with the probability of the good word if it is wanted."""
        count = self._recipe.chains
        chains = [self._begun(case, number) for case in cases for number in range(count)]
        if self._recipe.rounds:
            self._with_programs(chains)
        else:
            self._extend(chains, self._recipe.until)
        if self._recipe.read == "words":
            self._weigh(chains)
        return [chains[first : first + count] for first in range(0, len(chains), count)]

    def _begun(self, case: Case, number: int) -> Chain:
        question = case.of_chain(number)
        if not self._chats:
            question = replace(question, chat=())
        steps = (case.begin,) if case.begin else ()
        return Chain(question, Draft(steps), len(case.begin), case.programs)

    def _extend(self, chains: Sequence[Chain], ends: tuple[str, ...]) -> None:
        """Write on, up to one of some strings, which stay."""
        cut = Cut(tuple(dict.fromkeys(ends))) if ends else None
        requests = [
            Extend(chain.question, (chain.draft,), self._recipe.sampling, cut) for chain in chains
        ]
        replies = self._writer.extend(requests)
        for chain, reply in zip(chains, replies, strict=True):
            (chain.draft,) = reply.drafts
            tokens = reply.tokens
            chain.truncated = chain.draft.finish == "length"
            chain.charge(tokens.prefill_logical, tokens.prefill_computed, tokens.decode)

    def _with_programs(self, chains: Sequence[Chain]) -> None:
        """Write analyses, then programs; run these, and let their output be read."""
        recipe = self._recipe
        self._extend(chains, (recipe.analysis,))
        for chain in chains:
            chain.analysis = chain.text
            chain.put_in(recipe.program)
        going = list(chains)
        for number in range(recipe.rounds):
            going = [c for c in going if (c.draft.tokens or 0) < recipe.max_tokens]
            self._extend(going, (recipe.fence, *recipe.until))
            going = [c for c in going if c.draft.finish is None and c.text.endswith(recipe.fence)]
            if not going or number == recipe.rounds - 1:
                break
            self._run(going)
        for chain in chains:
            if self._place(chain) is None:
                # No verdict: what was written of programs is dropped, as its authors do.
                analysis = chain.analysis.split(recipe.analysis)[0] + recipe.analysis
                chain.draft = replace(chain.draft, steps=(analysis,), finish=None)
                chain.put = len(analysis)

    def _run(self, chains: Sequence[Chain]) -> None:
        """Run the last program of each chain and put in what it printed."""
        codes = [last_program(chain.text[len(chain.analysis) :]) for chain in chains]
        outputs = self._programs.run(
            [[*c.earlier, *c.programs, code] for c, code in zip(chains, codes, strict=True)]
        )
        for chain, code, output in zip(chains, codes, outputs, strict=True):
            chain.programs += [code] if code else []
            chain.put_in(self._recipe.output.replace("{output}", output))

    def _place(self, chain: Chain) -> int | None:
        recipe = self._recipe
        return place(chain.text, chain.put, recipe.mark, (recipe.good, recipe.bad))

    def _weigh(self, chains: Sequence[Chain]) -> None:
        """Weigh the good word against the bad one, where the answer says or at a forced end."""
        recipe = self._recipe
        words, places = (recipe.good, recipe.bad), [self._place(chain) for chain in chains]
        ends = [
            chain.text + recipe.forced if at is None else chain.text[:at]
            for chain, at in zip(chains, places, strict=True)
        ]
        replies = cast(Weighing, self._writer).weigh(
            [Weigh(c.question, Draft((end,)), words) for c, end in zip(chains, ends, strict=True)]
        )
        for chain, at, reply in zip(chains, places, replies, strict=True):
            tokens = reply.tokens
            chain.charge(tokens.prefill_logical, tokens.prefill_computed, 0)
            if reply.logprobs is None:
                continue
            chain.probability = probability(reply.logprobs)
            if at is None and recipe.close:
                said = recipe.good if chain.probability >= 0.5 else recipe.bad
                chain.put_in(recipe.forced + said + recipe.close)
