"""Whether a claim holds: one judgement for every journal, and the sentence that says why it does not.

A journal reads what stands under the claim's key, asks here, and stores only when every answer is None. So
memory, SQLite and DynamoDB cannot differ in what a lock, a cooldown, a budget or a slot means.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from runbook_engine.model.guardrail import Budget, Cooldown, LastChange, Lock, Slot

KEPT_WINDOWS = 2  # of the changes that a budget counts: who looked at the clock earlier may be the later to commit


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock, and since when."""

    execution_id: str
    since: datetime


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a claim does not hold; `until` is when it may, if that is known."""

    says: str
    until: datetime | None = None


def refuse_lock(claim: Lock, execution_id: str, holder: Holder | None) -> Refusal | None:
    """Refuse a lock that another execution holds; its own it may take again."""
    if holder is None or holder.execution_id == execution_id:
        return None
    return Refusal(says=f"{claim.key} is held by execution {holder.execution_id} since {_clock(holder.since)}")


def refuse_slot(claim: Slot, execution_id: str, holder: str | None) -> Refusal | None:
    """Refuse a slot that another execution absorbs for."""
    if holder is None or holder == execution_id:
        return None
    return Refusal(says=f"slot {claim.key} is held by execution {holder}")


def refuse_cooldown(claim: Cooldown, execution_id: str, last: LastChange | None, now: datetime) -> Refusal | None:
    """Refuse while the last change is another execution's and younger than the period; exactly as old is allowed."""
    if last is None or last.execution_id == execution_id or now - last.at >= claim.period:
        return None
    until = last.at + claim.period
    says = f"{claim.key} was changed by execution {last.execution_id} at {_clock(last.at)}, cooling down until "
    return Refusal(says=says + _clock(until), until=until)


def refuse_budget(claim: Budget, others: Sequence[datetime], now: datetime) -> Refusal | None:
    """Refuse when as many changes of `others` stand in the window as the limit allows; exactly as old is out."""
    counting = sorted(at for at in others if at > now - claim.window)
    if len(counting) < claim.limit:
        return None
    used = f"{len(counting)} of {claim.limit} changes under {claim.key} are used"
    if claim.limit <= 0:
        return Refusal(says=f"{used}: the limit allows none")
    until = counting[len(counting) - claim.limit] + claim.window
    return Refusal(says=f"{used}, the next is allowed at {_clock(until)}", until=until)


def forgotten(now: datetime, longest: timedelta) -> datetime:
    """Return the time before which no change counts any more, for whatever claim that is still to come."""
    return now - KEPT_WINDOWS * longest


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
