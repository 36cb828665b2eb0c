"""Builds the isolation from the outside in, then becomes the zygote inside it.

Started by the trusted side as a script with a JSON plan. As root it makes the namespaces with
root's rights and then takes an unprivileged user id of its own, so that limits on processes and
the rights of files bind; otherwise a user namespace gives the rights to make the others. Process 1
of the new process namespace is forked as a child of the trusted side, which thus can wait for it.

The new root is an empty memory file system with the interpreter and system libraries in it,
read-only; no /proc, no /sys, three devices, and a small /tmp that is the only place to write.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from inside import confine, kernel  # type: ignore[import-not-found]

CONTROL, RESULT, OUT, JOB = 3, 4, 5, 6
HOME = "/run/sandbox"
BOOT = (
    "import sys; sys.path.append({home!r}); from inside import channel, zygote; "
    "sys.path.remove({home!r}); zygote.main(channel.Packets(3, 4, 5, 6))"
)
NOBODY, FIRST_UID = 65534, 2_000_000_000
_FLAGS = (
    kernel.NEWNS | kernel.NEWPID | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS | kernel.NEWCGROUP
)
_SAFE = kernel.NOSUID | kernel.NODEV


def main() -> None:
    """Do as the plan says; report the process id, or what failed, over the control socket."""
    plan = json.loads(sys.argv[1])
    control = socket.socket(fileno=os.dup(plan["files"][0]))
    try:
        joined = _join_cgroups(plan)
        _prepare()
        if not plan["isolate"]:
            os.setsid()
            control.send(json.dumps({"pid": os.getpid()}).encode())
            _become(plan, plan["home"])
        layers = _isolate(plan, _sources())
        own_uid = FIRST_UID + os.getpid()
        pid = kernel.fork_sibling()
        if pid == 0:
            try:
                os.setsid()
                _drop(own_uid if "uid" in layers else 0)
                _become(plan, HOME)
            except BaseException as error:
                control.send(json.dumps({"error": _words(error)}).encode())
            finally:
                os._exit(1)
        control.send(json.dumps({"pid": pid, "layers": layers, "joined": joined}).encode())
    except (OSError, kernel.Refused) as error:
        control.send(json.dumps({"error": _words(error)}).encode())
    os._exit(0)


def _sources() -> dict[str, bytes]:
    """Return the files that the zygote consists of, while they can still be read."""
    folder = os.path.dirname(os.path.abspath(__file__))
    found = {}
    for name in os.listdir(folder):
        if name.endswith(".py") and name not in ("launch.py", "kernel.py", "alone.py"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
    return found


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, kernel.Refused) else f"{type(error).__name__}: {error}"


def _join_cgroups(plan: dict[str, Any]) -> bool:
    """Enter the groups; False where the kernel refuses, as they are never required."""
    try:
        for folder in plan["cgroups"]:
            with open(os.path.join(folder, "cgroup.procs"), "w") as file:
                file.write("0")
    except OSError:  # a folder may be ours whose common ancestor with our own group is not
        return False
    return True


def _prepare() -> None:
    """Set what must be set before the interpreter starts anew."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    stack = confine.STACK if hard == resource.RLIM_INFINITY else min(hard, confine.STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))
    os.umask(0o022)


def _isolate(plan: dict[str, Any], sources: dict[str, bytes]) -> list[str]:
    """Make namespaces and the new root; return the names of the layers."""
    layers = ["mount", "pid", "net", "ipc", "uts", "cgroup"]
    if os.geteuid() == 0 and _privileged():
        kernel.unshare(_FLAGS, "unshare")
        layers.append("uid")
    else:
        if os.geteuid() == 0:  # root of a container without its powers
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            confine.prctl(4, 1)  # dumpable, or /proc/self/uid_map would not be ours
        uid, gid = os.geteuid(), os.getegid()
        kernel.unshare(_FLAGS | kernel.NEWUSER, "unshare with a user namespace")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{NOBODY} {uid} 1"),
            ("gid_map", f"{NOBODY} {gid} 1"),
        ):
            try:
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            except OSError as error:
                raise kernel.Refused(f"write {name}: {error.strerror}") from error
        layers.append("user")
    _new_root(plan, sources)
    kernel.set_host_name("sandbox")
    return layers


