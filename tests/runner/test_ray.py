"""`--engine ray` on a real cluster of processes: the same results, whoever is lost or joins."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

if find_spec("ray") is None:
    pytest.skip("Ray is not installed", allow_module_level=True)

# Ray reads these when it is imported.
os.environ.update(
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO_NUM_GPUS="0",
    RAY_AUTH_MODE="token",
    RAY_worker_niceness="0",
    RAY_AUTH_TOKEN=secrets.token_hex(32),
)

from harness.config import RayConfig, Sweep
from harness.errors import ConfigError, DataError, InfrastructureError, LimitReached
from harness.registry import open_policy
from harness.runner.execute import execute
from harness.runner.extend import add_prms
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.spread.ray import RayCrew, RayExecutor
from harness.runner.spread.work import Executor
from harness.runner.spread.worker import Surroundings
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from harness.store.sweepfile import read_sweep
from harness.telemetry.account import Account
from harness.telemetry.limits import Limits
from harness.telemetry.meter import Rates
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Trace
from tests.runner.results import SECONDS, evaluated
from tests.telemetry.traces import lanes

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
NODE: dict[str, Any] = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 2**27}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with two cores, on loopback; a test adds a node."""
    from ray.cluster_utils import Cluster

    for left in (2, 1, 0):  # a busy machine may need longer than Ray waits
        made = Cluster()
        try:
            made.add_node(**NODE)
            break
        except Exception:
            made.shutdown()
            if not left:
                raise
    yield made
    made.shutdown()


@pytest.fixture
def ray_on(cluster: Any) -> Iterator[Callable[..., RayExecutor]]:
    """Executors on the cluster."""
    made = []

    def start(telemetry: Telemetry | None = None, **config: Any) -> RayExecutor:
        made.append(RayExecutor(RayConfig(address=cluster.address, **config), telemetry))
        return made[-1]

    yield start
    for executor in made:
        executor.close()


def sweep(tasks: Path, script: Path, **more: Any) -> Sweep:
    settings = {
        "tasks": ("sums",),
        "policies": (f"fake:{script},batch=1,seconds=0.1",),
        "prms": ("fake:oracle", "fake:constant"),
        "methods": ("greedy", "majority", "best_of_n", "adaptive_best_of_n"),
        "budgets": (1, 2, 4),
        "include": (str(tasks),),
        "search": {"prms": ("constant",), "budgets": (4,)},
    }
    return Sweep(**{**settings, **more})


def run(
    settings: Sweep,
    out: Path,
    executor: Executor | None = None,
    progress: Silent | None = None,
    telemetry: Telemetry | None = None,
) -> RunFolder:
    truth = RunTruth()
    plan = make_plan(settings, None, open_policy, truth.open_prm)
    heard = progress or Silent()
    return execute(plan, out, truth, heard, [], telemetry=telemetry, executor=executor)


def ends(folder: RunFolder) -> list[dict[str, Any]]:
    """The telemetry's last line of every stage."""
    told = [json.loads(line) for line in folder.telemetry.read_text().splitlines()]
    return [line for line in told if line["end"]]


def rows(folder: RunFolder, *measured: str) -> list[dict[str, str]]:
    return evaluated(folder, (SECONDS, *measured))


class Once(Silent):
    """Does something when the first thing is done."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def advance(self, things: int, note: str = "") -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


def gone(processes: Sequence[psutil.Process], seconds: float = 30) -> bool:
    """Whether they end in that time; a dead one may still wait for somebody to fetch its code."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            if all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes):
                return True
            if time.monotonic() > end:
                return False
        time.sleep(0.1)


