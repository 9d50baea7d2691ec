"""Incidents: a table of them, and one whole, with everything that happened to it in the order in which it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from runbook_engine.model.duration import say_duration
from runbook_engine.model.incident import Arrival, Decision, Incident, IncidentReport, IncidentStatus, NearChange, Times
from runbook_engine.render.alerts import SEVERE
from runbook_engine.render.execution import record_report, render_record, render_steps, say_outcome, telling
from runbook_engine.render.lines import Line, Lines, Mark, Piece, Span, indent, line, table
from runbook_engine.render.wording import age, clock, count, day, record_time, say_status, short

UNSAID = "nobody said that it is fixed"
TOLD_BY_ARRIVALS = ("joined", "resolved")  # signals of alerts whose arrival stands in the timeline already
STATUSES: dict[IncidentStatus, Mark] = {"open": "bad", "mitigated": "warn", "resolved": "good"}


def render_incidents(reports: Sequence[IncidentReport], now: datetime) -> Lines:
    """Return incidents as a table, in the order given."""
    if not reports:
        return (line("No incident yet."),)
    header = [Span(name, "faint") for name in ("INCIDENT", "STATUS", "SEVERITY", "WHAT", "WHERE", "OPENED", "RUNS")]
    return table([list(header), *(_row(report, now) for report in reports)])


def render_incident(report: IncidentReport, now: datetime) -> Lines:
    """Return one incident: what it is, how long things took, its runs, and its timeline."""
    incident = report.incident
    lines = [
        line(
            "incident ",
            Span(short(incident.id), "strong"),
            "  ",
            Span(incident.title, "strong"),
            " ",
            Span(incident.severity, SEVERE.get(incident.severity, "")),
            "  ",
            Span(report.status, STATUSES[report.status]),
            hang=4,
        ),
        line(
            f"  {say_where(incident) or 'no place known'}, opened {day(incident.opened_at)} UTC{say_times(report)}",
            hang=4,
        ),
    ]
    lines += _state(report, now)
    lines += _changes(report)
    for each in report.executions:
        execution = each.execution
        why = say_outcome(execution)
        head: list[Piece] = [f"  {execution.runbook} on {execution.target}  ", say_status(execution.status)]
        lines += [line(), line(*head, f"  {why}" if why else "", Span(f"  ({short(execution.id)})", "faint"), hang=6)]
        lines += indent(render_steps(execution), 2)
    lines += [line(), line(Span("Timeline (UTC)", "strong"))]
    lines += indent([each for _, each in _timeline(report)], 2)
    return tuple(lines)


def say_where(incident: Incident) -> str:
    """Return the incident's place: cluster, namespace, service, as far as its labels say."""
    return " · ".join(dict.fromkeys(text for _, text in incident.labels))


