"""The engine under step-wise searches: tokens per second of a stream beside one call to the end.

Both write at most as many drafts at once. Beam-like: four children of one parent per problem and
step. Tree-like: one child per problem and step. Each problem goes on as soon as its own request is
finished. Then the PRM on the beam's drafts, step by step, with and without what it remembers. Runs
are interleaved and the best of each counts, because other work on the machine slows them all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from harness.policies.policy import Policy
from harness.problems import load
from harness.registry import open_policy, open_prm
from harness.types import Cut, Draft, Extend, Extended, Judge, Problem, Sampling

PROBLEMS, ROUNDS = 64, 3
SAMPLING = Sampling(max_tokens=256)
STEP = Cut(("\n",))
SHAPES = (("beam-like", 4, 0.6), ("tree-like", 1, 0.5))


def main() -> None:
    problems = load("chain_arithmetic", limit=PROBLEMS)[0].problems
    policy, forgetful = open_policy("embedded"), open_policy("embedded,cache=0")
    for each in (policy, forgetful):
        _call(each, problems[:2], 1)  # loads the model
    for name, rows, target in SHAPES:
        call, stream, bare = _speeds(
            lambda rows=rows: _call(policy, problems, rows),
            lambda rows=rows: _decoded(r for _, r in _stream(policy, problems, rows)),
            lambda rows=rows: _decoded(r for _, r in _stream(forgetful, problems, rows)),
        )
        print(f"{name}: {len(problems)} problems × {rows} drafts")
        print(f"  one call          {call:9,.0f} tokens/s")
        print(f"  stream            {stream:9,.0f} tokens/s   ratio {stream / call:.2f}", end="")
        print(f"  (at least {target:.2f})")
        print(f"  without a cache   {bare:9,.0f} tokens/s   ratio {bare / call:.2f}")
    _prm(problems, _stream(policy, problems, 4))


def _call(policy: Policy, problems: list[Problem], rows: int) -> int:
    """Write all drafts to the end in one call; return the tokens decoded."""
    requests = [Extend(p.question, (Draft(),) * rows, SAMPLING) for p in problems]
    return _decoded(policy.extend(requests))


def _stream(policy: Policy, problems: list[Problem], rows: int) -> list[tuple[int, Extended]]:
    """Write step by step, each problem at its own pace; return all replies with their problem."""
    stream, replies = policy.stream(), list[tuple[int, Extended]]()

    def go_on(number: int, draft: Draft) -> None:
        question = problems[number].question
        stream.submit(number, Extend(question, (draft,) * rows, SAMPLING, STEP))

    for number in range(len(problems)):
        go_on(number, Draft())
    while stream.rows:
        for number, reply in stream.collect():
            replies.append((number, reply))
            if open_ := [draft for draft in reply.drafts if draft.finish is None]:
                go_on(number, open_[len(replies) % len(open_)])
    stream.close()
    return replies


def _prm(problems: list[Problem], replies: list[tuple[int, Extended]]) -> None:
    """Judge a beam's drafts in the order in which they were written, 64 problems in a call."""
    calls: list[list[Judge]] = []
    done: dict[int, int] = {}
    for number, reply in replies:
        depth = done[number] = done.get(number, -1) + 1
        calls += [[]] if depth == len(calls) else []
        drafts = tuple(draft for draft in reply.drafts if draft.steps)
        calls[depth].append(Judge(problems[number].question, drafts))
    prm = open_prm("prm-math-large")
    prm.judge(calls[0][:1])  # loads the model

    def judge(remember: bool) -> int:
        prm.remember(remember)
        judged = [reply for requests in calls for reply in prm.judge(requests)]
        prm.remember(False)
        return sum(reply.tokens.calls for reply in judged)

    plain, remembering = _speeds(lambda: judge(False), lambda: judge(True))
    print(f"PRM: drafts of {len(problems)} problems, judged after every step")
    print(f"  from the start    {plain:9,.0f} drafts/s")
    print(f"  remembering       {remembering:9,.0f} drafts/s   ratio {remembering / plain:.2f}")


def _decoded(replies: Iterable[Extended]) -> int:
    """Tokens decoded."""
    return sum(reply.tokens.decode for reply in replies)


def _speeds(*works: Callable[[], int]) -> list[float]:
    """Return the best speed of each piece of work, in units of what it returns per second."""
    best = [0.0] * len(works)
    for _ in range(ROUNDS):
        for i, work in enumerate(works):
            start = time.perf_counter()
            amount = work()
            best[i] = max(best[i], amount / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    main()
