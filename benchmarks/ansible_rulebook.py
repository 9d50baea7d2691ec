"""End to end beside ansible-rulebook: from the POST of an alert to the requests that its playbook sends.

`runbook serve` is that of `end_to_end`, with a durable intent before each of its three requests. ansible-rulebook runs
as it is shipped and stores nothing: its own webhook source, one rule, `run_playbook`, and a playbook of three `uri`
tasks for the same server, which gathers no facts and looks for no interpreter. Both are asked in turns, with time for a
playbook to end before the next alert. `make bench-peers` makes its environment; it wants Java 17.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import urllib3

from benchmarks.bare_server import ACTIONS
from benchmarks.end_to_end import Stage, runner
from benchmarks.servers import free_port, serving, started
from benchmarks.timing import table

HOME = Path(__file__).parents[1] / ".venv-peers" / "ansible"
PROGRAM = "ansible-rulebook"
TIMES, QUICK_TIMES = 10, 3
WARM_UP = 2
PATIENCE = 120.0  # seconds: a JVM starts
REST = 3.0  # seconds in which a playbook that has sent its last request comes to its end
GOAL = 500
WHOSE = "{{ ansible_eda.event.payload.alerts[0].labels.service }}"


def run(quick: bool) -> str:
    """Return how long an alert takes to the requests of its actions, with either."""
    missing = _missing()
    if missing:
        return f"ansible-rulebook was not measured: {missing}"
    times = QUICK_TIMES if quick else TIMES
    with tempfile.TemporaryDirectory() as folder, _stages(Path(folder)) as (engine, other):
        pairs = [_turn(engine, other, f"one-{number}") for number in range(WARM_UP + times)][WARM_UP:]
    rows = []
    for what, field in (("first action", "first"), ("last of three", "last")):
        ours, theirs = (median(getattr(pair[side], field) for pair in pairs) for side in (0, 1))
        slowest = (max(getattr(pair[side], field) for pair in pairs) * 1e3 for side in (0, 1))
        rows.append((what, ours * 1e3, theirs * 1e3, theirs / ours, f">= {GOAL}", *slowest))
    return table(("POST to the request", "p50 ms", PROGRAM, "x as fast", "wanted", "max ms", PROGRAM), rows)


def _turn(engine: Stage, other: Stage, service: str) -> tuple[Any, Any]:
    took = engine.post([service]), other.post([service])
    time.sleep(REST)
    return took


def _missing() -> str | None:
    """Return what is wanted and not there."""
    if not (HOME / "bin" / PROGRAM).exists():
        return "it is not installed (make bench-peers installs it in an environment of its own)"
    if _java() is None:
        return "there is no Java (install a JRE 17 or newer, or set JAVA_HOME)"
    return None


def _java() -> str | None:
    """Return where Java is: what JAVA_HOME says, or whatever the command belongs to."""
    found = shutil.which("java")
    return os.environ.get("JAVA_HOME") or (found and str(Path(found).resolve().parents[1]))


@contextmanager
def _stages(folder: Path) -> Iterator[tuple[Stage, Stage]]:
    """Run the sink, the engine and ansible-rulebook until the block ends."""
    sinks, ours, theirs = free_port(), free_port(), free_port()
    sink, pool = f"http://127.0.0.1:{sinks}", urllib3.PoolManager(maxsize=1, retries=False, timeout=60)
    with (
        started([sys.executable, "-m", "benchmarks.sink", str(sinks)], sinks),
        runner(folder, sink, ours),
        serving(_written(folder / "written", sink, theirs), theirs, folder / "log", _environment(folder), PATIENCE),
    ):
        yield (
            Stage(f"http://127.0.0.1:{ours}/hooks/bench", sink, pool),
            Stage(f"http://127.0.0.1:{theirs}/endpoint", sink, pool),
        )


def _written(folder: Path, sink: str, port: int) -> Sequence[str]:
    """Write rulebook, playbook and inventory, and nothing else: the folder is copied for each playbook that is run.

    Returns the command that runs them.
    """
    folder.mkdir()
    rule = {
        "name": "three actions",
        "condition": 'event.payload.alerts[0].labels.alertname == "Bench"',
        "action": {"run_playbook": {"name": str(folder / "playbook.yml")}},
    }
    source = {"eda.builtin.webhook": {"host": "127.0.0.1", "port": port}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [_task(action, sink) for action in ACTIONS]}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    files: Mapping[str, object] = {
        "rulebook.yml": [{"name": "bench", "hosts": "localhost", "sources": [source], "rules": [rule]}],
        "playbook.yml": [play],
        "inventory.yml": {"all": {"hosts": {"localhost": local}}},
    }
    for name, content in files.items():
        (folder / name).write_bytes(msgspec.yaml.encode(content))
    given = ("--rulebook", "rulebook.yml"), ("--inventory", "inventory.yml")
    named = [part for option, name in given for part in (option, str(folder / name))]
    return [str(HOME / "bin" / PROGRAM), *named]


def _task(action: str, sink: str) -> Mapping[str, object]:
    asked = {"url": f"{sink}/{action}/{WHOSE}", "method": "POST", "body_format": "json", "body": {"why": "bench"}}
    return {"name": action, "ansible.builtin.uri": asked}


def _environment(folder: Path) -> Mapping[str, str]:
    """Return what it needs besides: its own programs first, and one place for what it writes."""
    scratch = folder / "scratch"
    scratch.mkdir()
    return {
        "JAVA_HOME": _java() or "",
        "PATH": f"{HOME / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
    }
