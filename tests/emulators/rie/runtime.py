"""One function under the Runtime Interface Emulator: on free ports, one call at a time, stopped with all it started."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.emulators.aws.faults import FunctionFailed
from tests.emulators.aws.place import REGION
from tests.emulators.rie.provided import provide
from tests.ports import free_ports
from tests.tools import find_tool

PATH = "/2015-03-31/functions/function/invocations"
START = 90.0  # seconds until the emulator must listen
GRACE = 5.0  # seconds that its processes get to end
MARGIN = 90.0  # seconds beyond the function's own timeout: a cold start on a busy machine
TIMED_OUT = "Task timed out after"


@dataclass(frozen=True)
class Reply:
    """What an invocation answered. The error is a class name of the handler's, or one of Lambda's own."""

    status: int
    payload: Any
    error: str | None


class Runtime:
    """A function in a process of its own, which may die."""

    def __init__(
        self,
        folder: Path,
        handler: str,
        *,
        environment: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        memory: int = 512,
        name: str = "function",
        scratch: Path,
        isolated: bool = True,
    ) -> None:
        self._folder = folder.resolve()
        self._handler = handler
        self._extra = dict(environment or {})
        self._timeout = timeout
        self._memory = memory
        self._name = name
        self._scratch = scratch
        self._isolated = isolated
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the emulator and wait until it listens; the function's process starts with the first invocation."""
        emulator = find_tool("aws-lambda-rie")
        self._port, api = free_ports(2)
        self._scratch.mkdir(parents=True, exist_ok=True)
        python = [sys.executable, "-S"] if self._isolated else [sys.executable]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(emulator),
                    "--runtime-interface-emulator-address",
                    f"127.0.0.1:{self._port}",
                    "--runtime-api-address",
                    f"127.0.0.1:{api}",
                    *python,
                    "-m",
                    "awslambdaric",
                    self._handler,
                ],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_listening()

    def stop(self) -> None:
        """End the emulator and everything that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
                process.wait(GRACE)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        process.wait(GRACE)

    def invoke(self, event: Any) -> Reply:
        """Invoke the function and wait for its answer."""
        with self._lock:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout + MARGIN)
            try:
                connection.request("POST", PATH, json.dumps(event), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read().decode()
            finally:
                connection.close()
        return reply_of(answer.status, body)

    def handler(self, event: Any, context: object) -> Any:
        """Invoke it as a function of the test bed; its errors are handed on as they are."""
        reply = self.invoke(event)
        if reply.error is None:
            return reply.payload
        known = reply.payload if isinstance(reply.payload, dict) else {"errorMessage": reply.payload}
        raise FunctionFailed({**known, "errorType": reply.error})

    def log(self) -> str:
        """Return what the emulator and the function printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self._scratch / f"{self._name}.log"

    def _environment(self) -> dict[str, str]:
        """Return the environment of the function: Lambda's own variables, ours, and nothing of this process."""
        path = [str(self._folder)]
        if self._isolated:
            path.append(str(provide(self._scratch / "provided")))
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._scratch),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self._folder),
            "AWS_LAMBDA_FUNCTION_NAME": self._name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{self._timeout:g}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            **self._extra,
        }

    def _wait_until_listening(self) -> None:
        deadline = time.monotonic() + START
        while not listens(self._port):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the emulator does not listen on port {self._port}:\n{self.log()}")
            time.sleep(0.02)


def reply_of(status: int, body: str) -> Reply:
    """Return what an answer of the emulator means: it marks errors by their form, not by a header."""
    try:
        payload = json.loads(body)
    except ValueError:
        payload = body
    if isinstance(payload, str) and TIMED_OUT in payload:
        return Reply(status, payload, "Sandbox.Timedout")
    if isinstance(payload, dict) and isinstance(payload.get("errorType"), str) and "errorMessage" in payload:
        return Reply(status, payload, payload["errorType"])
    return Reply(status, payload, None if status == 200 else f"HTTP {status}")


def listens(port: int) -> bool:
    """Say whether somebody accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
