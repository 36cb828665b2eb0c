"""What a critic is asked: conversations made of a problem, steps and earlier answers.

Texts of others are put in, never interpreted: a slot's name in a step is no slot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.digest import SHORT, digest
from harness.prms.critics.recipe import Recipe
from harness.types import Question, Turn

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to criticise: the first so many steps of a draft, or two drafts."""

    question: Question
    """What the writer is asked; `of_chain` makes that of a chain of it."""
    steps: tuple[str, ...]
    """Of a pair those of the first."""
    begin: str
    """With which the answer begins."""
    programs: tuple[str, ...] = ()
    """Of the answers that the conversation holds."""
    known: int = 0
    """Tokens of the conversation that were read for an earlier turn of it."""
    turned: Question | None = None
    """Of a pair: the same with the two in the other order, for every other chain."""

    def of_chain(self, number: int) -> Question:
        """Return the question of one chain: all are the same but for their random numbers, and for
        the order of a pair."""
        question = self.turned if self.turned and number % 2 else self.question
        return replace(question, id=f"{question.id}/{number}")


def case(
    recipe: Recipe,
    problem: Question,
    steps: tuple[str, ...],
    answers: Sequence[str] = (),
    programs: tuple[str, ...] = (),
    known: int = 0,
) -> Case:
    """Return what is asked of steps of a draft.

    Args:
        recipe: How.
        problem: The problem.
        steps: From the first to the last that the critic sees.
        answers: One per earlier turn, where the recipe is ``per`` turn.
        programs: Those that were run in these answers.
        known: Tokens that were read for the last of these.
    """
    shown = _shown(recipe, steps)
    asked = {"prompt": problem.prompt.strip(), "step": shown[-1]}
    asked["steps"] = recipe.separator.join(shown)
    asked["previous"] = recipe.separator.join(shown[:-1])
    turns = [Turn("system", recipe.system)] if recipe.system else []
    if recipe.per == "turn":
        turns.append(Turn("user", fill(recipe.template, **{**asked, "step": shown[0]})))
        for answer, step in zip(answers, shown[1:], strict=True):
            turns += [Turn("assistant", answer), Turn("user", step)]
    else:
        turns.append(Turn("user", fill(recipe.template, **asked)))
    number = str(len(steps))
    question = _question(problem, number, turns)
    return Case(question, steps, fill(recipe.begin, k=number), programs, known)


def pair(recipe: Recipe, problem: Question, one: tuple[str, ...], other: tuple[str, ...]) -> Case:
    """Return what is asked of two solutions, in one order and in the other."""

    def asked(first: tuple[str, ...], second: tuple[str, ...]) -> Question:
        texts = [recipe.separator.join(_shown(recipe, steps)) for steps in (first, second)]
        turns = [Turn("system", recipe.system)] if recipe.system else []
        prompt = problem.prompt.strip()
        filled = fill(recipe.template, prompt=prompt, first=texts[0], second=texts[1])
        turns.append(Turn("user", filled))
        return _question(problem, f"{len(first)}-{len(second)}", turns)

    return Case(asked(one, other), one, fill(recipe.begin), turned=asked(other, one))


def _shown(recipe: Recipe, steps: Sequence[str]) -> list[str]:
    """Return steps as they are shown."""
    return [
        fill(recipe.step, step=step.strip(), k=str(i + 1), i=str(i)) for i, step in enumerate(steps)
    ]


def _question(problem: Question, part: str, turns: Sequence[Turn]) -> Question:
    """Return the question that a conversation is; random numbers follow from its content."""
    content = digest([problem.task, *([turn.role, turn.text] for turn in turns)])[:SHORT]
    return Question(content, f"{problem.id}/{part}", turns[-1].text, tuple(turns))


def fill(template: str, **texts: str) -> str:
    """Return a template with its slots filled, in one go."""
    return _SLOT.sub(lambda slot: texts.get(slot[1], slot[0]), template)
