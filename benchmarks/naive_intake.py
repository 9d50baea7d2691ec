"""Intake as a first version writes it: json, pydantic, a loop over all runbooks, one transaction for each alert."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from runbook_engine.matching.placement import Entry

TABLES = """
CREATE TABLE seen (key TEXT PRIMARY KEY, body TEXT);
CREATE TABLE executions (id TEXT PRIMARY KEY, runbook TEXT, body TEXT);
"""


class WebhookAlert(BaseModel):
    """One alert."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime
    endsAt: datetime
    generatorURL: str
    fingerprint: str


class Webhook(BaseModel):
    """One body."""

    version: Literal["4"]
    alerts: list[WebhookAlert]


class NaiveIntake:
    """Takes deliveries in, one alert after the other."""

    def __init__(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        self._connection = connection
        self._entries = entries
        connection.executescript(TABLES)

    def ingest(self, body: bytes) -> None:
        """Store every alert, and an execution for every runbook that it matches and that has none yet."""
        for alert in Webhook.model_validate(json.loads(body)).alerts:
            key = hashlib.sha256(json.dumps(alert.labels, sort_keys=True).encode()).hexdigest()
            self._connection.execute("BEGIN IMMEDIATE")
            known = self._connection.execute("SELECT body FROM seen WHERE key = ?", (key,)).fetchone()
            self._connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (key, alert.model_dump_json()))
            if known is None:
                self._open(alert, key)
            self._connection.execute("COMMIT")

    def _open(self, alert: WebhookAlert, key: str) -> None:
        for entry in self._entries:
            if matches(entry, alert.labels):
                row = (f"{entry.name}-{key}", entry.name, alert.model_dump_json())
                self._connection.execute("INSERT OR IGNORE INTO executions VALUES (?, ?, ?)", row)


def matches(entry: Entry, labels: Mapping[str, str]) -> bool:
    """Whether all matchers of a runbook hold, each of them read anew."""
    for matcher in entry.matchers:
        value = labels.get(matcher.name, "")
        if matcher.op in ("=", "!="):
            holds = (value == matcher.value) == (matcher.op == "=")
        else:
            holds = bool(re.fullmatch(matcher.value, value)) == (matcher.op == "=~")
        if not holds:
            return False
    return True
