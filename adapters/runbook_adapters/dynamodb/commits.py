"""One commit: the next version of an execution with all that belongs to it, judged in the order of every journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_adapters.dynamodb import executions, keys, ledger, versions
from runbook_adapters.dynamodb.deliveries import join, joined_keys, refuse_lost_slots
from runbook_adapters.dynamodb.executions import Stored
from runbook_adapters.dynamodb.items import with_body
from runbook_adapters.dynamodb.work import Work
from runbook_adapters.dynamodb.writing import too_much
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Claim, Lock
from runbook_engine.model.incident import Evidence, Join
from runbook_engine.model.standing import End
from runbook_engine.ports import Committed, Refused

TOO_LARGE = b""  # what is kept of a trace for which a transaction has no room


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a host wants to be stored in one transaction; `execution` bears the version that it is to have."""

    execution: Execution
    expected_version: int
    records: Sequence[AuditRecord] = ()
    claims: Sequence[Claim] = ()
    joins: Sequence[Join] = ()
    group: Group | None = None
    release_locks: bool = False
    evidence: Sequence[Evidence] = ()
    trace: bytes = b""
    end: End | None = None
    now: datetime

    @property
    def groups(self) -> tuple[Group, ...]:
        """The group, if there is one."""
        return () if self.group is None else (self.group,)


def apply(work: Work, commit: Commit, serial: Callable[[], str]) -> Committed | Refused:
    """Do all of a commit, or nothing. Raises StaleVersion, UnknownExecution."""
    work.read(_wanted(commit))
    execution = commit.execution
    old = executions.stored(work, execution.id)
    executions.refuse_stale(old, execution, commit.expected_version, commit.records)
    refuse_lost_slots(work, commit.joins)
    refused = executions.slot_refusal(work, old, execution) or ledger.first_refusal(
        work, commit.claims, execution.id, commit.now
    )
    if refused is not None:
        return refused
    versions.refuse_moved_groups(work, commit.groups)
    for group in commit.groups:
        versions.write_group(work, group)
    locks = _locks(work, commit, old)
    evidence = {serial(): piece for piece in commit.evidence}
    executions.append_records(work, execution.id, old, commit.records, evidence)
    executions.replace(work, execution, old, audited=len(commit.records), locks=locks, now=commit.now)
    _keep_beside(work, commit)
    join(work, commit.joins)
    if commit.trace and too_much(work.writes()):
        _keep_trace(work, commit, TOO_LARGE)
    return Committed(execution.version)


def _keep_beside(work: Work, commit: Commit) -> None:
    """Keep what happened, and how it ended."""
    if commit.trace:
        _keep_trace(work, commit, commit.trace)
    if commit.end is not None:
        end = commit.end
        work.point(keys.end(end.runbook, end.digest, end.at, end.execution_id), with_body({}, end))
        if end.lowers_to is not None:
            place = keys.lowering(end.runbook, end.digest, end.lowers_to, end.at, end.execution_id)
            work.point(place, with_body({}, end))


def _keep_trace(work: Work, commit: Commit, said: bytes) -> None:
    """Keep what happened: it serves whoever asks later, and is never why a commit fails."""
    work.add(keys.trace(commit.execution.id, commit.execution.version), with_body({}, said))


def _locks(work: Work, commit: Commit, old: Stored) -> tuple[str, ...]:
    """Take the claims, let go of the locks if that is wanted, and return those that the execution holds then."""
    for claim in commit.claims:
        ledger.take(work, claim, commit.execution.id, commit.now)
    wanted = dict.fromkeys(claim.key for claim in commit.claims if isinstance(claim, Lock))
    taken = [key for key in wanted if key not in old.locks]
    if not commit.release_locks:
        return (*old.locks, *taken)
    ledger.release(work, old.locks, taken)
    return ()


def _wanted(commit: Commit) -> list[keys.Key]:
    """Return what a commit is judged by, as far as it is known before the first look."""
    return [
        keys.execution(commit.execution.id),
        *map(ledger.claim_key, commit.claims),
        *(keys.group(group.id) for group in commit.groups),
        *joined_keys(commit.joins),
    ]
