"""Redrive: move the messages of a dead-letter queue back to where they came from.

What was wrong with them must be mended first, else they come straight back, and nobody can tell them from new ones;
so an approval binds how many there are, to the next power of ten: a count that creeps up does not ask anew each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field, field_validator

from runbook_engine.actions.params import ActionParams
from runbook_engine.errors import Conflict, InvalidTarget, Permanent, Retryable
from runbook_engine.model.looking import QUEUE_LOOKS
from runbook_engine.model.naming import QUEUE_NAME
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.serverless import Move, Queue
from runbook_engine.model.target import Target
from runbook_engine.ports import ActionSpec, Effects, World

LOOK_AGAIN = timedelta(seconds=5)
MOST_PER_SECOND = 500
LAST_MOVE = "lastMove"  # in a guard: the newest move there was, so that a later one is known for ours
MOVING = (
    *QUEUE_LOOKS,
    *("sqs:StartMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"),
)


class RedriveParams(ActionParams):
    """How fast, and where to."""

    per_second: int | None = Field(
        None, ge=1, le=MOST_PER_SECOND, description="At most so many messages a second; as fast as it goes when absent."
    )
    to: str | None = Field(
        None, description="The one queue that they must have come from; wherever they came from when absent."
    )

    @field_validator("to")
    @classmethod
    def _is_a_queue(cls, name: str | None) -> str | None:
        if name is not None and not QUEUE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a queue (as in orders)")
        return name


def prepare(params: RedriveParams, target: Target, world: World) -> Change | None:
    """Return the move as a change, or None when nothing waits there."""
    queue = world.queues.queue(target)
    _refuse(params, queue)
    if queue.messages == 0:
        return None
    newest = queue.moves[0].id if queue.moves else ""
    return Change(
        target=queue.target,
        field="messages",
        before=None,
        after=f"at most {_magnitude(queue.messages)} back to {', '.join(sorted(queue.sources))}",
        arguments={} if params.per_second is None else {"perSecond": params.per_second},
        guard={LAST_MOVE: newest},
    )


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Begin the move."""
    rate = change.arguments.get("perSecond")
    try:
        receipt = effects.queues.redrive(change.target, per_second=rate if isinstance(rate, int) else None)
    except Conflict as error:
        return Outcome.conflict(str(error))
    return Outcome(status="done", receipt=receipt)


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Look how far the move has come; one that began after we looked is taken for ours, whoever began it."""
    try:
        queue = world.queues.queue(change.target)
    except InvalidTarget:
        return Progress.superseded(f"{change.target} is gone: somebody else has removed it")
    move = _find(change, receipt, queue)
    if move is None:
        if receipt:
            return Progress.failed(f"the move of {change.target} is not told of any more (look at both queues)")
        return Progress.absent(f"no message of {change.target} has been moved")
    return _judge(change, move)


def _refuse(params: RedriveParams, queue: Queue) -> None:
    refusal = f"cannot redrive {queue.target}"
    if not queue.sources:
        raise Permanent(
            f"{refusal}: no queue sends its dead letters there, so nobody can tell where its messages came from "
            "(name a dead-letter queue)"
        )
    if params.to is not None and tuple(queue.sources) != (params.to,):
        raise Permanent(f"{refusal}: its messages come from {', '.join(sorted(queue.sources))}, not from {params.to}")
    if any(move.status in ("running", "cancelling") for move in queue.moves):
        raise Retryable(f"{refusal}: its messages are being moved already (wait until that has ended)")


def _magnitude(count: int) -> int:
    """Return the power of ten that a count does not exceed, from ten on."""
    bound = 10
    while bound < count:
        bound *= 10
    return bound


def _find(change: Change, receipt: Mapping[str, Value], queue: Queue) -> Move | None:
    ours = receipt.get("move")
    named = next((move for move in queue.moves if move.id == ours), None)
    if named is not None or not queue.moves:
        return named
    newest = queue.moves[0]
    return newest if newest.id != change.guard.get(LAST_MOVE, "") else None


def _judge(change: Change, move: Move) -> Progress:
    wanted = f" of {move.wanted}" if move.wanted is not None else ""
    moved = f"{move.moved}{wanted} messages of {change.target} moved back"
    match move.status:
        case "completed":
            return Progress.done(moved)
        case "failed":
            return Progress.failed(f"{moved}, then it failed: {move.reason or 'no reason given'}")
        case "cancelled" | "cancelling":
            return Progress.failed(f"{moved}, then somebody cancelled it")
        case "running":
            return Progress.progressing(moved, LOOK_AGAIN)


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what moving a queue's messages needs: to take them there, and to put them where they came from."""
    return MOVING if kind == "queue" else ()


ACTION = ActionSpec(
    name="redrive",
    summary="Move a dead-letter queue's messages back to where they came from. Cannot be undone.",
    params=RedriveParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"perSecond": 10},
    repeat="observable",
    reversible=False,
    time_limit=timedelta(minutes=30),
    permissions=MOVING,
    needs=needs,
    target_kinds=("queue",),
)
