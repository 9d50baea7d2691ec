"""Many callers that commit at once, against as many connections of bare sqlite3: what group commit gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.journal_rows import BARE_INSERT, BARE_TABLE, NOON, audit_record, connect, pack, pending, timed
from benchmarks.timing import table
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.model.incident import Intake

CALLERS = 8
ROUNDS = 3
BUSY = timedelta(seconds=60)


class Pace(NamedTuple):
    """How fast so many callers commit."""

    rate: float  # a second
    slowest: float  # the 99th percentile, in seconds


def callers(folder: Path, commits: int) -> str:
    """Compare one caller with eight, in turns; the median round counts."""
    ways = {"journal": _ours, "bare": _bare}
    flushes: list[float] = []
    kept: dict[str, list[Pace]] = {f"{name}, {callers}": [] for name in ways for callers in (1, CALLERS)}
    for turn in range(ROUNDS):
        flushes.extend(_flushes(folder / "flush"))
        for name, way in ways.items():
            for callers in (1, CALLERS):
                path = folder / f"{name}-{callers}-{turn}"
                kept[f"{name}, {callers}"].append(way(path, callers, commits))
    paces = {name: Pace(*(median(each) for each in zip(*turns, strict=True))) for name, turns in kept.items()}
    flush, goals = median(flushes), {f"journal, {CALLERS}": "1.2 x one, p99 20 x flush"}
    rows = []
    for name, pace in paces.items():
        one, bare = paces[f"{name.partition(',')[0]}, 1"].rate, paces["bare, 1"].rate
        slowest = (pace.slowest * 1e3, pace.slowest / flush)
        rows.append((name, pace.rate, pace.rate / one, pace.rate / bare, *slowest, goals.get(name, "-")))
    head = ("callers", "commits a s", "x one", "x bare, 1", "p99 ms", "x flush", "goal")
    return f"{table(head, rows)}\nflush: p50 {flush * 1e6:.0f} us"


def _ours(path: Path, callers: int, commits: int) -> Pace:
    journal = SqliteJournal(Database(path, BUSY))
    names = [f"run-{number}" for number in range(callers)]
    made = [pending(name) for name in names]
    journal.record(Intake(opened=tuple(made)))

    def commit(caller: int, version: int) -> None:
        record = replace(audit_record(version + 1), execution_id=names[caller])
        journal.commit(made[caller], expected_version=version, records=(record,), now=NOON)

    pace = _together(commit, callers, commits // callers)
    journal.close()
    return pace


def _bare(path: Path, callers: int, commits: int) -> Pace:
    """Let each caller write two rows over a connection of its own."""
    rows = [("c", 1, pack(pending("committed"))), ("c", 1, pack(audit_record(1)))]
    connections = [connect(path, BARE_TABLE.replace("TABLE", "TABLE IF NOT EXISTS")) for _ in range(callers)]
    for connection in connections:
        connection.execute(f"PRAGMA busy_timeout = {BUSY.seconds * 1000}")

    def commit(caller: int, number: int) -> None:
        connections[caller].execute("BEGIN IMMEDIATE")
        connections[caller].executemany(BARE_INSERT, rows)
        connections[caller].execute("COMMIT")

    pace = _together(commit, callers, commits // callers)
    for connection in connections:
        connection.close()
    return pace


def _together(commit: Callable[[int, int], None], callers: int, each: int) -> Pace:
    spent: list[float] = []

    def work(caller: int) -> None:
        for number in range(each):
            started = perf_counter()
            commit(caller, number)
            spent.append(perf_counter() - started)

    started = perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(work, range(callers)))
    return Pace(callers * each / (perf_counter() - started), quantiles(spent, n=100)[98])


def _flushes(path: Path) -> Iterator[float]:
    with path.open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            yield from timed(partial(os.fdatasync, file.fileno()), 1)
