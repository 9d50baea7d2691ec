"""Every journal passes the same suite; a new one joins it here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbook_adapters.dynamodb import DynamoJournal
from runbook_adapters.sqlite import SqliteJournal
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contract.journal.opening import open_sqlite
from tests.emulators.dynamodb import locked_client, new_table
from tests.emulators.dynamodb_client import open_journal


def open_dynamodb(folder: Path | None = None) -> DynamoJournal:
    """A journal on a table of its own, which never answers a question at once."""
    client = locked_client(stingy=True)
    return open_journal(new_table(client), client, pause=lambda attempt: None)


MAKERS: dict[str, Callable[[Path], Journal]] = {
    "memory": lambda folder: MemoryJournal(),
    "sqlite": open_sqlite,
    "dynamodb": open_dynamodb,
}


@pytest.fixture(params=MAKERS)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of every kind."""
    made = MAKERS[request.param](tmp_path)
    yield made
    if isinstance(made, SqliteJournal):
        made.close()


@pytest.fixture(params=[name for name in MAKERS if name != "dynamodb"])
def quick_journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of every kind that a test can ask thousands of times; `contract/dynamodb` has the others."""
    made = MAKERS[request.param](tmp_path)
    yield made
    if isinstance(made, SqliteJournal):
        made.close()
