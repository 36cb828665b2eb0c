"""A quick measurement of the trained models, for the cards and for tuning.

It is not the harness: one pool, three aggregations, first-wrong-step F1 at 0.5. Best-of-N takes
the first of equal scores; the majority is over answers (texts, for programs), the first seen of
equal counts. The interval is a paired bootstrap over problems of best-of-64 minus majority.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.embedded import datasets, prms
from harness.embedded.chain_arithmetic import Chain
from harness.embedded.chain_arithmetic import parse as parse_chain
from harness.embedded.chain_errors import answer_is_right
from harness.embedded.chain_errors import rows as error_rows
from harness.embedded.chain_programs import Program
from harness.embedded.chain_programs import parse as parse_program
from harness.embedded.corpus import DOMAINS
from harness.embedded.samples import Sample, steps_of, writer
from harness.embedded.tokenizer import build

log = logging.getLogger(__name__)

SAMPLES = 64
_REDRAWS = 4000

AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "product": math.prod,
    "last": lambda values: values[-1],
}


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one task, one list per problem."""

    domain: str
    items: list[list[Sample]]
    right: np.ndarray[Any, Any]
    """Problem by candidate: whether the answer is right."""
    greedy: float
    """Share of problems that the greedy solution gets right."""
    tokens: float
    """Mean tokens of a candidate, its end token included."""


def draw(policy: Any, domain: str, seed: int, count: int | None = None) -> Pool:
    """Sample the candidates of a task's test problems."""
    rows = datasets.arithmetic_rows() if domain == "arithmetic" else datasets.program_rows()
    read: Callable[[str], Chain | Program] = (
        parse_chain if domain == "arithmetic" else parse_program
    )
    problems = [read(row["problem"]) for row in rows[:count]]
    texts = writer(policy, seed)([f"{p.text}\n" for p in problems for _ in range(SAMPLES)])
    greedy = writer(policy, seed, temperature=0.0)([f"{p.text}\n" for p in problems])
    items, right = [], []
    for number, problem in enumerate(problems):
        mine = [steps_of(text) for text in texts[number * SAMPLES : (number + 1) * SAMPLES]]
        items.append([Sample(domain, problem.text, steps, -1) for steps in mine])
        right.append([answer_is_right(problem, steps) for steps in mine])
    share = np.mean(
        [answer_is_right(p, steps_of(text)) for p, text in zip(problems, greedy, strict=True)]
    )
    length = float(np.mean([len(tokens) + 1 for tokens in build()(texts).input_ids]))
    return Pool(domain, items, np.array(right), float(share), length)


def majority(pool: Pool) -> np.ndarray[Any, Any]:
    """Per problem, whether the most frequent answer is right."""
    found = []
    for items, right in zip(pool.items, pool.right, strict=True):
        answers = [_answer(item) for item in items]
        winner = Counter(answers).most_common(1)[0][0]
        found.append(right[answers.index(winner)])
    return np.array(found)


def _answer(item: Sample) -> str:
    if item.domain == "programs":
        return "\n".join(item.steps)
    return item.steps[-1] if item.steps else ""


def best_of(pool: Pool, prm: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Aggregation -> per problem, whether the best candidate is right."""
    flat = [item for items in pool.items for item in items]
    values = prms.score(prm, flat)
    found = {}
    for name, aggregate in AGGREGATIONS.items():
        scores = np.array([aggregate(steps) if steps else -1.0 for steps in values])
        chosen = scores.reshape(pool.right.shape).argmax(1)
        found[name] = pool.right[np.arange(len(chosen)), chosen]
    return found


def interval(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> tuple[float, float]:
    """The 95 % paired bootstrap interval of the difference of two means."""
    rng = np.random.default_rng(0)
    difference = first.astype(float) - second.astype(float)
    draws = rng.integers(len(difference), size=(_REDRAWS, len(difference)))
    low, high = np.quantile(difference[draws].mean(1), [0.025, 0.975])
    return float(low), float(high)


def first_wrong_f1(prm: Any, domain: str) -> tuple[float, float, float]:
    """F1, accuracy on wrong and accuracy on right solutions of `chain_errors`, threshold 0.5."""
    rows: list[dict[str, Any]] = [row for row in error_rows() if row["domain"] == domain]
    items = [Sample(domain, row["problem"], tuple(row["steps"]), -1) for row in rows]
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for row, values in zip(rows, prms.score(prm, items), strict=True):
        said = next((index for index, value in enumerate(values) if value < 0.5), -1)
        hits[row["label"] >= 0].append(said == row["label"])
    wrong, right = float(np.mean(hits[True])), float(np.mean(hits[False]))
    return 2 * wrong * right / max(1e-9, wrong + right), wrong, right


def measure(policy: Any, named: Mapping[str, Any], seed: int = 7) -> dict[str, Any]:
    """Everything, as plain values: domain -> policy figures, and PRM -> figures."""
    found: dict[str, Any] = {}
    for domain in DOMAINS:
        pool = draw(policy, domain, seed)
        voted = majority(pool)
        found[domain] = {
            "greedy": pool.greedy,
            "pass@1": float(pool.right.mean()),
            f"majority@{SAMPLES}": float(voted.mean()),
            f"pass@{SAMPLES}": float(pool.right.any(1).mean()),
            "tokens": pool.tokens,
            "prms": {name: _measure_prm(pool, voted, prm) for name, prm in named.items()},
        }
        log.info("%s measured", domain)
    return found


def _measure_prm(pool: Pool, voted: np.ndarray[Any, Any], prm: Any) -> dict[str, Any]:
    chosen = best_of(pool, prm)
    f1, wrong, right = first_wrong_f1(prm, pool.domain)
    figures: dict[str, Any] = {"f1": f1, "acc_error": wrong, "acc_correct": right}
    for how, hits in chosen.items():
        low, high = interval(hits, voted)
        gain = float(hits.mean() - voted.mean())
        figures[how] = {"accuracy": float(hits.mean()), "gain": gain, "low": low, "high": high}
    return figures


def policy_table(found: Mapping[str, Any]) -> str:
    """The policy's figures as Markdown."""
    names = ("greedy", "pass@1", f"majority@{SAMPLES}", f"pass@{SAMPLES}")
    lines = [f"| task | {' | '.join(names)} | tokens |", "|---|" + "---|" * (len(names) + 1)]
    for domain in DOMAINS:
        values = " | ".join(f"{found[domain][name]:.3f}" for name in names)
        lines.append(f"| chain_{domain} | {values} | {found[domain]['tokens']:.0f} |")
    return "\n".join(lines)


def prm_table(found: Mapping[str, Any], names: Sequence[str]) -> str:
    """Figures of some PRMs as Markdown, one row per PRM and domain."""
    lines = [
        f"| PRM | task | best-of-{SAMPLES} min | product | last | min minus majority | F1 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        for domain in DOMAINS:
            row = found[domain]["prms"][name]
            values = " | ".join(f"{row[how]['accuracy']:.3f}" for how in AGGREGATIONS)
            gain = "{gain:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row["min"])
            lines.append(f"| {name} | chain_{domain} | {values} | {gain} | {row['f1']:.3f} |")
    return "\n".join(lines)
