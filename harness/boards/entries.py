"""Rows of a board: of a submission that was checked, and of the pools by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from harness.boards.check import Checked
from harness.boards.definition import BoardDefinition
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome, policy_tokens, references
from harness.boards.rerun import Rerun
from harness.boards.slices import Facets, slices
from harness.boards.standing import Card, Column, Cost, Entry, Link, Slice, Value
from harness.boards.submission import RECIPE, Submission
from harness.digest import file_digest
from harness.store.format import slug

TYPED = "typed by the submitter"


def entry_of(
    checked: Checked,
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    parts: Mapping[str, Facets],
    rerun: Rerun | None,
) -> Entry:
    """Return the row of a sound submission, not ranked yet."""
    submission, rule = checked.submission, checked.rule
    assert submission is not None and rule is not None
    columns = {column.id: column for column in board.columns()}
    values = [
        _value(checked, columns[id_], outcome, pools)
        for id_, outcome in checked.outcomes.items()
        if np.isfinite(outcome.figure.value)
    ]
    if not checked.readings:
        values = [
            Value(id_, float(typed), None, None, None, source=TYPED)
            for id_, typed in submission.reported.items()
        ]
    remarks = [f"{f.what}; {f.remedy}" for f in checked.findings if f.level != "error"]
    if rerun is not None:
        remarks.append(rerun.sentence)
    return Entry(
        id=checked.folder.name,
        name=submission.name,
        role=submission.role,
        trust=checked.trust if rerun is None else "re-run",
        card=_card(checked, submission),
        values=tuple(values),
        slices=tuple(_slices(checked, board, columns, parts)),
        calibration=tuple(r.calibration for r in checked.readings.values() if r.calibration),
        samples=tuple(one for r in checked.readings.values() for one in r.scored),
        remarks=tuple(remarks),
    )


def _slices(
    checked: Checked,
    board: BoardDefinition,
    columns: Mapping[str, Column],
    parts: Mapping[str, Facets],
) -> Iterator[Slice]:
    """Yield the ranked figures on parts of their problems, and figures by category of error."""
    for id_ in board.ranking:
        if id_ in checked.outcomes:
            facets = parts[columns[id_].pool or ""]
            yield from slices(columns[id_], checked.outcomes[id_], facets, board.seed)
    for id_, outcome in checked.outcomes.items():
        for category, own in outcome.parts.items():
            yield Slice(id_, "category", category, own.value, own.low, own.high, own.n)


def _value(
    checked: Checked, column: Column, outcome: Outcome, pools: Mapping[str, FrozenPool]
) -> Value:
    rule = checked.rule
    assert rule is not None and column.pool is not None
    pool, reading = pools[column.pool], checked.readings[column.pool]
    steps = pool.kind == "steps"
    return Value(
        column=column.id,
        value=outcome.figure.value,
        low=outcome.figure.low,
        high=outcome.figure.high,
        n=outcome.figure.n // (reading.replicas if outcome.items is not None and not steps else 1),
        aggregation=None if steps else rule.aggregation,
        threshold=rule.threshold if steps else None,
        replicas=reading.replicas,
        ungraded=int(np.isnan(pool.correct[pool.present]).sum()),
        cost=reading.cost(pool, column),
    )


def _card(checked: Checked, submission: Submission) -> Card:
    model, recipe = submission.model, checked.folder / RECIPE
    named = next((part[7:] for part in model.prm.split(",") if part.startswith("recipe=")), "")
    return Card(
        authors=submission.authors,
        links=tuple(Link(label, url) for label, url in submission.links.items()),
        licence=submission.licence,
        model=model.prm,
        revision=model.revision,
        base=model.base,
        parameters=model.parameters,
        recipe=named,
        recipe_digest=file_digest(recipe) if recipe.exists() else (model.identity or ""),
        training_domains=submission.training.domains,
        training_data=submission.training.data,
        contamination=submission.contamination.status,
        contamination_note=submission.contamination.statement,
        semantics=submission.semantics,
        command=submission.command,
        provenance=dict(checked.provenance),
        note=submission.note,
    )


def reference_entries(board: BoardDefinition, pools: Mapping[str, FrozenPool]) -> list[Entry]:
    """Return the rows that need no PRM: one sample, the majority, the ceiling."""
    values: dict[str, list[Value]] = {}
    for name, pool in pools.items():
        columns = [column for column in board.columns() if column.pool == name]
        for reference, id_, outcome in references(pool, columns, board.seed):
            column = next(c for c in columns if c.id == id_)
            figure = outcome.figure
            values.setdefault(reference, []).append(
                Value(
                    id_,
                    figure.value,
                    figure.low,
                    figure.high,
                    figure.n,
                    ungraded=int(np.isnan(pool.correct[pool.present]).sum()),
                    cost=Cost(policy_tokens=policy_tokens(pool, column)),
                )
            )
    return [
        Entry(slug(name), name, "reference", "recomputed", Card(), tuple(own))
        for name, own in values.items()
    ]
