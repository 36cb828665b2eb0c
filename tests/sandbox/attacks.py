"""Hostile solutions, each with what it must come to. ``f(x)`` is to return ``10 * x``."""

from __future__ import annotations

from dataclasses import dataclass

from harness.sandbox.job import End, Limits, Program

QUICK = Limits(cpu=0.5, wall=8.0)
SLOW = Limits(cpu=3.0, wall=15.0)
CLOCK = Limits(cpu=0.5, wall=1.0)


@dataclass(frozen=True)
class Attack:
    property: str
    """What it must not break."""
    code: str
    ends: tuple[End, ...]
    limits: Limits = QUICK
    may_answer: bool = False
    """Whether right answers may come back, as the code does give them."""
    must_answer: bool = False
    """Whether they have to: any other answer means that the code found what it looked for."""
    raises: str = ""
    """What every call's error has to say: a regular expression, found in the isolated backend."""


def call(number: int | str, *arguments: object) -> str:
    """Return code that makes a raw system call and raises what it says."""
    words = ", ".join(map(str, arguments))
    return f"""
import ctypes, os as _os
_c = ctypes.CDLL(None, use_errno=True)
def syscall(*a):
    r = _c.syscall(*[ctypes.c_long(x) if isinstance(x, int) else x for x in a])
    if r < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return r
def f(x):
    syscall({number}{", " + words if words else ""})
    return 10 * x
"""


LOOK_AROUND = Program(
    "import os\nfree = os.statvfs('/tmp').f_bfree\n"
    "files = [(s.st_blocks, s.st_mode, s.st_size) for s in (os.fstat(1), os.fstat(3))]\n"
    "print(os.getcwd(), os.listdir('/tmp'), free, files)",
    b"",
)
"""What a program sees of its worker; the same before and after any attack."""

