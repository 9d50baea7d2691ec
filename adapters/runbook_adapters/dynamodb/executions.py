"""Executions in the table: the columns that the journal decides by, the next version, and the signals beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from runbook_adapters.dynamodb import keys
from runbook_adapters.dynamodb.captions import digest_of_actions, execution_columns
from runbook_adapters.dynamodb.items import BODY, DIGEST, PACKED, PIECES, Item, columns, with_body
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.work import Work
from runbook_engine.errors import StaleVersion, UnknownExecution
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.claims import refuse_slot
from runbook_engine.model.decoding import from_values
from runbook_engine.model.due import due_after_commit, due_after_signal
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import part_of
from runbook_engine.model.guardrail import Slot
from runbook_engine.model.incident import Evidence
from runbook_engine.model.signal import Signal
from runbook_engine.ports import Refused


class Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of an execution the journal itself decides by. `epoch` rises whenever it gives its followers up."""

    opened: str
    status: str
    version: int = 0
    absorbing: bool = False
    holds: bool = False  # its slot is its own
    epoch: int = 0
    finished: bool = False
    slot: str
    due: str = ""
    leased: bool = False
    consumed: int = 0
    signals: int = 0
    audited: int = 0
    locks: tuple[str, ...] = ()
    part: str = ""  # digest of what its group sees of it; empty = it has no group
    acted: str = ""  # digest of what its incident's readers see of it; empty = it has done nothing


def stored(work: Work, execution_id: str) -> Stored:
    """Return the columns of an execution. Raises UnknownExecution."""
    found = known(work, execution_id)
    if found is None:
        raise UnknownExecution(f"no execution {execution_id} (`runbook executions` lists them)")
    return found


def known(work: Work, execution_id: str) -> Stored | None:
    """Return the columns of an execution, None when there is none."""
    item = work.get(keys.execution(execution_id))
    return None if item is None else parse_stored(item)


def parse_stored(item: Item) -> Stored:
    """Return the columns of an item. Raises msgspec.ValidationError."""
    return from_values(item, Stored)


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


def slot_refusal(work: Work, old: Stored, execution: Execution) -> Refused | None:
    """Refuse a slot that another execution holds."""
    if not execution.absorbing or execution.slot == old.slot:
        return None
    claim = Slot(execution.slot)
    refusal = refuse_slot(claim, execution.id, holder(work, execution.slot))
    return Refused(claim, refusal.says) if refusal else None


def holder(work: Work, slot: str) -> str | None:
    """Return who holds a slot."""
    item = work.get(slot_key(slot))
    return None if item is None else str(item["execution"])


def slot_key(slot: str) -> Key:
    """Where a slot's holder stands."""
    return keys.one("SLOT", slot)


def insert(work: Work, execution: Execution) -> None:
    """Store version 0 of an execution, its slot, and where its incident, its runbook and its group find it."""
    found_at = keys.newest_first(execution.opened_at, execution.id)
    new = Stored(
        opened=found_at,
        status=execution.status,
        absorbing=execution.absorbing,
        holds=execution.absorbing,
        finished=execution.finished,
        slot=execution.slot,
        due=_moment(due_after_commit(execution, signals=0, now=execution.opened_at)),
        leased=execution.lease is not None,
        consumed=execution.signals_consumed,
        part=_part_digest(execution),
    )
    _write(work, execution.id, None, with_body(columns(new), execution), new)
    if new.holds:
        work.put(slot_key(new.slot), {"execution": execution.id})
    _write_listed(work, execution)
    _write_part(work, execution)


def replace(
    work: Work, execution: Execution, old: Stored, *, audited: int, locks: tuple[str, ...], now: datetime
) -> None:
    """Replace an execution by its next version; one that absorbs no more, or elsewhere, gives up its slot."""
    new = msgspec.structs.replace(
        old,
        version=execution.version,
        status=execution.status,
        absorbing=execution.absorbing,
        finished=execution.finished,
        slot=execution.slot,
        due=_moment(due_after_commit(execution, signals=old.signals, now=now)),
        leased=execution.lease is not None,
        consumed=execution.signals_consumed,
        audited=old.audited + audited,
        locks=locks,
        part=_part_digest(execution) if old.part else "",
        acted=digest_of_actions(execution),
    )
    if old.absorbing and (old.slot != new.slot or not new.absorbing):
        new = _moved(work, execution.id, old, new)
    _write(work, execution.id, old, with_body(columns(new), execution), new)
    if new.part != old.part:
        _write_part(work, execution)
    if new.acted != old.acted:
        _write_listed(work, execution)


