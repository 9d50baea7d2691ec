"""The durable journal against bare sqlite3: the same bytes, the same pragmas, the same disk, in one run.

`bare` is one row a value, packed beforehand, nothing checked and nothing indexed: the floor of goal G5. `tables`
writes the same values to a copy of the journal's own tables, so the ratio to it is what the journal's code costs,
and the rest is what its indexes cost. Times of one machine in one run: only the ratios mean something.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import msgspec

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.schema import TABLES
from runbook_engine.model.alert import Alert
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution, Member, StepState
from runbook_engine.model.incident import Arrival, Incident, Intake

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROUNDS = 5  # alternating, so that a busy moment of the machine meets both
PAGE = 50

BARE_TABLE = "CREATE TABLE bare (serial INTEGER PRIMARY KEY, id TEXT, number INTEGER, body BLOB)"
BARE_INSERT = "INSERT INTO bare (id, number, body) VALUES (?, ?, ?)"
Statements = list[tuple[str, list[tuple[object, ...]]]]


class Rates(NamedTuple):
    """How many times a second each did it."""

    journal: float
    tables: float
    bare: float

    def line(self, what: str) -> str:
        """Return one line of the report."""
        ratios = f"{self.journal / self.tables:.2f}x tables, {self.journal / self.bare:.2f}x bare"
        return f"{what:<34} {self.journal:>8,.0f}/s   {ratios}"


def run(quick: bool) -> str:
    """Measure commits, deliveries and the incident page."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), 40 if quick else 400)
        lines = (
            "SQLite, WAL, synchronous=FULL (goal: 0.7x; a page within 5 ms)",
            bench.commits().line("commit (version + audit record)"),
            bench.deliveries(1).line("incidents, one a delivery"),
            bench.deliveries(100).line("incidents, 100 a delivery"),
            bench.page(2_000 if quick else 100_000),
        )
        bench.close()
    return "\n".join(lines)


class Bench:
    """A journal, a copy of its tables, and a bare table, side by side."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.repeats = repeats
        self.journal = SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=30)))
        self.tables = connect(folder / "tables.sqlite3", TABLES)
        self.bare = connect(folder / "bare.sqlite3", BARE_TABLE)
        self.serial = 0

    def commits(self) -> Rates:
        """Commit version after version of one execution, each with one audit record."""
        execution = pending("committed")
        self.journal.record(Intake(opened=(execution,)))
        self.tables.execute(
            "INSERT INTO executions (id, version, status, absorbing, finished, slot, incident_id, runbook, opened_at,"
            " body) VALUES ('committed', 0, 'pending', 1, 0, 's', 'i', 'r', 0, x'')"
        )
        versions = iter(range(self.repeats * ROUNDS))
        body, record = pack(execution), pack(audit_record(1))
        update = "UPDATE executions SET version = ?, audited = ?, body = ? WHERE id = 'committed' AND version = ?"
        audit = "INSERT INTO audit VALUES ('committed', ?, ?)"
        numbers = range(1, self.repeats * ROUNDS + 1)
        tables: list[Statements] = [[(update, [(n, n, body, n - 1)]), (audit, [(n, record)])] for n in numbers]
        bare: list[Statements] = [[(BARE_INSERT, [("c", n, body), ("c", n, record)])] for n in numbers]

        def commit() -> None:
            version = next(versions)
            self.journal.commit(execution, expected_version=version, records=(audit_record(version + 1),), now=NOON)

        return self._compare(commit, tables, bare, self.repeats)

    def deliveries(self, size: int) -> Rates:
        """Record new incidents, each with its episode and its arrival: three rows, so many in one transaction."""
        repeats = max(5, self.repeats // size)
        made = [self.intake(size) for _ in range(repeats * ROUNDS)]
        intakes = iter(made)
        rates = self._compare(
            lambda: self.journal.record(next(intakes)),
            [_table_rows(intake) for intake in made],
            [[(BARE_INSERT, _bare_rows(intake))] for intake in made],
            repeats,
        )
        return Rates(*(rate * size for rate in rates))

    def page(self, stored: int) -> str:
        """Read the first page of the incident list again and again, with so many incidents stored."""
        for _ in range(stored // 1000):
            self.journal.record(self.intake(1000))
        milliseconds = [
            seconds * 1000 for seconds in timed(lambda: self.journal.incidents(limit=PAGE), self.repeats * 2)
        ]
        worst = quantiles(milliseconds, n=100)[98]
        what = f"page of {PAGE} of {stored:,} incidents"
        return f"{what:<34} p50 {median(milliseconds):.2f} ms   p99 {worst:.2f} ms"

    def close(self) -> None:
        """Close all files."""
        self.journal.close()
        self.tables.close()
        self.bare.close()

    def _compare(
        self, journal: Callable[[], object], tables: list[Statements], bare: list[Statements], repeats: int
    ) -> Rates:
        """Take turns, and return the rate of each one's median round."""
        by_table, by_row = iter(tables), iter(bare)
        calls = (journal, lambda: write(self.tables, next(by_table)), lambda: write(self.bare, next(by_row)))
        rounds = [[sum(timed(call, repeats)) for call in calls] for _ in range(ROUNDS)]
        return Rates(*(repeats / median(seconds) for seconds in zip(*rounds, strict=True)))

    def intake(self, size: int) -> Intake:
        """Return a delivery of so many new incidents, each with its episode and its arrival."""
        numbers = range(self.serial, self.serial + size)
        self.serial += size
        return Intake(
            episodes=tuple(_episode(number) for number in numbers),
            incidents=tuple(_incident(number) for number in numbers),
            arrivals=tuple(_arrival(number) for number in numbers),
        )


