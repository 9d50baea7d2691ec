"""The engine's own cost for each step beside that of DBOS: ten steps that change nothing, all durable on SQLite.

A step of DBOS is one row of its result; a step of ours is intended before it is applied, judged, observed and audited.
DBOS goes with the rollback journal that it leaves SQLite at, and with the write-ahead log that ours has; both flush
each commit. All take turns. `make bench-peers` makes the environment of DBOS.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.deliveries import sqlite_journal
from benchmarks.engine_steps import Cost, bare_rows, driver, in_turn, two_rows
from benchmarks.timing import table
from runbook_engine.testing.memory_journal import MemoryJournal

PYTHON = Path(__file__).parents[1] / ".venv-peers" / "dbos" / "bin" / "python"
PROBE = Path(__file__).with_name("dbos_probe.py")
RUNS, QUICK_RUNS = 40, 8
GOAL = 50


def run(quick: bool) -> str:
    """Return what a step costs on each, and how many times as dear that of DBOS is."""
    if not PYTHON.exists():
        return "DBOS was not measured: it is not installed (make bench-peers installs it in an environment of its own)"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        durable = stack.enter_context(closing(sqlite_journal(place / "journal.sqlite3")))
        bare = stack.enter_context(closing(bare_rows(place / "bare.sqlite3")))
        shipped, logged = (stack.enter_context(_asked(place / f"dbos{mode}", mode)) for mode in ("", "WAL"))
        ways = {
            "memory": driver(MemoryJournal()),
            "SQLite": driver(durable),
            "two rows in bare sqlite3": lambda number: two_rows(bare),
            "DBOS as it comes": lambda number: _cost(shipped),
            "DBOS, write-ahead log": lambda number: _cost(logged),
        }
        costs = dict(zip(ways, in_turn(tuple(ways.values()), QUICK_RUNS if quick else RUNS), strict=True))
    *_, came, log = costs.values()
    rows = [
        (name, cost.wall * 1e6, cost.cpu * 1e6, came.wall / cost.wall, log.wall / cost.wall, log.cpu / cost.cpu)
        for name, cost in costs.items()
    ]
    head = ("a step on", "us", "us of CPU", "DBOS, x us", "DBOS with a log, x us", "x CPU")
    return f"{table(head, rows)}\n\nwanted of SQLite: {GOAL} times as cheap as DBOS"


@contextmanager
def _asked(path: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Run the probe until the block ends."""
    with subprocess.Popen(
        [PYTHON, PROBE, path, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=path.parent,
    ) as probe:
        kept = _read(probe)["journal"]
        if mode and kept != mode.lower():
            raise RuntimeError(f"DBOS has set the journal of SQLite to {kept}, {mode} was wanted")
        yield probe
        assert probe.stdin is not None
        probe.stdin.close()


def _cost(probe: subprocess.Popen[str]) -> Cost:
    """Let it do its ten steps."""
    assert probe.stdin is not None
    print("again", file=probe.stdin, flush=True)
    told = _read(probe)
    return Cost(told["wall"], told["cpu"], 0, 0)


def _read(probe: subprocess.Popen[str]) -> Any:
    assert probe.stdout is not None
    line = probe.stdout.readline()
    if not line:
        raise RuntimeError(f"DBOS has ended with {probe.wait()}")
    return json.loads(line)
