"""The remote backend against a real service, which runs what it gets in a sandbox of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from harness.sandbox import values
from harness.sandbox.backends import open_sandbox
from harness.sandbox.job import Calls, Inputs, Limits, Program
from harness.sandbox.namespaces import open_pool, probe

pytestmark = pytest.mark.skipif(not probe().works, reason=probe().why)


class Service(BaseHTTPRequestHandler):
    """As much of SandboxFusion's service as is asked for."""

    pool: Any
    failures: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        failure = self.failures.pop() if self.failures else ""
        if failure == "drop":
            self.connection.close()
            return
        answer: dict[str, Any] = {"status": "SandboxError", "message": "out of order"}
        if failure != "SandboxError":
            limits = Limits(cpu=body["run_timeout"], wall=body["run_timeout"])
            job = Program(body["code"], (body["stdin"] or "").encode(), limits)
            (found,) = self.pool.run([job])
            late = found.end == "timeout"
            failed = found.end != "finished"
            answer = {
                "status": "Failed" if failed else "Success",
                "run_result": {
                    "status": "TimeLimitExceeded" if late else "Finished",
                    "execution_time": found.wall_seconds,
                    "return_code": None if late else int(failed),
                    "stdout": found.stdout.decode("utf-8", "replace"),
                    "stderr": "",
                },
            }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with open_pool(1) as pool:
        Service.pool, Service.failures = pool, []
        server = HTTPServer(("127.0.0.1", 0), Service)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        thread.join()


INPUTS = Inputs(((1,), (2,)), "two")
LIMITS = Limits(cpu=2.0, wall=3.0)


def test_calls_come_back_as_bytes(url: str) -> None:
    codes = [
        "def f(x): return [x, {'a'}]",
        "def f(x): return 1 / (x - 1)",
        "def f(x: pass",
        "import os\ndef f(x): os._exit(0)",
        "print('noise')\ndef f(x): print(x); return x",
    ]
    with open_sandbox("remote", 1, url=url) as sandbox:
        jobs = [Calls(code, "f", INPUTS, LIMITS) for code in codes]
        good, half, broken, gone, noisy = sandbox.run(jobs)
    assert [r.data for r in good.returned] == [values.encode([i, {"a"}]) for i in (1, 2)]
    assert [r.kind for r in half.returned] == ["raised", "value"]
    assert (broken.end, gone.end, noisy.end) == ("compile_error", "runtime_error", "finished")


def test_programs_run_as_they_are_or_emulated(url: str) -> None:
    code = "n = 1\ndef g():\n    global n\n    n += 1\ng()\nprint(n, input())"
    with open_sandbox("remote", 1, url=url) as sandbox:
        real, emulated, late = sandbox.run(
            [
                Program(code, b"x\n", LIMITS),
                Calls(code, "", Inputs((("x\n",),), "x"), LIMITS, "livecodebench program"),
                Program("while True: pass", b"", Limits(cpu=0.5, wall=1.0)),
            ]
        )
    assert (real.end, real.stdout) == ("finished", b"2 x\n")
    assert emulated.returned[0].kind == "raised"
    assert emulated.returned[0].data.startswith(b"NameError")
    assert late.end == "timeout"


def test_a_failing_service_is_asked_again_and_never_the_codes_fault(url: str) -> None:
    job = Program("print(1)", b"", LIMITS)
    with open_sandbox("remote", 1, url=url) as sandbox:
        Service.failures = ["SandboxError", "drop"]
        assert next(sandbox.run([job])).stdout == b"1\n"
        Service.failures = ["SandboxError"] * 3
        lost = next(sandbox.run([job]))
        assert lost.end == "sandbox_error"


def test_a_service_that_is_not_there_is_a_sandbox_error() -> None:
    with open_sandbox("remote", 1, url="http://127.0.0.1:9") as sandbox:
        (found,) = sandbox.run([Program("print(1)", b"", LIMITS)])
    assert found.end == "sandbox_error" and "3 times" in found.reason