def record_incident(report: IncidentReport) -> dict[str, Any]:
    """Return an incident for scripts, as a list shows it."""
    incident = report.incident
    return {
        "id": incident.id,
        "title": incident.title,
        "status": report.status,
        "severity": incident.severity,
        "labels": dict(incident.labels),
        "open_alerts": len(incident.open_alerts),
        "opened_at": record_time(incident.opened_at),
        "acted_at": record_time(report.acted_at),
        "mitigated_at": record_time(report.mitigated_at),
        "resolved_at": record_time(incident.resolved_at),
        "started_at": record_time(report.started_at),
        "acknowledged_at": record_time(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "closed_at": record_time(incident.closed_at),
        "closed_by": incident.closed_by,
        "closed_because": incident.closed_because,
        "quiet_until": record_time(report.quiet_until),
        "expired_alerts": len(incident.expired_alerts),
        "flapping": list(report.flapping),
        "seconds_from_opened": _record_times(report.from_opened),
        "seconds_from_started": _record_times(report.from_started),
        "executions": [each.execution.id for each in report.executions],
    }


def record_incident_report(report: IncidentReport) -> dict[str, Any]:
    """Return an incident with everything that happened to it for scripts."""
    return {
        **record_incident(report),
        "arrivals": [
            {
                "at": record_time(arrival.at),
                "alert": arrival.alert.name,
                "transition": arrival.transition,
                "decisions": [
                    {
                        "runbook": decision.runbook,
                        "outcome": decision.outcome,
                        "execution": decision.execution_id,
                        "reason": decision.reason,
                    }
                    for decision in arrival.decisions
                ],
            }
            for arrival in report.arrivals
        ],
        "executions": [record_report(each) for each in report.executions],
        "changes": [
            {
                "at": record_time(change.event.at),
                "target": str(change.target),
                "who": change.event.who,
                "what": change.event.what,
                "same_target": change.same_target,
            }
            for change in report.changes
        ],
    }


def _state(report: IncidentReport, now: datetime) -> list[Line]:
    """Return what an on-call must know of how it stands, besides its status."""
    incident, lines = report.incident, []
    if incident.acknowledged_at is not None:
        lines.append(f"  acknowledged by {incident.acknowledged_by} at {clock(incident.acknowledged_at)}")
    if report.quiet_until is not None:
        lines.append(f"  its alerts are over; resolved at {clock(report.quiet_until)}, if none of them comes back")
    if incident.expired_alerts:
        expired = f"{count(len(incident.expired_alerts), 'alert')} expired, and {UNSAID}"
        close = "" if incident.open_alerts else f": runbook close {short(incident.id)} --reason TEXT"
        lines.append(f"  {expired}{close}")
    if report.flapping:
        lines.append(f"  flapping: {', '.join(report.flapping)} came and went too often, so runs were only proposed")
    if incident.closed_at is not None:
        why = f" ({incident.closed_because})" if incident.closed_because else ""
        lines.append(f"  closed by {incident.closed_by} at {clock(incident.closed_at)}{why}")
    return [line(each, hang=4) for each in lines]


def _changes(report: IncidentReport) -> list[Line]:
    """Return what others changed shortly before; that is the first thing an on-call asks."""
    if not report.changes:
        return []
    rows: list[list[Piece]] = [
        [
            Span(f"    {clock(each.event.at)}", "faint"),
            f"{age(each.event.at, report.incident.opened_at)} before",
            Span(str(each.target), "strong" if each.same_target else ""),
            f"{each.event.what} by {each.event.who}",
        ]
        for each in report.changes
    ]
    return [line("  What changed in the hour before:"), *table(rows)]


def say_change(change: NearChange, report: IncidentReport) -> str:
    """Return one change by others, and how near it was: `release 2 by ci, 20m before`."""
    before = age(change.event.at, report.incident.opened_at)
    return f"{change.target}: {change.event.what} by {change.event.who}, {before} before"


def _record_times(times: Times) -> dict[str, float | None]:
    spans = {name: getattr(times, name) for name in times.__struct_fields__}
    return {name: None if span is None else span.total_seconds() for name, span in spans.items()}


def _row(report: IncidentReport, now: datetime) -> list[Piece]:
    incident = report.incident
    runs = [each.execution.status.replace("_", " ") for each in report.executions]
    return [
        Span(short(incident.id), "strong"),
        Span(report.status, STATUSES[report.status]),
        Span(incident.severity, SEVERE.get(incident.severity, "")),
        incident.title,
        say_where(incident),
        f"{age(incident.opened_at, now)} ago",
        _say_runs(runs),
    ]


def _say_runs(statuses: Sequence[str]) -> str:
    """Return how many runs are where: `waiting`, `2 waiting, 1 succeeded`."""
    if len(statuses) == 1:
        return statuses[0]
    return ", ".join(f"{number} {status}" for status, number in Counter(statuses).items()) or "none"


def say_times(report: IncidentReport) -> str:
    """Return how long things took, each after a comma."""
    times = report.from_opened
    steps = (
        ("acknowledged", times.acknowledge),
        ("first change", times.act),
        ("fixed", times.mitigate),
        ("resolved", times.resolve),
    )
    said = [f"{what} after {say_duration(span)}" for what, span in steps if span is not None]
    before = report.incident.opened_at - (report.started_at or report.incident.opened_at)
    early = [f"firing for {say_duration(before)} before"] if before > timedelta(0) else []
    return "".join(f", {each}" for each in early + said)


def _timeline(report: IncidentReport) -> list[tuple[datetime, Line]]:
    happened = [(arrival.at, _arrival(arrival)) for arrival in report.arrivals]
    many = len(report.executions) > 1
    for each in report.executions:
        for record in telling(each.audit):
            if record.detail.get("signal") in TOLD_BY_ARRIVALS:
                continue
            told = render_record(record)
            if many:
                told = Line((*told.spans, Span(f"  ({short(each.execution.id)})", "faint")), told.hang)
            happened.append((record.at, told))
    return sorted(happened, key=lambda each: each[0])


def _arrival(arrival: Arrival) -> Line:
    decided = "; ".join(say_decision(decision) for decision in arrival.decisions)
    flapping = ", flapping" if arrival.flapping else ""
    said = f"{arrival.alert.name} {arrival.transition}{flapping}{f': {decided}' if decided else ''}"
    if arrival.transition in ("opened", "superseded") and not arrival.decisions:
        said += ": no runbook matches"
    return line(Span(clock(arrival.at), "faint"), "  ", Span(said, "strong"), hang=10)


def say_decision(decision: Decision) -> str:
    """Return what was decided about one runbook, and why."""
    why = f" ({decision.reason})" if decision.reason else ""
    return f"{decision.runbook} {decision.outcome}{why}"
