"""Writing: one transaction, stored whole or not at all, and sent again while that is safe.

A write whose answer was lost is sent again under the same token, which DynamoDB takes once within ten minutes. Where
that is not enough, the items are looked at: all that a write stores bears its token, which is their revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from runbook_adapters.aws.problems import NOT_SENT, UNUSABLE, library_errors, reason_of
from runbook_adapters.dynamodb.items import Item, encode, encode_value, size_of
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.problems import CONDITION, CONFLICTS, PASSING, SERVER_FAULTS, Moved, explain, reasons_of
from runbook_adapters.dynamodb.schema import HASH
from runbook_adapters.dynamodb.table import Table
from runbook_engine.errors import RunbookError, Unreadable

MOST_WRITTEN = 100  # items of one transaction
MOST_BYTES = 4_000_000
TRIES = 8  # of a write that was surely not done
LOST_TRIES = 3  # of a write whose answer is lost
REVISION = "rev"  # never the same twice, so nobody takes a later state for the one that he has read

Condition = Literal["revision", "absent", "none"]
Meaning = Literal["moved", "contended", "lost", "passing", "final"]


class Write(NamedTuple):
    """One item of a transaction: what it becomes (None = it goes), and what must hold for that."""

    key: Key
    item: Item | None
    condition: Condition = "none"
    revision: str = ""
    added: tuple[tuple[str, int], ...] = ()  # numbers to add to columns, instead of all else


def write(table: Table, writes: Sequence[Write]) -> None:
    """Store everything or nothing. Raises Moved when a condition does not hold, Overloaded, Unreadable.

    Whoever is writing one of the items right now changes what was read: that is Moved too, since the same request
    would be in vain.
    """
    _refuse_too_much(table, writes)
    token = table.token()
    request = [_action(table.name, each, token) for each in writes]
    lost: Exception | None = None
    losses = 0
    for attempt in range(TRIES):
        failure = _sent(table, request, token)
        if failure is None:
            return
        meaning = _meaning(failure)
        if meaning == "moved":
            if lost is not None and _is_there(table, writes, token):
                return
            raise Moved from failure
        if meaning == "contended" and lost is None:
            raise Moved from failure
        if meaning == "lost":
            lost, losses = failure, losses + 1
        if meaning == "final" or losses == LOST_TRIES or attempt == TRIES - 1:
            raise _gave_up(table, lost, failure) from failure
        table.pause(attempt)


def _sent(table: Table, request: list[dict[str, Any]], token: str) -> Exception | None:
    """Send a transaction once, and return what came back instead of a yes."""
    try:
        table.touching().transact_write_items(TransactItems=request, ClientRequestToken=token)
    except library_errors() as error:
        failure: Exception = error
        return failure
    return None


def _meaning(failure: Exception) -> Meaning:
    """Return whether a write can be sent again: it was not done, it may be done, or it never will be."""
    name, reasons = type(failure).__name__, reasons_of(failure)
    if CONDITION in reasons:
        return "moved"
    if reasons <= PASSING and reasons & CONFLICTS:
        return "contended"
    if reasons <= PASSING or name in NOT_SENT:
        return "passing"
    response = getattr(failure, "response", None)
    if not isinstance(response, dict):
        return "final" if name in UNUSABLE else "lost"
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return "lost" if reasons & SERVER_FAULTS or status >= 500 else "final"


def _is_there(table: Table, writes: Sequence[Write], token: str) -> bool:
    """Whether an earlier try of this very write was done although its answer was lost: something of it is there."""
    stored = table.read(each.key for each in writes if each.item is not None and not each.added)
    return any(item.get(REVISION) == token for item in stored.values())


def _gave_up(table: Table, lost: Exception | None, failure: Exception) -> RunbookError:
    if lost is None:
        return explain(failure, table.name)
    return Unreadable(
        f"table {table.name} gave no answer: {reason_of(lost)}; what was to be stored may be there or not, "
        "and is read again before anything is done"
    )


def too_much(writes: Sequence[Write]) -> bool:
    """Whether this is more than one transaction takes."""
    return len(writes) > MOST_WRITTEN or _size(writes) > MOST_BYTES


def _size(writes: Sequence[Write]) -> int:
    return sum(size_of(each.item) for each in writes if each.item is not None)


def _refuse_too_much(table: Table, writes: Sequence[Write]) -> None:
    if too_much(writes):
        size = _size(writes)
        raise Unreadable(
            f"table {table.name} stores at most {MOST_WRITTEN} items and {MOST_BYTES // 1_000_000} MB at once, "
            f"and this is {len(writes)} items of {size / 1_000_000:.1f} MB (let the sender post less at once)"
        )


def _action(table: str, each: Write, token: str) -> dict[str, Any]:
    place: dict[str, Any] = {"TableName": table}
    if each.added:
        return {"Update": {**place, **_addition(each)}}
    if each.condition == "revision":
        place["ConditionExpression"] = f"{REVISION} = :{REVISION}"
        place["ExpressionAttributeValues"] = {f":{REVISION}": encode_value(each.revision)}
    elif each.condition == "absent":
        place["ConditionExpression"] = f"attribute_not_exists({HASH})"
    if each.item is None:
        return {"Delete": {**place, "Key": encode(each.key._asdict())}}
    return {"Put": {**place, "Item": encode({**each.item, **each.key._asdict(), REVISION: token})}}


def _addition(each: Write) -> dict[str, Any]:
    return {
        "Key": encode(each.key._asdict()),
        "UpdateExpression": "ADD " + ", ".join(f"#c{index} :c{index}" for index in range(len(each.added))),
        "ExpressionAttributeNames": {f"#c{index}": name for index, (name, _) in enumerate(each.added)},
        "ExpressionAttributeValues": {
            f":c{index}": encode_value(number) for index, (_, number) in enumerate(each.added)
        },
    }
