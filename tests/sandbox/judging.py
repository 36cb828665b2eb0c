"""What must hold after an attack, whoever runs it and however its code is executed."""

from __future__ import annotations

import re

from harness.sandbox import values
from harness.sandbox.job import Calls, Execution, Inputs
from harness.sandbox.pool import Pool
from tests.sandbox.attacks import HONEST, LOOK_AROUND, Attack

INPUTS = Inputs(((1,), (2,), (3,)), "tens")
RIGHT = [values.encode(10), values.encode(20), values.encode(30)]
LINES = Inputs((("1",), ("2",), ("3",)), "tens as text")
PRINTED = [values.encode(f"{n}\n") for n in (10, 20, 30)]


def right(execution: Execution) -> bool:
    """Whether all calls gave what the problem asks for."""
    if execution.end != "finished":
        return False
    return [r.data for r in execution.returned] in (RIGHT, PRINTED)


def job(attack: Attack, style: str) -> Calls:
    """An attack as a solution in one of the styles of execution."""
    match style:
        case "evalplus":
            return Calls(attack.code, "f", INPUTS, attack.limits)
        case "livecodebench":
            return Calls(attack.code, "f", INPUTS, attack.limits, "livecodebench")
    code = f"{attack.code}\nprint(f(int(input())))"
    return Calls(code, "", LINES, attack.limits, "livecodebench program")


def faults(pool: Pool, fresh: bytes, attack: Attack, style: str = "evalplus") -> list[str]:
    """Run an attack, then honest code and a look around; say what is not as it must be.

    In the emulation of a program all of the code runs in each call, so that how an attack ends
    depends on it; there, only what must hold for any code is asked.
    """
    found, after, around = pool.run([job(attack, style), Calls(HONEST, "f", INPUTS), LOOK_AROUND])
    bad = []
    if not right(after):
        bad.append(f"the next execution is wrong: {after}")
    if around.stdout != fresh:
        bad.append(f"something is left: {around.stdout!r}")
    if right(found) and not attack.may_answer:
        bad.append("it answers right")
    if found.end == "sandbox_error":
        bad.append(f"the sandbox failed: {found.reason}")
    if any(len(values.preview(one)) > 200 for one in found.returned):
        bad.append("a preview is long")
    if style == "livecodebench program":
        return bad
    if found.end not in attack.ends:
        bad.append(f"it ends otherwise: {found}")
    if attack.must_answer and not right(found):
        bad.append(f"it found something: {found}")
    if attack.raises:
        said = [one.data.decode() for one in found.returned if one.kind == "raised"]
        if not said or len(said) < len(found.returned):
            bad.append(f"not every call raises: {found}")
        bad += [f"it raises {text}" for text in said if not re.search(attack.raises, text)]
    return bad
