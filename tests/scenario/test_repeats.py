"""What still fires is told again and again: it costs little, and is never taken for silence."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from benchmarks import deliveries
from benchmarks.deliveries import NOON
from runbook_engine.correlation import EXPIRE_AFTER, WRITTEN_TIMES
from runbook_engine.engine import Engine
from runbook_engine.matching.placement import Entry
from runbook_engine.model.delivery import Request
from runbook_engine.model.incident import Intake
from runbook_engine.model.matcher_grammar import parse_matchers
from runbook_engine.testing.memory_journal import MemoryJournal

ENTRIES = deliveries.entries()
PART = EXPIRE_AFTER / WRITTEN_TIMES
SECOND = timedelta(seconds=1)
SIGNALLING = ("SELECT version, status,", "INSERT INTO signals", "UPDATE executions SET")
MOST_MEMORY = 9  # bodies; the goal is 6


class CountingJournal(MemoryJournal):
    """A journal that counts what is stored in it."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    def record(self, intake: Intake) -> None:
        """Count, and store."""
        self.records += 1
        super().record(intake)


def told(at: timedelta) -> Request:
    """Return one and the same alert, told so long after noon."""
    [body] = deliveries.bodies(deliveries.half_new(ENTRIES, 1, 1))
    return replace(deliveries.request(body), received_at=NOON + at)


@pytest.fixture
def journal() -> CountingJournal:
    """A journal in memory."""
    return CountingJournal()


@pytest.fixture
def engine(journal: CountingJournal) -> Engine:
    """An engine with the runbooks of the benchmark."""
    return deliveries.engine(journal, ENTRIES[:20])


def test_a_repeat_stores_nothing_when_its_alert_was_written_down_lately(
    engine: Engine, journal: CountingJournal
) -> None:
    """It is taken all the same; now and then one is written down."""
    stored = []
    for at in (0 * SECOND, PART / 2, PART - SECOND, PART, PART * 1.5, PART * 2):
        assert engine.ingest(told(at)).accepted == 1
        stored.append(journal.records)

    [episode] = journal.open_episodes(NOON + EXPIRE_AFTER, 10)
    assert stored == [1, 1, 1, 2, 2, 3]
    assert episode.last_seen == NOON + PART * 2


def test_an_alert_expires_never_before_it_was_silent_for_so_long(engine: Engine) -> None:
    """Its last word was not written down, and counts."""
    engine.ingest(told(0 * SECOND))
    engine.ingest(told(PART - SECOND))

    early = engine.expire(NOON + PART - SECOND + EXPIRE_AFTER)
    late = engine.expire(NOON + PART + EXPIRE_AFTER + SECOND)

    assert (early, late) == (0, 1)


def test_an_alert_that_expired_and_fires_again_is_stored_at_once(engine: Engine, journal: CountingJournal) -> None:
    """A sign of life is news of what was given up."""
    engine.ingest(told(0 * SECOND))
    engine.expire(NOON + PART + EXPIRE_AFTER + SECOND)

    engine.ingest(told(PART + EXPIRE_AFTER + 2 * SECOND))

    assert len(journal.open_episodes(NOON + 2 * EXPIRE_AFTER, 10)) == 1


class CountingConnection(sqlite3.Connection):
    """A connection that counts statements by their first words."""

    counted: ClassVar[Counter[str]] = Counter()

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Count, and execute."""
        self.counted[" ".join(statement.split()[:3])] += 1
        return super().execute(statement, parameters)

    def executemany(self, statement: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        """Count once, and execute for every row."""
        self.counted[" ".join(statement.split()[:3])] += 1
        return super().executemany(statement, rows)


def test_statements_do_not_grow_with_the_alerts_of_a_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each table, and three for each run that is joined; a repeat reads, and writes nothing."""
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **named: connect(*given, factory=CountingConnection, **named)
    )
    counts: dict[tuple[str, int], Counter[str]] = {}
    for size in (10, 200):
        journal = deliveries.sqlite_journal(tmp_path / f"{size}.sqlite3")
        engine = deliveries.engine(journal, [Entry("all", 0, parse_matchers("job=node"))])
        first, second = map(deliveries.request, deliveries.bodies(deliveries.half_new(ENTRIES, size, 2)))
        engine.ingest(first)
        for name, request in (("half new", second), ("seen", second)):
            CountingConnection.counted.clear()
            engine.ingest(request)
            counts[name, size] = Counter(CountingConnection.counted)
        journal.close()

    assert counts["seen", 10] == counts["seen", 200] == {"SELECT body FROM": 1}
    for size in (10, 200):
        for statement in SIGNALLING:  # once for each run that alerts join, however many alerts
            del counts["half new", size][statement]
        assert sum(counts["half new", size].values()) <= 18


def test_memory_stays_a_few_bodies_when_a_storm_comes(tmp_path: Path) -> None:
    """Rows are packed one at a time, and what is decided is let go."""
    journal = deliveries.sqlite_journal(tmp_path / "journal.sqlite3")
    engine = deliveries.engine(journal, ENTRIES)
    first, second = map(deliveries.request, deliveries.bodies(deliveries.half_new(ENTRIES, 600, 2)))
    engine.ingest(first)

    tracemalloc.start()
    engine.ingest(second)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak <= MOST_MEMORY * len(second.body)
    journal.close()