def timed(call: Callable[[], object], repeats: int) -> Iterator[float]:
    """Call it again and again, and yield the seconds of each."""
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        yield time.perf_counter() - start


def connect(path: Path, tables: str) -> sqlite3.Connection:
    """Return a connection with the pragmas of the journal, and these tables."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(tables)
    return connection


def write(connection: sqlite3.Connection, statements: Statements) -> None:
    """Execute them in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in statements:
        connection.executemany(statement, rows)
    connection.execute("COMMIT")


def _bare_rows(intake: Intake) -> list[tuple[object, ...]]:
    return [
        *((episode.alert_key, 1, pack(episode)) for episode in intake.episodes),
        *((incident.id, 1, pack(incident)) for incident in intake.incidents),
        *((arrival.incident_id, 1, pack(arrival)) for arrival in intake.arrivals),
    ]


def _table_rows(intake: Intake) -> Statements:
    seconds = [int(incident.opened_at.timestamp()) for incident in intake.incidents]
    return [
        ("INSERT INTO episodes VALUES (?, 1, 1, 0, ?)", [(new.alert_key, pack(new)) for new in intake.episodes]),
        (
            "INSERT INTO incidents VALUES (?, 1, ?, 1, ?, ?)",
            [(new.id, new.key, at, pack(new)) for new, at in zip(intake.incidents, seconds, strict=True)],
        ),
        (
            "INSERT INTO arrivals (incident_id, at, body) VALUES (?, 0, ?)",
            [(new.incident_id, pack(new)) for new in intake.arrivals],
        ),
    ]


def pack(value: object) -> bytes:
    """Return a value as the journal stores it."""
    return msgspec.msgpack.encode(value)


def _alert(number: int) -> Alert:
    labels = {"alertname": "CheckoutHighErrorRate", "severity": "critical", "service": "checkout", "pod": f"p{number}"}
    annotations = {"summary": "More than two in a hundred requests fail.", "runbook": "https://example.org/checkout"}
    return Alert(
        scope="main",
        source="alertmanager",
        name="CheckoutHighErrorRate",
        labels=labels,
        annotations=annotations,
        alert_key=f"key-{number}",
        received_at=NOON,
        starts_at=NOON,
    )


def _episode(number: int) -> Episode:
    return Episode(
        alert_key=f"key-{number}",
        episode_id=f"episode-{number}",
        scope="main",
        name="CheckoutHighErrorRate",
        start=NOON,
        displayed_start=NOON,
        last_seen=NOON,
        incident_id=f"incident-{number}",
    )


def _incident(number: int) -> Incident:
    opened = NOON + timedelta(seconds=number)
    return Incident(
        id=f"incident-{number}",
        key=f"apps/service-{number}",
        title="CheckoutHighErrorRate on checkout",
        severity="critical",
        opened_at=opened,
        last_firing_at=opened,
        resolved_at=None if number % 20 == 0 else opened + timedelta(minutes=9),
        open_alerts=(f"key-{number}",),
        alert_keys=(f"key-{number}",),
    )


def _arrival(number: int) -> Arrival:
    return Arrival(incident_id=f"incident-{number}", at=NOON, alert=_alert(number), transition="opened")


def audit_record(number: int) -> AuditRecord:
    """Return a record of the run `committed`."""
    return AuditRecord(
        execution_id="committed", number=number, at=NOON, actor="engine", event="applied", says="replicas 4 to 6"
    )


def pending(name: str) -> Execution:
    """Return a run that was opened, and has done nothing."""
    steps = tuple(StepState(name=step, action="degrade") for step in ("shed-optional-features", "add-capacity"))
    return Execution(
        id=name,
        runbook="checkout-high-error-rate",
        runbook_digest="d1",
        incident_id="incident-0",
        slot=f"slot-{name}",
        owner="team-checkout",
        scope="main",
        alert=_alert(0),
        members=(Member(alert_key="key-0", episode_id="episode-0", name="CheckoutHighErrorRate", since=NOON),),
        mode="auto",
        steps=steps,
        opened_at=NOON,
        deadline_at=NOON + timedelta(minutes=40),
    )
