"""Fill a candidate pool: ask the policy for every problem, and write down what it said."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from harness.policies.policy import Policy
from harness.runner.progress import Progress
from harness.runner.spent import written_flops
from harness.runner.units import finished, owed, units
from harness.segment import Segmenter
from harness.store.format import PoolFolder, candidate_record
from harness.store.log import Header, LogWriter, Record
from harness.telemetry.telemetry import Telemetry
from harness.types import Candidate, Draft, Extend, Extended, Problem, Sampling

logger = logging.getLogger(__name__)

WAVES = 4
"""A unit has so many times the drafts that the policy likes to have at work: while the last of a
unit end, there is less to do at once. More would lose more work where a run is killed."""


def generate(
    folder: PoolFolder,
    header: Header,
    problems: Sequence[Problem],
    policy: Policy,
    sampling: Sampling,
    samples: int,
    segmenter: Segmenter,
    progress: Progress,
    telemetry: Telemetry,
) -> None:
    """Sample what is owed of a pool of `samples` candidates per problem.

    Raises:
        LimitReached: before a unit.
    """
    if not folder.problems.exists():
        folder.write_problems(problems)
    with LogWriter(folder.candidates, header) as log:
        done = len(finished(log.finished))
        label = f"generate · {policy.spec.name} · {header.facts['task']}"
        progress.start(label, len(problems) * samples, done * samples, "candidates")
        drafts = (Draft(),) * samples
        rows = WAVES * policy.unit_rows
        for name, unit in owed(units(problems, samples, rows), log.finished):
            telemetry.check()
            requests = [Extend(problem.question, drafts, sampling) for problem in unit]
            logger.info("unit %s of %s", name, log.path)
            start = time.perf_counter()
            with telemetry.span("policy", policy.spec.name, f"unit {name}"):
                replies = _extend(policy, requests, progress, telemetry)
            seconds = time.perf_counter() - start
            records = [
                record
                for problem, reply in zip(unit, replies, strict=True)
                for record in _records(problem, reply, samples, segmenter)
            ]
            usage = {p.id: reply.tokens for p, reply in zip(unit, replies, strict=True)}
            log.append(name, records, seconds, usage)
        progress.finish()


def _extend(
    policy: Policy, requests: Sequence[Extend], progress: Progress, telemetry: Telemetry
) -> list[Extended]:
    """Answer the requests of a unit, and report each as it ends."""
    name, stream, replies = policy.spec.name, policy.stream(), dict[int, Extended]()
    telemetry.opened(stream)
    since = telemetry.now()
    for ticket, request in enumerate(requests):
        stream.submit(ticket, request)
        telemetry.submitted(len(request.drafts))
    while stream.rows:
        with telemetry.span("policy", name, "write"):
            collected = stream.collect()
        for ticket, reply in collected:
            replies[ticket] = reply
            request = requests[ticket]
            drafts = len(request.drafts)
            telemetry.wrote(name, request.question.id, drafts, since, reply.tokens)
            telemetry.spent(written_flops(policy, request, reply))
            progress.advance(drafts)
    telemetry.closed()
    return [replies[ticket] for ticket in range(len(requests))]


def _records(problem: Problem, reply: Extended, samples: int, segmenter: Segmenter) -> list[Record]:
    """Return the lines of one problem's candidates, cut in steps as the task says."""
    if len(reply.drafts) != samples:
        raise ValueError(
            f"the policy gave {len(reply.drafts)} drafts for problem {problem.id!r}, not {samples}"
        )
    prompt = reply.tokens.prefill_logical // samples if reply.tokens.prefill_logical else None
    return [
        candidate_record(Candidate(problem.id, index, segment(draft, segmenter), prompt))
        for index, draft in enumerate(reply.drafts)
    ]


def segment(draft: Draft, segmenter: Segmenter) -> Draft:
    """Cut a draft that came as one piece; a recorded draft with steps of its own keeps them."""
    if len(draft.steps) != 1:
        return draft
    steps = tuple(segmenter.cut(draft.text)) or draft.steps
    return Draft(steps, draft.finish, draft.tokens, draft.logprobs)
