"""Claims in the table: one item a key, judged as it was read, and stored only if it is still so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from runbook_adapters.dynamodb import keys
from runbook_adapters.dynamodb.items import body_of, with_body
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.work import Work
from runbook_engine.model.claims import Holder, Refusal, forgotten, refuse_budget, refuse_cooldown, refuse_lock
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, LastChange, Lock
from runbook_engine.ports import Refused


class Spent(msgspec.Struct, frozen=True):
    """The changes under a budget key, within the longest window that was ever claimed under it."""

    longest: timedelta = timedelta(0)
    entries: tuple[tuple[datetime, str], ...] = ()  # when, and which execution


def claim_key(claim: Claim) -> Key:
    """Where what stands under a claim's key is kept."""
    match claim:
        case Lock(key):
            return keys.one("LOCK", key)
        case Cooldown(key):
            return keys.one("COOLDOWN", key)
        case Budget(key):
            return keys.one("BUDGET", key)
        case _:
            assert_never(claim)


def lock_holder(work: Work, key: str) -> Holder | None:
    """Return who holds a lock."""
    item = work.get(keys.one("LOCK", key))
    return None if item is None else body_of(item, Holder)


def last_change(work: Work, key: str) -> LastChange | None:
    """Return the newest change under a cooldown key."""
    item = work.get(keys.one("COOLDOWN", key))
    return None if item is None else body_of(item, LastChange)


def changes_after(work: Work, key: str, since: datetime, other_than: str) -> tuple[datetime, ...]:
    """Return the times of other executions' changes under a budget key, after `since`."""
    entries = _spent(work, key).entries
    return tuple(at for at, execution_id in entries if at > since and execution_id != other_than)


def first_refusal(work: Work, claims: Sequence[Claim], execution_id: str, now: datetime) -> Refused | None:
    """Return the first claim that does not hold; None when all do. Changes nothing."""
    for claim in claims:
        refusal = _judge(work, claim, execution_id, now)
        if refusal is not None:
            return Refused(claim, refusal.says, refusal.until)
    return None


def take(work: Work, claim: Claim, execution_id: str, now: datetime) -> None:
    """Record a claim that was found to hold."""
    place = claim_key(claim)
    match claim:
        case Lock():
            if work.get(place) is None:
                work.put(place, with_body({}, Holder(execution_id=execution_id, since=now)))
        case Cooldown():
            work.put(place, with_body({}, LastChange(execution_id=execution_id, at=now)))
        case Budget(key, window):
            spent = _spent(work, key)
            longest = max(window, spent.longest)
            standing = [entry for entry in spent.entries if entry[0] > forgotten(now, longest)]
            work.put(place, with_body({}, Spent(longest, (*standing, (now, execution_id)))))
        case _:
            assert_never(claim)


def release(work: Work, held: Iterable[str], taken: Iterable[str]) -> None:
    """Free the locks that an execution held, and those that it would have taken now.

    Nobody else can have taken one while the execution's own item, which this work replaces, says that it holds it.
    """
    for key in taken:
        work.delete(keys.one("LOCK", key))
    for key in held:
        work.point(keys.one("LOCK", key), None)


def _judge(work: Work, claim: Claim, execution_id: str, now: datetime) -> Refusal | None:
    match claim:
        case Lock(key):
            return refuse_lock(claim, execution_id, lock_holder(work, key))
        case Cooldown(key):
            return refuse_cooldown(claim, execution_id, last_change(work, key), now)
        case Budget(key, window):
            return refuse_budget(claim, changes_after(work, key, now - window, claim.leaves_out(execution_id)), now)
        case _:
            assert_never(claim)


def _spent(work: Work, key: str) -> Spent:
    item = work.get(keys.one("BUDGET", key))
    return Spent() if item is None else body_of(item, Spent)
