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
    """One thing to criticise: the first so many steps of a draft."""

    question: Question
    """What the writer is asked; `of_chain` makes that of a chain of it."""
    steps: tuple[str, ...]
    begin: str
    """With which the answer begins."""
    programs: tuple[str, ...] = ()
    """Of the answers that the conversation holds."""
    known: int = 0
    """Tokens of the conversation that were read for an earlier turn of it."""

    def of_chain(self, number: int) -> Question:
        """Return the question of one chain: all are the same but for their random numbers."""
        return replace(self.question, id=f"{self.question.id}/{number}")


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
    shown = [
        fill(recipe.step, step=step.strip(), k=str(i + 1), i=str(i)) for i, step in enumerate(steps)
    ]
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
    content = digest([problem.task, *([turn.role, turn.text] for turn in turns)])[:SHORT]
    number = len(steps)
    question = Question(content, f"{problem.id}/{number}", turns[-1].text, tuple(turns))
    return Case(question, steps, fill(recipe.begin, k=str(number)), programs, known)


def fill(template: str, **texts: str) -> str:
    """Return a template with its slots filled, in one go."""
    return _SLOT.sub(lambda slot: texts.get(slot[1], slot[0]), template)
