"""What the benchmarks of the journal write: values of the model, and the same bytes for bare sqlite3."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from runbook_engine.model.alert import Alert
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution, Member, StepState
from runbook_engine.model.incident import Arrival, Incident

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BARE_TABLE = "CREATE TABLE bare (serial INTEGER PRIMARY KEY, id TEXT, number INTEGER, body BLOB)"
BARE_INSERT = "INSERT INTO bare (id, number, body) VALUES (?, ?, ?)"
Statements = list[tuple[str, list[tuple[object, ...]]]]


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


def episode(number: int) -> Episode:
    """Return the episode of an alert that is open."""
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


def incident(number: int) -> Incident:
    """Return an incident; one of twenty is still open."""
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


def arrival(number: int) -> Arrival:
    """Return the alert that opened it."""
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
