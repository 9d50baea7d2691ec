"""A card of the first screen: one execution that waits for a person, and all that its answer takes."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from runbook_engine.checks import number
from runbook_engine.diagnostics.sparkline import sparkline
from runbook_engine.machine.compensation import final_steps, undoable_steps
from runbook_engine.model.check import Check, QueryCheck, Reading
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import Execution, StepState
from runbook_engine.model.incident import ExecutionReport, IncidentReport
from runbook_engine.model.metric import say_query
from runbook_engine.model.runbook import Runbook
from runbook_engine.render.execution import say_outcome
from runbook_engine.render.incident import say_change, say_where
from runbook_engine.render.lines import Line, Lines, Piece, Span, line, table
from runbook_engine.render.wording import (
    age,
    clock,
    difference,
    movement,
    say_changes,
    say_status,
    short,
    subject_of,
    when,
)

NOT_FIXED = ("unresolved", "blocked", "failed", "unknown", "handed_over")
BARS = 12
NEVER_UNDONE = "never undone"  # as plans say it
MOST_CHANGES = 3  # the incident shows all of them


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was just read of one check of a runbook: its answer, and how its signal went lately."""

    check: Check
    reading: Reading
    points: tuple[tuple[datetime, float], ...] = ()


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One execution with its incident, and what was just looked at for it."""

    incident: IncidentReport
    execution: ExecutionReport
    looks: tuple[Look, ...] = ()
    why: str = ""  # what others changed before the alert


def needs_person(card: Card) -> bool:
    """Whether an execution waits for a person: it asks, it could not undo, or its alert still fires unfixed."""
    execution = card.execution.execution
    if execution.approval is not None:
        return True
    if execution.compensation == "failed" and execution.status != "handed_over":  # until somebody takes it over
        return True
    if execution.spoken_for:  # forty runs of one group are one question
        return False
    return execution.status in NOT_FIXED and still_fires(card)


def still_fires(card: Card) -> bool:
    """Whether an alert of this very run still fires, and its incident, which hears on when the run is over, agrees."""
    execution, fires = card.execution.execution, card.incident.incident.open_alerts
    if not execution.members:
        return bool(fires)
    latest = {member.alert_key: member.state for member in execution.members}
    return any(state == "firing" and key in fires for key, state in latest.items())


def render_card(card: Card, now: datetime) -> Lines:
    """Return one card: the question, the figures, the reason, what was done, and the answers."""
    execution, runbook = card.execution.execution, card.execution.runbook
    run = f"{execution.runbook} on {execution.target}, execution {execution.id[:8]}"
    rows: list[tuple[str, list[Piece]]] = [("Run", [run])]
    rows += [("Now", _now(look, execution, now)) for look in list_figures(card)]
    if card.why:
        rows.append(("Why?", [card.why]))
    rows += [("Prior", [say_change(each, card.incident)]) for each in card.incident.changes[:MOST_CHANGES]]
    rows += [("Did", pieces) for pieces in _did(execution)]
    rows += [("Asks", pieces) for pieces in _asks(execution)]
    if execution.approval is None:
        rows.append(("Since", [say_status(execution.status), f": {say_outcome(execution)}"]))
    lines = [_headline(card, now)]
    previous = ""
    for label, pieces in rows:
        lines.append(line(Span(f"{'' if label == previous else label:<6}", "strong"), *pieces, hang=6))
        previous = label
    lines.append(line(Span("If you do nothing", "strong"), f": {say_default(execution, runbook)}", hang=6))
    lines += _commands(card)
    return tuple(lines)


def _headline(card: Card, now: datetime) -> Line:
    execution, incident = card.execution.execution, card.incident.incident
    pieces: list[Piece] = [Span("NEEDS YOU", "bad")]
    if execution.approval is not None:
        until = execution.approval.until
        pieces.append(Span(f" by {clock(until)} UTC ({say_duration(max(until - now, timedelta(0)))})", "bad"))
    place = say_where(incident) or str(execution.target)
    said = f"started by {execution.started_by}" if execution.started_by else say_alert_state(card, now)
    return line(*pieces, "   ", Span(" · ".join((place, execution.alert.name, said)), "strong"), hang=6)


def say_alert_state(card: Card, now: datetime) -> str:
    """Return whether the alert of a run still fires, and since when."""
    execution = card.execution.execution
    if execution.all_resolved:
        return f"resolved at {when(max(member.since for member in execution.members), now)}"
    if not still_fires(card):
        return "not firing"
    return f"firing {age(execution.alert.starts_at or card.incident.incident.opened_at, now)}"


def list_figures(card: Card) -> list[Look]:
    """Return what was read that is shown as a figure."""
    return [look for look in card.looks if isinstance(look.check, QueryCheck)]


def _now(look: Look, execution: Execution, now: datetime) -> list[Piece]:
    check = look.check
    assert isinstance(check, QueryCheck), "only queries are shown as figures"
    goal = f" (goal {check.comparison} {number(check.value)})"
    if not isinstance(look.reading.value, int | float):
        return [Span(look.reading.says, "warn"), goal]
    figure = Span(number(look.reading.value), "good" if look.reading.ok else "bad")
    pieces: list[Piece] = [f"{say_query(check.query)} ", figure, goal, _was(look, execution)]
    if look.points:
        bars = sparkline([value for _, value in look.points], BARS) if len(look.points) > 1 else ""
        pieces.append(Span(f"   {bars}" if bars else "", "change"))
        pieces.append(Span(f"   data {age(look.points[-1][0], now)} old", "faint"))
    return pieces


def _was(look: Look, execution: Execution) -> str:
    before = value_before(look, execution)
    return "" if before is None else f", was {number(before)}"


def value_before(look: Look, execution: Execution) -> float | None:
    """Return what the check read before our first change; None = nobody looked."""
    for step in execution.steps:
        for before in step.before:
            same = isinstance(look.check, QueryCheck) and before.says.startswith(f"{say_query(look.check.query)} ")
            if same and isinstance(before.value, int | float):
                return before.value
    return None


def _did(execution: Execution) -> list[list[Piece]]:
    """Return what was changed, with what it did to the signal; the columns are aligned."""
    rows = list_done(execution)
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(2)]
    return [
        [Span(row[0].ljust(widths[0]), "faint"), "  ", Span(row[1].ljust(widths[1]), "change"), "   ", row[2]]
        for row in rows
    ]


def list_done(execution: Execution) -> list[tuple[str, str, str]]:
    """Return when each change was made, what it was, and what it did to the signal."""
    made = [step for step in execution.steps if step.progress in ("changing", "changed", "unknown")]
    return [_did_row(step) for step in made if step.change is not None]


def _did_row(step: StepState) -> tuple[str, str, str]:
    assert step.change is not None
    at = clock(step.effects[0].begun_at) if step.effects else ""
    moved = f"{subject_of(step.change)} {movement(step.change)}"
    if step.message_only:
        return at, moved, ""
    if step.effect is not None and step.effect.direction == "undo":
        return at, moved, "undone" if step.effect.status == "done" else f"undo {step.effect.status}"
    verdict = "" if not step.after else ", fixed" if all(reading.ok for reading in step.after) else ", not fixed"
    return at, moved, f"{difference(step) or step.progress}{verdict}"


def _asks(execution: Execution) -> list[list[Piece]]:
    asked = execution.approval
    if asked is None:
        return []
    rows: list[list[Piece]] = []
    for step in asked.steps:
        if step.change is not None and step.change.field != "message":
            final = step.undo == NEVER_UNDONE
            tail = Span("cannot be undone", "bad") if final else Span(step.undo, "faint")
            moved = Span(f"{subject_of(step.change)} {movement(step.change)}", "change")
            rows.append([f"{step.name}: ", moved, "   ", tail])
    if execution.demoted:
        rows.append([Span(f"its runbook is {execution.demoted}", "warn")])
    if asked.again_because:
        rows.append([Span(f"asked again: {asked.again_because}", "warn")])
    return rows


def say_default(execution: Execution, runbook: Runbook) -> str:
    """Return what happens when nobody answers."""
    asked = execution.approval
    stands = any(step.stands for step in execution.steps)
    keep = "keep what was changed" if stands else "nothing is changed"
    told = ", ".join(dict.fromkeys(rule.receiver for rule in runbook.notify if "notFixed" in rule.events))
    page = f", tell {told}" if told else ""
    if asked is None and execution.all_resolved:
        return f"{keep}; it stays as it is"
    if asked is None:
        return f"{keep}; the alert goes on firing" if execution.compensation != "failed" else keep
    if asked.kind == "plan":
        return f"the run ends at {clock(asked.until)}, {keep}{page}"
    approval = runbook.steps[asked.step].approval
    match approval.on_timeout if approval is not None else "stop":
        case "abort":
            return f"stop and undo what was changed{page}"
        case "next":
            return "leave this step out and go on"
        case _:
            return f"stop, {keep}{page}"


def _commands(card: Card) -> Lines:
    execution = card.execution.execution
    identity = short(execution.id)
    rows: list[list[Piece]] = []
    if execution.approval is not None:
        rows.append(_command("approve", f"runbook approve {identity} --plan {short(execution.approval.hash)}"))
        rows.append(_command("deny", f"runbook deny {identity}"))
    undoable = undoable_steps(execution, card.execution.runbook)
    if undoable or execution.absorbing:
        stays = say_changes(final_steps(execution, card.execution.runbook))
        note = f"or --undo; {stays} stays: cannot be undone" if stays else "or --undo"
        rows.append(_command("take over", f"runbook takeover {identity} --keep", note))
    rows.append(_command("pause all", "runbook pause --for 30m"))
    rows.append(_command("look", f"runbook incidents {short(card.incident.incident.id)}", _evidence(card)))
    return table(rows)


def _command(name: str, typed: str, note: str = "") -> list[Piece]:
    row: list[Piece] = [f"  {name}", Span(typed, "link")]
    return [*row, Span(note, "faint")] if note else row


def _evidence(card: Card) -> str:
    collected = list(dict.fromkeys(piece.collector for piece in card.execution.evidence))
    return f"evidence: {' · '.join([*collected, *card.execution.runbook.links])}" if collected else ""
