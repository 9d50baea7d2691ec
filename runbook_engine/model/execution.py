"""An execution: one running plan, versioned. All that a host needs to go on after any crash stands here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.alert import Alert
from runbook_engine.model.check import Reading
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change, PlannedStep, Value
from runbook_engine.model.runbook import Mode, Occasion
from runbook_engine.model.target import NO_TARGET, Target

SCHEMA_VERSION = 1

Status = Literal[
    "pending",
    "running",
    "waiting",
    "awaiting_approval",
    "succeeded",
    "unresolved",
    "blocked",
    "failed",
    "cancelled",
    "handed_over",
    "unknown",
]
FinalStatus = Literal["succeeded", "unresolved", "blocked", "failed", "cancelled", "handed_over", "unknown"]
Compensation = Literal["none", "held", "undoing", "undone", "superseded", "failed"]
Stage = Literal["resolve", "group", "require", "evidence", "baseline", "plan", "steps", "unwinding", "ended"]
Direction = Literal["do", "undo", "redo"]
EffectStatus = Literal["intended", "applied", "retrying", "done", "failed", "superseded", "unknown"]
StepProgress = Literal["pending", "prepared", "skipped", "unchanged", "changing", "changed", "failed", "unknown"]
MemberState = Literal["firing", "resolved", "expired"]

IN_FLIGHT: frozenset[EffectStatus] = frozenset(("intended", "retrying", "applied"))
ENDED: frozenset[Status] = frozenset(
    ("succeeded", "unresolved", "blocked", "failed", "cancelled", "handed_over", "unknown")
)


class Member(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One joined episode, and how it stands."""

    alert_key: str
    episode_id: str
    name: str
    state: MemberState = "firing"
    since: datetime


class Lease(msgspec.Struct, frozen=True):
    """Who drives the execution now; after `until` anybody may take it over."""

    owner: str
    until: datetime


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One change on its way through intent, call and outcome. `key` is the same in every retry."""

    direction: Direction
    change: Change
    key: str
    status: EffectStatus
    attempt: int = 1
    reason: str = ""
    written: bool = False  # some call of it reached the world
    doubtful: bool = False  # the answer of some call was lost: it may have reached the world
    receipt: Mapping[str, Value] = {}
    begun_at: datetime
    deadline: datetime
    ended_at: datetime | None = None
    not_before: datetime | None = None


class StepState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How far one step has come."""

    name: str
    action: str
    progress: StepProgress = "pending"
    reason: str = ""
    change: Change | None = None
    change_hash: str = ""
    message_only: bool = False  # tells somebody, changes nothing
    hands_over: bool = False  # a ticket: once done, somebody has it
    conflicts: int = 0
    effects: tuple[Effect, ...] = ()
    before: tuple[Reading, ...] = ()  # verification as it stood before the change
    after: tuple[Reading, ...] = ()  # and when it was last judged after it
    released: bool = False  # a person or a newer change has it: never undone by us
    put_back: bool = False  # undone, and then verification failed: to be made again

    @property
    def effect(self) -> Effect | None:
        """The newest effect."""
        return self.effects[-1] if self.effects else None

    @property
    def stands(self) -> bool:
        """Whether our change is (or may be) in place in the world."""
        standing = False
        for effect in self.effects:
            if effect.direction == "undo":
                standing = standing and effect.status not in ("done", "superseded")
            elif effect.written or effect.status == "unknown":
                standing = True
        return standing and not self.message_only


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One verification under way: since when each check passes, and what it read last."""

    purpose: Literal["step", "gate", "final", "undo"]
    started_at: datetime
    not_before: datetime
    passing_since: tuple[datetime | None, ...]
    readings: tuple[Reading, ...] = ()
    probes: int = 0
    until: datetime | None = None  # what does not pass by then is not fixed


class ApprovalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a person, bound to exact changes by its hash."""

    kind: Literal["plan", "step"]
    hash: str
    by: str
    asked_at: datetime
    until: datetime
    step: int = 0
    steps: tuple[PlannedStep, ...] = ()
    again_because: str = ""


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """A yes: to which change, from whom, when."""

    change_hash: str
    by: str
    at: datetime


class Unwind(msgspec.Struct, frozen=True, kw_only=True):
    """An end that must undo something first."""

    scope: Literal["nothing", "failure", "all"]
    status: FinalStatus
    reason: str


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The end that a run came to by itself before a person took it over; they make it no better."""

    status: FinalStatus
    reason: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one receiver that is still to be delivered. `id` lets the receiver drop duplicates."""

    id: str
    event: Occasion
    receiver: str
    title: str
    text: str
    at: datetime
    attempts: int = 0
    not_before: datetime


