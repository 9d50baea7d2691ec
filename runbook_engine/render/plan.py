"""A plan as people read it before they say yes, and as scripts read it: what would change, and what forbids it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from runbook_engine.checks import describe_check, number
from runbook_engine.guardrails import refusals
from runbook_engine.model.alert import Alert
from runbook_engine.model.check import Check
from runbook_engine.model.duration import say_duration
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Plan, PlannedStep, Value
from runbook_engine.model.runbook import Runbook
from runbook_engine.render.lines import Line, Lines, Piece, Span, line, table
from runbook_engine.render.wording import age, count, movement, record_change, short, subject_of

ALWAYS_SHOWN = ("cooldown", "budget", "deadline")  # other guardrails are shown when they say no


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with what a reader needs around it."""

    plan: Plan
    runbook: Runbook
    alert: Alert
    now: datetime
    incident_id: str = ""
    by_hand: bool = False
    joins: str = ""  # the execution that has this runbook and target already: no other would be opened


def render_plan(proposal: Proposal) -> Lines:
    """Return one plan: where it comes from, its steps, its verification, its guardrails, and the sum."""
    plan = proposal.plan
    lines = [_headline(proposal)]
    lines += table([_step_row(at, step) for at, step in enumerate(plan.steps, start=1)])
    shared = _shared(proposal) if plan.steps else None
    if shared is not None:
        lines.append(shared)
    verification = _verification(proposal) if plan.steps else None
    if verification is not None:
        lines.append(verification)
    if plan.steps:
        lines.append(_guardrails(proposal))
    lines += [line("  ", Span("blocked", "bad"), f": {reason}", hang=11) for reason in plan.blocked]
    lines += [line("  ", Span("waits for", "warn"), f" {reason}", hang=11) for reason in plan.waiting]
    lines += [line("  ", Span("later", "warn"), f": {reason}", hang=11) for reason in plan.later]
    if proposal.joins:
        joined = f" execution {short(proposal.joins)}, which has {plan.target} already: no other run is opened"
        lines.append(line("  ", Span("joins", "warn"), joined, hang=4))
    lines.append(_sum(proposal))
    return tuple(lines)


def record_plans(proposals: Sequence[Proposal]) -> dict[str, Any]:
    """Return plans for scripts."""
    return {"plans": [_record(proposal) for proposal in proposals]}


def changes_of(plan: Plan) -> tuple[PlannedStep, ...]:
    """Return the steps that would change the world; a message changes nothing."""
    return tuple(step for step in plan.steps if step.change is not None and step.change.field != "message")


def _headline(proposal: Proposal) -> Line:
    plan, runbook, alert = proposal.plan, proposal.runbook, proposal.alert
    origin = f"{runbook.strategy}, {plan.mode}, {runbook.owner}"
    name: list[Piece] = ["runbook ", Span(plan.runbook, "strong"), Span(f" ({origin})", "faint")]
    if proposal.by_hand:
        return line("by hand  ", Span(alert.name, "strong"), "   ", *name, hang=9)
    incident = f"incident {short(proposal.incident_id)}  " if proposal.incident_id else ""
    since = alert.starts_at or alert.received_at
    firing = f" {alert.severity}, {alert.status} {age(since, proposal.now)}   "
    return line(incident, Span(alert.name, "strong"), firing, *name, hang=4)


def _step_row(number_: int, step: PlannedStep) -> list[Piece]:
    head: list[Piece] = [f"  {number_} {step.name}", step.action]
    if step.error:
        return [*head, Span("  cannot be planned", "bad")]
    if step.change is None:
        why = f"skipped: {step.skipped}" if step.skipped else f"nothing to do: {step.unchanged}"
        return [*head, Span(f"  {why}", "faint")]
    sign = "> " if step.change.field == "message" else "~ "
    row: list[Piece] = [
        *head,
        Span(f"{sign}{subject_of(step.change)}", "change"),
        Span(movement(step.change), "change"),
    ]
    notes = [step.undo] if step.change.field != "message" else []
    notes += [f"asks {step.approval}"] if step.approval else []
    return [*row, Span(", ".join(notes), "faint")] if notes else row


def _shared(proposal: Proposal) -> Line | None:
    """Return which steps were written in another file, and where."""
    said = [f"{step.name} ({step.file}:{step.line})" for step in proposal.runbook.steps if step.file]
    return line("  ", Span("shared", "strong"), f": {', '.join(said)}", hang=4) if said else None


def _verification(proposal: Proposal) -> Line | None:
    runbook, measured = proposal.runbook, proposal.plan.measured
    if not runbook.verify:
        return None
    each = "after each" if runbook.strategy == "escalate" else "at the end"
    values = [*measured, *[None] * len(runbook.verify)]
    said = "; ".join(_wanted(check, values[at]) for at, check in enumerate(runbook.verify))
    return line("  ", Span(each, "strong"), f": {said}", hang=4)


