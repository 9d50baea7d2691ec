"""Audit: which events are kept for ever, as records chained by their hashes."""

from __future__ import annotations

from functools import cache

from msgspec.structs import replace

from runbook_engine.machine.events import (
    Applied,
    ApplyPutOff,
    Asked,
    Blocked,
    Event,
    Finished,
    Intended,
    Observed,
    Prepared,
    PrepareFailed,
    PutOff,
    Queued,
    ResolvePutOff,
    Signalled,
    Skipped,
    Unchanged,
    Verified,
)
from runbook_engine.machine.narration import narrate
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change

ENGINE = "engine"


def audit_record(execution: Execution, event: Event, after: Execution) -> AuditRecord | None:
    """Return the next record of the chain, or None when the event repeats what the trail already says.

    `execution` is as the event found it, `after` as it left it: an event that decides the end says the end too.
    """
    decided = _end_of(after) if _end_of(after) != _end_of(execution) else ""
    if not decided and not _worth_keeping(execution, event):
        return None
    step, direction, change = _subject(execution, event)
    return AuditRecord(
        execution_id=execution.id,
        number=execution.audit_length + 1,
        at=event.at,
        actor=(event.signal.by or ENGINE) if isinstance(event, Signalled) else ENGINE,
        event=kind_of(event),
        says=_sentence(_given_up(event, after) or narrate(execution, event), decided),
        step=step,
        direction=direction,
        change=redacted(change),
        verdicts=_verdicts(event),
        detail=_detail(event),
        previous=execution.audit_head,
    ).sealed()


def chained(execution: Execution, record: AuditRecord) -> Execution:
    """Return the execution with the record as the head of its chain."""
    return replace(execution, audit_head=record.hash, audit_length=record.number)


def redacted(change: Change | None) -> Change | None:
    """Return the change as the trail may show it: sensitive values by their absence."""
    if change is None or not change.sensitive:
        return change
    return replace(change, before=None, after=None, arguments={})


def _end_of(execution: Execution) -> str:
    """Return the end that is decided, if any: reached, or still to be undone towards."""
    if execution.unwind is not None:
        return f"{execution.unwind.status.replace('_', ' ')}: {execution.unwind.reason}"
    return f"{execution.status.replace('_', ' ')}: {execution.reason}" if execution.ended else ""


def _given_up(event: Event, after: Execution) -> str:
    """Return that a change is not tried again after its last attempt; empty = it is, or something else happened."""
    if not isinstance(event, ApplyPutOff):
        return ""
    step = after.steps[event.step]
    effect = step.effect
    return f"{step.name} {effect.status}: {effect.reason}" if effect is not None and effect.ended_at else ""


def _sentence(says: str, decided: str) -> str:
    """Return what happened and what it decided, without saying the same twice."""
    if not decided or decided == says:
        return says
    return decided if says in decided else f"{says}; {decided}"


def _worth_keeping(execution: Execution, event: Event) -> bool:
    """Looks that only say `still the same` are not kept; every decision, intent and outcome is."""
    match event:
        case Observed():
            return event.progress.status != "progressing"
        case PutOff():
            return "; ".join(v.says for v in event.verdicts if not v.ok) != execution.waiting_for
        case ResolvePutOff() | Queued():
            return event.reason != execution.waiting_for
        case PrepareFailed():
            return not event.passing or event.reason != execution.waiting_for
        case Verified():
            known = execution.verification.readings if execution.verification is not None else ()
            harmed = event.harm is not None and event.harm.ok is False
            return harmed or tuple(r.ok for r in known) != tuple(r.ok for r in event.readings)
        case _:
            return True


def _subject(execution: Execution, event: Event) -> tuple[str, str, Change | None]:
    match event:
        case Prepared():
            return execution.steps[event.step].name, "do", event.change
        case Intended():
            return execution.steps[event.step].name, event.direction, event.change
        case Applied() | ApplyPutOff() | Observed():
            step = execution.steps[event.step]
            effect = step.effect
            return step.name, effect.direction if effect else "", effect.change if effect else None
        case Skipped() | Unchanged() | PrepareFailed() | Blocked() | PutOff():
            return execution.steps[event.step].name, "", None
        case _:
            return "", "", None


def _verdicts(event: Event) -> tuple[Verdict, ...]:
    return event.verdicts if isinstance(event, Intended | Blocked | PutOff) else ()


def _detail(event: Event) -> dict[str, str]:
    match event:
        case Applied():
            return {"outcome": event.outcome.status, "code": event.outcome.code}
        case Observed():
            return {"progress": event.progress.status}
        case Finished():
            return {"status": event.status, "undo": event.undo, **_told_by(event)}
        case Blocked():
            return _told_by(event)
        case Asked():
            return {"plan": event.request.hash, "by": event.request.by}
        case Signalled():
            return {"signal": event.signal.kind}
        case _:
            return {}


def _told_by(event: Finished | Blocked) -> dict[str, str]:
    """Return who tells of an end instead of a message of its own."""
    return {"told_by": "storm"} if event.by_storm else {}


def kind_of(event: object) -> str:
    """Return the event's name in snake case: `Intended` -> `intended`, `PutOff` -> `put_off`."""
    return _in_snake_case(type(event).__name__)


@cache
def _in_snake_case(name: str) -> str:
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and index else letter.lower() for index, letter in enumerate(name)
    )