class Execution(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One execution. Only `evolve` makes the next version, only a journal's `commit` stores it."""

    id: str
    version: int = 0
    schema_version: int = SCHEMA_VERSION
    runbook: str
    runbook_digest: str
    incident_id: str
    slot: str  # runbook + target: at most one absorbing execution holds it
    owner: str
    scope: str
    fallback_receiver: str = ""  # who hears what no notify rule covers: blocked is never silent
    target: Target = NO_TARGET
    placed: bool = True  # False while the cluster must still be asked what the target leads to
    group_id: str = ""
    group_closes_at: datetime | None = None
    inputs: Mapping[str, str] = {}
    alert: Alert
    members: tuple[Member, ...]
    mode: Mode
    trusted: Mode = "auto"  # as far as its runbook was trusted when it was opened
    demoted: str = ""  # and why no further; empty = it was trusted
    started_by: str = ""  # a person's name when started by hand
    behind: tuple[str, ...] = ()  # runs that its alert had already: on one target, they go first
    status: Status = "pending"
    reason: str = ""
    stage: Stage = "require"
    compensation: Compensation = "none"
    step: int = 0
    steps: tuple[StepState, ...]
    verification: Verification | None = None
    verified: bool = False  # its last verification passed
    harmed: bool = False  # what must not get worse had got worse after its changes
    baseline: float | None = None
    approval: ApprovalRequest | None = None
    approved: tuple[Approved, ...] = ()
    unwind: Unwind | None = None
    decided: Decided | None = None  # None: nobody took it over, or it had come to nothing that was no success
    verdicts: tuple[Verdict, ...] = ()
    waiting_for: str = ""
    opened_at: datetime
    deadline_at: datetime
    ended_at: datetime | None = None
    resume_at: datetime | None = None  # a passing no or an unreadable signal: not before then
    first_refused_at: datetime | None = None  # since when the present move is put off
    in_turn_since: datetime | None = None  # since when nothing but a run that goes first holds it up
    due_at: datetime | None = None  # when a host must drive it next; None = only a signal wakes it
    lease: Lease | None = None
    outbox: tuple[Notice, ...] = ()
    announced: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()  # receiver -> its own reference to what it was told last
    signals_consumed: int = 0
    evidence: tuple[str, ...] = ()  # ids of kept diagnostics
    merged_into: str = ""  # the execution that had its target already, and has its alerts since
    spoken_for: bool = False  # it ended without a word: the one that it joined, or one of its group, tells people
    kept_by: str = ""  # the person who took it over, and keeps what it may change from every other run
    kept_until: datetime | None = None  # None: nobody does
    slot_given_up: bool = False  # it stopped absorbing once, and never absorbs again
    plan_hash: str = ""
    audit_head: str = ""
    audit_length: int = 0

    @property
    def ended(self) -> bool:
        """Whether the status is final; compensation may still be to come."""
        return self.status in ENDED

    @property
    def counted(self) -> bool:
        """Whether it may change something, so that its target counts towards a storm."""
        return self.mode != "observe" and not self.ended

    @property
    def waits_for(self) -> str:
        """What holds it up now: a guardrail, a group, or a change that is on its way; empty = nothing."""
        under_way = next((step.effect for step in self.steps if step.effect and step.effect.status in IN_FLIGHT), None)
        return self.waiting_for or (under_way.reason if under_way is not None else "")

    @property
    def changed(self) -> bool:
        """Whether any step of ours changed the world."""
        return any(step.progress == "changed" and not step.message_only for step in self.steps)

    @property
    def tried(self) -> bool:
        """Whether a change of ours was begun, whatever came of it."""
        return any(step.effects and not step.message_only for step in self.steps)

    @property
    def all_resolved(self) -> bool:
        """Whether every joined alert is resolved; one that merely expired is not. By hand: never."""
        latest: dict[str, MemberState] = {member.alert_key: member.state for member in self.members}
        return bool(latest) and all(state == "resolved" for state in latest.values())

    @property
    def firing(self) -> bool:
        """Whether any joined alert still fires."""
        latest: dict[str, MemberState] = {member.alert_key: member.state for member in self.members}
        return any(state == "firing" for state in latest.values())

    @property
    def absorbing(self) -> bool:
        """Whether further episodes of this runbook and target join it instead of opening another.

        Active and holding executions do; one that a person has taken does until its alerts are resolved. One that
        a person has undone after its end does not: an alert that fires meanwhile opens an execution of its own.
        """
        if not self.ended:
            return True
        if self.stage == "unwinding" or self.slot_given_up:
            return False
        if self.kept_until is not None:
            return self.firing
        if self.status == "handed_over" and self.compensation == "held":
            return self.firing
        return self.compensation in ("held", "undoing")

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: ended, nothing to undo, everybody told."""
        settled = self.stage != "unwinding" and not self.absorbing and self.kept_until is None
        return self.ended and settled and not self.outbox
