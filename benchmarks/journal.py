"""The durable journal against bare sqlite3: the same bytes, the same pragmas, the same disk, in one run.

Goal G5: at least 0.7 of bare sqlite3, alone and in batches of 100, and a page of the incident list within 5 ms.
Bare sqlite3 packs nothing, checks nothing and keeps no index: what it leaves out is what a journal is for.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import msgspec
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database

from runbook_engine.model.alert import Alert
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution, Member, StepState
from runbook_engine.model.incident import Arrival, Incident, Intake

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROUNDS = 5  # alternating, so that a busy moment of the machine meets both
PAGE = 50

RAW_TABLES = """
CREATE TABLE executions (id TEXT PRIMARY KEY, version INTEGER, body BLOB);
CREATE TABLE audit (id TEXT, number INTEGER, body BLOB, PRIMARY KEY (id, number)) WITHOUT ROWID;
CREATE TABLE records (serial INTEGER PRIMARY KEY, id TEXT, body BLOB);
"""


class Rates(NamedTuple):
    """How many times a second each of the two did it."""

    journal: float
    raw: float

    def line(self, what: str, goal: str) -> str:
        """Return one line of the report."""
        ratio = f"{self.journal / self.raw:.2f}x"
        return f"{what:<34} journal {self.journal:>9,.0f}/s   sqlite3 {self.raw:>9,.0f}/s   {ratio:>6}   {goal}"


def run(quick: bool) -> None:
    """Measure commits, deliveries and the incident page, and print them."""
    print("\nJournal: SQLite, WAL, synchronous=FULL")
    with tempfile.TemporaryDirectory() as folder:
        measured = Bench(Path(folder), 40 if quick else 400)
        print(measured.commits().line("commit (version + audit record)", ""))
        print(measured.deliveries(1).line("incidents, one a delivery", "goal 0.70x"))
        print(measured.deliveries(100).line("incidents, 100 a delivery", "goal 0.70x"))
        print(measured.page(2_000 if quick else 100_000))
        measured.close()


class Bench:
    """A journal and a bare database side by side."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.repeats = repeats
        self.journal = SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=30)))
        self.raw = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
        self.raw.execute("PRAGMA journal_mode = WAL")
        self.raw.execute("PRAGMA synchronous = FULL")
        self.raw.executescript(RAW_TABLES)
        self.serial = 0

    def commits(self) -> Rates:
        """Commit version after version of one execution, each with one audit record."""
        execution = _execution("committed")
        self.journal.record(Intake(opened=(execution,)))
        self.raw.execute("INSERT INTO executions VALUES ('committed', 0, ?)", (_pack(execution),))
        versions = iter(range(self.repeats * ROUNDS))
        raw_versions = iter(range(self.repeats * ROUNDS))

        def commit() -> None:
            version = next(versions)
            record = _record(version + 1)
            self.journal.commit(execution, expected_version=version, records=(record,), now=NOON)

        bodies = _pack(execution), _pack(_record(1))

        def raw_commit() -> None:
            version = next(raw_versions)
            update = "UPDATE executions SET version = ?, body = ? WHERE id = 'committed' AND version = ?"
            self.raw.execute("BEGIN IMMEDIATE")
            self.raw.execute(update, (version + 1, bodies[0], version))
            self.raw.execute("INSERT INTO audit VALUES ('committed', ?, ?)", (version + 1, bodies[1]))
            self.raw.execute("COMMIT")

        return self._compare(commit, raw_commit, self.repeats)

    def deliveries(self, size: int) -> Rates:
        """Record new incidents, each with its episode and its arrival: three rows, so many in one transaction."""
        repeats = max(5, self.repeats // size)
        made = [self._intake(size) for _ in range(repeats * ROUNDS)]
        intakes, packed = iter(made), iter([list(_rows(intake)) for intake in made])

        def record() -> None:
            self.journal.record(next(intakes))

        def raw_record() -> None:
            self.raw.execute("BEGIN IMMEDIATE")
            self.raw.executemany("INSERT INTO records (id, body) VALUES (?, ?)", next(packed))
            self.raw.execute("COMMIT")

        rates = self._compare(record, raw_record, repeats)
        return Rates(rates.journal * size, rates.raw * size)

    def page(self, stored: int) -> str:
        """Read the first page of the incident list again and again, with so many incidents stored."""
        for _ in range(stored // 1000):
            self.journal.record(self._intake(1000))
        milliseconds = [
            seconds * 1000 for seconds in _timed(lambda: self.journal.incidents(limit=PAGE), self.repeats * 2)
        ]
        worst = quantiles(milliseconds, n=100)[98]
        what = f"page of {PAGE} of {stored:,} incidents"
        return f"{what:<34} p50 {median(milliseconds):.2f} ms   p99 {worst:.2f} ms   goal p99 5 ms"

    def close(self) -> None:
        """Close both files."""
        self.journal.close()
        self.raw.close()

    def _compare(self, journal: Callable[[], None], raw: Callable[[], None], repeats: int) -> Rates:
        """Alternate between the two, and take each one's median round."""
        rounds = [(sum(_timed(journal, repeats)), sum(_timed(raw, repeats))) for _ in range(ROUNDS)]
        return Rates(*(repeats / median(seconds) for seconds in zip(*rounds, strict=True)))

    def _intake(self, size: int) -> Intake:
        numbers = range(self.serial, self.serial + size)
        self.serial += size
        return Intake(
            episodes=tuple(_episode(number) for number in numbers),
            incidents=tuple(_incident(number) for number in numbers),
            arrivals=tuple(_arrival(number) for number in numbers),
        )


def _timed(call: Callable[[], object], repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        yield time.perf_counter() - start


def _rows(intake: Intake) -> Iterable[tuple[str, bytes]]:
    for episode in intake.episodes:
        yield episode.alert_key, _pack(episode)
    for incident in intake.incidents:
        yield incident.id, _pack(incident)
    for arrival in intake.arrivals:
        yield arrival.incident_id, _pack(arrival)


def _pack(value: object) -> bytes:
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


def _record(number: int) -> AuditRecord:
    return AuditRecord(
        execution_id="committed", number=number, at=NOON, actor="engine", event="applied", says="replicas 4 to 6"
    )


def _execution(name: str) -> Execution:
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
