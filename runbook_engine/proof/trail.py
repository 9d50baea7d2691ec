"""The trail, proven: every hash of an execution's audit records computed again, and the chain that they make.

What it proves: no record was altered, removed, added or put elsewhere since it was written, as long as the execution
keeps the true head of its chain. Whoever can write the whole journal can forge both; against that, heads are kept
elsewhere (`proof.heads`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.ports import Journal

MOST_READS = 10


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a trail; `number` is the record, 0 = the trail as a whole."""

    execution: str
    number: int
    says: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One trail, checked: how many records could be read, their hashes in order, and what is wrong."""

    execution: str
    records: int
    hashes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def check_trail(execution: Execution, journal: Journal) -> Checked:
    """Return what is wrong with the trail of one execution; no findings = nothing is.

    One that is being driven may have gone on between two reads: it is read again then.
    """
    for _ in range(MOST_READS - 1):
        checked = _check(execution, journal)
        if not checked.findings:
            return checked
        newest = journal.load(execution.id)
        if newest.version == execution.version:
            return checked
        execution = newest
    return _check(execution, journal)


def _check(execution: Execution, journal: Journal) -> Checked:
    records, broken = _readable(execution, journal)
    findings = (*broken, *judge_chain(execution, records, after=broken[-1].number if broken else 0))
    hashes = () if broken else tuple(record.hash for record in records)
    return Checked(execution=execution.id, records=len(records), hashes=hashes, findings=findings)


def check_left(execution_id: str) -> Checked:
    """Return the finding that an execution is gone, and its records are not."""
    says = "the execution was removed, and its audit records were left"
    finding = Finding(execution=execution_id, number=0, says=says)
    return Checked(execution="", records=0, findings=(finding,))


def judge_chain(execution: Execution, records: Sequence[AuditRecord], after: int = 0) -> tuple[Finding, ...]:
    """Return what is wrong with records that follow one another from the one `after`."""
    said = [*_chain(execution, records, after), *_head(execution, records, after)]
    return tuple(Finding(execution=execution.id, number=number, says=says) for number, says in said)


def _readable(execution: Execution, journal: Journal) -> tuple[tuple[AuditRecord, ...], tuple[Finding, ...]]:
    """Return the records that can be read, and the record that cannot. Those before it can be read no more."""
    broken: tuple[Finding, ...] = ()
    for after in range(execution.audit_length + 1):
        try:
            return journal.audit(execution.id, after), broken
        except ValueError as error:
            says = f"record {after + 1} cannot be read as it was written: {error}"
            broken = (Finding(execution=execution.id, number=after + 1, says=says),)
    says = "there are records after the last one, and they cannot be read"
    return (), (Finding(execution=execution.id, number=execution.audit_length + 1, says=says),)


def _chain(execution: Execution, records: Sequence[AuditRecord], after: int) -> Iterator[tuple[int, str]]:
    previous = "" if not after else None  # what stands before is not known
    for number, record in enumerate(records, start=after + 1):
        if record.execution_id != execution.id:
            yield number, f"record {number} belongs to execution {record.execution_id}"
        if record.number != number:
            yield number, f"record {record.number} stands where {number} is due"
        if record.hash != record.expected_hash():
            yield number, f"record {number} is not what was hashed: it was altered"
        if previous is not None and record.previous != previous:
            yield number, f"record {number} does not follow the one before it"
        previous = record.hash


def _head(execution: Execution, records: Sequence[AuditRecord], after: int) -> Iterator[tuple[int, str]]:
    length, wanted = after + len(records), execution.audit_length
    if length < wanted:
        yield wanted, f"the last {wanted - length} of {wanted} records are missing"
    elif length > wanted:
        yield wanted + 1, f"the execution knows of {wanted} records, and there are {length}"
    elif (records[-1].hash if records else "") != execution.audit_head and not (after and not records):
        yield length, "the last record is not the head that the execution knows of"
