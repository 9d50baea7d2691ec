"""The storm latch for people and for scripts: since when every change is held, why, and what ends it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from runbook_engine.model.duration import say_duration
from runbook_engine.model.ration import Held
from runbook_engine.model.storm import CALM, Latch, StormRule, held_until
from runbook_engine.render.lines import Lines, Span, line, table
from runbook_engine.render.wording import age, count, record_time, short, until_when

RELEASE = "runbook release --reason TEXT"
MOST_NAMED = 5  # of what goes on first


def render_storm(latch: Latch, rule: StormRule, now: datetime) -> Lines:
    """Return what a person must know of a storm that is held, nothing when none is."""
    until = held_until(latch, rule, now)
    if until is None or latch.held_since is None:
        return ()
    head = f"runs were opened for {latch.reason}"
    held = f"every change is held for {age(latch.held_since, now)} now; undoing goes on, and so does recording"
    calm = f"at {until_when(until, now)} UTC, if nothing more comes ({say_duration(rule.calm)} of calm)"
    pace = f"{say_pace(rule.ration, rule.within)}, whoever ends it"
    release = [Span(RELEASE, "link"), Span("asks first", "faint")]
    rows = table([["  It ends", calm], ["  or release", *release], ["  Then", pace]])
    return (line(Span("STORM", "bad"), "   ", Span(head, "strong"), hang=6), line(f"  {held}", hang=4), *rows)


def say_held(held: Held) -> str:
    """Return what waits, and how it goes on once a person lets it, in one sentence."""
    if not held.runs:
        return f"no run waits; {say_pace(held.at_a_time, held.within)}"
    late = f"; {_late(held)}" if held.late else ""
    return f"{_waiting(held)}; {_first(held)} at once, and {say_pace(held.at_a_time, held.within)}{late}"


def render_held(held: Held) -> Lines:
    """Return what a person must know before they let a storm go."""
    named = [f"{each.target} ({short(each.id)})" for each in held.first[:MOST_NAMED]]
    beyond = len(held.first) - len(named)
    more = [f"{beyond} more"] if beyond else []
    last = f"; the last after {say_duration(held.longest)} at the earliest" if held.longest and not held.late else ""
    rows = table(
        [
            ["  First", f"{_first(held)} at once" + (f", the oldest: {', '.join(named + more)}" if named else "")],
            ["  Pace", f"{say_pace(held.at_a_time, held.within)}, held or new{last}"],
        ]
    )
    late = (line(Span(f"  {_late(held)}", "warn"), hang=4),) if held.late else ()
    return (line(Span(_waiting(held), "strong"), hang=2), *rows, *late)


def render_turns(held: Held) -> Lines:
    """Return how what a storm held goes on since it was let go; nothing when nothing waits any more."""
    if not held.runs:
        return ()
    last = f", so the last is due in {say_duration(held.longest)}" if held.longest and not held.late else ""
    rows = [f"  {say_pace(held.at_a_time, held.within)}, held or new{last}"]
    rows += [f"  {_late(held)}"] if held.late else []
    head = f"{_waiting(held)} for {'its' if held.runs == 1 else 'their'} turn"
    return (
        line(Span("AFTER A STORM", "warn"), "   ", Span(head, "strong"), hang=6),
        *[line(row, hang=4) for row in rows],
    )


def record_held(held: Held) -> dict[str, Any]:
    """Return what waits, and how it goes on, for scripts."""
    return {
        "runs": held.runs,
        "targets": held.targets,
        "first": [{"execution": each.id, "runbook": each.runbook, "target": str(each.target)} for each in held.first],
        "at_a_time": held.at_a_time,
        "within_seconds": held.within.total_seconds(),
        "last_after_seconds": held.longest.total_seconds(),
        "late": held.late,
    }


def _waiting(held: Held) -> str:
    if not held.runs:
        return "no run waits"
    return f"{count(held.runs, 'run')} on {count(held.targets, 'target')} wait{'s' if held.runs == 1 else ''}"


def _late(held: Held) -> str:
    end, their = ("ends", "its") if held.late == 1 else ("end", "their")
    return f"at that pace {held.late} of them {end} blocked by {their} deadline before {their} turn"


def _first(held: Held) -> str:
    number = len(held.first)
    return f"{number or 'no'} run{'' if number == 1 else 's'} go{'es' if number == 1 else ''} on"


def say_pace(at_a_time: int, within: timedelta) -> str:
    """Return how fast changes go on after a storm."""
    return f"no more than {count(at_a_time, 'change')} within any {say_duration(within)}"


def say_released(latch: Latch, now: datetime) -> str:
    """Return who let the last storm go; empty = nobody ever did."""
    if latch.released_at is None:
        return ""
    who = "by itself, when it was calm" if latch.released_by == CALM else f"by {latch.released_by}"
    why = f" ({latch.released_because})" if latch.released_because else ""
    return f"the last storm was released {who}, {age(latch.released_at, now)} ago{why}"


def record_storm(latch: Latch, rule: StormRule, now: datetime) -> dict[str, Any]:
    """Return the latch for scripts."""
    until = held_until(latch, rule, now)
    return {
        "held": until is not None,
        "held_since": record_time(latch.held_since) if until is not None else None,
        "until": record_time(until),
        "reason": latch.reason if until is not None else "",
        "targets": sum(now - at < rule.within for _, at in latch.recent),
        "max_targets": rule.max_targets,
        "within_seconds": rule.within.total_seconds(),
        "at_a_time": rule.ration,
        "released_at": record_time(latch.released_at),
        "released_by": latch.released_by,
        "released_because": latch.released_because,
    }
