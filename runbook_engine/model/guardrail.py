"""Guardrails as values: what an author demands, what a commit must hold, and what a guardrail answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

GOES_FIRST = "was opened before it, and goes first"
BudgetScope = Literal["target", "service", "zone", "fleet"]


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True):
    """At most `changes` changes in any `window`, counted over all runbooks and processes."""

    changes: int
    per: BudgetScope
    window: timedelta


class StepCap(msgspec.Struct, frozen=True, kw_only=True):
    """How far one change may move a number, as a share of its value before: 1.0 up doubles, 0.5 down halves."""

    up: float = 1.0
    down: float = 0.5


class BlastRadius(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on victims, read live before every change; the target itself counts; cannot be read = no."""

    limits: Mapping[str, Mapping[str, float]] = {}
    protect: Mapping[str, tuple[str, ...]] = {}


class Guardrails(msgspec.Struct, frozen=True, kw_only=True):
    """What may forbid a change of this runbook."""

    cooldown: timedelta
    deadline: timedelta
    budget: BudgetRule | None = None
    minimum_fault_age: timedelta = timedelta(0)
    step_cap: StepCap = StepCap()
    blast_radius: BlastRadius | None = None
    gitops: Literal["refuse", "allowDrift"] = "refuse"  # what git owns: left alone, or changed although git may revert


class Lock(msgspec.Struct, frozen=True, tag="lock"):
    """One execution at a time on `key`; held until the execution lets go."""

    key: str


class Cooldown(msgspec.Struct, frozen=True, tag="cooldown"):
    """No change of `key` by another execution within `period` before this one; records this one."""

    key: str
    period: timedelta


class Budget(msgspec.Struct, frozen=True, tag="budget"):
    """Fewer than `limit` changes of other executions under `key` within `window`; records this one."""

    key: str
    window: timedelta
    limit: int
    counts_own: bool = False  # those of the execution itself are counted as well

    def leaves_out(self, execution_id: str) -> str:
        """Return whose changes are not counted when this execution claims; empty = everybody's are."""
        return "" if self.counts_own else execution_id


Claim = Lock | Cooldown | Budget


class Slot(msgspec.Struct, frozen=True, tag="slot"):
    """One absorbing execution at a time for a runbook and target; a commit takes the slot that its execution names."""

    key: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one guardrail answered. A no with `until` is passing: it may be waited for."""

    guardrail: str
    ok: bool
    says: str
    until: datetime | None = None


def waits_for_turn(verdicts: Sequence[Verdict]) -> bool:
    """Whether nothing but a run that goes first holds a change up."""
    refused = [verdict for verdict in verdicts if not verdict.ok]
    return bool(refused) and all(no.guardrail == "lock" and no.says.endswith(GOES_FIRST) for no in refused)


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """The newest change that a cooldown remembers."""

    execution_id: str
    at: datetime
