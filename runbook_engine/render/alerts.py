"""What a payload means after normalisation: the alerts that are taken and those that are not, and why."""

from __future__ import annotations

from typing import Any

from runbook_engine.model.alert import Alert, Severity
from runbook_engine.model.delivery import Parsed
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.quoting import quote
from runbook_engine.model.target import Target
from runbook_engine.render.lines import Line, Lines, Mark, Span, line, table
from runbook_engine.render.wording import clock, record_time, short

SEVERE: dict[Severity, Mark] = {"critical": "bad", "high": "bad", "warning": "warn"}


def render_alerts(parsed: Parsed) -> Lines:
    """Return every alert of a delivery as people read it."""
    lines = [each for alert in parsed.alerts for each in _alert(alert)]
    lines += [_change(target, event) for target, event in parsed.changes]
    for rejected in parsed.rejected:
        lines.append(line(Span(f"rejected alert {rejected.index}", "bad"), f": {rejected.reason}", hang=4))
    lines += [line(Span("warning", "warn"), f": {warning}", hang=4) for warning in parsed.warnings]
    return tuple(lines) or (line(Span("no alert in it", "warn")),)


def record_alerts(parsed: Parsed) -> dict[str, Any]:
    """Return the alerts of a delivery for scripts."""
    return {
        "accepted": [_record(alert) for alert in parsed.alerts],
        "rejected": [{"index": rejected.index, "reason": rejected.reason} for rejected in parsed.rejected],
        "warnings": list(parsed.warnings),
        "changes": [_changed(target, event) for target, event in parsed.changes],
    }


def _change(target: Target, event: ChangeEvent) -> Line:
    where = Span(target.pattern_form + (f"@{target.place}" if target.place else ""), "strong")
    return line("change of ", where, f"  {clock(event.at)}  {quote(event.who)}: {quote(event.what)}", hang=4)


def _changed(target: Target, event: ChangeEvent) -> dict[str, Any]:
    return {
        "target": target.pattern_form,
        "place": target.place,
        "at": record_time(event.at),
        "who": event.who,
        "what": event.what,
    }


def _alert(alert: Alert) -> Lines:
    since = f" since {clock(alert.starts_at)}" if alert.starts_at is not None else ""
    until = f" until {clock(alert.ends_at)}" if alert.ends_at is not None else ""
    head = line(
        Span(alert.name, "strong"),
        "  ",
        Span(alert.severity, SEVERE.get(alert.severity, "")),
        f"  {alert.status}{since}{until}  ",
        Span(f"{alert.kind} of {alert.source}, alert key {short(alert.alert_key)}", "faint"),
    )
    labels = table([("  ", name, f"= {quote(text)}") for name, text in sorted(alert.labels.items())], gap=1)
    warnings = tuple(line("  ", Span("warning", "warn"), f": {warning}", hang=4) for warning in alert.warnings)
    return (head, *labels, *warnings)


def _record(alert: Alert) -> dict[str, Any]:
    return {
        "name": alert.name,
        "status": alert.status,
        "kind": alert.kind,
        "severity": alert.severity,
        "labels": dict(alert.labels),
        "starts_at": record_time(alert.starts_at),
        "ends_at": record_time(alert.ends_at),
        "alert_key": alert.alert_key,
        "warnings": list(alert.warnings),
    }
