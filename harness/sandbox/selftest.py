"""The first execution on every worker: tries what must not work. One layer missing, and nothing
else is run there."""

from __future__ import annotations

from harness.sandbox.job import Execution, Limits, Program

_CODE = """
import os, _socket

def tried(name, action):
    try:
        action()
    except OSError:
        return
    print(name, flush=True)

tried("socket", lambda: _socket.socket())
tried("fork", lambda: os.fork() or os._exit(3))
tried("signals to others", lambda: os.kill(os.getppid() or 1, 0))
tried("writing", lambda: open("/written", "w"))
tried("writing to /dev", lambda: open("/dev/shm/written", "w"))
tried("writing to queues", lambda: open("/dev/mqueue/written", "w"))
tried("writing to /var", lambda: open("/var/tmp/written", "w"))
tried("writing to /run", lambda: open("/run/written", "w"))
tried("writing to /usr", lambda: open("/usr/written", "w"))
tried("a higher limit", lambda: __import__("resource").prlimit(
    1, __import__("resource").RLIMIT_NOFILE))
if os.getuid() == 0:
    print("running as root")
if os.environ.keys() - {"PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "LANG", "OMP_NUM_THREADS",
                        "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LC_CTYPE"}:
    print("environment")
# own root
tried("files of the machine", lambda: open("/etc/passwd"))
tried("/proc", lambda: os.listdir("/proc/self"))
tried("/sys", lambda: os.listdir("/sys"))
# all
tried("execve", lambda: os.execv("/bin/true", ["true"]))  # says nothing more if it works
print("contained")
"""

_LIMITS = Limits(cpu=10.0, wall=60.0)
JOB = Program(_CODE, b"", _LIMITS)
_head, _, _tail = _CODE.partition("# own root")
IN_CONTAINER = Program(_head + _tail.partition("# all")[2], b"", _LIMITS)
"""A container has an /etc, a /proc and a /sys of its own."""


def failure(found: Execution | None) -> str:
    """Return which layers are missing, nothing if the worker is tight."""
    if found is None:
        return "the self-test was killed"
    if found.end != "finished":
        return f"the self-test ended with {found.end}: {found.reason}"
    said = found.stdout.decode("utf-8", "replace").split()
    if said == ["contained"]:
        return ""
    return "what worked and must not: " + " ".join(word for word in said if word != "contained")
