"""Standing: how far each runbook is trusted, why, and the commit that would raise it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_engine.model.runbook import Mode
from runbook_engine.model.standing import FAULTS, Stands
from runbook_engine.render.lines import Lines, Mark, Piece, Span, line, table
from runbook_engine.render.wording import record_time, short

MARKS: dict[Mode, Mark] = {"observe": "faint", "propose": "warn", "approve": "warn", "auto": "good"}


def render_standings(stands: Sequence[Stands]) -> Lines:
    """Return every runbook with its standing, and the commits that are proposed."""
    if not stands:
        return (line("no runbook is loaded"),)
    header = [Span(name, "faint") for name in ("RUNBOOK", "WRITTEN", "GOES", "VERIFIED", "WHY")]
    lines = table([list(header), *(_row(each) for each in stands)])
    for each in stands:
        lines += _proposal(each)
    return lines


def record_standing(stands: Stands) -> dict[str, Any]:
    """Return one runbook's standing for scripts."""
    because = stands.standing.because
    return {
        "runbook": stands.runbook.name,
        "digest": stands.runbook.digest,
        "mode": stands.written or [rule.mode for rule in stands.runbook.mode],
        "ceiling": stands.standing.ceiling,
        "goes": stands.goes,
        "demoted": stands.standing.ceiling != "auto",
        "fault": stands.standing.fault,
        "because": None
        if because is None
        else {
            "execution": because.execution_id,
            "at": record_time(because.at),
            "status": because.status,
            "mode": because.mode,
            "reason": because.reason,
        },
        "verified_successes": stands.standing.successes,
        "proposal": None if stands.promotion is None else {"from": stands.written, "to": stands.promotion},
    }


def _row(stands: Stands) -> list[Piece]:
    written = stands.written or ", ".join(rule.mode for rule in stands.runbook.mode)
    goes = stands.goes
    return [
        Span(stands.runbook.name, "strong"),
        written,
        Span(goes, "bad" if stands.standing.ceiling != "auto" else MARKS[goes]),
        str(stands.standing.successes),
        say_reasons(stands),
    ]


def say_hold(stands: Stands) -> str:
    """Return what holds a runbook below the mode that is written; empty = nothing does."""
    if stands.goes == stands.highest:
        return ""
    said = ["its own runs"] if stands.trusted == stands.goes else []
    return " and ".join([*said, "the ceiling of the installation"] if stands.allowed == stands.goes else said)


def say_reasons(stands: Stands) -> str:
    """Return why a runbook goes no further than it does: what the installation allows, and what its runs did."""
    hold = say_hold(stands)
    held = f"held down to {stands.goes} by {hold}" if stands.allowed == stands.goes and hold else ""
    return "; ".join(part for part in (held, say_why(stands)) if part)


def say_why(stands: Stands) -> str:
    """Return why a runbook stands where it does."""
    standing = stands.standing
    if standing.because is not None:
        reason = f": {standing.because.reason}" if standing.because.reason else ""
        return f"execution {short(standing.because.execution_id)} {FAULTS[standing.fault]}{reason}"
    if standing.ceiling != "auto":
        return "an older run lowered it"
    return f"reviewed: {stands.runbook.reviewed}" if stands.runbook.reviewed else ""


def _proposal(stands: Stands) -> Lines:
    name = stands.runbook.name
    if stands.standing.ceiling != "auto":
        said = (
            f"{name} goes on as {stands.trusted} until a commit changes it; after the cause is mended, say who looked:"
        )
        return (line(), line(said, hang=4), line(Span('  +  reviewed: "NAME, DATE: what was mended"', "good")))
    if stands.promotion is None:
        return ()
    record = f"{stands.standing.successes} verified successes in mode {stands.written}, and nothing else since"
    where = f" ({stands.runbook.file})" if stands.runbook.file else ""
    return (
        line(),
        line(f"{name}: {record}. The commit that would promote it{where}:", hang=4),
        line(Span(f"  -mode: {stands.written}", "bad")),
        line(Span(f"  +mode: {stands.promotion}", "good")),
    )
