"""Setting aside: what people are told of alerts that no run looks after, because of us and not of them."""

from __future__ import annotations

from datetime import datetime

from runbook_engine.model.inbox import SetAside
from runbook_engine.model.observation import Message


def set_aside_message(aside: SetAside, now: datetime) -> Message:
    """Return the page: alerts came in of which no runbook knows."""
    return Message(
        id=f"set-aside-{aside.number}",
        event="setAside",
        title="alerts came in that could not be taken",
        text=(
            f"delivery {aside.number} of scope {aside.scope} was stored and answered, and what it means could "
            f"not be decided: {aside.reason}; no run was opened for its alerts (runbook inbox shows them; "
            f"runbook inbox retry {aside.number} tries again, runbook inbox discard {aside.number} throws them away)"
        ),
        at=now,
    )


def crowded_message(alerts: int, most: int, now: datetime) -> Message:
    """Return the page: there are more runs than may be, so alerts open none."""
    return Message(
        id=f"crowded-{now.isoformat(timespec='minutes')}",
        event="crowded",
        title="alerts open no runs any more",
        text=(
            f"{most} runs are open, which is as many as may be (limits.maxOpenExecutions), so {alerts} alerts opened "
            "none: they are recorded, and nobody looks after them (runbook shows them as not handled; end runs that "
            "wait for nothing, or raise the limit)"
        ),
        at=now,
    )
