"""From a run's files to its results and report; nothing else is read, so both can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.transfer import transfer
from harness.digest import SHORT
from harness.prms.catalog import entries
from harness.provenance import read_entries
from harness.registry import PRMS, parse_spec
from harness.reporting.first_error import Published
from harness.reporting.frames import write_results
from harness.reporting.page import About
from harness.reporting.report import Report, write_report
from harness.runner.evaluate import evaluate
from harness.runner.progress import Progress
from harness.runner.samples import samples
from harness.runner.scaling import scalings, sizes
from harness.stats import f1_possible
from harness.store.format import RunFolder
from harness.store.published import read_published
from harness.store.sweepfile import read_sweep
from harness.types import ResultRow


def make_report(run: RunFolder, progress: Progress) -> Report:
    """Evaluate a run and write results.csv, results.parquet and the report folder.

    Raises:
        DataError: the run is not complete, or a file of it is torn.
    """
    progress.start("report", 3, 0, "parts")
    results = evaluate(run)
    progress.advance(1, "results")
    write_results(results.rows, run.root)
    sweep, trained = read_sweep(run), _trained(run)
    known = sizes(run, sweep)
    shown = samples(run)
    progress.advance(1, "samples")
    report = write_report(
        results.rows,
        results.duels,
        shown,
        _about(run),
        run.report,
        trained,
        results.curves,
        {entry.method for entry in sweep.searches if not entry.alone},
        _published(run, results.rows),
        results.steps,
        read_published(run),
        scalings(results.curves, known, trained, int(sweep.config["seed"])),
        transfer(results.curves, trained, {row.task: row.domain for row in results.rows}, known),
    )
    progress.advance(1, "figures and page")
    progress.finish()
    return report


def _trained(run: RunFolder) -> dict[str, tuple[str, ...]]:
    """Return the domains that the run's PRMs were trained on, of those with a catalogue entry."""
    catalog = entries()
    specs = {name: entry.spec for name, entry in catalog.items()}
    found = dict[str, tuple[str, ...]]()
    for text in read_sweep(run).config["prms"]:
        if (entry := catalog.get(text.split(",")[0])) is not None:
            spec = parse_spec(text, adapters=PRMS, catalog=specs, what="PRM")
            found[spec.name] = entry.domains
    return found


_PROCESSBENCH, _FIGURES = "processbench", "ProcessBench F1"


def _published(run: RunFolder, rows: Sequence[ResultRow]) -> dict[str, Published]:
    """Return what others state of the PRMs of some rows on ProcessBench.

    A PRM is known by its catalogue name or by the last part of its checkpoint's, in any case: a
    recording is usually called after its checkpoint. Figures that cannot be are marked, on tasks of
    which the run has all solutions.
    """
    known = {}
    sizes = _sizes(run)
    for name, entry in entries().items():
        figures = entry.published.get(_FIGURES, {})
        tasks = {
            _PROCESSBENCH if part == "mean" else f"{_PROCESSBENCH}_{part}": figure
            for part, figure in figures.items()
        }
        if tasks:
            wrong = frozenset(
                task for task in tasks.keys() & sizes if not f1_possible(tasks[task], *sizes[task])
            )
            source, tuned = entry.source_of(_FIGURES), entry.threshold_rule == "tuned"
            for own in (name, entry.spec.target, entry.spec.target.rpartition("/")[2]):
                known[own.lower()] = Published(tasks, source, wrong, tuned)
    names = {row.prm for row in rows if row.prm}
    return {name: known[name.lower()] for name in sorted(names) if name.lower() in known}


def _sizes(run: RunFolder) -> dict[str, tuple[int, int]]:
    """Return the numbers of solutions with and without an error of whole ProcessBench tasks."""
    sizes = {}
    for entry in read_sweep(run).pools:
        if entry.task.startswith(f"{_PROCESSBENCH}_"):
            problems = entry.folder(run).read_problems()
            labels = [dict(p.reference)["label"] for p in problems]  # type: ignore[arg-type]
            errors = sum(label != -1 for label in labels)
            if len(labels) == entry.n_total:
                sizes[entry.task] = errors, len(labels) - errors
    return sizes


def _sandboxes(launches: Sequence[Any]) -> list[str]:
    """Return what programs were isolated by, each kind once; where by nothing, that is said."""
    found = [launch["sandbox"] for launch in launches if launch.get("sandbox")]
    said = [
        f"{one['backend']}, NO isolation" if one.get("isolation") == "none" else one["backend"]
        for one in found
    ]
    return list(dict.fromkeys(said))


def _about(run: RunFolder) -> About:
    """Return where the results come from, by the first launch that the run remembers."""
    sweep = read_sweep(run)
    launches: list[Any] = list(read_entries(run.provenance))
    first = launches[0] if launches else {}
    machine = f"{first.get('processor', '?')}, {first.get('cores', '?')} cores"
    devices = first.get("devices") or []
    facts = [
        ("machine", ", ".join([machine, *devices])),
        ("code", str(first.get("code") or "a released package")),
        ("launches", str(len(launches))),
        ("seed", str(sweep.config["seed"])),
        *(("sandbox", text) for text in _sandboxes(launches)),
    ]
    packages = first.get("packages") or {}
    return About(
        title=f"{sweep.config['name']} · {sweep.digest[:SHORT]}",
        command=str(first.get("command", "")),
        digest=sweep.digest,
        date=str(first.get("time", ""))[:10],
        versions=(
            ("prm-harness", str(first.get("harness", ""))),
            ("Python", str(first.get("python", ""))),
            *((name, str(version)) for name, version in packages.items()),
        ),
        facts=tuple(facts),
    )
