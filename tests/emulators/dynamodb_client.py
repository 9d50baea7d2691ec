"""Clients, tables and journals of DynamoDB for tests; a process that only asks need not load moto."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from runbook_adapters.dynamodb import DynamoJournal, Serials, pause
from runbook_adapters.dynamodb.table import Table

REGION = "eu-west-1"


def plain_client(url: str | None = None) -> Any:
    """Return a client that asks once."""
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=16),
    )


def open_journal(name: str, client: Any, pause: Callable[[int], None] = pause) -> DynamoJournal:
    """Return a journal on a table; the clock of its serials stands still, as those of two machines may."""
    table = open_table(name, client, pause)
    return DynamoJournal(table, Serials(StandingClock(), table.token))


def open_table(name: str, client: Any, pause: Callable[[int], None] = pause) -> Table:
    """Return a table as the adapter uses it, with a client for both looking and touching."""
    return Table(
        lambda: name, looking=lambda: client, touching=lambda: client, token=lambda: secrets.token_hex(12), pause=pause
    )


class StandingClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        """Return noon."""
        return datetime(2026, 3, 1, 12, tzinfo=UTC)
