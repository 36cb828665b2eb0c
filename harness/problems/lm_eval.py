"""Tasks of lm-eval that generate, as tasks of ours: written ``lm-eval:NAME`` among the tasks.

``lm-eval:NAME,metric=…,filter=…,steps=…`` chooses a metric and a filter of the task (by default
its first of each) and the rule by which PRMs cut solutions (by default at blank lines).
The documents, the prompts with their few-shot examples, and the stop strings are lm-eval's own; it
grades too (`harness.grading.lm_eval`).

A name is looked for in the folders that were included and then among lm-eval's own tasks, by the
text of the files: reading 14,000 YAMLs as YAML takes ten seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import segment
from harness.digest import digest
from harness.errors import ConfigError, nearest, unknown
from harness.problems import yamlfile
from harness.problems.bridge import building
from harness.problems.catalog import Include
from harness.problems.yamlfile import YamlFile
from harness.segment import Segmenter
from harness.types import Json, Problem, Sampling

PREFIX = "lm-eval:"

FEW_SHOT_SEED = 1234
"""lm-eval's own default: the examples in a prompt are those that it shows."""

_OPTIONS = ("metric", "filter", "steps")
_MEANS = ("mean", "nanmean")
_WHERE = ("dataset_path", "dataset_name", "dataset_kwargs", "custom_dataset", "tag")
"""Keys that say where documents are; what they hold is in the problems."""
_NAMES = re.compile(r"^(task|group):[ \t]*(['\"]?)([^\s'\"#\[]+)\2[ \t]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``lm-eval:NAME,key=value`` writes."""

    text: str
    name: str
    metric: str | None
    filter: str | None
    steps: Segmenter


@dataclass(frozen=True, slots=True)
class Foreign:
    """A task of lm-eval, opened."""

    version: str
    domain: str
    steps: Segmenter
    sampling: Sampling
    problems: tuple[Problem, ...]
    rules: str
    """Digest of the YAML, of what it includes, and of the files with its functions."""
    note: str
    """Which metric and filter are used, and which there are besides."""


def parse(text: str) -> Asked:
    """Read the written form.

    Raises:
        ConfigError: no name, an unknown option, a rule for steps that does not exist.
    """
    name, *pairs = (part.strip() for part in text.removeprefix(PREFIX).split(","))
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in _OPTIONS:
            raise ConfigError(f"task {text!r}: no option {key!r}; {nearest(key, _OPTIONS)}")
        given[key] = value
    if not name:
        raise ConfigError(f"task {text!r} names none; write {PREFIX}NAME, e.g. {PREFIX}gsm8k")
    steps = given.get("steps", "delimiter:\n\n").replace("\\n", "\n")
    rule = segment.parse(steps, f"task {text!r}")
    return Asked(text, name, given.get("metric"), given.get("filter"), rule)


def open_task(text: str, include: Include = ()) -> Foreign:
    """Return the task with all its problems.

    Raises:
        ConfigError: no such task, metric or filter; a task that does not generate, runs code of
            models, reads pictures, or has no metric that is right or wrong.
        DataError: its data is out of reach.
    """
    asked = parse(text)
    root, path = find(asked.name, include)
    file = yamlfile.read(path)
    _check(file, asked)
    with building(asked.text, path):
        task = _task(asked.name, path)
        metric, others = _metric(task, asked)
        chosen, filters = _filter(task, asked)
        problems = tuple(_problems(task, asked, path.relative_to(root).as_posix(), metric, chosen))
        sampling = _sampling(task)
    said = [f"task {asked.text}: right is what its metric {metric!r} says of filter {chosen!r}"]
    said += [f"metrics besides: {', '.join(others)} (metric=)"] if others else []
    said += [f"filters besides: {', '.join(filters)} (filter=)"] if filters else []
    domain = task.config.metadata.get("domain") if isinstance(task.config.metadata, dict) else None
    return Foreign(
        version=str(task.VERSION),
        domain=str(domain or "lm-eval"),
        steps=asked.steps,
        sampling=sampling,
        problems=problems,
        rules=_rules(file),
        note="; ".join(said),
    )


def find(name: str, include: Include = ()) -> tuple[Path, Path]:
    """Return the YAML of a task, after the folder that it was found in.

    Raises:
        ConfigError: there is none, or it is a group; the message offers the nearest name.
    """
    tasks: set[str] = set()
    group: Path | None = None
    for root in roots(include):
        if not root.is_dir():
            raise ConfigError(f"there is no folder of tasks {root}")
        for path in sorted(root.rglob("*.yaml")):
            for kind, _, own in _NAMES.findall(path.read_text("utf-8", errors="replace")):
                if own == name and kind == "task":
                    return root, path
                if own == name:
                    group = group or path
                elif kind == "task":
                    tasks.add(own)
    if group is not None:
        members = yamlfile.read(group).data.get("task") or ()
        names = [one for one in members if isinstance(one, str)]
        some = ", ".join(PREFIX + one for one in names[:3]) or "see lm-eval ls tasks"
        raise ConfigError(f"{PREFIX}{name} is a group of tasks; name tasks of it: {some} …")
    raise unknown("task of lm-eval", name, tasks)


def roots(include: Include = ()) -> tuple[Path, ...]:
    """Return the folders that are looked in, in their order."""
    import lm_eval.tasks

    return (*map(Path, include), Path(str(lm_eval.tasks.__file__)).parent)


def _check(file: YamlFile, asked: Asked) -> None:
    """Refuse, before any code of the task runs, what cannot be run here."""
    kind = file.data.get("output_type", "generate_until")
    if kind != "generate_until":
        raise ConfigError(
            f"{file.where('output_type')}: task {asked.name} is of type {kind}: it weighs given "
            "answers, and a search writes its own; take a task of type generate_until"
        )
    if file.data.get("unsafe_code"):
        raise ConfigError(
            f"{file.where('unsafe_code')}: task {asked.name} runs what models write, without a "
            "sandbox; our own tasks of code run it in one (run-benchmark ls tasks)"
        )
    for key in ("class", "doc_to_image", "doc_to_audio"):
        if file.data.get(key):
            what = "is written in Python" if key == "class" else "shows more than text"
            raise ConfigError(f"{file.where(key)}: task {asked.name} {what} ({key}): not read here")


def _task(name: str, path: Path) -> Any:
    from lm_eval.tasks import TaskManager

    task = TaskManager(include_defaults=False).load([str(path)])["tasks"][name]
    task.set_fewshot_seed(FEW_SHOT_SEED)
    return task


def _metric(task: Any, asked: Asked) -> tuple[str, list[str]]:
    """Return the metric that says whether an answer is right, and the others that could."""
    better = task.higher_is_better()
    means = {
        name: str(name)
        for name, how in task.aggregation().items()
        if getattr(how, "__name__", "") in _MEANS and better.get(name)
    }
    if asked.metric is not None and asked.metric not in task.aggregation():
        raise unknown("metric", asked.metric, means, f"task {asked.text}")
    chosen = asked.metric or next(iter(task.aggregation()))
    if chosen not in means:
        rest = f"; choose metric={' or '.join(means)}" if means else ""
        raise ConfigError(
            f"task {asked.text}: its metric {chosen!r} is no mean of right and wrong answers{rest}"
        )
    return chosen, [name for name in means if name != chosen]


def _filter(task: Any, asked: Asked) -> tuple[str, list[str]]:
    names = [ensemble.name for ensemble in task._filters]
    if asked.filter is not None and asked.filter not in names:
        raise unknown("filter", asked.filter, names, f"task {asked.text}")
    chosen = asked.filter or names[0]
    return chosen, [name for name in names if name != chosen]


def _problems(task: Any, asked: Asked, path: str, metric: str, chosen: str) -> Iterator[Problem]:
    """Yield the problem of each document, asked as lm-eval asks it."""
    shots = task.config.num_fewshot or 0
    for number, doc in enumerate(task.eval_docs):
        prompt = task.fewshot_context(doc, num_fewshot=shots, gen_prefix=task.doc_to_prefix(doc))
        if not isinstance(prompt, str):
            raise ConfigError(f"task {asked.text}: the prompt of document {number} is no text")
        reference: dict[str, Json] = {
            "yaml": path,
            "task": asked.name,
            "document": number,
            "sha256": document_digest(doc),
            "metric": metric,
            "filter": chosen,
            "answer": str(task.doc_to_target(doc)),
        }
        yield Problem(
            id=f"{asked.name}-{number:05d}",
            task=asked.text,
            task_version=str(task.VERSION),
            kind="lm_eval",
            prompt=prompt,
            reference=reference,
        )


def document_digest(doc: Mapping[str, Any]) -> str:
    """Return the digest of a document; `harness.grading.lm_eval_worker` computes the same."""
    text = json.dumps(doc, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sampling(task: Any) -> Sampling:
    from lm_eval.models.utils import normalize_gen_kwargs

    said = normalize_gen_kwargs(dict(task.config.generation_kwargs or {}))
    return Sampling(
        temperature=float(said.get("temperature", 0.0)),
        top_p=float(said.get("top_p", 1.0)),
        max_tokens=said["max_gen_toks"],
        stop=tuple(stop for stop in said["until"] if stop),
    )


def _rules(file: YamlFile) -> str:
    """Return the digest of what decides prompts and grades, besides the documents."""
    plain = {key: value for key, value in file.data.items() if key not in _WHERE}
    text = json.dumps(plain, sort_keys=True, default=str)
    return digest({"yaml": text, "functions": list(_functions(file))})


def _functions(file: YamlFile) -> Sequence[Json]:
    """Return the digests of the Python files beside the YAML that its functions may stand in."""
    if "!function" not in file.path.read_text("utf-8") and not file.functions:
        return []
    own = sorted(file.path.parent.glob("*.py"))
    return [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in own]
