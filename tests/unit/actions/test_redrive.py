"""Redrive: dead letters back to where they came from, once, and only theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from runbook_engine.actions.redrive import ACTION, RedriveParams
from runbook_engine.errors import Permanent, Retryable, RunbookError
from runbook_engine.model.plan import Change, Progress
from runbook_engine.model.target import Target
from runbook_engine.testing import SimulatedWorld

DLQ = Target("queue", "", "", "orders-dlq")


def world(messages: int = 40, sources: tuple[str, ...] = ("orders",)) -> SimulatedWorld:
    """Return a world with a dead-letter queue."""
    simulated = SimulatedWorld()
    simulated.add_queue("orders")
    simulated.add_queue("orders-dlq", messages=messages, sources=sources)
    return simulated


def prepare(simulated: SimulatedWorld, **written: Any) -> Change | None:
    """Prepare a move as an author would write it."""
    return ACTION.prepare(RedriveParams.model_validate(written), DLQ, simulated.world)


def prepared(simulated: SimulatedWorld, **written: Any) -> Change:
    """Prepare a move that there is."""
    change = prepare(simulated, **written)
    assert change is not None
    return change


@pytest.mark.parametrize(
    ("messages", "after"),
    [
        pytest.param(1, "at most 10 back to orders", id="a few"),
        pytest.param(10, "at most 10 back to orders", id="exactly ten"),
        pytest.param(11, "at most 100 back to orders", id="more than ten"),
        pytest.param(40_000, "at most 100000 back to orders", id="very many"),
    ],
)
def test_prepare_binds_how_many_there_are_to_the_next_power_of_ten(messages: int, after: str) -> None:
    """A count that creeps up does not ask anew, one that explodes does."""
    change = prepared(world(messages), perSecond=20)

    assert (change.field, change.before, change.after) == ("messages", None, after)
    assert change.arguments == {"perSecond": 20}


@given(messages=st.integers(1, 10_000_000))
def test_the_bound_is_never_less_than_what_is_moved(messages: int) -> None:
    """Nobody says yes to less than what happens."""
    after = str(prepared(world(messages)).after)

    assert messages <= int(after.split()[2]) < max(11, messages * 10)


def test_prepare_returns_none_when_nothing_waits() -> None:
    """Nothing to do."""
    assert prepare(world(0)) is None


@pytest.mark.parametrize(
    ("sources", "written", "sentence"),
    [
        pytest.param(
            (),
            {},
            "cannot redrive queue/orders-dlq: no queue sends its dead letters there, so nobody can tell where its "
            "messages came from (name a dead-letter queue)",
            id="no dead-letter queue",
        ),
        pytest.param(
            ("invoices", "orders"),
            {"to": "orders"},
            "cannot redrive queue/orders-dlq: its messages come from invoices, orders, not from orders",
            id="the dead letters of others as well",
        ),
    ],
)
def test_prepare_refuses_what_is_not_theirs(sources: tuple[str, ...], written: dict[str, Any], sentence: str) -> None:
    """Each refusal says why."""
    with pytest.raises(Permanent) as refused:
        prepare(world(sources=sources), **written)

    assert str(refused.value) == sentence


def test_prepare_waits_while_they_are_being_moved() -> None:
    """A second move would find nothing, or half of them."""
    simulated = world()
    simulated.effects.queues.redrive(DLQ)

    with pytest.raises(Retryable) as refused:
        prepare(simulated)

    said = "cannot redrive queue/orders-dlq: its messages are being moved already (wait until that has ended)"
    assert str(refused.value) == said


def test_apply_conflicts_when_somebody_was_faster() -> None:
    """Nothing is begun twice."""
    simulated = world()
    change = prepared(simulated)
    simulated.effects.queues.redrive(DLQ)

    assert ACTION.apply(change, "key", simulated.effects).status == "conflict"


def test_observe_follows_the_move_to_its_end() -> None:
    """Half of them, then all of them, and they have arrived."""
    simulated = world()
    change = prepared(simulated, perSecond=4)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt

    simulated.push(timedelta(seconds=5))
    during = ACTION.observe(change, receipt, simulated.world)
    simulated.push(timedelta(seconds=5))
    after = ACTION.observe(change, receipt, simulated.world)

    assert during == Progress.progressing("20 of 40 messages of queue/orders-dlq moved back", timedelta(seconds=5))
    assert after == Progress.done("40 of 40 messages of queue/orders-dlq moved back")
    assert simulated.queues.seen(Target("queue", "", "", "orders")).messages == 40


def test_observe_finds_the_move_when_its_receipt_was_lost() -> None:
    """A move that began after we looked is ours, or does the same."""
    simulated = world()
    simulated.effects.queues.redrive(DLQ)  # an older one
    simulated.push(timedelta(minutes=1))
    simulated.queues.state_of(DLQ).messages = 40
    change = prepared(simulated)

    before = ACTION.observe(change, {}, simulated.world)
    ACTION.apply(change, "key", simulated.effects)
    after = ACTION.observe(change, {}, simulated.world)

    assert before == Progress.absent("no message of queue/orders-dlq has been moved")
    assert after.status == "progressing"


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        pytest.param(
            "failed",
            "access denied",
            "12 of 40 messages of queue/orders-dlq moved back, then it failed: access denied",
            id="it failed",
        ),
        pytest.param(
            "cancelled",
            "",
            "12 of 40 messages of queue/orders-dlq moved back, then somebody cancelled it",
            id="stopped",
        ),
        pytest.param(
            "cancelling",
            "",
            "12 of 40 messages of queue/orders-dlq moved back, then somebody cancelled it",
            id="stopping",
        ),
    ],
)
def test_observe_says_how_many_were_moved_when_it_did_not_end_well(status: Any, reason: str, expected: str) -> None:
    """What was moved stays moved."""
    simulated = world()
    change = prepared(simulated)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    queue = simulated.queues.state_of(DLQ)
    queue.moves = (replace(queue.moves[0], status=status, reason=reason, moved=12),)

    assert ACTION.observe(change, receipt, simulated.world) == Progress.failed(expected)


def test_observe_fails_when_nobody_tells_of_the_move_any_more() -> None:
    """Neither done nor absent is claimed."""
    simulated = world()
    change = prepared(simulated)
    receipt = ACTION.apply(change, "key", simulated.effects).receipt
    simulated.queues.state_of(DLQ).moves = ()

    assert ACTION.observe(change, receipt, simulated.world).status == "failed"


@pytest.mark.parametrize("written", [{"perSecond": 0}, {"perSecond": 501}, {"to": "a b"}, {"to": "x.fifo.fifo"}])
def test_parameters_are_bounded(written: dict[str, Any]) -> None:
    """What the service takes, and no more."""
    with pytest.raises(ValidationError):
        RedriveParams.model_validate(written)


def test_a_queue_that_is_gone_is_somebody_elses_doing() -> None:
    """It is not looked for any more."""
    simulated = world()
    change = prepared(simulated)
    simulated.queues.remove(DLQ)

    assert ACTION.observe(change, {}, simulated.world).status == "superseded"
    with pytest.raises(RunbookError):
        ACTION.apply(change, "key", simulated.effects)
