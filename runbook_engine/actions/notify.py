"""Notify: tell a receiver something, as a step of its own, in the author's words."""

from __future__ import annotations

from runbook_engine.actions.telling import TellParams, observe_message, prepare_message, send_message
from runbook_engine.model.plan import Change, Outcome
from runbook_engine.ports import ActionSpec, Effects


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Deliver the message."""
    return send_message(change, key, effects, event="notify")


ACTION = ActionSpec(
    name="notify",
    summary="Tell a receiver something. Changes nothing.",
    params=TellParams,
    prepare=prepare_message,
    apply=apply,
    observe=observe_message,
    example={"receiver": "chat", "text": "{{ alert.labels.alertname }} fires, and nothing is done about it"},
    repeat="token",
    reversible=False,
    permissions=("receivers:send",),
    message_only=True,
)