def test_real_models_on_a_cluster_of_our_own_give_the_same_numbers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    settings = Sweep(
        tasks=("chain_arithmetic",),
        policies=("embedded,batch=2",),
        prms=("prm-math-small",),
        methods=("greedy", "majority", "best_of_n", "beam,width=2"),
        budgets=(1, 2),
        limit=6,
        search={"budgets": (2,)},
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as many as a worker with one core has: last bits depend on it
    try:
        here, there = Telemetry(), Telemetry()
        alone = run(settings, tmp_path / "alone", telemetry=here)
    finally:
        torch.set_num_threads(threads)
    executor = RayExecutor(RayConfig(workers=2, cpus=0.5), there)
    try:
        spread = run(settings, tmp_path / "spread", executor, telemetry=there)
        assert executor._crew is not None
        workers = [psutil.Process(pid) for pid in executor._crew.pids]
        assert len(workers) == 2
        family = psutil.Process().children(recursive=True)
        heard = {c.laddr.ip for p in family for c in p.net_connections() if c.status == "LISTEN"}
        assert heard and all(ip.removeprefix("::ffff:") in ("127.0.0.1", "::1") for ip in heard)
    finally:
        executor.close()
    assert gone(workers)
    # What searches beside each other share of a prompt is another matter.
    shared = ("policy_prompt_computed", "prm_tokens_computed")
    assert rows(spread, *shared) == rows(alone, *shared)
    assert there.flops == pytest.approx(here.flops, rel=1e-12) and here.flops > 0
    own, others = ends(alone), ends(spread)
    for field in ("stage", "done", "total", "policy_tokens", "prm_tokens"):
        assert [line[field] for line in others] == [line[field] for line in own], field
    for field in ("policy_share", "prm_share", "grader_share"):
        known = [line[field] is not None for line in own]
        assert [line[field] is not None for line in others] == known, field
        assert all(line[field] is None or 0 < line[field] <= 1 for line in others), field


def test_what_workers_have_at_work_is_told_meanwhile(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    class Heard(Telemetry):
        in_flight = 0

        def add(self, worker: int, account: Account) -> None:
            super().add(worker, account)
            self.in_flight = max(self.in_flight, self.read(Rates()).in_flight or 0)

    telemetry = Heard()
    executor = ray_on(telemetry, workers=1)
    slow = (f"fake:{script},batch=1,seconds=0.7",)
    settings = sweep(quick_tasks, script, unit=24, policies=slow)
    run(settings, tmp_path / "out", executor, telemetry=telemetry)
    assert 0 < telemetry.in_flight <= 24


def test_a_trace_has_the_lanes_of_every_worker(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    path = tmp_path / "trace.json"
    with Telemetry(trace=Trace(path)) as telemetry:
        executor = ray_on(telemetry, workers=2)
        folder = run(sweep(quick_tasks, script), tmp_path / "out", executor, telemetry=telemetry)
    found = lanes(path)
    assert {"worker 0 policy script", "worker 1 policy script"} <= set(found)
    assert any(lane.endswith("PRM constant") for lane in found)
    written = [event for lane in found if " policy " in lane for event in found[lane]]
    tokens = sum(event["args"]["tokens"] for event in written if event["ph"] == "b")
    assert tokens == sum(line["policy_tokens"] for line in ends(folder)) > 0


def test_further_prms_are_scored_by_workers(
    cluster: Any,
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crews = []

    class Watched(RayExecutor):
        def close(self) -> None:
            crews.append(self._crew and self._crew.pids)
            super().close()

    monkeypatch.setattr("harness.runner.spread.ray.RayExecutor", Watched)
    out = run(sweep(quick_tasks, script, methods=("best_of_n",)), tmp_path / "out")
    ray = RayConfig(address=cluster.address, workers=2)
    add_prms(out, ("fake:noisy,p=0.8,name=spread",), Silent(), [], "ray", ray)
    assert len(crews) == 1 and len(crews[0]) == 2
    add_prms(out, ("fake:noisy,p=0.8,name=alone",), Silent(), [])
    found = {
        name: [{**row, "prm": ""} for row in rows(out) if row["prm"] == name]
        for name in ("spread", "alone")
    }
    assert found["spread"] == found["alone"] != []


def test_a_limit_stops_workers_too_and_the_next_launch_goes_on(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings = sweep(quick_tasks, script, unit=4)
    alone = run(settings, tmp_path / "alone")
    launches = 0
    while True:
        launches += 1
        telemetry = Telemetry(Limits(seconds=0.5 if launches < 3 else None))
        executor = ray_on(telemetry, workers=2)
        try:
            spread = run(settings, tmp_path / "spread", executor, telemetry=telemetry)
            break
        except LimitReached:
            executor.close()
    assert launches == 3
    assert rows(spread) == rows(alone)


def test_a_limit_ends_searches_of_workers_between_two_replies(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings = sweep(quick_tasks, script, methods=("adaptive_best_of_n",))
    alone = run(settings, tmp_path / "alone")
    telemetry = Telemetry(Limits(seconds=1e-9))
    with pytest.raises(LimitReached):
        run(settings, tmp_path / "out", ray_on(telemetry, workers=1), telemetry=telemetry)
    (folder,) = (entry.folder(RunFolder(tmp_path / "out")) for entry in searches(tmp_path / "out"))
    assert len(folder.read_attempts()) < 6, "a unit of one worker has half of twelve searches"
    assert folder.journal.read_text(), "what they had got is kept"
    spread = run(settings, tmp_path / "out", ray_on(workers=2))
    assert rows(spread) == rows(alone)


def searches(out: Path) -> Sequence[Any]:
    """What sweep.json says of a run's searches."""
    return read_sweep(RunFolder(out)).searches


def test_a_killed_worker_loses_nothing(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings = sweep(quick_tasks, script)
    alone = run(settings, tmp_path / "alone")
    executor, killed = ray_on(workers=2), []

    def kill() -> None:
        assert executor._crew is not None
        killed.append(executor._crew.pids[0])
        os.kill(killed[0], signal.SIGKILL)

    spread = run(settings, tmp_path / "spread", executor, Once(kill))
    assert killed
    assert "owed again: s" in spread.log.read_text()
    assert rows(spread) == rows(alone)


def test_a_unit_that_kills_its_workers_is_named(
    ray_on: Callable[..., RayExecutor],
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os\n"
        "def judge(prompt, solutions):\n"
        "    if prompt == '7+7=?':\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return [[0.5] * len(steps) for steps in solutions]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = sweep(quick_tasks, script, prms=("python:deadly:judge",), search={})
    settings = settings.model_copy(update={"methods": ("best_of_n",)})
    with pytest.raises(InfrastructureError, match=r"unit s\d of .*deadly.* has lost 3 workers"):
        run(settings, tmp_path / "out", ray_on(workers=1))


def test_workers_that_cannot_start_end_the_run(
    ray_on: Callable[..., RayExecutor],
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacking(self: RayCrew) -> Surroundings:
        return Surroundings(os.getcwd(), {"NOT_A_TEXT": 1}, 1, False, None)  # type: ignore[dict-item]

    monkeypatch.setattr(RayCrew, "_surroundings", lacking)
    told = "no worker starts; the last one: TypeError: str expected, not int"
    with pytest.raises(InfrastructureError, match=told):
        run(sweep(quick_tasks, script), tmp_path / "out", ray_on(workers=1))


def test_users_mistakes_on_a_worker_are_theirs(
    ray_on: Callable[..., RayExecutor], quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings = sweep(quick_tasks, script)
    truth = RunTruth()
    plan = make_plan(settings, None, open_policy, truth.open_prm)
    script.write_text(script.read_text().replace("step one", "step 1"))
    with pytest.raises(DataError, match="is another one on a worker"):
        execute(plan, tmp_path / "out", truth, Silent(), [], executor=ray_on(workers=1))


def test_of_a_killed_worker_the_user_reads_one_line(
    cluster: Any, quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings, out = sweep(quick_tasks, script), tmp_path / "out"
    (tmp_path / "sweep.yaml").write_text(settings.model_dump_json())
    driver = subprocess.Popen(
        command(tmp_path / "sweep.yaml", out, cluster.address),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log, worker = RunFolder(out).log, None
    while driver.poll() is None and worker is None:
        time.sleep(0.02)
        told = log.read_text() if log.exists() else ""
        worker = re.search(r"worker 0 is process (\d+) on .*\n.* unit ", told)
    assert worker is not None
    os.kill(int(worker[1]), signal.SIGKILL)
    results, said = driver.communicate()
    assert driver.returncode == 0, said
    assert "raylet" not in results + said and "unexpected" not in results + said
    (line,) = (line for line in said.splitlines() if "a worker is lost" in line)
    where = re.escape(f"process {worker[1]} on {socket.gethostname()}")
    assert re.fullmatch(
        rf"a worker is lost \({where}: its process has died\); owed .*: s\d+.*", line
    )
    told = log.read_text()
    assert told.count("its process has died") == 1 and told.count("Ray says of worker 0") == 1


def command(settings: Path, out: Path, address: str | None = None) -> list[str]:
    """The command line of a run with Ray."""
    at = ["--ray-address", address] if address else []
    main = [sys.executable, "-c", "from harness.cli.main import main; main()"]
    return [*main, "run", str(settings), "--engine", "ray", *at, "--out", str(out)]


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGKILL, -signal.SIGKILL, ""), (signal.SIGTERM, 143, "told to end (SIGTERM); every")],
)
def test_a_driver_that_is_ended_is_resumed(
    sent: signal.Signals,
    code: int,
    said: str,
    cluster: Any,
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
) -> None:
    settings = sweep(quick_tasks, script)
    alone, out = run(settings, tmp_path / "alone"), tmp_path / "out"
    (tmp_path / "sweep.yaml").write_text(settings.model_dump_json())
    typed = command(tmp_path / "sweep.yaml", out, cluster.address)
    driver = subprocess.Popen(typed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while driver.poll() is None and not any(
        path.read_bytes().count(b"\n") > 3 for path in out.rglob("candidates.ledger.jsonl")
    ):
        time.sleep(0.02)
    driver.send_signal(sent)
    errors = driver.communicate()[1]
    assert driver.returncode == code and said in errors, errors
    before = {p: p.read_bytes() for p in out.rglob("*.ledger.jsonl")}
    done = subprocess.run(typed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = {p: text[: text.rfind(b"\n") + 1] for p, text in before.items()}
    assert all(p.read_bytes().startswith(text) for p, text in kept.items())
    assert rows(RunFolder(out)) == rows(alone)


def test_a_killed_driver_leaves_no_process_and_its_folder_to_the_next(
    quick_tasks: Path, script: Path, tmp_path: Path
) -> None:
    settings, out = sweep(quick_tasks, script), tmp_path / "out"
    (tmp_path / "sweep.yaml").write_text(settings.model_dump_json())
    typed = command(tmp_path / "sweep.yaml", out)
    with tempfile.TemporaryDirectory(prefix="t") as short:  # sockets are made in it
        environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
        environment |= {"TMPDIR": short}
        driver = subprocess.Popen(typed, env=environment, stderr=subprocess.DEVNULL)
        log = RunFolder(out).log
        while driver.poll() is None and not (log.exists() and " unit " in log.read_text()):
            time.sleep(0.02)
        family = psutil.Process(driver.pid).children(recursive=True)
        driver.kill()
        assert driver.wait() == -signal.SIGKILL
        assert gone(family, 180)  # its agents try for a minute to tell of a dead node
        (left,) = Path(short).iterdir()
        done = subprocess.run(typed, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not list(Path(short).iterdir()), left


def test_a_node_that_joins_gets_work(
    cluster: Any,
    ray_on: Callable[..., RayExecutor],
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first worker waits until another one has a unit too.
    (tmp_path / "meeting.py").write_text(
        "import os, pathlib, time\n"
        "def judge(prompt, solutions):\n"
        "    pids = pathlib.Path('pids')\n"
        "    (pids / str(os.getpid())).touch()\n"
        "    until = time.monotonic() + 300\n"
        "    while len(list(pids.iterdir())) < 2 and time.monotonic() < until:\n"
        "        time.sleep(0.05)\n"
        "    return [[0.5] * len(steps) for steps in solutions]\n"
    )
    (tmp_path / "pids").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = sweep(quick_tasks, script, prms=("python:meeting:judge",), search={}, unit=4)
    settings = settings.model_copy(update={"methods": ("best_of_n",)})
    executor = ray_on(cpus=2)

    def join() -> None:
        for left in (2, 1, 0):
            try:
                cluster.add_node(**NODE)
                return
            except Exception:
                if not left:
                    raise

    folder = run(settings, tmp_path / "out", executor, Once(join))
    assert len(list((tmp_path / "pids").iterdir())) == 2
    assert "worker 1 is process" in folder.log.read_text()


def test_a_pair_has_a_process_for_each_model(
    ray_on: Callable[..., RayExecutor],
    quick_tasks: Path,
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "apart.py").write_text(
        "import os, pathlib\n"
        "def judge(prompt, solutions):\n"
        "    pathlib.Path('pids', str(os.getpid())).touch()\n"
        "    return [[0.5] * len(steps) for steps in solutions]\n"
    )
    (tmp_path / "pids").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = sweep(quick_tasks, script, prms=("python:apart:judge,name=p",), search={})
    settings = settings.model_copy(update={"methods": ("adaptive_best_of_n",)})
    executor = ray_on(workers=1, prm_gpus=0)
    spread = run(settings, tmp_path / "spread", executor)
    assert executor._crew is not None
    (judge,) = (int(path.name) for path in (tmp_path / "pids").iterdir())
    assert judge not in executor._crew.pids
    assert rows(spread) == rows(run(settings, tmp_path / "alone"))


def test_a_crew_without_room_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source: Any = type("Source", (), {"left": 1})()
    work: Any = type("Work", (), {"travels": True})()
    with tempfile.TemporaryDirectory(prefix="t") as short:  # sockets are made in it
        monkeypatch.setattr("tempfile.tempdir", short)
        with pytest.raises(ConfigError, match="no room for a worker"):
            next(RayExecutor(RayConfig(gpus=4096)).do(work, source, "x"))
        assert not list(Path(short).iterdir())


def test_nothing_at_an_address() -> None:
    source: Any = type("Source", (), {"left": 1})()
    work: Any = type("Work", (), {"travels": True})()
    with pytest.raises(ConfigError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        next(RayExecutor(RayConfig(address="127.0.0.1:1")).do(work, source, "x"))
