"""Changes: what was changed lately, and by whom. Most incidents begin with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import Field

from runbook_engine.diagnostics.arguments import CollectorArguments, Span
from runbook_engine.diagnostics.redaction import escape_controls, redact
from runbook_engine.model.looking import tracing
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced, World

MOST_CHANGES = 50


class ChangesArguments(CollectorArguments):
    """How far back."""

    since: Span = Field(timedelta(hours=24), description="How far back, as in 24h.")
    title: str = Field("", description="The heading.")


def collect(arguments: ChangesArguments, target: Target, now: datetime, world: World) -> Evidenced:
    """Return the target's changes, newest first."""
    events = world.changes.changes(target, now - arguments.since)
    title = arguments.title or f"Changes of {target}"
    if not events:
        return Evidenced(title=title, text=f"no change in the last {duration_text(arguments.since)}")
    lines = [_line(event, now) for event in events[:MOST_CHANGES]]
    if len(events) > MOST_CHANGES:
        lines.append(f"and {len(events) - MOST_CHANGES} older changes")
    return Evidenced(title=title, text="\n".join(lines))


def _line(event: ChangeEvent, now: datetime) -> str:
    at = event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    ago = duration_text(timedelta(seconds=max(0, round((now - event.at).total_seconds()))))
    who = "this engine" if event.ours else event.who
    release = f"revision {event.revision}: " if event.revision and event.kind == "change" else ""
    return escape_controls(redact(f"{at}  {ago} ago  {who}: {release}{event.what}")).replace("\n", "\\n")


COLLECTOR = CollectorSpec(
    name="changes",
    summary="What was changed lately, and by whom.",
    arguments=ChangesArguments,
    collect=collect,
    needs=tracing,
)
