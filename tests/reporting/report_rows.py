"""Rows and samples that look like those of a real run: smooth curves, growing costs, gaps."""

from __future__ import annotations

import math

from harness.reporting.sample import Sample, SampleCandidate
from harness.types import ResultRow

BUDGETS = (1, 2, 4, 8, 16, 32, 64)
PRMS = {"math-large": 0.93, "math-small": 0.80, "code": 0.55, "mixed": 0.86}
AGGREGATIONS = ("min", "prod", "last")
SUBSETS = {"gsm8k": 400, "math": 1000, "olympiadbench": 1000, "omnimath": 1000}


def row(**changes: object) -> ResultRow:
    """One ordinary row, changed as asked."""
    values: dict[str, object] = {
        "task": "chain_arithmetic",
        "task_version": "1",
        "domain": "math",
        "policy": "tiny",
        "prm": None,
        "method": "majority",
        "aggregation": None,
        "headline": True,
        "budget": 64,
        "metric": "accuracy",
        "value": 0.5,
        "ci_low": 0.43,
        "ci_high": 0.57,
        "ci_method": "bootstrap",
        "n_problems": 200,
        "n_total": 200,
        "n_ungraded": 0,
        "replicas": 1,
        "policy_tokens": 4096.0,
        "prm_tokens": None,
        "flops": 1.25e11,
        "seconds_per_problem": 0.75,
        "seconds_kind": "throughput",
        "executions": 0,
        "truncated_share": 0.0125,
        "run_digest": "0" * 64,
    }
    assert values.keys() >= changes.keys()
    return ResultRow(**{**values, **changes})  # type: ignore[arg-type]


def selection_rows(
    tasks: tuple[str, ...] = ("chain_arithmetic", "chain_programs"),
) -> tuple[ResultRow, ...]:
    """Greedy, majority, weighted vote, best of N and pass@N over seven budgets."""
    rows: list[ResultRow] = []
    for place, task in enumerate(tasks):
        start = 0.41 - 0.09 * place
        n = 200 if place == 0 else 164

        def point(value: float, budget: int, prm: str | None = None, **more: object) -> ResultRow:
            half = 1.96 * math.sqrt(max(value * (1 - value), 0.01) / n)  # noqa: B023
            policy, judged = 61.7 * budget, 118.3 * budget if prm else None
            size = 0.3 if prm and "small" in prm else 1.0
            return row(
                task=task,  # noqa: B023
                domain="math" if "arith" in task else "code",  # noqa: B023
                prm=prm,
                budget=budget,
                value=value,
                ci_low=max(0.0, value - half),
                ci_high=min(1.0, value + half),
                n_problems=n,  # noqa: B023
                n_total=n if place == 0 else 378,  # noqa: B023
                n_ungraded=3 * place,  # noqa: B023
                policy_tokens=policy,
                prm_tokens=judged,
                flops=1.75e6 * policy + (1.75e6 * size * judged if judged else 0.0),
                seconds_per_problem=0.011 * budget + (0.004 * size * budget if prm else 0) + 0.02,
                **more,
            )

        rows.append(point(start + 0.03, 1, method="greedy"))
        for budget in BUDGETS:
            step = math.log2(budget) / 6
            rows.append(point(start + 0.17 * step**0.7, budget, method="majority"))
            for prm, skill in PRMS.items():
                here = skill if (prm == "code") == (place == 1) else skill - 0.35
                for rank, aggregation in enumerate(AGGREGATIONS):
                    loss = 0.02 * rank
                    more = {"aggregation": aggregation, "headline": rank == 0}
                    vote = start + (0.17 + 0.2 * here - loss) * step**0.75
                    rows.append(point(vote, budget, prm, method="weighted_vote", **more))
                    best = start + (0.5 * here - loss) * step**0.8 - 0.1 * (1 - here) * step**3
                    rows.append(point(best, budget, prm, method="best_of_n", **more))
            ceiling = 1 - (1 - start) * (1 - 0.96 * step**0.8)
            rows.append(point(ceiling, budget, method="pass_at_n", metric="pass_at_n"))
    return tuple(rows)


