"""Ingest: what taking alerts in costs, beside the least that it can cost and beside a first version.

One thousand runbooks, alerts of ten labels, half of them seen before, a new one matching about two runbooks. The
floor decodes as strictly as the engine does and inserts one row for each alert, in one transaction a body; the first
version parses with json and pydantic, tries every runbook, and commits every alert. All on SQLite with the journal's
own pragmas. A delivery is taken in by the front door, which is what its sender waits for, and decided afterwards by the
worker; the last columns have both. Rates are alerts for each second of CPU, so that a slow disk flatters nobody, and
means, because a body of one alert is either new or not; latencies are wall time.
"""

from __future__ import annotations

import sqlite3
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median, quantiles
from time import perf_counter, process_time
from typing import NamedTuple

import msgspec

from benchmarks import deliveries
from benchmarks.naive_intake import NaiveIntake
from benchmarks.timing import table
from runbook_engine.engine import Engine
from runbook_engine.sources.strict_json import read_text, repeats_a_key

SIZES = {1: 1000, 100: 40, 10_000: 2}  # alerts a body: bodies
QUICK_SIZES = {1: 200, 100: 8, 2_000: 1}
NAIVE_BODIES = {1: 300, 100: 6}
GOALS = {1: 0.45, 100: 0.4, 10_000: 0.35}
Take = Callable[[bytes], object]
HEAD = (
    "alerts",
    "taken a CPU s",
    "x floor",
    "goal",
    "x naive",
    "p50 ms",
    "x floor p50",
    "p99 ms",
    "x floor p50",
    "floor's own",
)


class Cost(NamedTuple):
    """What one way of taking bodies in costs."""

    cpu: float  # seconds an alert
    median: float  # seconds a body
    slowest: float  # the 99th percentile


class Spent(NamedTuple):
    """What one body took: seconds of wall time and of CPU."""

    wall: float
    cpu: float


class _Alert(msgspec.Struct, gc=False):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str
    endsAt: str
    generatorURL: str
    fingerprint: str


class _Body(msgspec.Struct):
    receiver: str
    status: str
    alerts: list[_Alert]
    groupLabels: dict[str, str]
    commonLabels: dict[str, str]
    commonAnnotations: dict[str, str]
    externalURL: str
    version: str
    groupKey: str
    truncatedAlerts: int


def run(quick: bool) -> str:
    """Return the ratios for each size of body, and for each kind of body of a hundred."""
    sizes = QUICK_SIZES if quick else SIZES
    rows = [
        _row(f"{size:,} a body, half of them new", size, count, deliveries.half_new) for size, count in sizes.items()
    ]
    rows.append(_row("100, all seen before", 100, sizes[100], deliveries.seen))
    rows.append(_row("100, all new, one service", 100, sizes[100], deliveries.one_service))
    head = (*HEAD, "decided too", "x floor", "x naive")
    size = max(sizes)
    peak = table(("alerts", "peak x the body", "goal"), [(f"{size:,} a body, half of them new", _peak(size), "<= 6")])
    return f"{table(head, rows)}\n\n{peak}"


def _row(name: str, size: int, count: int, kind: deliveries.Kind) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder:
        floor, engine, naive, deciding = _costs(Path(folder), size, count, kind)
        whole = engine.cpu + deciding.cpu
    return (
        name,
        1 / engine.cpu,
        floor.cpu / engine.cpu,
        GOALS.get(size, "-"),
        naive.cpu / engine.cpu,
        engine.median * 1e3,
        engine.median / floor.median,
        engine.slowest * 1e3,
        engine.slowest / floor.median,
        floor.slowest / floor.median,
        1 / whole,
        floor.cpu / whole,
        naive.cpu / whole,
    )


def _peak(size: int) -> float:
    """Return the most memory that Python holds while a body is taken in, in bodies; the body itself not counted."""
    with tempfile.TemporaryDirectory() as folder:
        entries = deliveries.entries()
        journal = deliveries.sqlite_journal(Path(folder) / "journal.sqlite3")
        engine = deliveries.engine(journal, entries)
        first, second = map(deliveries.request, deliveries.bodies(deliveries.half_new(entries, size, 2)))
        engine.accept(first)
        _decide(engine)
        tracemalloc.start()
        engine.accept(second)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        journal.close()
    return peak / len(second.body)


def _costs(folder: Path, size: int, count: int, kind: deliveries.Kind) -> tuple[Cost, ...]:
    entries = deliveries.entries()
    written = deliveries.bodies(kind(entries, size, count + 1))
    journal = deliveries.sqlite_journal(folder / "journal.sqlite3")
    engine = deliveries.engine(journal, entries)
    naive = NaiveIntake(_connect(folder / "naive.sqlite3"), entries)
    takes = (
        _floor(folder / "floor.sqlite3"),
        lambda body: engine.accept(deliveries.request(body)),
        naive.ingest,
        lambda body: _decide(engine),
    )
    costs = _measured(takes, written, size)
    journal.close()
    return costs


def _decide(engine: Engine) -> None:
    """Decide what waits."""
    while (waiting := engine.oldest_waiting()) is not None:
        engine.decide(waiting)
    assert engine.journal.inbox is not None
    engine.journal.inbox.tidy()


def _measured(takes: Sequence[Take], bodies: Sequence[bytes], size: int) -> tuple[Cost, ...]:
    """Let all take body after body in turn, so that a busy moment of the machine meets all of them.

    The first body brings what the others have seen, and is not measured.
    """
    spent: tuple[list[Spent], ...] = tuple([] for _ in takes)
    for number, body in enumerate(bodies):
        for take, kept in zip(takes, spent, strict=True):
            if take is not takes[2] or number <= NAIVE_BODIES.get(size, 1):
                kept.append(_spent(take, body))
    return tuple(_cost(kept[1:], size) for kept in spent)


def _cost(spent: Sequence[Spent], size: int) -> Cost:
    walls = [each.wall for each in spent]
    slowest = quantiles(walls, n=100)[98] if len(walls) > 1 else walls[0]
    return Cost(mean([each.cpu for each in spent]) / size, median(walls), slowest)


def _spent(take: Take, body: bytes) -> Spent:
    wall, cpu = perf_counter(), process_time()
    take(body)
    return Spent(perf_counter() - wall, process_time() - cpu)


def _floor(path: Path) -> Take:
    """Return the least that can be done: decode strictly, and insert a row an alert in one transaction."""
    connection = _connect(path)
    connection.execute("CREATE TABLE alerts (serial INTEGER PRIMARY KEY, fingerprint TEXT, body BLOB)")
    decoder, encode = msgspec.json.Decoder(_Body), msgspec.msgpack.encode

    def take(content: bytes) -> None:
        text = read_text(content)
        body = decoder.decode(text)
        keys = len(_Body.__struct_fields__) + len(body.groupLabels) + len(body.commonLabels)
        keys += len(body.commonAnnotations)
        keys += sum(len(_Alert.__struct_fields__) + len(one.labels) + len(one.annotations) for one in body.alerts)
        assert not repeats_a_key(text, keys)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO alerts (fingerprint, body) VALUES (?, ?)",
            [(alert.fingerprint, encode(alert)) for alert in body.alerts],
        )
        connection.execute("COMMIT")

    return take


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
