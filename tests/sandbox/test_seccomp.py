"""The filter as a program: what it answers to any system call, on both machines."""

from __future__ import annotations

import errno
import struct

import pytest

from harness.sandbox import seccomp, syscalls

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, ENOTTY = (0x50000 | e for e in (errno.EPERM, errno.ENOSYS, errno.ENOTTY))
OWN = 77


def ask(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the filter on one call, as the kernel's interpreter would."""
    built = seccomp.build(machine)
    code = bytearray(built.program)
    for place in built.own_pid:
        struct.pack_into("<I", code, place, OWN)
    lines = list(struct.iter_unpack("<HBBI", code))
    six = [*arguments, *[0] * (6 - len(arguments))]
    unsigned = [a & (2**64 - 1) for a in six]
    data = struct.pack("<IIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *unsigned)
    at = accumulator = 0
    while True:
        operation, true, false, k = lines[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == 0x06:
            return k
        elif operation == 0x05:
            at += k
        else:
            holds = {
                0x15: accumulator == k,
                0x35: accumulator >= k,
                0x45: bool(accumulator & k),
            }[operation]
            at += true if holds else false


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_call_gets_what_its_group_says(machine: str) -> None:
    numbers = syscalls.numbers(machine)
    expected = {"ALLOW": ALLOW, "REFUSE": EPERM, "KILL": KILL, "ABSENT": ENOSYS}
    for group, answer in expected.items():
        for name in getattr(syscalls, group):
            if name in numbers:
                assert ask(machine, numbers[name]) == answer, name


def test_unknown_calls_do_not_exist(machine: str) -> None:
    known = set(syscalls.numbers(machine).values())
    for number in range(1000):
        if number not in known:
            assert ask(machine, number) == ENOSYS
    assert ask(machine, 0x40000000) == ask(machine, 0xFFFFFFFF) == KILL


def test_foreign_architectures_end_the_process(machine: str) -> None:
    for other in (0x40000003, 0x40000028, 0):
        assert ask(machine, 0, architecture=other or 0x8) == KILL


def test_threads_start_and_processes_do_not(machine: str) -> None:
    clone = syscalls.numbers(machine)["clone"]
    assert ask(machine, clone, 0x3D0F00) == ALLOW  # what glibc's pthread_create asks
    assert ask(machine, clone, 17) == EPERM
    assert ask(machine, clone, 0x3D0F00 | 0x10000000) == EPERM


def test_signals_reach_only_the_process_itself(machine: str) -> None:
    numbers = syscalls.numbers(machine)
    assert ask(machine, numbers["kill"], OWN, 6) == ALLOW
    assert ask(machine, numbers["tgkill"], OWN, OWN + 1, 6) == ALLOW
    for target in (1, -1, 0, -OWN, OWN + 1):
        assert ask(machine, numbers["kill"], target, 6) == EPERM
        assert ask(machine, numbers["tgkill"], target, OWN, 6) == EPERM
    assert ask(machine, numbers["kill"], OWN, 9) == EPERM
    assert ask(machine, numbers["tgkill"], OWN, OWN, 9) == EPERM


def test_limits_are_ones_own(machine: str) -> None:
    prlimit = syscalls.numbers(machine)["prlimit64"]
    assert ask(machine, prlimit, 0) == ask(machine, prlimit, OWN) == ALLOW
    assert ask(machine, prlimit, 1) == EPERM


def test_terminals_are_asked_but_nothing_else(machine: str) -> None:
    numbers = syscalls.numbers(machine)
    assert ask(machine, numbers["ioctl"], 1, 0x5401) == ALLOW
    assert ask(machine, numbers["ioctl"], 1, 0x5412) == ENOTTY  # typing into a terminal
    assert ask(machine, numbers["fcntl"], 1, 3) == ALLOW
    assert ask(machine, numbers["fcntl"], 1, 8) == EPERM  # signals to an owner
    assert ask(machine, numbers["prctl"], 15) == ALLOW
    assert ask(machine, numbers["prctl"], 22) == EPERM


def test_no_call_is_in_two_groups() -> None:
    groups = [syscalls.ALLOW, syscalls.REFUSE, syscalls.KILL, syscalls.ABSENT, syscalls.CHECKED]
    names = [name for group in groups for name in group]
    assert len(set(names)) == len(names)
    assert set(names) == set(syscalls.numbers("x86_64")) | set(syscalls.numbers("aarch64"))


def test_other_machines_are_not_supported() -> None:
    assert not seccomp.supported("riscv64")
    with pytest.raises(ValueError, match="riscv64"):
        seccomp.build("riscv64")
