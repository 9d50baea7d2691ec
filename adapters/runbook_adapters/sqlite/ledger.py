"""Claims in the file: what stands under a key, and what a commit that passed leaves there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from runbook_adapters.sqlite.codec import MICROSECOND, from_micros, to_micros
from runbook_engine.model.claims import KEPT_WINDOWS, Holder, Refusal, refuse_budget, refuse_cooldown, refuse_lock
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, LastChange, Lock
from runbook_engine.ports import Refused


def lock_holder(connection: sqlite3.Connection, key: str) -> Holder | None:
    """Return who holds a lock."""
    row = connection.execute("SELECT execution_id, since FROM locks WHERE key = ?", (key,)).fetchone()
    return Holder(execution_id=row[0], since=from_micros(row[1])) if row else None


def last_change(connection: sqlite3.Connection, key: str) -> LastChange | None:
    """Return the newest change under a cooldown key."""
    row = connection.execute("SELECT execution_id, at FROM cooldowns WHERE key = ?", (key,)).fetchone()
    return LastChange(execution_id=row[0], at=from_micros(row[1])) if row else None


def changes_after(connection: sqlite3.Connection, key: str, since: datetime, other_than: str) -> tuple[datetime, ...]:
    """Return the times of other executions' changes under a budget key, after `since`."""
    rows = connection.execute(
        "SELECT at FROM budget_entries WHERE key = ? AND at > ? AND execution_id <> ?",
        (key, to_micros(since), other_than),
    )
    return tuple(from_micros(at) for (at,) in rows)


def first_refusal(
    connection: sqlite3.Connection, claims: Sequence[Claim], execution_id: str, now: datetime
) -> Refused | None:
    """Return the first claim that does not hold; None when all do. Stores nothing."""
    for claim in claims:
        refusal = _judge(connection, claim, execution_id, now)
        if refusal is not None:
            return Refused(claim, refusal.says, refusal.until)
    return None


def take(connection: sqlite3.Connection, claim: Claim, execution_id: str, now: datetime) -> None:
    """Record a claim that was found to hold."""
    match claim:
        case Lock(key):
            connection.execute("INSERT OR IGNORE INTO locks VALUES (?, ?, ?)", (key, execution_id, to_micros(now)))
        case Cooldown(key):
            connection.execute("INSERT OR REPLACE INTO cooldowns VALUES (?, ?, ?)", (key, execution_id, to_micros(now)))
        case Budget(key):
            _spend(connection, claim, execution_id, to_micros(now))
        case _:
            assert_never(claim)


def release_locks(connection: sqlite3.Connection, execution_id: str) -> None:
    """Free every lock of an execution."""
    connection.execute("DELETE FROM locks WHERE execution_id = ?", (execution_id,))


def _judge(connection: sqlite3.Connection, claim: Claim, execution_id: str, now: datetime) -> Refusal | None:
    match claim:
        case Lock(key):
            return refuse_lock(claim, execution_id, lock_holder(connection, key))
        case Cooldown(key):
            return refuse_cooldown(claim, execution_id, last_change(connection, key), now)
        case Budget(key, window):
            others = changes_after(connection, key, now - window, claim.leaves_out(execution_id))
            return refuse_budget(claim, others, now)
        case _:
            assert_never(claim)


def _spend(connection: sqlite3.Connection, claim: Budget, execution_id: str, now: int) -> None:
    """Add an entry, and drop those that no claim will count, whatever the longest window under the key is."""
    connection.execute(
        "INSERT INTO budget_windows VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET longest = max(longest, excluded.longest)",
        (claim.key, claim.window // MICROSECOND),
    )
    connection.execute(
        "DELETE FROM budget_entries"
        " WHERE key = ?1 AND at <= ?2 - ?3 * (SELECT longest FROM budget_windows WHERE key = ?1)",
        (claim.key, now, KEPT_WINDOWS),
    )
    connection.execute("INSERT INTO budget_entries VALUES (?, ?, ?)", (claim.key, now, execution_id))
