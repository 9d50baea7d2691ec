"""One execution as people read it afterwards: its end, its steps with what each did to the signal, its trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runbook_engine.machine.custody import say_custody
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.check import Reading
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import ApprovalRequest, Execution, StepState
from runbook_engine.model.incident import Evidence, ExecutionReport
from runbook_engine.render.chart import render_chart
from runbook_engine.render.lines import Line, Lines, Mark, Piece, Span, indent, line, table
from runbook_engine.render.wording import (
    age,
    clock,
    day,
    difference,
    movement,
    record_change,
    record_time,
    say_actor,
    say_compensation_state,
    say_status,
    short,
    subject_of,
)

MOST_EVIDENCE_LINES = 12
EVENT_MARKS: dict[str, Mark] = {
    "intended": "change",
    "applied": "change",
    "blocked": "bad",
    "put_off": "warn",
    "asked": "warn",
    "finished": "strong",
    "delivered": "faint",
    "undelivered": "warn",
    "signalled": "strong",
}


def render_execution(report: ExecutionReport, now: datetime, *, trail: bool = True) -> Lines:
    """Return one execution whole; without its trail for somebody who has just watched it."""
    execution = report.execution
    title = line(Span(f"Timeline of {day(execution.opened_at)[:10]} (UTC)", "strong"))
    told = (line(), title, *indent(render_trail(report.audit), 2)) if trail else ()
    return (*_head(execution, now), line(), *render_steps(execution), *told, *_evidence(report.evidence))


def render_steps(execution: Execution) -> Lines:
    """Return a row for each step: what it changed, and what verification read before and after."""
    return table([_step_row(at, step, execution) for at, step in enumerate(execution.steps, start=1)])


def render_trail(records: Sequence[AuditRecord]) -> Lines:
    """Return audit records as a timeline."""
    return tuple(render_record(record) for record in telling(records))


def telling(records: Sequence[AuditRecord]) -> Sequence[AuditRecord]:
    """Return the records without those that the next one says again: `would change`, then `is about to change`."""
    following = [*(record.event for record in records[1:]), ""]
    return [
        record
        for record, event in zip(records, following, strict=False)
        if not (record.event == "prepared" and event == "intended")
    ]


def render_record(record: AuditRecord) -> Line:
    """Return one audit record as a line of a timeline."""
    who: list[Piece] = [Span(f"{named}: ", "strong")] if (named := say_actor(record)) else []
    return line(Span(clock(record.at), "faint"), "  ", *who, Span(record.says, _mark(record)), hang=10)


def render_executions(executions: Sequence[Execution], now: datetime) -> Lines:
    """Return executions as a table, newest first as given."""
    if not executions:
        return (line("No execution yet."),)
    header = [Span(name, "faint") for name in ("EXECUTION", "STATUS", "RUNBOOK", "TARGET", "OPENED", "WHAT CAME OF IT")]
    rows: list[list[Piece]] = [list(header)]
    for each in executions:
        rows.append(
            [
                Span(short(each.id), "strong"),
                say_status(each.status),
                each.runbook,
                str(each.target),
                f"{age(each.opened_at, now)} ago",
                say_outcome(each),
            ]
        )
    return table(rows)


def say_outcome(execution: Execution) -> str:
    """Return in a few words why the execution is where it is, and what became of its changes."""
    why = execution.reason if execution.ended else execution.waits_for or say_verification(execution)
    kept = say_custody(execution)
    return "; ".join(part for part in (why, say_compensation_state(execution).text, kept) if part)


def say_verification(execution: Execution) -> str:
    """Return what is verified now, and until when at most; empty = nothing is."""
    checking = execution.verification
    if checking is None:
        return ""
    names = {"final": "the whole run", "undo": "what was undone"}
    name = names.get(checking.purpose) or execution.steps[execution.step].name
    return f"verifying {name}" + (f" until {clock(checking.until)} UTC" if checking.until is not None else "")


def record_execution(execution: Execution) -> dict[str, Any]:
    """Return an execution for scripts."""
    return {
        "id": execution.id,
        "runbook": execution.runbook,
        "target": str(execution.target),
        "status": execution.status,
        "compensation": execution.compensation,
        "reason": execution.reason,
        "mode": execution.mode,
        "demoted": execution.demoted,
        "incident": execution.incident_id,
        "alert": execution.alert.name,
        "started_by": execution.started_by,
        "kept_by": execution.kept_by if execution.kept_until is not None else "",
        "kept_until": record_time(execution.kept_until),
        "plan_hash": execution.plan_hash,
        "approval": _record_approval(execution.approval),
        "opened_at": record_time(execution.opened_at),
        "ended_at": record_time(execution.ended_at),
        "steps": [_record_step(step) for step in execution.steps],
    }


def record_report(report: ExecutionReport) -> dict[str, Any]:
    """Return an execution with its timeline and evidence for scripts."""
    return {
        **record_execution(report.execution),
        "timeline": [record_audit(record) for record in report.audit],
        "evidence": [
            {
                "collector": piece.collector,
                "title": piece.title,
                "at": record_time(piece.at),
                "text": piece.text,
                "points": [[record_time(at), value] for at, value in piece.points],
            }
            for piece in report.evidence
        ],
    }


def record_audit(record: AuditRecord) -> dict[str, Any]:
    """Return one audit record for scripts."""
    return {
        "number": record.number,
        "at": record_time(record.at),
        "actor": record.actor,
        "event": record.event,
        "says": record.says,
        "step": record.step,
        "change": record_change(record.change),
    }


def _head(execution: Execution, now: datetime) -> Lines:
    compensation = say_compensation_state(execution)
    tail: list[Piece] = [", ", compensation] if compensation.text else []
    took = say_duration((execution.ended_at or now) - execution.opened_at)
    lasted = f"took {took}" if execution.ended else f"running for {took}"
    started = f"started by {execution.started_by}" if execution.started_by else f"mode {execution.mode}"
    severity = "" if execution.started_by else f" {execution.alert.severity}"
    about = f"{execution.alert.name}{severity}, incident {short(execution.incident_id)}"
    lines = [
        line("execution ", Span(short(execution.id), "strong"), "  ", say_status(execution.status), *tail),
        line(f"  {execution.runbook} on {execution.target}, {started}, {execution.owner}", hang=4),
        line(f"  {about}, opened {day(execution.opened_at)} UTC, {lasted}", hang=4),
    ]
    if execution.demoted:
        lines.append(line("  ", Span(f"its runbook is {execution.demoted}", "warn"), hang=4))
    why = execution.reason if execution.ended else execution.waits_for
    if why:
        lines.append(line("  ", Span("because", "strong"), f" {why}", hang=4))
    elif verifying := say_verification(execution):
        lines.append(line("  ", Span("now", "strong"), f" {verifying}", hang=4))
    if execution.approval is not None:
        asked = execution.approval
        until = f"{asked.by} by {clock(asked.until)}: runbook approve {short(execution.id)} --plan {short(asked.hash)}"
        lines.append(line("  ", Span("asks", "bad"), f" {until}", hang=4))
    return tuple(lines)


def _step_row(number: int, step: StepState, execution: Execution) -> list[Piece]:
    head: list[Piece] = [f"  {number} {step.name}", step.action, say_progress(step, execution)]
    if step.change is None:
        return [*head, Span(step.reason, "faint")]
    moved = Span(f"{subject_of(step.change)} {movement(step.change)}", "change")
    why = "" if step.progress == "changed" else step.reason
    noted = "; ".join(part for part in (difference(step), why) if part)
    return [*head, moved, noted]


def say_progress(step: StepState, execution: Execution) -> Span:
    """Return how far a step has come."""
    effect = step.effect
    if execution.ended and step.progress in ("pending", "prepared"):
        return Span("not needed" if execution.status == "succeeded" else "not reached", "faint")
    if effect is not None and effect.direction == "undo":
        words: dict[str, Span] = {"done": Span("undone", "good"), "superseded": Span("superseded", "warn")}
        return words.get(effect.status, Span(f"undo {effect.status}", "warn"))
    marks: dict[str, Mark] = {"changed": "good", "failed": "bad", "unknown": "bad", "changing": "warn"}
    return Span(step.progress, marks.get(step.progress, "faint"))


def _mark(record: AuditRecord) -> Mark:
    return EVENT_MARKS.get(record.event, "")


def _evidence(pieces: Sequence[Evidence]) -> Lines:
    if not pieces:
        return ()
    lines: list[Line] = [line(), line(Span("Evidence, taken before the first change", "strong"))]
    for piece in pieces:
        if piece.points:
            lines += indent([render_chart(piece.title, piece.points)], 2)
            continue
        text = piece.text.splitlines()
        lines.append(line(f"  {piece.title}"))
        lines += [line("    ", Span(each, "faint"), hang=6) for each in text[:MOST_EVIDENCE_LINES]]
        if len(text) > MOST_EVIDENCE_LINES:
            more = f"... {len(text) - MOST_EVIDENCE_LINES} more lines with --format json"
            lines.append(line("    ", Span(more, "faint")))
    return tuple(lines)


def _record_approval(request: ApprovalRequest | None) -> dict[str, Any] | None:
    if request is None:
        return None
    return {
        "kind": request.kind,
        "plan_hash": request.hash,
        "by": request.by,
        "until": record_time(request.until),
        "steps": [{"name": step.name, "change": record_change(step.change)} for step in request.steps],
        "again_because": request.again_because,
    }


def _record_step(step: StepState) -> dict[str, Any]:
    return {
        "name": step.name,
        "action": step.action,
        "progress": step.progress,
        "reason": step.reason,
        "change": record_change(step.change),
        "stands": step.stands,
        "before": [_record_reading(reading) for reading in step.before],
        "after": [_record_reading(reading) for reading in step.after],
    }


def _record_reading(reading: Reading) -> dict[str, Any]:
    return {"ok": reading.ok, "says": reading.says, "value": reading.value}