def first_error_rows() -> tuple[ResultRow, ...]:
    """F1, its parts and thresholds on ProcessBench's four subsets, and the mean."""
    rows: list[ResultRow] = []
    prms = {"Math-Shepherd-PRM-7B": 0.48, "Qwen2.5-Math-PRM-7B": 0.82, "Qwen2.5-Math-PRM-72B": 0.87}
    common = {"policy": None, "budget": None, "aggregation": None, "policy_tokens": None}
    for method, shift in (("first_error", 0.0), ("first_error_tuned", 0.015)):
        for prm, base in prms.items():
            f1s = []
            for place, (subset, n) in enumerate(SUBSETS.items()):
                f1 = round(base - 0.055 * place + shift, 3)
                f1s.append(f1)
                values = {
                    "f1": f1,
                    "acc_error": f1 - 0.06,
                    "acc_correct": min(0.99, f1 + 0.07),
                    "acc_right_answer_wrong_process": f1 - 0.2,
                    "threshold": 0.5 - shift,
                }
                for metric, value in values.items():
                    whole = metric == "threshold"
                    rows.append(
                        row(
                            **common,
                            task=f"processbench_{subset}",
                            prm=prm,
                            method=method,
                            metric=metric,
                            value=value,
                            ci_low=None if whole else value - 0.8 / n**0.5,
                            ci_high=None if whole else value + 0.8 / n**0.5,
                            n_problems=n,
                            n_total=n,
                            truncated_share=None,
                            prm_tokens=None,
                            flops=None,
                            seconds_per_problem=None,
                            seconds_kind=None,
                        )
                    )
            mean = sum(f1s) / len(f1s)
            rows.append(
                row(
                    **common,
                    task="processbench",
                    prm=prm,
                    method=method,
                    metric="f1",
                    value=mean,
                    ci_low=mean - 0.015,
                    ci_high=mean + 0.015,
                    n_problems=3400,
                    n_total=3400,
                    truncated_share=None,
                    flops=None,
                    seconds_per_problem=None,
                    seconds_kind=None,
                )
            )
    return tuple(rows)


def samples(problems: int = 4, candidates: int = 8) -> tuple[Sample, ...]:
    """Chains of sums under two PRMs; every third candidate slips at its second step."""
    made = []
    for number in range(problems):
        a, b = 47 + number, 38 + 2 * number
        for prm in ("math-large", "math-small"):
            shown = []
            for index in range(candidates):
                slip = 10 if index % 3 == 1 else 0
                total = a + b - slip
                steps = (
                    f"a={a}+{b}={total}\n",
                    f"b=20+a={total + 20}\n",
                    f"\\boxed{{{total + 20}}}",
                )
                low = (0.12 if prm == "math-large" else 0.46) if slip else 0.93 - 0.01 * index
                scores = (low, low * 0.9, low * 0.95)
                verdict = "ungraded" if index == 5 else "wrong" if slip else "correct"
                shown.append(
                    SampleCandidate(
                        index=index,
                        steps=steps,
                        step_scores=scores,
                        score=min(scores),
                        verdict=verdict,
                        answer=str(total + 20),
                        finish="stop",
                        chosen_by=("best_of_n", "weighted_vote") if index == 0 else (),
                    )
                )
            made.append(
                Sample(
                    task="chain_arithmetic",
                    policy="tiny",
                    prm=prm,
                    aggregation="min",
                    problem=f"chain_arithmetic/{number}",
                    prompt=f"a={a}+{b};b=20+a;b?",
                    reference=str(a + b + 20),
                    candidates=tuple(shown),
                    n_candidates=64,
                )
            )
    return tuple(made)