def _privileged() -> bool:
    """Whether this process may mount: whether CAP_SYS_ADMIN (21) is in effect."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> 21 & 1)
    return False


def _new_root(plan: dict[str, Any], sources: dict[str, bytes]) -> None:
    """Build the file system and make it the root."""
    kernel.mount(None, "/", None, kernel.REC | kernel.PRIVATE)
    base = plan["base"]
    kernel.mount("tmpfs", base, "tmpfs", _SAFE, "size=4m,nr_inodes=2048,mode=755")
    os.mkdir(f"{base}/old", 0o700)
    kernel.pivot_root(base, f"{base}/old")
    os.chdir("/")
    for path, target in plan["links"]:
        os.symlink(target, path)
    for source, target in plan["binds"]:
        _place(f"/old{source}", target)
        kernel.bind(f"/old{source}", target, kernel.RDONLY | _SAFE)
    for target in plan["masks"]:
        options = "size=4k,nr_inodes=2,mode=755"
        kernel.mount("tmpfs", target, "tmpfs", kernel.RDONLY | _SAFE | kernel.NOEXEC, options)
    for name in ("null", "zero", "urandom"):
        _place(f"/old/dev/{name}", f"/dev/{name}")
        kernel.bind(
            f"/old/dev/{name}", f"/dev/{name}", kernel.RDONLY | kernel.NOSUID | kernel.NOEXEC
        )
    os.makedirs(f"{HOME}/inside")
    for name, text in sources.items():
        with open(f"{HOME}/inside/{name}", "wb") as file:
            file.write(text)
    os.mkdir("/tmp")
    if plan["scratch"]:
        options = f"size={plan['scratch']},nr_inodes=1024,mode=1777"
        kernel.mount("tmpfs", "/tmp", "tmpfs", _SAFE | kernel.NOEXEC, options)
    kernel.unmount("/old")
    os.rmdir("/old")
    kernel.mount(None, "/", None, kernel.REMOUNT | kernel.BIND | kernel.RDONLY | _SAFE)
    os.chdir("/tmp")


def _place(source: str, target: str) -> None:
    """Make the place where something is to be bound."""
    if os.path.exists(target):
        return
    if os.path.isdir(source):
        os.makedirs(target)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w"):
        pass


def _drop(own_uid: int) -> None:
    """Give up every privilege for good."""
    kernel.empty_bounding_set()
    if own_uid:
        # An id that nobody else has: limits on processes count per id.
        for uid in (own_uid, NOBODY):
            try:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                break
            except OSError:  # a container that maps few ids
                if uid == NOBODY:
                    raise
    kernel.drop_capabilities()
    confine.prctl(38, 1)


def _become(plan: dict[str, Any], home: str) -> None:
    """Become the zygote's interpreter, with four descriptors and a bare environment."""
    copies = [os.dup(number) for number in plan["files"]]
    copies = [_above(copy) for copy in copies]
    for number, copy in enumerate(copies, CONTROL):
        os.dup2(copy, number)
    os.closerange(JOB + 1, 4096)
    for number in range(CONTROL, JOB + 1):
        os.set_inheritable(number, True)
    arguments = [plan["python"], "-s", "-P", "-S", "-c", BOOT.format(home=home)]
    os.execve(plan["python"], arguments, plan["environment"])


def _above(number: int) -> int:
    """Return a duplicate beyond the numbers that the zygote uses."""
    while number <= JOB + 4:
        number = os.dup(number)
    return number


if __name__ == "__main__":
    main()
