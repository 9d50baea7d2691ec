"""The claims of the journal in memory: locks, cooldowns, budgets. Its caller holds the lock of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from runbook_engine.model.claims import Holder, Refusal, forgotten, refuse_budget, refuse_cooldown, refuse_lock
from runbook_engine.model.guardrail import Budget, Claim, Cooldown, LastChange, Lock
from runbook_engine.ports import Refused


class MemoryClaims:
    """What stands under every key."""

    def __init__(self) -> None:
        self._locks: dict[str, Holder] = {}
        self._cooldowns: dict[str, LastChange] = {}
        self._budgets: dict[str, list[LastChange]] = {}
        self._windows: dict[str, timedelta] = {}  # the longest ever claimed, so that a shorter one forgets nothing

    def lock_holder(self, key: str) -> str | None:
        """Return the id of the execution that holds the lock, None when it is free."""
        return self._locks[key].execution_id if key in self._locks else None

    def last_change(self, key: str) -> LastChange | None:
        """Return the newest change under a cooldown key."""
        return self._cooldowns.get(key)

    def changes_after(self, key: str, since: datetime, other_than: str) -> tuple[datetime, ...]:
        """Return the times of other executions' changes under a budget key, after `since`."""
        entries = self._budgets.get(key, ())
        return tuple(entry.at for entry in entries if entry.at > since and entry.execution_id != other_than)

    def first_refusal(self, claims: Sequence[Claim], execution_id: str, now: datetime) -> Refused | None:
        """Return the first claim that does not hold; None when all do."""
        for claim in claims:
            refusal = self._judge(claim, execution_id, now)
            if refusal is not None:
                return Refused(claim, refusal.says, refusal.until)
        return None

    def take(self, claim: Claim, execution_id: str, now: datetime) -> None:
        """Record a claim that was found to hold."""
        match claim:
            case Lock(key):
                self._locks.setdefault(key, Holder(execution_id=execution_id, since=now))
            case Cooldown(key):
                self._cooldowns[key] = LastChange(execution_id=execution_id, at=now)
            case Budget(key, window):
                longest = self._windows[key] = max(window, self._windows.get(key, window))
                standing = [entry for entry in self._budgets.get(key, ()) if entry.at > forgotten(now, longest)]
                self._budgets[key] = [*standing, LastChange(execution_id=execution_id, at=now)]
            case _:
                assert_never(claim)

    def release_locks(self, execution_id: str) -> None:
        """Free every lock of an execution."""
        self._locks = {key: holder for key, holder in self._locks.items() if holder.execution_id != execution_id}

    def _judge(self, claim: Claim, execution_id: str, now: datetime) -> Refusal | None:
        match claim:
            case Lock(key):
                return refuse_lock(claim, execution_id, self._locks.get(key))
            case Cooldown(key):
                return refuse_cooldown(claim, execution_id, self._cooldowns.get(key), now)
            case Budget(key, window):
                return refuse_budget(claim, self.changes_after(key, now - window, claim.leaves_out(execution_id)), now)
            case _:
                assert_never(claim)