HONEST = "def f(x):\n    return 10 * x\n"
RAISES = ("finished",)  # each call is recorded as raised
KILLED = ("sandbox_violation",)
ERROR = ("runtime_error",)
NUMBERS = {  # x86_64
    "ptrace": (101, 16, 1, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, 1, 0, 0, 0, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0),
    "umount2": (166, 0, 0),
    "pivot_root": (155, 0, 0),
    "chroot": (161, 0),
    "unshare": (272, 0x10000000),
    "setns": (308, 0, 0),
    "bpf": (321, 0, 0, 0),
    "io_uring_setup": (425, 8, 0),
    "userfaultfd": (323, 0),
    "perf_event_open": (298, 0, 0, 0, 0, 0),
    "keyctl": (250, 0, 0, 0),
    "add_key": (248, 0, 0, 0, 0, 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "init_module": (175, 0, 0, 0),
    "fsopen": (430, 0, 0),
    "open_tree": (428, 0, 0, 0),
    "modify_ldt": (154, 0, 0, 0),
}
REFUSED = {
    "socket": (41, 1, 1, 0),
    "fork": (57,),
    "vfork": (58,),
    "clone without threads": (56, 17, 0, 0, 0, 0),
    "clone with a namespace": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "clone3": (435, 0, 0),
    "execve": (59, 0, 0, 0),
    "kill the zygote": (62, 1, 9),
    "kill everybody": (62, -1, 9),
    "tgkill the zygote": (234, 1, 1, 9),
    "tkill the zygote": (200, 1, 9),
    "interrupt the zygote": (62, 1, 2),
    "kill -9 itself": (62, "_os.getpid()", 9),
    "memfd_create": (319, "b'x'", 0),
    "seccomp": (317, 1, 0, 0),
    "setuid": (105, 0),
    "capset": (126, 0, 0),
    "priority": (141, 0, 0, -20),
    "real-time scheduling": (144, 0, 1, 0),
    "limits of the zygote": (302, 1, 7, 0, 0),
    "pidfd": (434, 1, 0),
    "shared memory": (29, 0, 4096, 0o1777),
    "message queue": (68, 0, 0o1777),
    "personality": (135, 0),
    "sethostname": (170, "b'x'", 1),
    "syslog": (103, 3, 0, 0),
    "inotify": (253,),
    "setxattr": (188, "b'/tmp'", "b'user.x'", "b'1'", 1, 0),
    "dumpable": ("157", 4, 1, 0, 0, 0),
    "descriptor by handle": (304, 0, 0, 0),
}

_SYSTEM_CALLS = [
    *(Attack(f"{name} ends the process", call(*call_), KILLED) for name, call_ in NUMBERS.items()),
    *(
        Attack(
            f"{name} is refused",
            call(*call_),
            RAISES,
            raises=r"\[Errno 38\]" if name == "clone3" else r"\[Errno 1\]",
        )
        for name, call_ in REFUSED.items()
    ),
    Attack("calls of the 32-bit table end the process", call(0x40000000 + 39), KILLED),
]

_TIME = [
    Attack("an endless loop ends", "def f(x):\n    while True: pass", ("timeout",)),
    Attack(
        "a loop that swallows everything ends",
        "def f(x):\n    while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass",
        ("timeout",),
    ),
    Attack("a loop at import ends", "while True: pass", ("timeout",)),
    Attack(
        "a long regular expression ends",
        "import re\ndef f(x): re.match(r'(a+)+$', 'a'*40+'b')",
        ("timeout",),
    ),
    Attack("a large power ends", "def f(x): return (7**9999999) ** 99", ("timeout",)),
    Attack(
        "alarms and clocks inside are not trusted",
        "import signal, time\nsignal.alarm(0); signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
        "time.process_time = time.time = time.monotonic = lambda: 0\n"
        "def f(x):\n    while True: pass",
        ("timeout",),
    ),
    Attack(
        "sleeping ends by the clock", "import time\ndef f(x): time.sleep(1000)", ("timeout",), CLOCK
    ),
    Attack(
        "a stopped process ends by the clock",
        "import posix, signal\ndef f(x): posix.kill(posix.getpid(), signal.SIGSTOP)",
        ("timeout",),
        CLOCK,
    ),
    Attack(
        "a deadlock ends by the clock",
        "import threading\ndef f(x):\n    l = threading.Lock(); l.acquire(); l.acquire()",
        ("timeout",),
        CLOCK,
    ),
    Attack(
        "a loop in a thread ends",
        "import threading\ndef f(x):\n    def g():\n        while True: pass\n"
        "    t = threading.Thread(target=g); t.start(); t.join()",
        ("timeout",),
    ),
    Attack(
        "a thread left behind does not last",
        "import threading\ndef g():\n    while True: pass\n"
        "def f(x):\n    threading.Thread(target=g).start(); return 10 * x",
        ("finished", "timeout"),
        SLOW,
        may_answer=True,
    ),
    Attack(
        "forged progress gains nothing",
        "import sys\nframe = sys._getframe()\nwhile 'report' not in frame.f_locals:\n"
        "    frame = frame.f_back\npage = frame.f_locals['report']._page\n"
        "def f(x):\n    while True: page[:4] = b'\\xff' * 4",
        ("timeout",),
        Limits(cpu=1.0, per_call=(0.3,)),
    ),
]

_PROCESSES = [
    Attack(
        "a fork bomb does not fork",
        "import posix\ndef f(x):\n    while True: posix.fork()",
        RAISES,
        raises=r"\[Errno 1\]",
    ),
    Attack(
        "a thread bomb is limited",
        "import threading, time\ndef f(x):\n"
        "    while True: threading.Thread(target=time.sleep, args=(50,)).start()",
        ("finished",),
        SLOW,
        raises="can't start new thread",
    ),
    Attack(
        "a subprocess does not start",
        "import sys, os\ndef f(x): return os.posix_spawn(sys.executable, ['python', '-c', ''], {})",
        RAISES,
        raises=r"\[Errno 1\]",
    ),
    Attack(
        "a daemon does not start",
        "import posix\nif posix.fork() == 0:\n    posix.setsid()\n    while True: pass",
        ERROR,
    ),
    Attack(
        "the shell does not start",
        "import posix\ndef f(x): return 10 * x + posix.system('id')",
        ("finished",),
    ),
]

_MEMORY = [
    Attack("100 GB are not allocated", "def f(x): return bytearray(100 * 2**30)", ("finished",)),
    Attack("memory at import is limited", "a = bytearray(100 * 2**30)", ("memory_limit",)),
    Attack(
        "a growing list is limited",
        "def f(x):\n    a = []\n    while True: a.append(bytearray(2**26))",
        ("finished", "timeout"),
        Limits(cpu=3.0, memory=2**29),
    ),
    Attack(
        "a swallowed MemoryError gains nothing",
        "def f(x):\n    a = []\n    while True:\n        try: a.append(bytearray(2**26))\n"
        "        except MemoryError: pass",
        ("timeout",),
        Limits(cpu=0.5, memory=2**28),
    ),
    Attack(
        "shared memory counts",
        "import mmap\ndef f(x): return len(mmap.mmap(-1, 100 * 2**30))",
        RAISES,
        raises=r"\[Errno 12\]",
    ),
    Attack(
        "raising a limit fails",
        "import sys\nsys.modules.pop('resource')\nimport resource\n"
        "def f(x):\n    resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); return 10 * x",
        RAISES,
        raises="not allowed to raise",
    ),
    Attack(
        "descriptors are limited",
        "import posix\ndef f(x):\n    while True: posix.dup(0)",
        RAISES,
        raises=r"\[Errno 24\]",
    ),
    Attack("no core is dumped", "import ctypes\ndef f(x): ctypes.string_at(0)", ERROR),
    Attack("abort is a runtime error", "import posix\ndef f(x): posix.abort()", ERROR),
    Attack(
        "deep recursion in C ends",
        "import sys\nsys.setrecursionlimit(10**8)\n"
        "class A:\n    def __getattr__(self, n): return getattr(self, n + 'x')\n"
        "def f(x): return repr(A().y)",
        ("runtime_error", "finished", "timeout"),
        Limits(cpu=1.0, memory=2**30),
    ),
]

_OUTPUT = [
    Attack(
        "a gigabyte printed in calls goes nowhere",
        "text = 'x' * 10**6\ndef f(x):\n    for _ in range(400): print(text)\n    return 10 * x",
        ("finished",),
        SLOW,
        may_answer=True,
        must_answer=True,
    ),
    Attack(
        "a gigabyte written to descriptors in calls goes nowhere",
        "import os\ntext = b'x' * 10**6\ndef f(x):\n"
        "    for _ in range(400): os.write(1, text); os.write(2, text)\n    return 10 * x",
        ("finished",),
        SLOW,
        may_answer=True,
        must_answer=True,
    ),
]

_FILES = [
    Attack(
        "/etc/passwd is not there",
        "def f(x): return _o('/etc/passwd').read()\nimport _io\n_o = _io.open",
        RAISES,
        raises=r"\[Errno 2\]",
    ),
    Attack(
        "/proc is not there",
        "import posix\ndef f(x): return posix.listdir('/proc/self')",
        RAISES,
        raises=r"\[Errno 2\]",
    ),
    Attack(
        "home is not there",
        "import posix\ndef f(x): return posix.listdir('/home')",
        RAISES,
        raises=r"\[Errno 2\]",
    ),
    Attack(
        "the environment is empty",
        "import os\ndef f(x): return 10 * x if 'CANARY' not in str(os.environ) else 0",
        ("finished",),
        may_answer=True,
        must_answer=True,
    ),
    Attack(
        "the harness is not there",
        "def f(x):\n    import harness.grading",
        RAISES,
        raises="No module named 'harness'",
    ),
    Attack(
        "installed packages are not there",
        "def f(x):\n    import pytest",
        RAISES,
        raises="No module named 'pytest'",
    ),
    Attack(
        "the library cannot be written",
        "import os, _io\ndef f(x): _io.open(os.__file__, 'a')",
        RAISES,
        raises=r"\[Errno (13|30)\]",
    ),
    Attack(
        "the root cannot be written",
        "import _io\ndef f(x): _io.open('/x', 'w')",
        RAISES,
        raises=r"\[Errno (13|30)\]",
    ),
    Attack(
        "/dev/shm cannot be written",
        "import _io\ndef f(x): _io.open('/dev/shm/x', 'w')",
        RAISES,
        raises=r"\[Errno (2|13|30)\]",
    ),
    Attack(
        "/tmp cannot be filled",
        "import _io\ndef f(x):\n    for i in range(99):\n"
        "        with _io.open(f'/tmp/{i}', 'wb') as o: o.write(bytes(2**20))",
        RAISES,
        raises=r"\[Errno 28\]",
    ),
    Attack(
        "/tmp has few names",
        "import _io\ndef f(x):\n    for i in range(99999): _io.open(f'/tmp/{i}', 'w').close()",
        RAISES,
        SLOW,
        raises=r"\[Errno 28\]",
    ),
    Attack(
        "deep folders are wiped",
        "import posix\ndef f(x):\n    for i in range(500):\n        posix.mkdir('d' * 200)\n"
        "        posix.chdir('d' * 200) if False else None\n        import os\n"
        "        _c(b'd' * 200)\n    return 10 * x\n"
        "import ctypes\n_c = ctypes.CDLL(None).chdir",
        ("finished",),
        SLOW,
        may_answer=True,
    ),
    Attack(
        "a locked /tmp is unlocked",
        "import posix\ndef f(x):\n    posix.mkdir('/tmp/a'); _c(b'/tmp/a', 0); _c(b'/tmp', 0)\n"
        "    return 10 * x\nimport ctypes\n_c = ctypes.CDLL(None).chmod",
        ("finished",),
        may_answer=True,
    ),
    Attack(
        "a link out leads nowhere",
        "import posix, _io\ndef f(x):\n    posix.symlink('/etc/passwd', '/tmp/l')\n"
        "    return _io.open('/tmp/l').read()",
        RAISES,
        raises=r"\[Errno (2|17)\]",
    ),
    Attack(
        "descriptors of the worker are closed",
        "import posix\ndef f(x):\n    for i in range(4, 64):\n        try: posix.fstat(i)\n"
        "        except OSError: continue\n        return i\n    return 10 * x",
        ("finished",),
        may_answer=True,
        must_answer=True,
    ),
]

_FORGERY = [
    Attack(
        "garbage on every descriptor is a violation",
        "import posix\ndef f(x):\n    for i in range(64):\n        try: posix.write(i, b'x' * 99)\n"
        "        except OSError: pass\n    return 10 * x",
        KILLED,
    ),
    Attack(
        "a forged end is a violation",
        "import posix\ndef f(x):\n    posix.write(3, b'\\x07' + bytes(4)); return 10 * x",
        KILLED,
    ),
    Attack(
        "an end without results is no success",
        "import posix\nposix.write(3, b'\\x07' + bytes(4)); posix._exit(0)",
        ERROR,
    ),
    Attack(
        "more results than calls are a violation",
        "import posix\nposix.write(3, (b'\\x05\\x08\\0\\0\\0' + bytes(8) + b'\\x00\\x01\\0\\0\\0N')"
        " * 9); posix._exit(0)",
        KILLED,
    ),
    Attack(
        "a seek back in the result file is no success",
        "import posix\ndef f(x):\n    posix.lseek(3, 0, 0); posix.ftruncate(3, 0); return 10 * x",
        ("finished", "runtime_error", "sandbox_violation"),
    ),
    Attack(
        "a huge result file gives an end",
        "import posix\nposix.lseek(3, 2**28 - 10, 0)\nposix.write(3, bytes(100))\nposix._exit(0)",
        ("output_limit", "sandbox_violation", "runtime_error"),
    ),
    Attack(
        "closed descriptors are no success",
        "import posix\nfor i in range(64):\n    try: posix.close(i)\n    except OSError: pass\n"
        "def f(x): return 10 * x",
        ERROR,
    ),
    Attack(
        "results turned to another descriptor are no success",
        "import posix\nposix.dup2(0, 3)\ndef f(x): return 10 * x",
        ERROR,
    ),
    Attack(
        "results turned to a file of its own are no success",
        "import posix\nposix.close(3); posix.open('/tmp/r', 66)\ndef f(x): return 10 * x",
        ERROR,
    ),
    Attack(
        "the result file cannot be sealed",
        "import fcntl\ndef f(x): fcntl.fcntl(3, 1033, 6); return 10 * x",
        RAISES,
        raises=r"\[Errno 1\]",
    ),
    Attack(
        "a locked result file is unlocked",
        "import posix\ndef f(x):\n    try: posix.fchmod(3, 0)\n    except OSError: pass\n"
        "    return 10 * x",
        ("finished",),
        may_answer=True,
        must_answer=True,
    ),
    Attack(
        "SystemExit in a call is raised",
        "def f(x): raise SystemExit(0)",
        RAISES,
        raises="^SystemExit",
    ),
    Attack(
        "KeyboardInterrupt in a call is raised",
        "def f(x): raise KeyboardInterrupt",
        RAISES,
        raises="^KeyboardInterrupt",
    ),
    Attack(
        "an exit handler changes nothing",
        "import atexit, posix\natexit.register(posix._exit, 0)\ndef f(x): return 10 * x",
        ("finished",),
        may_answer=True,
        must_answer=True,
    ),
    Attack(
        "a trace function gives no right answer",
        "import ctypes, sys\n"
        "def trace(frame, event, arg):\n"
        "    for name in ('value', 'end', 'kind'):\n"
        "        if name in frame.f_locals: frame.f_locals[name] = None\n"
        "    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)\n"
        "    return trace\n"
        "frame = sys._getframe()\n"
        "while frame: frame.f_trace = trace; frame = frame.f_back\n"
        "sys.settrace(trace)\ndef f(x): return 0",
        ("finished", "runtime_error", "sandbox_violation"),
    ),
    Attack("an exit at import is no success", "import posix\nposix._exit(0)", ERROR),
    Attack("SystemExit at import is no success", "raise SystemExit(0)", ERROR),
    Attack("KeyboardInterrupt at import is no success", "raise KeyboardInterrupt", ERROR),
    Attack("an exit in a call is no success", "import posix\ndef f(x): posix._exit(0)", ERROR),
    Attack("a missing entry is a runtime error", "def g(x): return 10 * x", ERROR),
    Attack("code that is none is a compile error", "def f(x: return 10", ("compile_error",)),
    Attack("code with a null byte is a compile error", "x = 1\0", ("compile_error",)),
    Attack("nested code is a compile error", "(" * 9999 + ")" * 9999, ("compile_error",)),
]

_VALUES = [
    Attack(
        "an object that equals everything has no value",
        "class A:\n    def __eq__(self, o): return True\ndef f(x): return A()",
        ("finished",),
    ),
    Attack(
        "an int that equals everything has no value",
        "class A(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n"
        "def f(x): return A(3)",
        ("finished",),
    ),
    Attack(
        "a list that holds itself comes back as an error",
        "def f(x):\n    a = []; a.append(a); return a",
        RAISES,
        raises="nested too deeply",
    ),
    Attack(
        "a deep value comes back as an error",
        "def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
        RAISES,
        raises="nested too deeply",
    ),
    Attack("a huge text is only a digest", "def f(x): return 'x' * 10**8", ("finished",), SLOW),
    Attack("a huge integer is only a digest", "def f(x): return 1 << 10**8", ("finished",), SLOW),
    Attack(
        "an exception whose text raises is an error",
        "class E(Exception):\n    def __str__(self): raise BaseException\ndef f(x): raise E",
        RAISES,
    ),
    Attack(
        "an exception with a huge text is cut",
        "def f(x): raise ValueError('x' * 10**7)",
        RAISES,
        raises="^ValueError: x",
    ),
    Attack(
        "a type with a hostile name is named safely",
        "class M(type):\n    def __getattribute__(s, n): return 1 / 0\n"
        "T = M('T' * 9999, (), {})\ndef f(x): return T()",
        ("finished",),
    ),
    Attack(
        "a rewritten encoder only answers differently",
        "import sys, marshal\nmarshal.dumps = lambda *a: b'N'\ndef f(x): return 10 * x",
        ("finished",),
    ),
    Attack(
        "a rewritten report only answers differently",
        "import sys\nfor m in list(sys.modules):\n    if m.startswith('inside'):\n"
        "        vars(sys.modules[m]).clear()\ndef f(x): return 10 * x",
        ("finished", "runtime_error"),
    ),
    Attack(
        "the expected answer is not in memory",
        "import gc\ndef f(x):\n    return 0 if any(o == {'expected'} for o in gc.get_objects()"
        " if type(o) is set) else 10 * x",
        ("finished",),
        SLOW,
        may_answer=True,
        must_answer=True,
    ),
]

ATTACKS = [
    *_SYSTEM_CALLS,
    *_TIME,
    *_PROCESSES,
    *_MEMORY,
    *_OUTPUT,
    *_FILES,
    *_FORGERY,
    *_VALUES,
]
