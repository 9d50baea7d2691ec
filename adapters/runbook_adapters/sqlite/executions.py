"""Executions in the file: the conditional commit, and the signals beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from runbook_adapters.sqlite.codec import from_micros, optional_micros, pack, to_micros
from runbook_engine.errors import StaleVersion, UnknownExecution
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.claims import refuse_slot
from runbook_engine.model.due import due_after_commit, due_after_signal
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Slot
from runbook_engine.model.incident import Evidence
from runbook_engine.model.signal import Signal
from runbook_engine.ports import Refused


class Stored(NamedTuple):
    """What of an execution the journal itself decides by."""

    version: int
    status: str
    absorbing: int
    finished: int
    slot: str
    due: int | None
    lease_until: int | None
    consumed: int
    signals: int
    audited: int


def stored(connection: sqlite3.Connection, execution_id: str) -> Stored:
    """Return the columns of an execution. Raises UnknownExecution."""
    row = connection.execute(
        f"SELECT {', '.join(Stored._fields)} FROM executions WHERE id = ?", (execution_id,)
    ).fetchone()
    if row is None:
        raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")
    return Stored(*row)


def refuse_stale(old: Stored, execution: Execution, expected_version: int, records: Sequence[AuditRecord]) -> None:
    """Raise StaleVersion unless this commit follows directly on what is stored."""
    name = f"execution {execution.id}"
    if old.version != expected_version:
        raise StaleVersion(f"{name} has version {old.version}, not {expected_version}: read it again")
    if old.absorbing and not execution.absorbing and old.signals > execution.signals_consumed:
        raise StaleVersion(f"{name} may not end while signal {old.signals} waits: read its signals first")
    expected = list(range(old.audited + 1, old.audited + 1 + len(records)))
    if [record.number for record in records] != expected:
        raise StaleVersion(f"{name} has {old.audited} audit records, the next number is {old.audited + 1}")


def write_version(
    connection: sqlite3.Connection, execution: Execution, body: bytes, old: Stored, audited: int, now: datetime
) -> None:
    """Replace an execution by its next version; one that absorbs no more, or elsewhere, gives up its slot."""
    new = old._replace(
        version=execution.version,
        status=execution.status,
        absorbing=int(execution.absorbing),
        finished=int(execution.finished),
        slot=execution.slot,
        due=optional_micros(due_after_commit(execution, signals=old.signals, now=now)),
        lease_until=optional_micros(execution.lease.until if execution.lease else None),
        consumed=execution.signals_consumed,
        audited=old.audited + audited,
    )
    _update(connection, execution.id, old, new, body)
    if old.status != new.status:
        count_statuses(connection, {old.status: -1, new.status: 1})
    if old.absorbing:
        _move(connection, execution.id, old, new)


def slot_refusal(connection: sqlite3.Connection, old: Stored, execution: Execution) -> Refused | None:
    """Refuse a slot that another execution holds."""
    if not execution.absorbing or execution.slot == old.slot:
        return None
    row = connection.execute("SELECT execution_id FROM slots WHERE slot = ?", (execution.slot,)).fetchone()
    claim = Slot(execution.slot)
    refusal = refuse_slot(claim, execution.id, row[0] if row else None)
    return Refused(claim, refusal.says) if refusal else None


def _move(connection: sqlite3.Connection, execution_id: str, old: Stored, new: Stored) -> None:
    """Let an execution that absorbed give up its slot for another one; or, with its followers, for good."""
    if old.slot == new.slot and new.absorbing:
        return
    connection.execute("DELETE FROM slots WHERE slot = ? AND execution_id = ?", (old.slot, execution_id))
    if new.absorbing:
        connection.execute("INSERT INTO slots VALUES (?, ?)", (new.slot, execution_id))
    else:
        connection.execute("DELETE FROM followers WHERE execution_id = ?", (execution_id,))


def _update(connection: sqlite3.Connection, execution_id: str, old: Stored, new: Stored, body: bytes) -> None:
    """Set only the columns that changed: naming one rewrites its indexes, even with the value it had."""
    changed = [name for name, before, after in zip(Stored._fields, old, new, strict=True) if before != after]
    assignments = "".join(f"{name} = ?, " for name in changed)
    values = [getattr(new, name) for name in changed]
    connection.execute(f"UPDATE executions SET {assignments}body = ? WHERE id = ?", (*values, body, execution_id))


def count_statuses(connection: sqlite3.Connection, differences: Mapping[str, int]) -> None:
    """Keep the number of executions of each status, so that metrics need not count a long history."""
    connection.executemany(
        "INSERT INTO statuses VALUES (?, ?)"
        " ON CONFLICT (status) DO UPDATE SET executions = executions + excluded.executions",
        differences.items(),
    )


def append_records(
    connection: sqlite3.Connection, execution_id: str, records: Sequence[AuditRecord], evidence: Sequence[Evidence]
) -> None:
    """Append audit records and evidence to an execution."""
    connection.executemany(
        "INSERT INTO audit VALUES (?, ?, ?)", [(execution_id, record.number, pack(record)) for record in records]
    )
    for piece in evidence:
        insert = "INSERT INTO evidence (execution_id, at, body) VALUES (?, ?, ?)"
        connection.execute(insert, (execution_id, to_micros(piece.at), pack(piece)))


def append_signals(connection: sqlite3.Connection, execution_id: str, signals: Sequence[Signal]) -> int:
    """Append signals with the next numbers, wake the execution, return the last number. Raises UnknownExecution."""
    old = stored(connection, execution_id)
    numbered = [
        msgspec.structs.replace(signal, number=number) for number, signal in enumerate(signals, old.signals + 1)
    ]
    connection.executemany(
        "INSERT INTO signals VALUES (?, ?, ?)", [(execution_id, signal.number, pack(signal)) for signal in numbered]
    )
    due = None if old.due is None else from_micros(old.due)
    due = due_after_signal(due, leased=old.lease_until is not None, at=min(signal.at for signal in signals))
    last = numbered[-1].number
    connection.execute(
        "UPDATE executions SET signals = ?, due = ? WHERE id = ?", (last, optional_micros(due), execution_id)
    )
    return last
