"""The journal when there is much of it: eight callers at once, a restart over all that is open, pages of a million.

Commits of one caller and of eight, ours and bare sqlite3 with the same pragmas; a flush is 4 kB and fdatasync. A start
is what a process does before it accepts its first delivery, and before its worker has found what is due.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.deliveries import CONFIGURATION, bodies, engine, entries, half_new, request
from benchmarks.journal import BARE_INSERT, BARE_TABLE, NOON, Bench, audit_record, connect, pack, pending, timed
from benchmarks.timing import table
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.model.incident import Intake

CALLERS = 8
COMMITS, QUICK_COMMITS = 1600, 160
OPEN, QUICK_OPEN = 100_000, 5_000
STORED, QUICK_STORED = 1_000_000, 20_000
PAGE, LOOKS = 50, 200
ROUNDS = 3
BUSY = timedelta(seconds=60)


class Pace(NamedTuple):
    """How fast so many callers commit."""

    rate: float  # a second
    slowest: float  # the 99th percentile, in seconds


def run(quick: bool) -> str:
    """Return the figures of many callers, of a restart, and of pages."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        commits, opened, stored = (QUICK_COMMITS, QUICK_OPEN, QUICK_STORED) if quick else (COMMITS, OPEN, STORED)
        return "\n\n".join((_callers(place, commits), _restart(place, opened), _pages(place / "pages", stored)))


def _callers(folder: Path, commits: int) -> str:
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


def _restart(folder: Path, count: int) -> str:
    """Compare a start over so many open incidents, each with a run that waits, with one over nothing."""
    written = entries()
    accepted = bodies(half_new(written, 1, ROUNDS * 2))
    paths = {"empty": folder / "empty", "full": folder / "full"}
    _fill_open(paths["full"], count)
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in paths}
    for body in accepted:
        for name, path in paths.items():
            started = perf_counter()
            journal = SqliteJournal(Database(path, BUSY))
            host = engine(journal, written)
            host.accept(request(body))
            answered = perf_counter()
            host.due(NOON, 8)
            host.expire(NOON)
            spent[name].append((answered - started, perf_counter() - answered))
            journal.close()
    middles = {name: [median(part) for part in zip(*taken[1:], strict=True)] for name, taken in spent.items()}
    (empty, _), (full, found) = middles["empty"], middles["full"]
    rows = [
        (f"accepting with {count:,} open, ms; x an empty start", full * 1e3, full / empty, "<= 2"),
        ("finding what is due, us an open incident", found / count * 1e6, "-", "<= 20"),
    ]
    return table((f"a start, {len(written):,} runbooks", "measured", "x", "goal"), rows)


def _fill_open(path: Path, count: int) -> None:
    with _bench(path.parent / "filling") as bench:
        journal, run = SqliteJournal(Database(path, BUSY)), pending("open")
        later = NOON + CONFIGURATION.correlation.expire_after
        for _ in range(count // 500):
            intake = bench.intake(500)
            opened = tuple(replace(one, resolved_at=None) for one in intake.incidents)
            runs = tuple(
                replace(run, id=f"run-{one.id}", slot=one.id, incident_id=one.id, due_at=later) for one in opened
            )
            journal.record(replace(intake, incidents=opened, opened=runs))
        journal.close()


def _pages(folder: Path, count: int) -> str:
    """Read the first page, and what is known of one incident, again and again."""
    with _bench(folder) as bench:
        for _ in range(count // 1000):
            bench.journal.record(bench.intake(1000))
        numbers = iter(range(7, count, max(1, count // (2 * LOOKS))))

        def history() -> None:
            incident_id = f"incident-{next(numbers)}"
            bench.journal.incident(incident_id)
            bench.journal.arrivals(incident_id)
            bench.journal.executions(limit=PAGE, incident_id=incident_id)

        looks: dict[str, Callable[[], object]] = {
            f"a page of {PAGE}": partial(bench.journal.incidents, limit=PAGE),
            f"a page of {PAGE} that are open": partial(bench.journal.incidents, limit=PAGE, open_only=True),
            "the history of one incident": history,
        }
        kept = {name: list(timed(look, LOOKS)) for name, look in looks.items()}
    rows = [(name, median(spent) * 1e3, quantiles(spent, n=100)[98] * 1e3, "<= 5") for name, spent in kept.items()]
    return table((f"{count:,} incidents stored", "p50 ms", "p99 ms", "goal"), rows)


@contextmanager
def _bench(folder: Path) -> Iterator[Bench]:
    folder.mkdir()
    bench = Bench(folder, LOOKS)
    yield bench
    bench.close()
