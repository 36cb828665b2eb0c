"""Fill a candidate pool: ask the policy for every problem, and write down what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.policies.policy import Policy
from harness.runner.fill import fill
from harness.runner.launch import Launch
from harness.runner.spent import written_flops
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Act, Done, Listed, Said, Tick
from harness.runner.units import finished, owed, units
from harness.segment import Segmenter
from harness.store.format import PoolFolder, candidate_record
from harness.store.log import Header, LogWriter, Record
from harness.telemetry.telemetry import Telemetry
from harness.types import Candidate, Draft, Extend, Extended, Problem, Question, Sampling

WAVES = 4
"""A unit has so many times the drafts that the policy likes to have at work: while the last of a
unit end, there is less to do at once. More would lose more work where a run is killed."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Samples drafts for questions."""

    policy: Model[Policy]
    sampling: Sampling
    samples: int
    segmenter: Segmenter

    @property
    def travels(self) -> bool:
        """Not if they are recorded."""
        return self.policy.travels

    def at(self, station: Station) -> Act[Sequence[Question]]:
        """Return what writes for the questions of a unit."""
        policy = station.model(self.policy)

        def write(questions: Sequence[Question]) -> Iterator[Said]:
            drafts = (Draft(),) * self.samples
            requests = [Extend(question, drafts, self.sampling) for question in questions]
            start = time.perf_counter()
            replies: dict[int, Extended] = {}
            with station.telemetry.span("policy", policy.spec.name, f"unit {questions[0].id}"):
                for ticket, reply in _replies(policy, requests, station.telemetry):
                    replies[ticket] = reply
                    yield Tick(self.samples)
            seconds = time.perf_counter() - start
            pairs = [(question.id, replies[i]) for i, question in enumerate(questions)]
            records = [record for id_, reply in pairs for record in self._records(id_, reply)]
            yield Done(records, seconds, {id_: reply.tokens for id_, reply in pairs})

        return write

    def _records(self, problem: str, reply: Extended) -> list[Record]:
        """Return the lines of one problem's candidates, cut in steps as the task says."""
        samples = self.samples
        if len(reply.drafts) != samples:
            raise ValueError(
                f"the policy gave {len(reply.drafts)} drafts for problem {problem!r}, not {samples}"
            )
        prompt = reply.tokens.prefill_logical // samples if reply.tokens.prefill_logical else None
        return [
            candidate_record(Candidate(problem, index, segment(draft, self.segmenter), prompt))
            for index, draft in enumerate(reply.drafts)
        ]


def generate(
    folder: PoolFolder,
    header: Header,
    problems: Sequence[Problem],
    policy: Policy,
    sampling: Sampling,
    samples: int,
    segmenter: Segmenter,
    launch: Launch,
) -> None:
    """Sample what is owed of a pool of `samples` candidates per problem.

    Raises:
        LimitReached: between units.
    """
    if not folder.problems.exists():
        folder.write_problems(problems)
    with LogWriter(folder.candidates, header) as log:
        done = len(finished(log.finished))
        label = f"generate · {policy.spec.name} · {header.facts['task']}"
        launch.progress.start(label, len(problems) * samples, done * samples, "candidates")
        rows = launch.unit or WAVES * policy.unit_rows
        pending = owed(units(problems, samples, rows), log.finished)
        source = Listed(
            pending,
            lambda unit: tuple(problem.question for problem in unit),
            # Long questions have long solutions, more often than not.
            lambda unit: sum(len(problem.prompt) for problem in unit),
        )
        work = Writing(Model.policy(policy), sampling, samples, segmenter)
        fill(log, work, source, launch)
        launch.progress.finish()


def _replies(
    policy: Policy, requests: Sequence[Extend], telemetry: Telemetry
) -> Iterator[tuple[int, Extended]]:
    """Answer the requests of a unit; yield each with its place as it ends."""
    name, stream = policy.spec.name, policy.stream()
    telemetry.opened(stream)
    since = telemetry.now()
    for ticket, request in enumerate(requests):
        stream.submit(ticket, request)
        telemetry.submitted(len(request.drafts))
    while stream.rows:
        with telemetry.span("policy", name, "write"):
            collected = stream.collect()
        for ticket, reply in collected:
            request = requests[ticket]
            telemetry.wrote(name, request.question.id, len(request.drafts), since, reply.tokens)
            telemetry.spent(written_flops(policy, request, reply))
            yield ticket, reply
    telemetry.closed()


def segment(draft: Draft, segmenter: Segmenter) -> Draft:
    """Cut a draft that came as one piece; a recorded draft with steps of its own keeps them."""
    if len(draft.steps) != 1:
        return draft
    steps = tuple(segmenter.cut(draft.text)) or draft.steps
    return Draft(steps, draft.finish, draft.tokens, draft.logprobs)