def _wanted(check: Check, value: Value) -> str:
    if isinstance(value, bool):
        now = "yes" if value else "no"
    elif isinstance(value, int | float):
        now = number(value)
    else:
        now = "unknown" if value is None else str(value)
    return f"{describe_check(check)}, at most {say_duration(check.timeout)} (now {now})"


def _guardrails(proposal: Proposal) -> Line:
    """Return every guardrail that says no, and of the others those that an on-call asks about."""
    judged: dict[str, list[Verdict]] = {}
    for step in proposal.plan.steps:
        for verdict in step.verdicts:
            judged.setdefault(verdict.guardrail, []).append(verdict)
    refused = [name for name, verdicts in judged.items() if refusals(tuple(verdicts))]
    shown = [*refused, *(name for name in ALWAYS_SHOWN if name in judged and name not in refused)]
    pieces: list[Piece] = ["  ", Span("guardrails", "strong"), ": "]
    for at, name in enumerate(shown):
        pieces += [", "] if at else []
        pieces += _verdict(name, judged[name], proposal)
    return line(*pieces, hang=4) if shown else line(*pieces, Span("no change to judge", "faint"))


def _verdict(name: str, verdicts: Sequence[Verdict], proposal: Proposal) -> list[Piece]:
    refused = refusals(tuple(verdicts))
    if refused:  # why stands below, under blocked
        passing = all(verdict.until is not None for verdict in refused)
        return [Span("WAIT" if passing else "NO", "warn" if passing else "bad"), f" {name}"]
    if name == "deadline":
        limit, worst = proposal.runbook.guardrails.deadline, proposal.plan.worst_case
        mark = Span("ok", "good") if worst <= limit else Span("tight", "warn")
        return [mark, f" deadline {say_duration(limit)} (worst case {say_duration(worst)})"]
    return [Span("ok", "good"), f" {name} ({'; '.join(dict.fromkeys(verdict.says for verdict in verdicts))})"]


def _sum(proposal: Proposal) -> Line:
    plan, runbook = proposal.plan, proposal.runbook
    if not plan.steps:
        return line("No plan: nothing would be done.")
    changes = len(changes_of(plan))
    up_to = "up to " if runbook.strategy == "escalate" and changes > 1 else ""
    skipped = sum(1 for step in plan.steps if step.skipped)
    approvals = _approvals(plan)
    blocked = len(plan.blocked)
    return line(
        "Plan ",
        Span(short(plan.plan_hash), "strong"),
        f": {up_to}{count(changes, 'change')}, {skipped} skipped, ",
        Span(count(approvals, "approval"), "warn" if approvals else ""),
        ", ",
        Span(f"{blocked} blocked", "bad" if blocked else ""),
        ". Nothing was changed.",
        hang=4,
    )


def _approvals(plan: Plan) -> int:
    """Return how many yeses a person is asked for: one for the plan below `auto`, one for each step that asks."""
    changes = changes_of(plan)
    whole = 1 if changes and plan.mode in ("propose", "approve") else 0
    return whole or sum(1 for step in changes if step.approval)


def _record(proposal: Proposal) -> dict[str, Any]:
    plan = proposal.plan
    return {
        "plan_hash": plan.plan_hash,
        "runbook": plan.runbook,
        "target": str(plan.target),
        "mode": plan.mode,
        "strategy": proposal.runbook.strategy,
        "alert_key": "" if proposal.by_hand else proposal.alert.alert_key,
        "incident": proposal.incident_id,
        "joins": proposal.joins,
        "steps": [_record_step(step, _origin(proposal.runbook, step.name)) for step in plan.steps],
        "verification": list(plan.verification),
        "blocked": list(plan.blocked),
        "waiting": list(plan.waiting),
        "later": list(plan.later),
        "worst_case_seconds": plan.worst_case.total_seconds(),
    }


def _origin(runbook: Runbook, name: str) -> str:
    """Return the file and line in which a step is written; empty for a runbook that no file holds."""
    step = next((step for step in runbook.steps if step.name == name), None)
    file = "" if step is None else step.file or runbook.file
    return f"{file}:{step.line}" if step is not None and file else ""


def _record_step(step: PlannedStep, origin: str) -> dict[str, Any]:
    return {
        "name": step.name,
        "action": step.action,
        "origin": origin,
        "change": record_change(step.change),
        "change_hash": step.change_hash,
        "verdicts": [record_verdict(verdict) for verdict in step.verdicts],
        "skipped": step.skipped,
        "unchanged": step.unchanged,
        "error": step.error,
        "approval": step.approval,
        "undo": step.undo,
    }


def record_verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a guardrail's answer for scripts."""
    return {"guardrail": verdict.guardrail, "ok": verdict.ok, "says": verdict.says}
