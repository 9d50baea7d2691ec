"""Notify and ticket: tell somebody once, change nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from runbook_engine.actions import notify, ticket
from runbook_engine.actions.telling import TellParams
from runbook_engine.errors import Permanent
from runbook_engine.model.plan import Change, hash_change
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec
from runbook_engine.testing import SimulatedWorld

TARGET = Target("deployment", "local", "apps", "checkout")
BOTH = pytest.mark.parametrize("action", [notify.ACTION, ticket.ACTION], ids=["notify", "ticket"])


def prepare(action: ActionSpec, simulated: SimulatedWorld, **written: str) -> Change:
    """Prepare a message to the chat."""
    params = TellParams.model_validate({"receiver": "chat", "text": "look at the queue", **written})
    change = action.prepare(params, TARGET, simulated.world)
    assert change is not None
    return change


@BOTH
def test_message_arrives_once_when_sent_twice(action: ActionSpec) -> None:
    """The key is the message's id, so the receiver drops the second."""
    simulated = SimulatedWorld()
    change = prepare(action, simulated)

    outcomes = [action.apply(change, "execution-1/step-1", simulated.effects) for _ in range(2)]

    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    [delivered] = simulated.inbox.messages
    message = delivered.message
    assert (delivered.receiver, message.id, message.event) == ("chat", "execution-1/step-1", action.name)
    assert (message.title, message.text) == ("About apps/deployment/checkout", "look at the queue")
    assert message.at == simulated.clock.start
    assert action.observe(change, outcomes[0].receipt, simulated.world).status == "done"


@BOTH
def test_approval_stays_valid_when_time_passes(action: ActionSpec) -> None:
    """An approval binds what is said to whom, and not when it was prepared."""
    simulated = SimulatedWorld()
    first = prepare(action, simulated)
    simulated.push(timedelta(minutes=5))

    assert hash_change("digest", "tell", first) == hash_change("digest", "tell", prepare(action, simulated))


@BOTH
def test_observe_cannot_tell_when_there_is_no_receipt(action: ActionSpec) -> None:
    """Without a receipt, the message is to be sent (again): its id makes that harmless."""
    simulated = SimulatedWorld()

    assert action.observe(prepare(action, simulated), {}, simulated.world).status == "absent"


def test_apply_is_refused_when_nobody_is_named_so() -> None:
    """An unknown receiver hears nothing, and that is said."""
    simulated = SimulatedWorld(receivers=["oncall"])

    with pytest.raises(Permanent) as caught:
        notify.ACTION.apply(prepare(notify.ACTION, simulated), "key", simulated.effects)

    assert str(caught.value) == "no receiver is named 'chat' (add it to receivers in engine.yaml)"


def test_ticket_hands_over_when_declared() -> None:
    """Only a ticket ends the run in somebody's hands; both change nothing."""
    assert (notify.ACTION.message_only, notify.ACTION.hands_over) == (True, False)
    assert (ticket.ACTION.message_only, ticket.ACTION.hands_over) == (True, True)


def test_params_are_refused_when_there_is_nothing_to_say() -> None:
    """A message has a receiver and a text."""
    with pytest.raises(ValidationError):
        TellParams.model_validate({"receiver": "chat", "text": ""})
