"""What a user should know before a run begins, and while it is under way."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.policies.policy import Policy
    from harness.runner.plan import Plan


def say(line: str) -> None:
    """Say what happened in a run; a display that is at work puts it above its bars."""
    print(line, file=sys.stderr)  # which the display has taken over: typer.echo would pass it by


def say_notes(plan: Plan, given: Mapping[str, Any]) -> None:
    """Say what a user should know before a run: of tasks, uneven pools, a --budget by searches.

    Raises:
        ConfigError: a --budget that nothing of the run heeds.
    """
    _check_budgets(plan, given)
    tasks = [*(pool.task for pool in plan.pools), *(search.task for search in plan.searches)]
    for note in dict.fromkeys(task.note for task in tasks if task.note):
        typer.echo(note, err=True)
    for policy in {pool.name: pool.policy for pool in plan.pools}.values():
        if policy is not None and policy.spec.adapter == "pool" and plan.sweep.samples is None:
            _say_uneven(policy)


def _say_uneven(policy: Policy) -> None:
    """Say how many candidates are used where a recording has more of some problems."""
    held = policy.describe()
    if held["fewest"] != held["most"]:
        typer.echo(
            f"policy {policy.spec.name} has {held['fewest']} to {held['most']} candidates per "
            f"problem; the first {held['fewest']} of each are used",
            err=True,
        )


def _check_budgets(plan: Plan, given: Mapping[str, Any]) -> None:
    """Say that searches have budgets of their own where --budget names others."""
    from harness.errors import ConfigError

    asked, heeded = given.get("budgets"), plan.sweep.search.budgets
    if not plan.searches or "search.budgets" in given or set(asked or heeded) == set(heeded):
        return
    said = (
        f"searches come up with {', '.join(map(str, heeded))} candidates: --budget is of methods "
        f"on pools; --set 'search.budgets={asked}' is of searches"
    )
    if not any(pool.policy is not None and not pool.greedy for pool in plan.pools):
        raise ConfigError(said)
    typer.echo(said, err=True)
