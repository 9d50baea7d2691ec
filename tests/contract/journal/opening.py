"""How tests open a journal that several processes share."""

from datetime import timedelta
from pathlib import Path

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.ports import Journal
from tests.emulators.dynamodb_client import open_journal as open_table
from tests.emulators.dynamodb_client import plain_client

LATER_TABLES = ("groups", "parts", "changes", "latch", "ends", "traces", "inbox", "aside")
FIRST_LAYOUT = "".join(f"DROP TABLE {table};" for table in LATER_TABLES) + "PRAGMA user_version = 1;"
THIRD_LAYOUT = """
DROP TABLE inbox; DROP TABLE aside; DROP INDEX ends_lowering; ALTER TABLE ends DROP COLUMN lowers_to;
PRAGMA user_version = 3;
"""

Where = Path | tuple[str, str]  # a folder for SQLite; a server and a table for DynamoDB


def open_sqlite(folder: Path, busy_timeout: float = 30.0) -> SqliteJournal:
    """A journal on a file in this folder."""
    return SqliteJournal(Database(folder / "journal.sqlite3", timedelta(seconds=busy_timeout)))


def open_journal(where: Where) -> Journal:
    """The journal that all processes of a test share."""
    if isinstance(where, Path):
        return open_sqlite(where, busy_timeout=240)
    server, table = where
    return open_table(table, plain_client(server))
