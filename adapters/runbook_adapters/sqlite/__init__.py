"""The journal on SQLite: one file, every write one transaction, durable before it returns.

Any number of threads and processes of one machine may share the file; it must not lie on a network file system,
where SQLite's locks do not hold.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from runbook_adapters.sqlite.database import Database
from runbook_adapters.sqlite.journal import SqliteJournal
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served

__all__ = ["ADAPTER", "SqliteJournal", "SqliteSettings", "build"]


class SqliteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where the file is, and how many seconds a caller waits for its turn to write."""

    path: str = "journal.sqlite3"  # relative paths start at the host's state folder
    busy_timeout: float = 5.0


def build(port: Port, settings: SqliteSettings, context: AdapterContext) -> Served:
    """Return the journal; the file is made, or opened, at its first use."""
    timeout = timedelta(seconds=settings.busy_timeout)
    journal = SqliteJournal(Database(context.state / settings.path, timeout, context.why_keep_layout))
    return Served(reader=journal, writer=journal)


ADAPTER = AdapterSpec(name="sqlite", provides=("journal",), settings=SqliteSettings, build=build)
