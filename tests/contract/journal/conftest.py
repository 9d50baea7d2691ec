"""Every journal passes the same suite; a new one joins it here."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal


def open_sqlite(folder: Path, busy_timeout: float = 30.0) -> SqliteJournal:
    """A journal on a file in this folder."""
    return SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=busy_timeout)))


MAKERS: dict[str, Callable[[Path], Journal]] = {"memory": lambda folder: MemoryJournal(), "sqlite": open_sqlite}


@pytest.fixture(params=MAKERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of every kind."""
    made = MAKERS[request.param](tmp_path)
    yield made
    if isinstance(made, SqliteJournal):
        made.close()
