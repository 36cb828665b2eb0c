"""Hostile code in real containers of each engine, on an image made of this machine's own Python.

Nothing is pulled and no daemon is started. Tests of an engine that is not there, whose daemon does
not run or that starts no container are skipped and say why.
"""

from __future__ import annotations

import errno
import io
import os
import platform
import re
import subprocess
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import plan
from harness.sandbox.containers import ENGINES, command, open_pool, probe
from harness.sandbox.job import Program
from harness.sandbox.pool import Pool
from tests.sandbox.attacks import ATTACKS, LOOK_AROUND, Attack
from tests.sandbox.judging import faults

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the hostile code is for x86_64"),
]


def libraries(files: list[str]) -> set[str]:
    """The shared libraries that these files load, as the dynamic linker finds them."""
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+) \(0x", said))


def archive() -> bytes:
    """A root file system: this interpreter, its standard library, and what they and numpy load."""
    library = sysconfig.get_path("stdlib")
    python = plan.interpreter()
    numpy = plan.numpy_folders()
    modules = [
        str(path)
        for folder in (Path(library, "lib-dynload"), *numpy)
        for path in folder.rglob("*.so*")
    ]
    needed = {os.path.normpath(path) for path in libraries([python, *modules])}
    needed = {path for path in needed if not any(Path(path).is_relative_to(n) for n in numpy)}
    skipped = ("site-packages", "dist-packages", "test", "idlelib", "tkinter", "ensurepip")
    packed = io.BytesIO()
    paths = (python, *sorted(needed))
    named = ("/usr/bin/python3", library, *paths)
    parents = {str(folder) for path in named for folder in Path(path).parents}
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        # Docker makes folders that an archive does not name, but closed to all but root.
        for name in sorted(parents - {"/"}):
            _add_folder(tar, name.lstrip("/"))
        for path in paths:
            tar.add(path)
        tar.add(library, filter=lambda m: None if m.name.rpartition("/")[2] in skipped else m)
        if python != "/usr/bin/python3":
            link = tarfile.TarInfo("usr/bin/python3")
            link.type, link.linkname = tarfile.SYMTYPE, python
            tar.addfile(link)
        for name in ("tmp", "proc", "sys", "dev", "run", "etc"):
            _add_folder(tar, name, 0o1777 if name == "tmp" else 0o755)
    return packed.getvalue()


def _add_folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    """Add an empty folder."""
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    tar.addfile(folder)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """An engine that answers here."""
    found = probe(request.param)
    if not found.works:
        pytest.skip(f"{request.param}: {found.why}")
    return found.backend


@pytest.fixture(scope="module")
def program(engine: str) -> str:
    """The command of the engine."""
    return command(engine, "")[0]


@pytest.fixture(scope="module")
def pool(engine: str, program: str) -> Iterator[Pool]:
    image = f"localhost/prm-harness-test-{os.getpid()}"
    made = subprocess.run([program, "import", "-", image], input=archive(), capture_output=True)
    if made.returncode:
        pytest.skip(f"{program} import: {made.stderr.decode()[-300:]}")
    try:
        with open_pool(engine, 1, image) as pool:
            try:
                list(pool.run([Program("print(1)", b"")]))
            except InfrastructureError as error:
                whole = command(engine, f"prm-sandbox-{os.getpid()}-tried", image)
                tried = [*whole[: whole.index(image) + 1], "-c", ""]
                said = subprocess.run(tried, capture_output=True, text=True).stderr.strip()
                if not said:
                    raise
                pytest.skip(f"{engine} starts no container here: {error}; {said[-300:]}")
            yield pool
    finally:
        subprocess.run([program, "rmi", "--force", image], capture_output=True, check=False)


@pytest.fixture(scope="module")
def fresh(pool: Pool) -> bytes:
    """What a program sees of a worker that has done nothing yet."""
    (found,) = pool.run([LOOK_AROUND])
    return found.stdout


OWN = {
    "/etc/passwd is not there": ("finished",),
    "/proc is not there": ("finished",),
    "a link out leads nowhere": ("finished",),
    "/tmp has few names": ("finished", "timeout"),
}
"""Engines give a container a /proc and an /etc/passwd of its own, and count no names in /tmp."""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.property.replace(" ", "_"))
def test_contained_in_a_container(pool: Pool, fresh: bytes, attack: Attack) -> None:
    if attack.property in OWN:
        attack = replace(attack, raises="", ends=OWN[attack.property])
    assert faults(pool, fresh, attack) == []


def test_a_container_is_as_tight_as_it_says(pool: Pool) -> None:
    code = (
        "import os\nprint(os.getuid(), len(os.listdir('/sys/class/net')) if os.path.isdir("
        "'/sys/class/net') else 1)\n"
        "try: open('/x', 'w')\nexcept OSError as e: print(e.errno)\n"
        f"print(os.path.exists({__file__!r}), sorted(os.environ))\n"
        "try: print(len(open('/etc/passwd').read().splitlines()))\n"
        "except OSError as e: print(e.errno)\n"
    )
    (found,) = pool.run([Program(code, b"")])
    said = found.stdout.decode().splitlines()
    assert said[0] == "65534 1", found
    assert int(said[1]) in (errno.EROFS, errno.EACCES), found  # gVisor looks at the mode first
    assert said[2] == f"False {sorted(plan.ENVIRONMENT)}", found
    assert int(said[3]) in (errno.ENOENT, 1), found  # Podman makes one of one line
    assert pool.describe()["python"] == platform.python_version()


def test_numpy_is_there(pool: Pool) -> None:
    (found,) = pool.run([Program("import numpy\nprint(numpy.arange(4).sum())", b"")])
    assert found.stdout == b"6\n", found


def test_containers_are_gone_when_the_pool_is_closed(pool: Pool, program: str) -> None:
    def running() -> str:
        asked = [program, "ps", "--quiet", "--filter", f"name=prm-sandbox-{os.getpid()}-"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    list(pool.run([Program("print(1)", b"")]))
    assert running()
    pool.close()
    for _ in range(50):  # the engine tidies up after its command has ended
        if not running():
            return
        time.sleep(0.1)
    raise AssertionError(running())
