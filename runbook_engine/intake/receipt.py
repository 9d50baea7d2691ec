"""A receipt: what became of one delivery, as far as that is decided."""

from __future__ import annotations

import msgspec

from runbook_engine.intake.room import TOO_MANY
from runbook_engine.model.delivery import Parsed, Rejected
from runbook_engine.model.incident import Arrival, Intake

NO_ROOM = "no_room"  # the code of a delivery with alerts that opened no run, because as many as may be are open


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that brought news, and whether a runbook took it."""

    name: str
    status: str
    severity: str
    alert_key: str
    incident_id: str
    handled: bool


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one delivery. Everything in it is durable."""

    accepted: int
    rejected: tuple[Rejected, ...] = ()
    opened: tuple[str, ...] = ()  # executions
    joined: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: int = 0  # that others made, kept for "what changed?"
    alerts: tuple[Taken, ...] = ()  # those that brought news
    due: tuple[str, ...] = ()  # executions that want to be driven now because of it, those that only tell included
    crowded: int = 0  # alerts for which a runbook stood ready, and no run could open any more
    waiting: int = 0  # the number under which it waits in the inbox; 0 = all of it is decided


def receipt_of(intake: Intake, parsed: Parsed, refused: tuple[Rejected, ...], *, changes: int) -> Receipt:
    """Return the receipt of a delivery that is stored; `refused` are changes of targets that are not its sender's."""
    crowded = sum(map(_crowded, intake.arrivals))
    return Receipt(
        accepted=len(parsed.alerts),
        rejected=parsed.rejected + refused,
        opened=tuple(execution.id for execution in intake.opened if not execution.ended),
        joined=tuple(execution_id for _, execution_id, _ in intake.joined),
        incidents=tuple(dict.fromkeys(incident.id for incident in intake.incidents)),
        warnings=(*_warnings(parsed), *([NO_ROOM] if crowded else [])),
        changes=changes,
        alerts=taken_in(intake),
        due=_wanting(intake),
        crowded=crowded,
    )


def stored_receipt(parsed: Parsed, refused: tuple[Rejected, ...], *, changes: int, delivery: int) -> Receipt:
    """Return the receipt of a delivery of which nothing is decided yet."""
    return Receipt(
        accepted=len(parsed.alerts),
        rejected=parsed.rejected + refused,
        warnings=_warnings(parsed),
        changes=changes,
        waiting=delivery,
    )


def taken_in(intake: Intake) -> tuple[Taken, ...]:
    """Return the alerts that bring news."""
    return tuple(_taken(arrival) for arrival in intake.arrivals)


def _warnings(parsed: Parsed) -> tuple[str, ...]:
    """Return the codes about the whole, and those about any of its alerts, each once."""
    return tuple(dict.fromkeys((*parsed.warnings, *(code for alert in parsed.alerts for code in alert.warnings))))


def _taken(arrival: Arrival) -> Taken:
    alert = arrival.alert
    return Taken(
        name=alert.name,
        status=alert.status,
        severity=alert.severity,
        alert_key=alert.alert_key,
        incident_id=arrival.incident_id,
        handled=any(decision.outcome in ("opened", "joined") for decision in arrival.decisions),
    )


def _crowded(arrival: Arrival) -> bool:
    return any(decision.reason.startswith(TOO_MANY) for decision in arrival.decisions)


def _wanting(intake: Intake) -> tuple[str, ...]:
    opened = (execution.id for execution in intake.opened)
    joined = (execution_id for _, execution_id, _ in intake.joined)
    told = (execution_id for execution_id, _ in intake.signals)
    return tuple(dict.fromkeys((*opened, *joined, *told)))
