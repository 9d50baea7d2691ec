"""A real `runbook serve` for tests: a process of its own, watched through its log, and counted at the end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints.settings import Settings
from tests.lab import PATIENCE, SECRETS, wait_until


class Runner:
    """One local runner on a free port of loopback."""

    def __init__(
        self, settings: Settings, *arguments: str, grace: str = "3", environment: Mapping[str, str] | None = None
    ) -> None:
        self.state = settings.state
        self.log_file = settings.runbooks.parent / "serve.log"
        command = (sys.executable, "-m", "runbook_engine.entrypoints.serve", "--runbooks", str(settings.runbooks))
        given = ("--state", str(settings.state), "--port", "0", "--grace", grace, *arguments)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *given],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **SECRETS, **(environment or {})},
            )
        self.address = ""

    def wait_for_start(self, limit: float = PATIENCE) -> Runner:
        """Wait until it answers."""
        wait_until(lambda: bool(self.events("serve.started")) or self.process.poll() is not None, "it starts", limit)
        assert self.events("serve.started"), self.log_file.read_text()
        self.address = self.events("serve.started")[-1]["address"]
        return self

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a name that it has logged so far."""
        lines = (line for line in self.log_file.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] = b"",
        *,
        token: str = "",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Return status, decoded JSON (or text) and headers of one request."""
        given = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        connection = HTTPConnection(host, int(port), timeout=PATIENCE)
        try:
            connection.request(method, path, body or None, given | (headers or {}))
            answer = connection.getresponse()
            content = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        is_json = found.get("content-type", "") == "application/json"
        return answer.status, json.loads(content) if is_json else content.decode(), found

    def worker_pid(self) -> int:
        """Return the process id of the worker that was started last."""
        started = [event for event in self.events("child.started") if event["child"] == "worker"]
        return int(started[-1]["child_pid"])

    def stop_still(self, process_id: int) -> None:
        """Stop a process where it stands (SIGSTOP), and not while it holds the journal: everybody else would wait.

        A webhook that comes while nobody can write is answered 503, and its sender comes again; that is another test.
        """

        def stands_still_without_the_journal() -> bool:
            os.kill(process_id, signal.SIGSTOP)
            wait_until(lambda: state_of(process_id) == "T", "it stands still")
            if self.can_be_written():
                return True
            os.kill(process_id, signal.SIGCONT)
            return False

        wait_until(stands_still_without_the_journal, "it is stopped outside of a transaction")

    def can_be_written(self) -> bool:
        """Whether nobody keeps the journal's lock for writing."""
        with closing(sqlite3.connect(self.state / "journal.sqlite3", timeout=1, isolation_level=None)) as journal:
            try:
                journal.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                return False
            journal.execute("ROLLBACK")
        return True

    def left(self) -> list[str]:
        """Return the processes that belong to this runner and still live."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        return [line for line in listed.splitlines() if str(self.state) in line and " Z" not in line[:16]]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while self.left() and time.monotonic() < end:
            time.sleep(0.05)
        return code


def state_of(process_id: int) -> str:
    """Return the state of a process as Linux gives it: R, S, D, T (stopped), Z (proc_pid_stat(5))."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
