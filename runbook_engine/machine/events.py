"""Events: what happened. Each is the whole input of one `evolve`, its instant included."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from runbook_engine.model.check import Reading
from runbook_engine.model.execution import ApprovalRequest, Direction, FinalStatus
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change, Outcome, Plan, Progress
from runbook_engine.model.signal import Signal
from runbook_engine.model.target import Target


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at: datetime


class Signalled(_Event, frozen=True, kw_only=True):
    """Somebody told the execution something."""

    signal: Signal


class Resolved(_Event, frozen=True, kw_only=True):
    """The cluster says what the run acts on; `slot` is what it holds from here on."""

    target: Target
    slot: str


class ResolvePutOff(_Event, frozen=True, kw_only=True):
    """What the run acts on cannot be told now."""

    reason: str


class Merged(_Event, frozen=True, kw_only=True):
    """Another execution has the target already, and takes the alerts over."""

    target: Target
    into: str


class Queued(_Event, frozen=True, kw_only=True):
    """The group does not let it act yet."""

    reason: str


class Admitted(_Event, frozen=True, kw_only=True):
    """The group lets it act."""

    batch: int
    of: int


class TurnedAway(_Event, frozen=True, kw_only=True):
    """The group lets it not act at all; one run `tells` that for all of them."""

    reason: str
    tells: bool


class Required(_Event, frozen=True, kw_only=True):
    """The `require` checks were judged."""

    readings: tuple[Reading, ...]


class Collected(_Event, frozen=True, kw_only=True):
    """Diagnostics were kept under these ids; failures are sentences."""

    evidence: tuple[str, ...]
    failures: tuple[str, ...] = ()


class BaselineRead(_Event, frozen=True, kw_only=True):
    """The do-no-harm signal before the first change; None = unreadable."""

    value: float | None
    says: str


class Planned(_Event, frozen=True, kw_only=True):
    """The whole run was planned, for the record and for a person."""

    plan: Plan


class Skipped(_Event, frozen=True, kw_only=True):
    """A step's `when` does not hold."""

    step: int
    reason: str


class Unchanged(_Event, frozen=True, kw_only=True):
    """A step has nothing to change."""

    step: int
    reason: str


class Prepared(_Event, frozen=True, kw_only=True):
    """A step knows its change; `before` is how verification stands now."""

    step: int
    change: Change
    change_hash: str
    message_only: bool = False
    hands_over: bool = False
    before: tuple[Reading, ...] = ()


class PrepareFailed(_Event, frozen=True, kw_only=True):
    """A step cannot be prepared, now (`passing`) or ever. An `objection` is what the action saw in the world."""

    step: int
    reason: str
    passing: bool = False
    objection: bool = False


class Asked(_Event, frozen=True, kw_only=True):
    """A person was asked."""

    request: ApprovalRequest


class Lapsed(_Event, frozen=True, kw_only=True):
    """Nobody answered in time."""


class PutOff(_Event, frozen=True, kw_only=True):
    """A passing no: try again at `until`."""

    step: int
    verdicts: tuple[Verdict, ...]
    until: datetime


class Blocked(_Event, frozen=True, kw_only=True):
    """A guardrail said no. `by_storm`: the page of the storm tells of it."""

    step: int
    verdicts: tuple[Verdict, ...]
    by_storm: bool = False


class Intended(_Event, frozen=True, kw_only=True):
    """The intent is being recorded: from here on, the change may be in the world."""

    step: int
    direction: Direction
    change: Change
    key: str
    verdicts: tuple[Verdict, ...]
    deadline: datetime


class Applied(_Event, frozen=True, kw_only=True):
    """One call of `apply` came back; `resumed` = an earlier call may have done it.

    `absent` = a look after a refusal showed that no call has done it.
    """

    step: int
    outcome: Outcome
    resumed: bool = False
    absent: bool = False


class ApplyPutOff(_Event, frozen=True, kw_only=True):
    """The call surely did nothing (or may safely be made again): try again."""

    step: int
    reason: str
    after: timedelta | None = None
    look_first: bool = False  # the answer was lost
    resumed: bool = False  # an earlier call may have done it
    absent: bool = False  # a look afterwards showed that no call has done it


class Observed(_Event, frozen=True, kw_only=True):
    """One look at an applied change."""

    step: int
    progress: Progress


class VerificationStarted(_Event, frozen=True, kw_only=True):
    """The last verification begins."""


class Verified(_Event, frozen=True, kw_only=True):
    """One probe; `harm` is the do-no-harm signal, when there is one."""

    readings: tuple[Reading, ...]
    harm: Reading | None = None


class Paged(_Event, frozen=True, kw_only=True):
    """The time of a rule with `after` has come."""

    rule: int


class Delivered(_Event, frozen=True, kw_only=True):
    """A notice arrived; `reference` is the receiver's own name for it."""

    notice_id: str
    reference: str = ""


class Undelivered(_Event, frozen=True, kw_only=True):
    """A notice did not arrive; `after` is the wait that its receiver asked for, `untried` that it was not asked."""

    notice_id: str
    reason: str
    permanent: bool = False
    untried: bool = False
    after: timedelta | None = None


class Finished(_Event, frozen=True, kw_only=True):
    """The run ends; `undo` says what is undone first. `by_storm`: the page of the storm tells of it."""

    status: FinalStatus
    reason: str
    undo: Literal["nothing", "failure", "unfinished", "all"] = "failure"
    by_storm: bool = False


class Closed(_Event, frozen=True, kw_only=True):
    """Nothing is left to undo."""


class GivenBack(_Event, frozen=True, kw_only=True):
    """The time for which a person kept the targets is over."""


Event = (
    Signalled
    | Resolved
    | ResolvePutOff
    | Merged
    | Queued
    | Admitted
    | TurnedAway
    | Required
    | Collected
    | BaselineRead
    | Planned
    | Skipped
    | Unchanged
    | Prepared
    | PrepareFailed
    | Asked
    | Lapsed
    | PutOff
    | Blocked
    | Intended
    | Applied
    | ApplyPutOff
    | Observed
    | VerificationStarted
    | Verified
    | Paged
    | Delivered
    | Undelivered
    | Finished
    | Closed
    | GivenBack
)
