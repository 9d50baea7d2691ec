"""Narration: each event as the sentence that an on-call reads, in the timeline and in the audit trail alike."""

from __future__ import annotations

from typing import assert_never

from runbook_engine.machine.events import (
    Admitted,
    Applied,
    ApplyPutOff,
    Asked,
    BaselineRead,
    Blocked,
    Closed,
    Collected,
    Delivered,
    Event,
    Finished,
    GivenBack,
    Intended,
    Lapsed,
    Merged,
    Observed,
    Paged,
    Planned,
    Prepared,
    PrepareFailed,
    PutOff,
    Queued,
    Required,
    Resolved,
    ResolvePutOff,
    Signalled,
    Skipped,
    TurnedAway,
    Unchanged,
    Undelivered,
    VerificationStarted,
    Verified,
)
from runbook_engine.model.execution import Execution
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change
from runbook_engine.model.signal import Signal

VERBS = {"do": "change", "undo": "undo", "redo": "make again"}


def narrate(execution: Execution, event: Event) -> str:
    """Return the sentence for an event, as it happened to `execution`."""
    match event:
        case Signalled():
            return _signal(execution, event.signal)
        case Resolved():
            return f"{execution.target} leads to {event.target}"
        case ResolvePutOff():
            return f"what {execution.target} leads to cannot be told yet: {event.reason}"
        case Merged():
            return say_merged(event)
        case Queued():
            return f"waits for {event.reason}"
        case Admitted():
            return f"its group lets it act: batch {event.batch} of {event.of}"
        case TurnedAway():
            return event.reason
        case Required():
            return "; ".join(reading.says for reading in event.readings) or "nothing is required first"
        case Collected():
            failed = f"; not captured: {'; '.join(event.failures)}" if event.failures else ""
            return f"captured {len(event.evidence)} piece(s) of evidence{failed}"
        case BaselineRead():
            return f"do-no-harm baseline: {event.says}"
        case Planned():
            return f"planned {len(event.plan.changes)} change(s), plan {event.plan.plan_hash[:8]}"
        case Skipped():
            return f"{_name(execution, event.step)}: skipped, {event.reason}"
        case Unchanged():
            return f"{_name(execution, event.step)}: nothing to change, {event.reason}"
        case Prepared():
            return f"{_name(execution, event.step)}: would change {arrow(event.change)}"
        case PrepareFailed():
            return f"{_name(execution, event.step)}: cannot be prepared, {event.reason}"
        case Asked():
            return f"asked {event.request.by} to approve plan {event.request.hash[:8]}"
        case Lapsed():
            return "nobody answered the approval in time"
        case PutOff():
            return f"waits for a guardrail: {_refusals(event.verdicts)}"
        case Blocked():
            return f"blocked: {_refusals(event.verdicts)}"
        case Intended():
            return f"{_name(execution, event.step)}: is about to {VERBS[event.direction]} {arrow(event.change)}"
        case Applied():
            reason = f", {event.outcome.reason}" if event.outcome.reason else ""
            status = "written" if event.outcome.status == "done" else event.outcome.status
            return f"{_name(execution, event.step)}: {status}{reason}"
        case ApplyPutOff() if event.look_first:
            return f"{_name(execution, event.step)}: not known whether it was done, {event.reason}"
        case ApplyPutOff():
            return f"{_name(execution, event.step)}: to be tried again, {event.reason}"
        case Observed():
            reason = f", {event.progress.reason}" if event.progress.reason else ""
            return f"{_name(execution, event.step)}: {event.progress.status}{reason}"
        case VerificationStarted():
            return "the last verification begins"
        case Verified():
            harm = f"; {event.harm.says}" if event.harm is not None else ""
            return "; ".join(reading.says for reading in event.readings) + harm
        case Paged():
            return "still not fixed: paging"
        case Delivered():
            return _notice(execution, event.notice_id, "told")
        case Undelivered():
            return f"{_notice(execution, event.notice_id, 'could not tell')}: {event.reason}"
        case Finished():
            return f"{event.status.replace('_', ' ')}: {event.reason}"
        case Closed():
            return execution.unwind.reason if execution.unwind is not None else "ended"
        case GivenBack():
            return f"the time for which {execution.kept_by} kept its targets is over"
        case _:
            assert_never(event)


def say_merged(event: Merged) -> str:
    """Return why a run ended that found its target taken."""
    return f"joined execution {event.into}, which already works on {event.target}"


def arrow(change: Change) -> str:
    """Return a change as `apps/deployment/checkout replicas 4 -> 6`; sensitive values are not shown."""
    if change.sensitive:
        return f"{change.target} {change.field} (value not shown)"
    if change.field == "message":
        return f"{change.target.name} <- {change.after}"
    return f"{change.target} {change.field} {show(change.before)} -> {show(change.after)}"


def show(value: object) -> str:
    """Return a value as people read it: text in quotes, absence as a word."""
    if value is None:
        return "unset"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _signal(execution: Execution, signal: Signal) -> str:
    why = f" ({signal.reason})" if signal.reason else ""
    keep = "undoing what was changed" if signal.undo else "keeping what was changed"
    match signal.kind:
        case "joined":
            return f"{signal.name} fires too and joined"
        case "resolved":
            return f"{signal.name} resolved"
        case "expired":
            return f"{signal.name} expired: no news of it, which is not a resolve"
        case "approved":
            return f"{signal.by} approved plan {signal.plan_hash[:8]}{why}{_too_late(execution, signal)}"
        case "denied":
            return f"{signal.by} denied it{why}{_too_late(execution, signal)}"
        case "cancelled":
            return f"{signal.by} cancelled the run, {keep}{why}"
        case "taken_over":
            return f"{signal.by} took over, {keep}{why}"
        case "released":
            return f"{signal.by} let {'its targets' if execution.ended and not signal.storm else 'changes'} go{why}"
        case _:
            assert_never(signal.kind)


def _too_late(execution: Execution, signal: Signal) -> str:
    """Return that an answer changes nothing, since its question was answered before or is not asked any more."""
    asked = execution.approval is not None and signal.plan_hash in ("", execution.approval.hash)
    return "" if asked else ", too late: that is not asked any more"


def _name(execution: Execution, step: int) -> str:
    return execution.steps[step].name


def _refusals(verdicts: tuple[Verdict, ...]) -> str:
    return "; ".join(verdict.says for verdict in verdicts if not verdict.ok)


def _notice(execution: Execution, notice_id: str, verb: str) -> str:
    for notice in execution.outbox:
        if notice.id == notice_id:
            return f"{verb} {notice.receiver} ({notice.event})"
    return f"{verb} somebody"
