"""Timeline: all that happened to an incident, or to one run, in its order, each with who did it and what judged it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.incident import Arrival, IncidentReport
from runbook_engine.render.execution import EVENT_MARKS, telling
from runbook_engine.render.incident import TOLD_BY_ARRIVALS, say_decision
from runbook_engine.render.lines import Mark
from runbook_engine.render.wording import say_actor

MOST_ENTRIES = 400  # of one incident; the command line and the API have all of them
NEWS = ("opened", "superseded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened. `run` is whose it is, where several runs share a timeline."""

    at: datetime
    kind: Literal["alert", "run", "change", "person"]
    says: str
    who: str = ""
    mark: Mark = ""
    run: str = ""
    verdicts: tuple[Verdict, ...] = ()


def tell_incident(report: IncidentReport) -> tuple[Entry, ...]:
    """Return everything that happened to an incident, what others changed before it first."""
    several = len(report.executions) > 1
    entries = [*_changes(report), *(_arrival(each) for each in report.arrivals), *_people(report)]
    for each in report.executions:
        entries += tell_records(each.audit, run=each.execution.id if several else "", arrivals=True)
    return tuple(sorted(entries, key=lambda entry: entry.at))


def tell_records(records: Sequence[AuditRecord], *, run: str = "", arrivals: bool = False) -> Iterator[Entry]:
    """Return the trail of a run; without what the incident's own `arrivals` tell, where they stand beside it."""
    for record in telling(records):
        if arrivals and record.detail.get("signal") in TOLD_BY_ARRIVALS:
            continue
        who = say_actor(record)
        yield Entry(
            at=record.at,
            kind="person" if who else "run",
            says=record.says,
            who=who,
            mark=EVENT_MARKS.get(record.event, ""),
            run=run,
            verdicts=record.verdicts,
        )


def _changes(report: IncidentReport) -> Iterator[Entry]:
    for each in report.changes:
        yield Entry(at=each.event.at, kind="change", says=f"{each.target}: {each.event.what}", who=each.event.who)


def _people(report: IncidentReport) -> Iterator[Entry]:
    incident = report.incident
    if incident.acknowledged_at is not None:
        yield Entry(at=incident.acknowledged_at, kind="person", says="is on it", who=incident.acknowledged_by)
    if incident.closed_at is not None:
        why = f" ({incident.closed_because})" if incident.closed_because else ""
        yield Entry(at=incident.closed_at, kind="person", says=f"closed the incident{why}", who=incident.closed_by)


def _arrival(arrival: Arrival) -> Entry:
    decided = "; ".join(say_decision(decision) for decision in arrival.decisions)
    said = f"{arrival.alert.name} {arrival.transition}{', flapping' if arrival.flapping else ''}"
    if not decided and arrival.transition in NEWS:
        decided = "no runbook matches"
    return Entry(at=arrival.at, kind="alert", says=f"{said}: {decided}" if decided else said, mark="strong")
