"""The durable journal against bare sqlite3: the same bytes, the same pragmas, the same disk, in one run.

`bare` is one row a value, packed beforehand, nothing checked and nothing indexed: the floor of goal G5. `tables`
writes the same values to a copy of the journal's own tables, so the ratio to it is what the journal's code costs,
and the rest is what its indexes cost. Times of one machine in one run: only the ratios mean something.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.journal_callers import callers
from benchmarks.journal_rows import (
    BARE_INSERT,
    BARE_TABLE,
    NOON,
    Statements,
    arrival,
    audit_record,
    connect,
    episode,
    incident,
    pack,
    pending,
    timed,
    write,
)
from benchmarks.timing import table
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.schema import TABLES
from runbook_engine.model.incident import Intake

ROUNDS = 5  # alternating, so that a busy moment of the machine meets both
PAGE = 50
GOAL = 0.7
COMMITS, QUICK_COMMITS = 1600, 160


class Rates(NamedTuple):
    """How many times a second each did it."""

    journal: float
    tables: float
    bare: float

    def row(self, what: str, size: int = 1) -> tuple[object, ...]:
        """Return one row of the report; so many are in one commit."""
        ratios = self.journal / self.tables, self.journal / self.bare
        return (
            what,
            self.journal / size,
            self.bare / size,
            self.journal,
            self.tables,
            self.bare,
            *ratios,
            f">= {GOAL}",
        )


def run(quick: bool) -> str:
    """Measure commits, deliveries, many callers and the incident page."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), 40 if quick else 400)
        rows = (
            bench.commits().row("a version and its audit record"),
            bench.deliveries(1).row("incidents, one a delivery"),
            bench.deliveries(100).row("incidents, 100 a delivery", 100),
        )
        page = bench.page(2_000 if quick else 100_000)
        bench.close()
        together = callers(Path(folder), QUICK_COMMITS if quick else COMMITS)
    head = ("SQLite, WAL, synchronous=FULL", "commits a s", "raw sqlite3", "of them a s", "tables", "raw sqlite3")
    return f"{table((*head, 'x tables', 'x raw', 'goal'), rows)}\n{page}\n\n{together}"


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
        what = f"a page of {PAGE} of {stored:,} incidents"
        return f"{what}: p50 {median(milliseconds):.2f} ms, p99 {worst:.2f} ms (goal: within 5 ms)"

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
            episodes=tuple(episode(number) for number in numbers),
            incidents=tuple(incident(number) for number in numbers),
            arrivals=tuple(arrival(number) for number in numbers),
        )


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