def append_records(
    work: Work, execution_id: str, old: Stored, records: Sequence[AuditRecord], evidence: dict[str, Evidence]
) -> None:
    """Append audit records, and evidence by its serial, to an execution; the first of them are found by an index."""
    if records:
        listed = {} if old.audited else {"gsi1pk": keys.AUDITED, "gsi1sk": execution_id}
        work.add(keys.audit(execution_id, old.audited + 1), with_body(listed, tuple(records)))
    for serial, piece in evidence.items():
        work.add(keys.evidence(execution_id, serial), with_body({}, piece))


def append_signals(work: Work, execution_id: str, signals: Sequence[Signal]) -> int:
    """Append signals with the next numbers, wake the execution, return the last number. Raises UnknownExecution."""
    old = stored(work, execution_id)
    numbered = tuple(
        msgspec.structs.replace(signal, number=number) for number, signal in enumerate(signals, old.signals + 1)
    )
    due = keys.parse_moment(old.due) if old.due else None
    due = due_after_signal(due, leased=old.leased, at=min(signal.at for signal in signals))
    new = msgspec.structs.replace(old, signals=numbered[-1].number, due=_moment(due))
    place = keys.execution(execution_id)
    body = {name: value for name, value in (work.get(place) or {}).items() if name in _BODY_COLUMNS}
    _write(work, execution_id, old, {**columns(new), **body}, new)
    work.add(keys.signals(execution_id, new.signals), with_body({}, numbered))
    return new.signals


_BODY_COLUMNS = frozenset((BODY, PACKED, PIECES, DIGEST))


def _moved(work: Work, execution_id: str, old: Stored, new: Stored) -> Stored:
    """Give up the slot of an execution that absorbed, for another one; or, with its followers, for good."""
    if old.holds:
        work.point(slot_key(old.slot), None)
    if not new.absorbing:
        return msgspec.structs.replace(new, holds=False, epoch=old.epoch + 1)
    work.put(slot_key(new.slot), {"execution": execution_id})
    return msgspec.structs.replace(new, holds=True)


def _write(work: Work, execution_id: str, old: Stored | None, item: Item, new: Stored) -> None:
    """Store an execution where every list finds it that it belongs to, and count it when it is finished."""
    places: dict[str, str] = {"gsi1pk": keys.EXECUTIONS, "gsi1sk": new.opened}
    if new.due:
        first = keys.SAID if new.signals > new.consumed and not new.leased else ""
        places |= {"gsi2pk": keys.shard(keys.DUE, execution_id), "gsi2sk": f"{first}{new.due}#{execution_id}"}
    if not new.finished or new.signals > new.consumed:
        places |= {"gsi3pk": keys.ACTIVE, "gsi3sk": new.opened}
    work.put(keys.execution(execution_id), {**item, **places})
    if old is not None and old.finished:
        work.count(keys.counter(execution_id), old.status, -1)
    if new.finished:
        work.count(keys.counter(execution_id), new.status, 1)


def _write_listed(work: Work, execution: Execution) -> None:
    """Store where its incident and its runbook find it, and what it did, for whoever reads the table."""
    found_at = keys.newest_first(execution.opened_at, execution.id)
    by_runbook = {"gsi1pk": keys.named("RUNBOOK", execution.runbook), "gsi1sk": found_at}
    place = keys.execution_of(execution.incident_id, execution.opened_at, execution.id)
    work.point(place, {"execution": execution.id, **by_runbook, **execution_columns(execution)})


def _write_part(work: Work, execution: Execution) -> None:
    if execution.group_id:
        place = keys.part(execution.group_id, execution.opened_at, execution.id)
        work.point(place, with_body({}, part_of(execution)))


def _part_digest(execution: Execution) -> str:
    if not execution.group_id:
        return ""
    return hashlib.sha256(msgspec.msgpack.encode(part_of(execution))).hexdigest()[:16]


def _moment(at: datetime | None) -> str:
    return keys.moment(at) if at is not None else ""
