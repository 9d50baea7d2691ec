"""Wording shared by every screen: clock times, ages, short ids, changes, and what each status means to a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook_engine.machine.audit import ENGINE
from runbook_engine.machine.narration import show
from runbook_engine.machine.signals import UNDOING
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Compensation, Execution, Status, StepState
from runbook_engine.model.plan import Change, Value
from runbook_engine.render.lines import Mark, Span

SHORT_ID = 8
LONGEST_VALUE = 40  # a longer one is cut in the middle: both its ends tell something

STATUS_MARKS: Mapping[Status, Mark] = {
    "pending": "faint",
    "running": "warn",
    "waiting": "warn",
    "awaiting_approval": "bad",
    "succeeded": "good",
    "unresolved": "bad",
    "blocked": "bad",
    "failed": "bad",
    "cancelled": "faint",
    "handed_over": "warn",
    "unknown": "bad",
}
COMPENSATIONS: Mapping[Compensation, str] = {
    "none": "",
    "held": "changes held",
    "undoing": "undoing changes",
    "undone": "changes undone",
    "superseded": "changed since by others, not undone",
    "failed": "UNDO FAILED",
}


def short(identity: str) -> str:
    """Return the first characters of an id or hash; commands take these too."""
    return identity[:SHORT_ID]


def clock(instant: datetime) -> str:
    """Return the time of day in UTC, to the second."""
    return f"{instant.astimezone(UTC):%H:%M:%S}"


def day(instant: datetime) -> str:
    """Return the date and the time of day in UTC, to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def when(instant: datetime, now: datetime) -> str:
    """Return the time of day, with the date when it was not within the last day."""
    return clock(instant) if abs(now - instant) < timedelta(days=1) else day(instant)


def until_when(instant: datetime, now: datetime) -> str:
    """Return the time of day in UTC, with the date when it is not of today."""
    return clock(instant) if instant.astimezone(UTC).date() == now.astimezone(UTC).date() else day(instant)


def sentence(said: str) -> str:
    """Return what was said as a sentence that stands by itself."""
    return f"{said[:1].upper()}{said[1:]}."


def age(since: datetime, now: datetime) -> str:
    """Return how long ago something began, in whole seconds; the future reads as 0s."""
    return say_duration(timedelta(seconds=max(0, int((now - since).total_seconds()))))


def say_status(status: Status) -> Span:
    """Return a status as a word with its meaning."""
    return Span(status.replace("_", " "), STATUS_MARKS[status])


def say_actor(record: AuditRecord) -> str:
    """Return who did what a record tells, where its sentence does not begin with them; the engine is never named."""
    named = record.actor == ENGINE or record.says.startswith(f"{record.actor} ")
    return "" if named else record.actor


def say_compensation_state(execution: Execution) -> Span:
    """Return what became of our changes, nothing when there were none."""
    state = execution.compensation
    mark: Mark = "bad" if state == "failed" else "warn" if state in ("undoing", "superseded") else "faint"
    if state == "held" and not execution.ended:  # it acts still: what it changed is kept when it is over
        return Span("", mark)
    if left := _left(execution):
        return Span(", ".join(part for part in (COMPENSATIONS[state], left) if part), "warn")
    return Span(COMPENSATIONS[state], mark)


def _left(execution: Execution) -> str:
    """Return what an end that undid changes left in place: nobody let go of it, so it was not to be undone."""
    names = [step.name for step in execution.steps if step.stands and not step.released]
    told = execution.reason.endswith(UNDOING)  # a person had all undone that could be
    if not names or not execution.ended or execution.stage == "unwinding":
        return ""
    why = "which cannot be undone" if told else "which stays"
    if execution.compensation == "undone":
        return f"save {' and '.join(names)}, {why}"
    return f"{' and '.join(names)} stays: cannot be undone" if told and execution.compensation == "none" else ""


def subject_of(change: Change) -> str:
    """Return what is changed: a parameter by its name alone, anything else by its target."""
    return change.target.name if change.field == "message" else str(change.target)


def movement(change: Change) -> str:
    """Return a change without its subject: `replicas 4 -> 6`, `"false" -> "true"`; sensitive values are not shown."""
    if change.field == "message":
        return f"says {value(change.after)}"
    field = "" if change.field == "value" else f"{change.field} "
    if change.sensitive:
        return f"{field}(value not shown)"
    return f"{field}{value(change.before)} -> {value(change.after)}"


def say_changes(steps: Iterable[StepState]) -> str:
    """Return the changes of steps."""
    return ", ".join(f"{subject_of(step.change)} {movement(step.change)}" for step in steps if step.change is not None)


def value(shown: Value) -> str:
    """Return a value as people read it, cut in the middle when it is long."""
    text = show(shown)
    if len(text) <= LONGEST_VALUE:
        return text
    half = (LONGEST_VALUE - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 change`, `2 changes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def difference(step: StepState) -> str:
    """Return what verification read before and after a step's change: `0.12 -> 0.01`; empty when nobody looked."""
    pairs = [
        f"{_figure(before.value)} -> {_figure(after.value)}"
        for before, after in zip(step.before, step.after, strict=False)
        if _is_number(before.value) or _is_number(after.value)
    ]
    return ", ".join(pairs)


def record_change(change: Change | None) -> dict[str, Any] | None:
    """Return a change for scripts; a sensitive one without its values."""
    if change is None:
        return None
    hidden = change.sensitive
    return {
        "target": str(change.target),
        "field": change.field,
        "before": None if hidden else change.before,
        "after": None if hidden else change.after,
        "sensitive": hidden,
    }


def record_time(instant: datetime | None) -> str | None:
    """Return an instant for scripts: RFC 3339 in UTC."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _figure(shown: Value) -> str:
    return f"{shown:.4g}" if _is_number(shown) and isinstance(shown, int | float) else "?"


def _is_number(shown: Value) -> bool:
    return isinstance(shown, int | float) and not isinstance(shown, bool)
