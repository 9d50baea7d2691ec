"""Listing: incidents, alerts and runbooks as the rows of tables, read without what their own pages show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.tests_state import TestsState, say_tests
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, Incident, IncidentReport, IncidentStatus
from runbook_engine.model.standing import Stands
from runbook_engine.render.wording import count, movement, subject_of
from runbook_engine.reports import mitigated, status_of

MOST_NAMED = 2  # changes in one row; the incident's own page has all


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident in a list, how it stands, what was done, and how long people and the engine took."""

    incident: Incident
    status: IncidentStatus
    did: tuple[str, ...]
    runs: str
    acknowledged_after: timedelta | None
    fixed_after: timedelta | None
    resolved_after: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert of an incident as it came last, and whether it still fires."""

    arrival: Arrival
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookRow:
    """One runbook with its standing and its newest run."""

    stands: Stands
    tests: str
    last: Execution | None


def list_incidents(engine: Engine, now: datetime, limit: int) -> tuple[IncidentRow, ...]:
    """Return open incidents, then the newest of the others."""
    return tuple(_row(engine, each, now) for each in engine.journal.incidents(limit=limit))


def say_means(rows: Sequence[IncidentRow]) -> str:
    """Return how long the resolved ones among these took on average; empty = none is resolved."""
    over = [row for row in rows if row.resolved_after is not None]
    if not over:
        return ""
    known = (
        ("acknowledged (MTTA)", [row.acknowledged_after for row in over]),
        ("fixed", [row.fixed_after for row in over]),
        ("resolved (MTTR)", [row.resolved_after for row in over]),
    )
    said = [f"{what} after {_mean(spans)}" for what, each in known if (spans := [span for span in each if span])]
    return f"On average of the {count(len(over), 'resolved incident')} below: {', '.join(said)}." if said else ""


def list_runbooks(engine: Engine, tests: TestsState | None) -> tuple[RunbookRow, ...]:
    """Return every runbook that is loaded."""
    return tuple(
        RunbookRow(
            stands=each,
            tests=say_tests(tests, each.runbook.digest),
            last=next(iter(engine.journal.executions(limit=1, runbook=each.runbook.name)), None),
        )
        for each in engine.standings()
    )


def alerts_of(report: IncidentReport) -> tuple[AlertRow, ...]:
    """Return each alert of an incident once, those that fire first."""
    newest = {arrival.alert.alert_key: arrival for arrival in report.arrivals}
    rows = [AlertRow(arrival=arrival, state=_state(key, report.incident)) for key, arrival in newest.items()]
    return tuple(sorted(rows, key=lambda row: row.state != "firing"))


def _state(key: str, incident: Incident) -> str:
    if key in incident.open_alerts:
        return "firing"
    return "expired" if key in incident.expired_alerts else "over"


def _row(engine: Engine, incident: Incident, now: datetime) -> IncidentRow:
    executions = engine.journal.executions(limit=len(incident.execution_ids) or 1, incident_id=incident.id)
    mitigated_at = mitigated(executions)
    status = status_of(incident, mitigated_at, engine.bundle.configuration.correlation.quiet, now)
    resolved_at = incident.resolved_at if status == "resolved" else None

    def after(at: datetime | None) -> timedelta | None:
        return max(at - incident.opened_at, timedelta(0)) if at is not None else None

    return IncidentRow(
        incident=incident,
        status=status,
        did=_did(executions),
        runs=_runs(executions),
        acknowledged_after=after(incident.acknowledged_at),
        fixed_after=after(mitigated_at),
        resolved_after=after(resolved_at),
    )


def _did(executions: Sequence[Execution]) -> tuple[str, ...]:
    """Return what was changed, the oldest first; of many the first few, and how many more."""
    made = [
        f"{subject_of(step.change)} {movement(step.change)}"
        for each in reversed(executions)
        for step in each.steps
        if step.change is not None and step.effects and not step.message_only
    ]
    more = len(made) - MOST_NAMED
    return (*made[:MOST_NAMED], f"and {count(more, 'more change')}") if more > 0 else tuple(made)


def _runs(executions: Sequence[Execution]) -> str:
    counts: dict[str, int] = {}
    for each in executions:
        counts[each.status] = counts.get(each.status, 0) + 1
    said = (f"{number} {status}" if number > 1 else status for status, number in counts.items())
    return ", ".join(said).replace("_", " ") or "no run"


def _mean(spans: Sequence[timedelta]) -> str:
    return say_duration(timedelta(seconds=round(sum(span.total_seconds() for span in spans) / len(spans))))
