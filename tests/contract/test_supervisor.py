"""The supervisor: a child that dies comes back, and no process outlives its end."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path

import pytest

from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.supervisor import Child, supervise
from tests.lab import wait_until

pytestmark = pytest.mark.slow

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, subprocess, sys, time, pathlib\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "pathlib.Path(sys.argv[1]).write_text(str(grandchild.pid))\n"
    "time.sleep(60)\n"
)


def child(code: str, *arguments: str, stream: io.StringIO | None = None) -> Child:
    """Return a child that runs a few lines of Python."""
    return Child(
        "test", (sys.executable, "-c", code, *arguments), dict(os.environ), (), EventLog(stream or io.StringIO())
    )


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_that_dies_is_started_again_later_each_time() -> None:
    """A child that cannot live must not eat the machine."""
    stream = io.StringIO()
    dying = child("raise SystemExit(7)", stream=stream)

    supervise([dying], lambda: dying.deaths >= 3, grace=1, look=0.01)

    deaths = [event for event in map(json.loads, stream.getvalue().splitlines()) if event["event"] == "child.died"]
    assert [7, 7, 7] == [event["code"] for event in deaths]
    assert [0.2, 0.4, 0.8] == [event["again_in"] for event in deaths]


def test_a_stop_ends_a_willing_child_by_itself() -> None:
    """SIGTERM is enough, and nobody waits for the whole grace."""
    stream = io.StringIO()
    willing = child(SLEEP, stream=stream)
    willing.start()
    started = time.monotonic()

    supervise([willing], lambda: True, grace=10)

    assert time.monotonic() - started < 5
    assert "child.killed" not in stream.getvalue()


def test_a_stubborn_child_is_killed_with_everything_that_it_started(tmp_path: Path) -> None:
    """After the grace nothing is left, grandchildren included."""
    note = tmp_path / "grandchild"
    stubborn = child(STUBBORN, str(note))
    stubborn.start()
    wait_until(lambda: note.exists() and note.read_text() != "", "the grandchild runs")
    grandchild = int(note.read_text())

    supervise([stubborn], lambda: True, grace=0.1)

    assert stubborn.process is not None
    assert stubborn.process.returncode is not None
    wait_until(lambda: not is_alive(grandchild), "the grandchild is gone")


def test_children_are_stopped_even_when_the_supervisor_itself_fails() -> None:
    """A bug in the loop must not leave processes behind."""
    orphan = child(SLEEP)
    orphan.start()

    def fail() -> bool:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        supervise([orphan], fail, grace=5)

    assert orphan.process is not None
    assert orphan.process.returncode is not None
