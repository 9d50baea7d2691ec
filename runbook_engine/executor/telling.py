"""Telling: one notice of the outbox to its receiver."""

from __future__ import annotations

from runbook_engine.errors import Busy, NoAdapter, Permanent, Retryable, RunbookError
from runbook_engine.executor.tools import Tools
from runbook_engine.machine.deeds import deeds
from runbook_engine.machine.events import Delivered, Event, Undelivered
from runbook_engine.machine.notices import overtaken
from runbook_engine.model.execution import ApprovalRequest, Execution, Notice
from runbook_engine.model.observation import Message
from runbook_engine.model.runbook import Runbook
from runbook_engine.ports import Journal

MOST_EXECUTIONS = 100  # of an incident; of a larger one nobody says that it is settled


def tell(execution: Execution, runbook: Runbook, notice_id: str, tools: Tools) -> Event:
    """Deliver one notice. A receiver that fails is tried again later, and delays nothing but itself."""
    notice = next(found for found in execution.outbox if found.id == notice_id)
    try:
        message = _message(execution, runbook, notice, tools.journal)
        reference = tools.effects.notifier.send(notice.receiver, message)
    except (Permanent, NoAdapter) as error:
        return Undelivered(notice_id=notice_id, reason=str(error), permanent=True, at=tools.now())
    except RunbookError as error:
        after = error.after if isinstance(error, Retryable) else None
        untried = isinstance(error, Busy)
        return Undelivered(notice_id=notice_id, reason=str(error), untried=untried, after=after, at=tools.now())
    # an adapter of another package may have been written when receivers gave no reference
    return Delivered(notice_id=notice_id, reference=reference or "", at=tools.now())


def _message(execution: Execution, runbook: Runbook, notice: Notice, journal: Journal) -> Message:
    asked = _asked(execution, notice)
    return Message(
        id=notice.id,
        event=notice.event,
        title=notice.title,
        text=notice.text,
        at=notice.at,
        severity=execution.alert.severity,
        runbook=execution.runbook,
        execution_id=execution.id,
        incident_id=execution.incident_id,
        links=runbook.links,
        asks=asked.hash if asked is not None else "",
        until=asked.until if asked is not None else None,
        status=execution.status,
        owner=execution.owner,
        alert=execution.alert.name,
        target=str(execution.target),
        did=deeds(execution),
        reference=dict(execution.told).get(notice.receiver, ""),
        overtaken=overtaken(execution, notice),
        taken_by=_taken_by(execution, journal),
        settled=_says_the_end(execution, notice) and _settled(execution, journal),
    )


def _asked(execution: Execution, notice: Notice) -> ApprovalRequest | None:
    """Return the question that a notice tells of; one that is asked otherwise since is not to be answered by it."""
    asked = execution.approval
    return asked if notice.event == "approval" and asked is not None and asked.asked_at <= notice.at else None


def _says_the_end(execution: Execution, notice: Notice) -> bool:
    """Whether it is the end that a notice tells; what is not fixed later on still needs somebody."""
    return notice.event == "ended" or (notice.event == "notFixed" and notice.at == execution.ended_at)


def _taken_by(execution: Execution, journal: Journal) -> str:
    """Return who took it over; a run that nobody answered is handed over too, and nobody has it."""
    if execution.status != "handed_over":
        return ""
    heard = [signal for signal in journal.signals(execution.id, 0) if signal.number <= execution.signals_consumed]
    return next((signal.by for signal in reversed(heard) if signal.kind == "taken_over"), "")


def _settled(execution: Execution, journal: Journal) -> bool:
    """Whether its incident needs nobody: every run went well, and no alert fires but what they took care of."""
    if not _went_well(execution):
        return False
    found = journal.executions(limit=MOST_EXECUTIONS, incident_id=execution.incident_id)
    runs = [execution, *(other for other in found if other.id != execution.id and other.mode != "observe")]
    cared_for = {member.alert_key for run in runs for member in run.members}
    burning = set(journal.incident(execution.incident_id).open_alerts) - cared_for
    return len(found) < MOST_EXECUTIONS and not burning and all(_went_well(run) for run in runs)


def _went_well(execution: Execution) -> bool:
    """Whether its alert is taken care of: verified, over by itself, or left to an execution that it joined."""
    latest = {member.alert_key: member.state for member in execution.members}
    over = all(state == "resolved" for state in latest.values())
    return execution.status == "succeeded" or (execution.status == "cancelled" and (execution.spoken_for or over))
