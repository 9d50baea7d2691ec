"""The installed program `runbook serve`, and every way to kill it: all of it at once, its supervisor, or a child.

Started as an init system starts it: on one port, on one state folder, again and again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.lab import wait_until

PROGRAM = Path(sys.executable).with_name("runbook")
GRACE = "2"
TAKEN = "cannot listen on"  # an orphan of the runner that was killed holds the port still
USED = "another runbook serve uses"


class Program:
    """One runner after the other on the same folder."""

    def __init__(self, folder: Path, url: str, random: random.Random) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.port = free_port(random)
        self.starts = 0
        self._random = random
        self.process: subprocess.Popen[bytes] | None = None
        compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # once
        self.environment = {
            **compiled,
            "ONCALL_URL": f"{url}/oncall",
            "RUNBOOK_RUNBOOKS": str(folder / "runbooks"),
            "RUNBOOK_STATE": str(self.state),
        }

    @property
    def log(self) -> Path:
        """What the present runner says."""
        return self.folder / f"serve-{self.starts}.log"

    def start(self) -> None:
        """Start it; what the one before last said is thrown away."""
        (self.folder / f"serve-{self.starts - 1}.log").unlink(missing_ok=True)
        self.starts += 1
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--port", str(self.port), "--grace", GRACE],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )

    def lives(self) -> bool:
        """Whether its supervisor is there."""
        return self.process is not None and self.process.poll() is None

    def is_over(self) -> bool:
        """Whether it has ended by itself: for what an orphan holds it may, and is started again; else it never does."""
        assert self.process is not None
        if self.lives():
            return False
        said = self.log.read_text()
        assert self.process.returncode == 2, said
        assert TAKEN in said or USED in said, said
        return True

    def start_until_it_answers(self) -> None:
        """Start it, as often as an orphan of the one before is in its way, and wait until it says that it serves."""
        self.start()

        def serves() -> bool:
            if self.is_over():
                self.start()
            return self.serves()

        wait_until(serves, "it serves", 30)

    def serves(self) -> bool:
        """Whether it says that it serves."""
        return any(event["event"] == "serve.started" for event in self.events())

    def events(self) -> Iterator[dict[str, object]]:
        """Yield what the present runner has logged."""
        for line in self.log.read_bytes().splitlines():
            if line.startswith(b"{") and line.endswith(b"}"):  # else cut off by a kill, or not said yet
                yield json.loads(line)

    def children(self, name: str) -> list[int]:
        """Return the process ids of a child, `web` or `worker`, one for each start of it."""
        started = (event for event in self.events() if event["event"] == "child.started" and event["child"] == name)
        return [int(str(event["child_pid"])) for event in started]

    def works(self, name: str) -> bool:
        """Whether the present child of that name has said anything yet: none does before it is ready."""
        child = self.children(name)[-1]
        return any(event.get("pid") == child for event in self.events())

    def kill_all(self) -> None:
        """Kill every process of it in one moment, as a machine that loses its power does."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)  # or it would start another child while we look
        wait_until(lambda: state_of(self.process.pid) in ("T", "Z", ""), "it stands still")  # type: ignore[union-attr]
        groups = (self.process.pid, *children_of(self.process.pid))  # each child leads a group of its own
        for group in groups:
            kill_group(group)
        self.process.wait()

    def kill_supervisor(self) -> None:
        """Kill the supervisor alone: its children must notice, and meanwhile there may be two runners."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_child(self, name: str) -> int:
        """Kill a child, with what it started or alone, or of web only what that started. Returns how often it died."""
        child = self.children(name)[-1]
        started = children_of(child) if name == "web" else ()
        way = self._random.choice(("group", "alone", "started"))
        if way == "started" and started:
            with suppress(ProcessLookupError):
                os.kill(started[0], signal.SIGKILL)
            return 0
        with suppress(ProcessLookupError):
            (os.killpg if way == "group" else os.kill)(child, signal.SIGKILL)
        return 1

    def stop(self) -> int:
        """Stop it as an init system does, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the program on the same installation."""
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )

    def leave_nothing(self) -> None:
        """Kill whatever of it still lives."""
        if self.lives():
            self.kill_all()
        for pid, _, _, args in processes():
            if str(self.state) in args:
                kill_group(pid)

    def left(self) -> list[str]:
        """Return the processes of it that still live."""
        mark = str(self.state)
        return [args for _, _, state, args in processes() if mark in args and not state.startswith("Z")]


def processes() -> Iterator[tuple[int, int, str, str]]:
    """Yield every process of this machine: its id, its parent's, its state, its command."""
    listed = ("ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args=")
    for line in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
        pid, parent, state, *args = line.split(maxsplit=3)
        yield int(pid), int(parent), state, "".join(args)


def children_of(parent: int) -> tuple[int, ...]:
    """Return the children of a process."""
    return tuple(pid for pid, its_parent, _, _ in processes() if its_parent == parent)


def state_of(pid: int) -> str:
    """Return the first letter of a process's state, empty when it is gone."""
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()[:1]


def kill_group(leader: int) -> None:
    """Kill a process and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def free_port(random: random.Random) -> int:
    """Return a port that nobody has and that no outgoing connection is ever given, so that it stays free."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return port
