"""Containers as workers: Docker, Podman, and Docker with gVisor's kernel (``gvisor``).

One container per worker lives for thousands of executions and runs the same zygote and the same
filter as elsewhere; it is the only way on macOS and Windows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from harness.errors import InfrastructureError
from harness.sandbox import plan, selftest, stream
from harness.sandbox.job import Availability
from harness.sandbox.pool import Pool
from harness.sandbox.stream import StreamWorker

ENGINES = ("docker", "podman", "gvisor")
IMAGE = f"docker.io/library/python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
"""Python of this version, for equal results; it is pulled once, before the first job."""
PROBE_SECONDS = 10.0


def command(
    engine: str, name: str, image: str = IMAGE, preload: plan.Preload = "lean"
) -> list[str]:
    """Return the command that runs one worker; one with numpy sees this machine's, read-only."""
    folders = plan.numpy_folders() if preload == "numpy" else ()
    program = "docker" if engine == "gvisor" else engine
    own = {
        "gvisor": ["--runtime=runsc"],
        "podman": ["--read-only-tmpfs=false"],  # /var/tmp and /run would be writable, and stay
    }
    return [
        program,
        "run",
        "--rm",
        "--interactive",
        f"--name={name}",
        *own.get(engine, []),
        "--log-driver=none",  # the stream of results is no log: it would fill the engine's disk
        "--network=none",
        "--ipc=none",  # no /dev/shm: it would be writable, and stay from one execution to the next
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--pids-limit=128",
        "--memory=5g",
        "--memory-swap=5g",
        "--user=65534:65534",
        "--hostname=sandbox",
        f"--tmpfs=/tmp:rw,noexec,nosuid,nodev,size={plan.SCRATCH},mode=1777",
        "--tmpfs=/dev/mqueue:ro,size=4k,mode=555",  # names of queues would stay, too
        *(
            f"--mount=type=bind,source={path},target={plan.PACKAGES}/{path.name},readonly"
            for path in folders
        ),
        "--workdir=/tmp",
        "--ulimit=core=0",
        # Engines ask for more than the machine may give, and then nothing starts.
        "--ulimit=nofile=256",
        "--ulimit=nproc=4096",  # of the user on the whole machine; the container has its own above
        *(f"--env={key}={value}" for key, value in plan.ENVIRONMENT.items()),
        "--entrypoint=python3",
        image,
        *("-s", "-P", "-S", "-c", stream.BOOT),
    ]


def open_pool(engine: str, workers: int | None = None, image: str = IMAGE) -> Pool:
    """Return a sandbox of containers."""
    layers = (engine, "network", "read-only-root", "no-capabilities", "no-new-privs", "pids")
    program = "docker" if engine == "gvisor" else engine
    fetched = False

    def start(preload: plan.Preload) -> StreamWorker:
        nonlocal fetched
        if not fetched:
            _fetch(program, image)
            fetched = True
        name = stream.name()
        kill = [program, "kill", name]
        return StreamWorker(
            preload, command(engine, name, image, preload), (*layers, "seccomp"), kill
        )

    return Pool(engine, start, workers, selftest.IN_CONTAINER, {"image": image})


def _fetch(program: str, image: str) -> None:
    """Pull an image that is not there, for as long as that takes; a worker's start has a deadline.

    Raises:
        InfrastructureError: it cannot be pulled.
    """
    _, missing = _ask([program, "image", "inspect", "--format", "{{.Id}}", image])
    if not missing:
        return
    _, failure = _ask([program, "pull", "--quiet", image], seconds=None)
    if failure:
        raise InfrastructureError(f"{program} cannot pull {image}: {failure}")


def probe(engine: str) -> Availability:
    """Find out whether an engine answers and, where the image is there, whether a container starts.

    Nothing is pulled for that.
    """
    program = "docker" if engine == "gvisor" else engine
    if shutil.which(program) is None:
        return Availability(engine, False, f"no {program} on the PATH; install it")
    query = "{{json .Runtimes}}" if engine == "gvisor" else "{{.ServerVersion}}"
    if engine == "podman":
        query = "{{.Version.Version}}"
    answer, failure = _ask([program, "info", "--format", query])
    if failure or not answer:
        why = f"{failure or 'it says nothing'}; is the service running, may you use it?"
        return Availability(engine, False, why)
    if engine == "gvisor" and "runsc" not in answer:
        return Availability(engine, False, "docker has no runtime runsc; install gVisor")
    _, missing = _ask([program, "image", "inspect", "--format", "{{.Id}}", IMAGE])
    if missing:
        said = f"{program} answers: {answer[:80]}; {IMAGE} is pulled before the first job"
        return Availability(engine, True, said, (engine,))
    whole = command(engine, stream.name())
    _, failure = _ask([*whole[: whole.index(IMAGE) + 1], "-c", "pass"])
    if failure:
        return Availability(engine, False, f"no container starts: {failure}")
    return Availability(engine, True, f"{program} starts containers: {answer[:80]}", (engine,))


def _ask(command: list[str], seconds: float | None = PROBE_SECONDS) -> tuple[str, str]:
    """Return what a command says, and why it failed or nothing."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    if not done.returncode:
        return done.stdout.strip(), ""
    said = stream.complaint(done.stderr) or stream.complaint(done.stdout)
    return done.stdout.strip(), said or f"exit code {done.returncode}"
