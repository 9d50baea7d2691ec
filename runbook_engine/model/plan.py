"""Changes and plans: what would be made true, what happened to it, and the hashes that approvals bind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.target import Target

Value = str | int | float | bool | None
IN_EFFECT = "inEffect"  # in a guard: the number that `before` is not, as of an autoscaler far above its minimum


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One absolute change: `field` of `target` from `before` to `after`.

    `guard` is what must still hold when it is applied (uid, generation, version); `arguments` is what else
    the action needs to make it true; `sensitive` values are shown and audited by digest only.
    """

    target: Target
    field: str
    before: Value
    after: Value
    arguments: Mapping[str, Value] = {}
    guard: Mapping[str, Value] = {}
    sensitive: bool = False
    asks: bool = False  # a person says yes first, whatever the mode

    def inverse(self) -> Change:
        """Return the change that undoes this one; the guard is dropped, since our own write moved it."""
        return msgspec.structs.replace(self, before=self.after, after=self.before, guard={})

    @property
    def size(self) -> float | None:
        """How far a number moves as a share of the value in effect before, or None when it is not a number."""
        before = self.guard.get(IN_EFFECT, self.before)
        if isinstance(before, bool) or isinstance(self.after, bool):
            return None
        if not isinstance(before, int | float) or not isinstance(self.after, int | float):
            return None
        return (self.after - before) / abs(before) if before else float("inf")


OutcomeStatus = Literal["done", "noop", "partial", "conflict", "failed", "unknown"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of `apply` came to. `receipt` is what `observe` needs to find the effect again."""

    status: OutcomeStatus
    code: str = ""
    reason: str = ""
    receipt: Mapping[str, Value] = {}
    after: timedelta | None = None  # partial: when the next batch may go

    @classmethod
    def done(cls, reason: str = "", **receipt: Value) -> Outcome:
        """The change is written; `observe` says when it has taken effect."""
        return cls(status="done", reason=reason, receipt=receipt)

    @classmethod
    def noop(cls, reason: str = "already so") -> Outcome:
        """The world was already as wanted; nothing was sent."""
        return cls(status="noop", reason=reason)

    @classmethod
    def partial(cls, after: timedelta, reason: str = "", **receipt: Value) -> Outcome:
        """One batch is done and more are to come."""
        return cls(status="partial", reason=reason, after=after, receipt=receipt)

    @classmethod
    def conflict(cls, reason: str) -> Outcome:
        """Somebody moved it; nothing was overwritten."""
        return cls(status="conflict", code="conflict", reason=reason)

    @classmethod
    def failed(cls, reason: str, code: str = "failed") -> Outcome:
        """Surely not done."""
        return cls(status="failed", code=code, reason=reason)

    @classmethod
    def unknown(cls, reason: str, code: str = "unknown") -> Outcome:
        """May be done or not."""
        return cls(status="unknown", code=code, reason=reason)


ProgressStatus = Literal["progressing", "done", "failed", "superseded", "absent"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an effect. `absent` = the write never arrived; `wait` is a suggestion."""

    status: ProgressStatus
    reason: str = ""
    wait: timedelta = timedelta(seconds=1)

    @classmethod
    def done(cls, reason: str = "") -> Progress:
        """The effect is complete."""
        return cls(status="done", reason=reason)

    @classmethod
    def progressing(cls, reason: str, wait: timedelta = timedelta(seconds=1)) -> Progress:
        """The effect is on its way."""
        return cls(status="progressing", reason=reason, wait=wait)

    @classmethod
    def failed(cls, reason: str) -> Progress:
        """The effect will not complete."""
        return cls(status="failed", reason=reason)

    @classmethod
    def superseded(cls, reason: str) -> Progress:
        """Somebody else has changed the same thing since."""
        return cls(status="superseded", reason=reason)

    @classmethod
    def absent(cls, reason: str) -> Progress:
        """The write never arrived: the world is as it was before."""
        return cls(status="absent", reason=reason)


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan: its change, or why there is none, and what each guardrail says of it now."""

    name: str
    action: str
    change: Change | None = None
    change_hash: str = ""
    verdicts: tuple[Verdict, ...] = ()
    skipped: str = ""
    unchanged: str = ""
    error: str = ""
    passing: bool = False  # the error may pass by itself, and is waited for
    mendable: bool = False  # a step before it may mend what the error is about
    approval: str = ""  # who must say yes
    undo: str = ""  # when it is undone, as a sentence
    message_only: bool = False  # tells somebody, changes nothing


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a runbook would do now. Made without touching anything."""

    plan_hash: str
    runbook: str
    runbook_digest: str
    target: Target
    mode: str
    steps: tuple[PlannedStep, ...]
    verification: tuple[str, ...] = ()  # each check with its present value, as sentences
    measured: tuple[Value, ...] = ()  # each check's present value alone, None = cannot be told
    verdicts: tuple[Verdict, ...] = ()  # of require and of the run as a whole
    blocked: tuple[str, ...] = ()  # why it cannot start
    waiting: tuple[str, ...] = ()  # what it would wait for first
    later: tuple[str, ...] = ()  # what stands in the way of a step that may never have its turn
    worst_case: timedelta = timedelta(0)
    slot: str = ""  # that its execution would hold

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that would be made, in order."""
        return tuple(step.change for step in self.steps if step.change is not None)

    @property
    def touches(self) -> bool:
        """Whether anything but messages would come of it."""
        return any(step.change is not None and not step.message_only for step in self.steps)


def hash_change(runbook_digest: str, step: str, change: Change) -> str:
    """Return what an approval binds: runbook, step, target, action's arguments and the value after."""
    return _digest([runbook_digest, step, change.target.key, change.field, dict(change.arguments), change.after])


def hash_plan(change_hashes: tuple[str, ...]) -> str:
    """Return the hash of a plan, from the hashes of its steps' changes."""
    return _digest(list(change_hashes))


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
