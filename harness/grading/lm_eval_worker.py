"""The worker process that runs the grading code of lm-eval's tasks; see `harness.grading.lm_eval`.

This file runs as a script in a process of its own, like `harness.grading.worker`, whose limits it
sets on itself too. It imports nothing of the harness but that script, which stands beside it.

Protocol: at the start it writes ``{"ready": true}``, or ``{"error": "..."}`` if lm-eval cannot be
imported. Then, for each line with ``yaml, task, document, sha256, metric, filter, text``, one line
``{"value": number | null, "answer": text | null, "reason": ""}``: what the metric says of the text,
and what the filter made of it. A reason says why there is no value.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

LOADING_SECONDS = 600.0
"""CPU time to read a task's documents, which comes before the first text."""
FAILED = "the task's code fails"

_TASKS: dict[str, Any] = {}


def main(cpu_seconds: float, memory_bytes: int) -> None:
    """Serve texts from standard input until it ends."""
    limits = _beside("worker")
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a task's code prints must not end up among the replies
    parent = os.getppid()
    # The documents are on this machine already: whoever asks has read them.
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    limits.limit_memory(memory_bytes)
    try:
        import lm_eval.tasks  # noqa: F401
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=out, flush=True)
        return
    print(json.dumps({"ready": True}), file=out, flush=True)
    while line := limits.next_line(parent):
        job = json.loads(line)
        found: dict[str, Any] = {"value": None, "answer": None, "reason": ""}
        try:
            limits.limit_cpu(LOADING_SECONDS)
            judged = functools.partial(_judged, _task(job["yaml"], job["task"]), found)
            done, reason = limits.timed(judged, job, job["text"], cpu_seconds)
            found["reason"] = found["reason"] or reason or ("" if done else FAILED)
        except (Exception, SystemExit) as error:
            found["reason"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        print(json.dumps(found), file=out, flush=True)


def _beside(name: str) -> Any:
    """Import a script of this folder; the harness itself is not on this process's path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _task(path: str, name: str) -> Any:
    """Return a task with its documents, read once."""
    if path not in _TASKS:
        from lm_eval.tasks import TaskManager

        _TASKS[path] = TaskManager(include_defaults=False).load([path])["tasks"][name]
    return _TASKS[path]


def _judged(task: Any, found: dict[str, Any], job: dict[str, Any], text: str) -> bool:
    """Filter a text and ask the task's metric about it."""
    from lm_eval.api.instance import Instance

    document = task.eval_docs[job["document"]]
    content = json.dumps(document, sort_keys=True, default=str)
    if hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest() != job["sha256"]:
        found["reason"] = "the task's data has changed"
        return True
    instance = Instance("generate_until", document, ("", {}), 0, (job["task"], job["document"], 1))
    instance.resps = [text]
    (chosen,) = (one for one in task._filters if one.name == job["filter"])
    chosen.apply([instance])
    filtered = instance.filtered_resps[job["filter"]]
    found["answer"] = filtered if isinstance(filtered, str) else json.dumps(filtered, default=str)
    value = task.process_results(document, [filtered])[job["metric"]]
    try:
        found["value"] = float(value)
    except (TypeError, ValueError):
        found["reason"] = f"the metric gives {value!r:.100}"
    return True


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
