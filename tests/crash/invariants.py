"""What must hold of a journal and its target whatever happened: raised as an assertion that names the offender."""

from __future__ import annotations

from collections.abc import Iterable

from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import ENDED, Execution
from runbook_engine.ports import Journal
from runbook_engine.proof.replay import replay_stored


def assert_sound(journal: Journal) -> None:
    """Assert all of it, over every execution in the journal."""
    executions = journal.executions(limit=10_000)
    for execution in executions:
        assert_chained(execution, journal.audit(execution.id))
        assert_freed(execution, journal)
        assert_replays(execution, journal)
    assert_one_a_slot(executions, journal)


def assert_chained(execution: Execution, records: Iterable[AuditRecord]) -> None:
    """The audit trail has no gap, no forged record, and ends where the execution says."""
    previous, number = "", 0
    for record in records:
        number += 1
        assert record.number == number, f"record {record.number} stands where {number} is due"
        assert record.previous == previous, f"record {number} does not follow the one before"
        assert record.hash == record.expected_hash(), f"record {number} is not what was hashed"
        assert record.execution_id == execution.id
        previous = record.hash
    assert (previous, number) == (execution.audit_head, execution.audit_length)


def assert_replays(execution: Execution, journal: Journal) -> None:
    """Whoever drove it and died in it: from what was recorded, the same is decided again."""
    answer = replay_stored(execution, journal)
    assert answer.difference is None, f"{answer.difference} of {execution.id}"
    assert answer.records == execution.audit_length


def assert_freed(execution: Execution, journal: Journal) -> None:
    """What has ended holds no lock, unless a person keeps it; what absorbs no more has no slot and follows no alert."""
    assert execution.ended is (execution.status in ENDED)
    targets = {effect.change.target.key for step in execution.steps for effect in step.effects}
    held = {key for key in targets if journal.lock_holder(key) == execution.id}
    if execution.stage == "ended" and execution.compensation != "undoing" and execution.kept_until is None:
        assert not held, f"ended as {execution.status} and still holds {held}"
    if not execution.absorbing:
        assert journal.holders([execution.slot]).get(execution.slot) != execution.id
        for key in {member.alert_key for member in execution.members}:
            assert execution.id not in journal.followers([key]).get(key, ())


def assert_one_a_slot(executions: Iterable[Execution], journal: Journal) -> None:
    """At most one execution absorbs for a slot, and it is the one that the journal names."""
    absorbing: dict[str, str] = {}
    for execution in executions:
        if execution.absorbing:
            assert execution.slot not in absorbing, f"{execution.id} and {absorbing[execution.slot]} share a slot"
            absorbing[execution.slot] = execution.id
    assert absorbing == dict(journal.holders(list({execution.slot for execution in executions})))


def intents(records: Iterable[AuditRecord]) -> list[tuple[str, str]]:
    """Return the step and the direction of every intent in a trail."""
    return [(record.step, record.direction) for record in records if record.event == "intended"]
