"""One table a test, in moto; and what goes wrong with its requests."""

from typing import Any

import pytest

from runbook_adapters.dynamodb import DynamoJournal
from runbook_adapters.dynamodb.table import Table
from tests.emulators.dynamodb import Faults, locked_client, new_table
from tests.emulators.dynamodb_client import open_journal, open_table


@pytest.fixture
def faults() -> Faults:
    """What goes wrong; nothing, unless the test says so."""
    return Faults()


@pytest.fixture
def client(faults: Faults) -> Any:
    """A client of moto, in this process."""
    return locked_client(faults)


@pytest.fixture
def name(client: Any) -> str:
    """An empty table."""
    return new_table(client)


@pytest.fixture
def journal(name: str, client: Any) -> DynamoJournal:
    """A journal on the table, which does not wait between its tries."""
    return open_journal(name, client, pause=lambda attempt: None)


@pytest.fixture
def table(name: str, client: Any) -> Table:
    """The table itself."""
    return open_table(name, client, pause=lambda attempt: None)
