"""Whether two sides can be compared: on the same problems under the same rules, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from harness.config import changed_keys, deciding
from harness.errors import ConfigError, unknown
from harness.runner.sides import Side, answered_tasks, entries, listed, same

_SEARCH = ("cut", "limit", "policy_tokens", "flops", "seconds")
"""Settings under which searches find other things, or on other problems."""


def common_tasks(a: Side, b: Side, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the tasks on which both sides have an answer.

    Raises:
        ConfigError: a wanted task that a side lacks; no task at all; sides that cannot be compared
            on one, and what differs.
    """
    answered = [answered_tasks(side) for side in (a, b)]
    wanted = [task for name in wanted for task in a.sweep.groups.get(name, (name,))]
    for side, own in zip((a, b), answered, strict=True):
        for task in wanted:
            if task not in own:
                raise unknown("task", task, own, str(side.run.root))
    tasks = [task for task in answered[0] if task in answered[1]]
    chosen = tuple(task for task in tasks if not wanted or task in wanted)
    if not chosen:
        raise ConfigError(
            f"no task in common: {a.run.root} has {listed(answered[0])}, "
            f"{b.run.root} has {listed(answered[1])} for what is compared"
        )
    for task in chosen:
        _comparable(a, b, task)
    return chosen


# --- what differs --------------------------------------------------------------------------------


def _comparable(a: Side, b: Side, task: str) -> None:
    """Refuse two runs whose difference on a task is not that of what is compared."""
    if same(a.run.root, b.run.root):
        return
    versions = _version(a, task), _version(b, task)
    if versions[0] != versions[1]:
        raise _differs(task, f"task_version: {versions[0]} and {versions[1]}", "run both on one")
    named = a.policy is not None and b.policy is not None and a.policy != b.policy
    searched = bool(a.searches(task) or b.searches(task))
    keys = ["seed", "limit"]
    if searched and not named:
        keys += ["policies", "sampling"]
    if any(entry.task == task and entry.kind == "steps" for entry in a.sweep.pools):
        keys.append("threshold")
    mine, theirs = deciding(a.sweep.config), deciding(b.sweep.config)
    for key in keys:
        own, other = mine.get(key), theirs.get(key)
        if own != other:
            raise _differs(task, f"{key}: {own} and {other}", f"run one again with the same {key}")
    for key in _SEARCH if searched else ():
        own, other = (side.sweep.config.get("search", {}).get(key) for side in (a, b))
        if own != other:
            remedy = f"run one again with the other's search.{key}"
            raise _differs(task, f"search.{key}: {own} and {other}", remedy)
    pools = a.pool(task), b.pool(task)
    if named or searched:
        return
    if pools[0] and pools[1] and pools[0].digest != pools[1].digest:
        ignored = {"name", "prms", "methods", "budgets", "aggregations", "threshold", "search"}
        configs = [
            {key: value for key, value in side.sweep.config.items() if key not in ignored}
            for side in (a, b)
        ]
        changed = "; ".join(changed_keys(*configs)) or "the content of a policy or of a data set"
        raise _differs(
            task,
            f"pool: {pools[0].digest[:8]} and {pools[1].digest[:8]} ({changed})",
            "score one pool with both: run-benchmark score RUN --prm NAME",
        )


def _differs(task: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(f"{task} cannot be compared, {what} differ; {remedy}")


def _version(side: Side, task: str) -> str:
    return next(entry.task_version for entry in entries(side.sweep) if entry.task == task)
