"""The journal on DynamoDB: one table, every write one transaction; and the seats of drivers beside it.

Any number of functions, processes and machines may share the table. `docs/dynamodb.md` tells what lies in it.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from runbook_adapters.aws.clients import AwsSettings, clients_of
from runbook_adapters.dynamodb.journal import DynamoJournal
from runbook_adapters.dynamodb.keys import moment
from runbook_adapters.dynamodb.schema import TABLE
from runbook_adapters.dynamodb.seats import DynamoSeats
from runbook_adapters.dynamodb.table import Table
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import SecretReference
from runbook_engine.ports import AdapterContext, AdapterSpec, Clock, Port, Served

__all__ = ["ADAPTER", "TABLE", "DynamoJournal", "DynamoSeats", "DynamoSettings", "Serials", "build"]

LONGEST_PAUSE = 1.0  # seconds; of two hundred writers on one item nearly all have their turn
SERVICE = "dynamodb"


class DynamoSettings(AwsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which table: its name, or where to find that (`{env: RUNBOOK_TABLE}`)."""

    table: str | SecretReference


@dataclass(slots=True)
class Serials:
    """Texts that sort in the order in which they were asked for, and are nobody else's."""

    clock: Clock
    token: Callable[[], str]
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _last: int = 0

    def __call__(self) -> str:
        """Return the next one."""
        with self._guard:
            self._last = max(self._last + 1, int(moment(self.clock.now())))
            return f"{self._last:018}{self.token()[:8]}"


def build(port: Port, settings: DynamoSettings, context: AdapterContext) -> Served:
    """Serve the journal, or the seats, of one table; nothing is connected before the first use."""
    table = _table(settings, context)
    probe = partial(_probe, table)
    if port == "journal":
        journal = DynamoJournal(table, Serials(context.clock, table.token))
        return Served(reader=journal, writer=journal, probe=probe)
    if port == "seats":
        seats = DynamoSeats(table)
        return Served(reader=seats, writer=seats, probe=probe)
    raise NoAdapter(f"dynamodb does not serve {port}", "it serves journal and seats")


def pause(attempt: int) -> None:
    """Let others finish first: for longer after every attempt, and never all for the same time."""
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.01 * 2 ** min(attempt, 10))))


def _table(settings: DynamoSettings, context: AdapterContext) -> Table:
    clients, named = clients_of(context, settings), settings.table
    return Table(
        lambda: named if isinstance(named, str) else context.secret(named),
        looking=lambda: clients.looking(SERVICE),
        touching=lambda: clients.touching(SERVICE),
        token=lambda: secrets.token_hex(12),
        pause=pause,
    )


def _probe(table: Table) -> str:
    """Return that the table answers. Raises Unreadable, Overloaded."""
    DynamoSeats(table).token("probe")
    return f"table {table.name} answers"


ADAPTER = AdapterSpec(name="dynamodb", provides=("journal", "seats"), settings=DynamoSettings, build=build)
