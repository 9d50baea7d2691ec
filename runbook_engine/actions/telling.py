"""What notify and ticket share: a text for a receiver, as a change that changes nothing.

The instant of writing is in the guard, because an approval binds what would be said and not when it was prepared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from runbook_engine.actions.params import ActionParams
from runbook_engine.model.observation import Message
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import Target
from runbook_engine.ports import Effects, World


class TellParams(ActionParams):
    """Who is told what."""

    receiver: str = Field(min_length=1, description="The receiver's name, as in engine.yaml.")
    text: str = Field(min_length=1, max_length=4096, description="What they are told.")
    title: str = Field("", max_length=256, description="The first line; empty: what it is about.")


def prepare_message(params: TellParams, target: Target, world: World) -> Change:
    """Return the message as a change of what the receiver has been told."""
    return Change(
        target=Target("receiver", "", "", params.receiver),
        field="message",
        before=None,
        after=params.text,
        arguments={"title": params.title or f"About {target}"},
        guard={"writtenAt": world.clock.now().isoformat()},
    )


def send_message(change: Change, key: str, effects: Effects, event: str) -> Outcome:
    """Deliver the message; the key is its id, so a second delivery is dropped by the receiver."""
    message = Message(
        id=key,
        event=event,
        title=str(change.arguments["title"]),
        text=str(change.after),
        at=datetime.fromisoformat(str(change.guard["writtenAt"])),
    )
    effects.notifier.send(change.target.name, message)
    return Outcome.done(message=key)


def observe_message(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """A delivered message has nothing left to become; without a receipt nobody knows that it was."""
    if receipt:
        return Progress.done(f"{change.target.name} was told")
    return Progress.absent(f"nothing says that {change.target.name} was told")
