"""Ticket: hand the incident over, by a receiver that opens one. From then on somebody has it."""

from __future__ import annotations

from runbook_engine.actions.telling import TellParams, observe_message, prepare_message, send_message
from runbook_engine.model.plan import Change, Outcome
from runbook_engine.ports import ActionSpec, Effects


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Deliver the text of the ticket."""
    return send_message(change, key, effects, event="ticket")


ACTION = ActionSpec(
    name="ticket",
    summary="Open a ticket through a receiver; the run ends handed over.",
    params=TellParams,
    prepare=prepare_message,
    apply=apply,
    observe=observe_message,
    example={"receiver": "tickets", "text": "{{ alert.labels.alertname }} was not fixed"},
    repeat="token",
    reversible=False,
    permissions=("receivers:send",),
    message_only=True,
    hands_over=True,
)
