"""Events: what the cluster itself says happened to the target and its pods, such as BackOff or FailedScheduling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from runbook_engine.diagnostics.arguments import CollectorArguments, Span
from runbook_engine.diagnostics.redaction import escape_controls, redact
from runbook_engine.model.looking import HISTORY, RESOURCES
from runbook_engine.model.observation import ClusterEvent
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced, World

MOST_EVENTS = 50
LONGEST_MESSAGE = 1024


class EventsArguments(CollectorArguments):
    """How far back, and which."""

    since: Span = Field(timedelta(hours=1), description="How far back, as in 1h, which clusters keep by default.")
    only: Literal["all", "warnings"] = Field("all", description="warnings leaves out what went well.")
    title: str = Field("", description="The heading.")


def collect(arguments: EventsArguments, target: Target, now: datetime, world: World) -> Evidenced:
    """Return the target's events, newest first."""
    found = world.events.events(target, now - arguments.since)
    events = [event for event in found if event.warning or arguments.only == "all"]
    title = arguments.title or f"Events of {target}"
    if not events:
        what = "warning" if arguments.only == "warnings" else "event"
        return Evidenced(title=title, text=f"no {what} in the last {duration_text(arguments.since)}")
    lines = [_line(event) for event in events[:MOST_EVENTS]]
    if len(events) > MOST_EVENTS:
        lines.append(f"and {len(events) - MOST_EVENTS} older events")
    return Evidenced(title=title, text="\n".join(lines))


def _line(event: ClusterEvent) -> str:
    at = event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    times = f" ({event.count} times)" if event.count > 1 else ""
    kind = "Warning " if event.warning else ""
    said = f"{at}  {event.about}  {kind}{event.reason}{times}: {event.message[:LONGEST_MESSAGE]}"
    return escape_controls(redact(said)).replace("\n", "\\n")


def needs(kind: str) -> tuple[str, ...]:
    """Return what it takes to read the events of a target and of what belongs to it."""
    if kind not in RESOURCES:
        return ("core/events:list",)
    between = (HISTORY[kind],) if kind == "deployment" else ()
    return ("core/events:list", f"{RESOURCES[kind]}:get", *between)


COLLECTOR = CollectorSpec(
    name="events",
    summary="What the cluster says happened to the target and its pods.",
    arguments=EventsArguments,
    collect=collect,
    needs=needs,
)
