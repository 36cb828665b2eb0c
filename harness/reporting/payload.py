"""The samples as JSON for the page's viewer.

Model text is hostile: it may hold ``</script>``, control characters, half of a surrogate pair or a
million letters. The JSON is pure ASCII, `<`, `>` and `&` are written as escapes so that no HTML
parser can find a tag in it, and long texts are cut with a note, never silently.

A problem's candidates are written once, however many PRMs judged them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from harness.reporting.sample import Sample, SampleCandidate
from harness.types import Json

MAX_BYTES = 3_000_000
"""Of JSON; figures and tables come on top, and the page is to stay below 5 MB."""

_LIMITS = ((64, 4000), (32, 4000), (16, 2000), (8, 2000), (8, 600), (4, 300), (2, 120), (1, 40))
"""Candidates per sample and letters per step: the first pair that fits is taken."""


def samples_json(samples: Sequence[Sample], max_bytes: int = MAX_BYTES) -> str:
    """Return the samples as JSON text that is safe inside an HTML script element.

    Candidates and letters are left out, evenly over all samples, until the text is at most
    `max_bytes` long; if nothing else helps, the last samples go. The JSON says how many candidates
    a pool holds (``n``), so the viewer can say how many it does not show.
    """
    for candidates, letters in _LIMITS:
        text = _encode(samples, candidates, letters)
        if len(text) <= max_bytes:
            return text
    return samples_json(samples[: len(samples) // 2], max_bytes)


def visible(text: str) -> str:
    """Return `text` with control characters as visible symbols; newlines and tabs stay."""
    return _HIDDEN.sub(_symbol, text.replace("\r\n", "\n"))


def cut(text: str, letters: int) -> str:
    """Return the first `letters` of `text` as `visible` text that says how much it leaves out."""
    if len(text) <= letters:
        return visible(text)
    return f"{visible(text[:letters])} … ({len(text) - letters:,} more letters)"


def html_json(value: Json) -> str:
    """Return JSON that is safe inside an HTML script element: no parser finds a tag in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def _encode(samples: Sequence[Sample], candidates: int, letters: int) -> str:
    return html_json(_plain(samples, candidates, letters))


def _plain(samples: Sequence[Sample], candidates: int, letters: int) -> Json:
    places: dict[tuple[str, str, str], int] = {}
    pools: list[Json] = []
    texts: list[dict[str, Json]] = []
    views: list[Json] = []
    for sample in samples:
        key = (sample.task, sample.policy, sample.problem)
        place = places.setdefault(key, len(places))
        if place == len(pools):
            texts.append({})
            pools.append(_pool(sample, texts[place], letters))
        kept = _kept(sample.candidates, candidates)
        for candidate in kept:
            texts[place].setdefault(str(candidate.index), _candidate(candidate, letters))
        views.append(
            {
                "pool": place,
                "prm": visible(sample.prm or "no PRM"),
                "aggregation": visible(sample.aggregation or ""),
                "candidates": [_judged(candidate) for candidate in kept],
            }
        )
    return {"pools": pools, "views": views}


def _pool(sample: Sample, candidates: dict[str, Json], letters: int) -> Json:
    return {
        "task": visible(sample.task),
        "policy": visible(sample.policy),
        "problem": visible(sample.problem),
        "prompt": cut(sample.prompt, 4 * letters),
        "reference": cut(sample.reference, 4 * letters),
        "n": sample.n_candidates,
        "candidates": candidates,
    }


def _kept(candidates: Sequence[SampleCandidate], limit: int) -> list[SampleCandidate]:
    """Return at most `limit` candidates by falling score; those that a method chose stay first."""
    by_score = sorted(candidates, key=lambda c: (c.score is None, -(c.score or 0.0), c.index))
    kept = {c.index for c in sorted(by_score, key=lambda c: not c.chosen_by)[:limit]}
    return [c for c in by_score if c.index in kept]


def _candidate(candidate: SampleCandidate, letters: int) -> Json:
    answer = None if candidate.answer is None else cut(candidate.answer, letters)
    return {
        "steps": [cut(step, letters) for step in candidate.steps],
        "verdict": candidate.verdict,
        **({} if candidate.given else {"answer": answer}),
        "finish": candidate.finish,
    }


def _judged(candidate: SampleCandidate) -> Json:
    scores = candidate.step_scores
    return {
        "index": candidate.index,
        "score": _rounded(candidate.score),
        "scores": None if scores is None else [_rounded(score) for score in scores],
        "chosen_by": [visible(name) for name in candidate.chosen_by],
    }


def _rounded(score: float | None) -> float | None:
    """Six significant digits are more than anybody reads, and a third of the bytes."""
    return None if score is None else float(f"{score:.6g}")
