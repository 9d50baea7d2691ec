"""Pausing: what people are told when a pause runs out that nobody has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from runbook_engine.model.incident import Incident
from runbook_engine.model.observation import Message, Pause

MOST_NAMED = 5


def pause_ended(pause: Pause, firing: Sequence[Incident], now: datetime) -> Message:
    """Return the page: changes start again, and there is something to change."""
    until = f"{pause.until.astimezone(UTC):%H:%M:%S} UTC"
    why = f" ({pause.reason})" if pause.reason else ""
    named = ", ".join(incident.title for incident in firing[:MOST_NAMED])
    more = f" and {len(firing) - MOST_NAMED} more" if len(firing) > MOST_NAMED else ""
    return Message(
        id=f"pause-ended-{pause.until.isoformat()}",
        event="pauseEnded",
        title="the pause has ended by itself",
        text=(
            f"the pause by {pause.by}{why} ran out at {until}, and changes start again while alerts fire: "
            f"{named}{more}; runbook pause --for 30m holds them again"
        ),
        at=now,
    )
