"""Telling: one notice of the outbox to its receiver."""

from __future__ import annotations

from runbook_engine.errors import NoAdapter, Permanent, RunbookError
from runbook_engine.executor.tools import Tools
from runbook_engine.machine.events import Delivered, Event, Undelivered
from runbook_engine.model.execution import Execution
from runbook_engine.model.observation import Message
from runbook_engine.model.runbook import Runbook


def tell(execution: Execution, runbook: Runbook, notice_id: str, tools: Tools) -> Event:
    """Deliver one notice. A receiver that fails is tried again later, and delays nothing but itself."""
    notice = next(found for found in execution.outbox if found.id == notice_id)
    asked = execution.approval if notice.event == "approval" else None
    message = Message(
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
    )
    try:
        tools.effects.notifier.send(notice.receiver, message)
    except (Permanent, NoAdapter) as error:
        return Undelivered(notice_id=notice_id, reason=str(error), permanent=True, at=tools.now())
    except RunbookError as error:
        return Undelivered(notice_id=notice_id, reason=str(error), at=tools.now())
    return Delivered(notice_id=notice_id, at=tools.now())
