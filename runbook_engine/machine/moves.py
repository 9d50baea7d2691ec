"""Moves: what the machine asks for; pauses: what it waits for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.execution import Direction, FinalStatus


class Resolve(msgspec.Struct, frozen=True):
    """Ask the cluster what the target is, and take it, or join who has it."""


class AwaitGroup(msgspec.Struct, frozen=True):
    """Ask whether the group lets this run act now."""


class LeaveGroup(msgspec.Struct, frozen=True):
    """End before the group has let it act, and ask whether somebody must still hear of that."""

    reason: str


class Require(msgspec.Struct, frozen=True):
    """Judge the runbook's `require` checks."""


class Collect(msgspec.Struct, frozen=True):
    """Capture the diagnostics."""


class ReadBaseline(msgspec.Struct, frozen=True):
    """Read the do-no-harm signal before the first change."""


class Propose(msgspec.Struct, frozen=True):
    """Plan the whole run: the mode does not let it act unasked."""


class Prepare(msgspec.Struct, frozen=True):
    """Look at one step: is it wanted, and what would it change?"""

    step: int


class Ask(msgspec.Struct, frozen=True):
    """Ask a person for one step's change."""

    step: int


class Begin(msgspec.Struct, frozen=True):
    """Look again, judge the guardrails, record the intent with its claims, then apply."""

    step: int
    direction: Direction


class Apply(msgspec.Struct, frozen=True):
    """Make an intended change true."""

    step: int


class Observe(msgspec.Struct, frozen=True):
    """Take one look at an applied change."""

    step: int


class Verify(msgspec.Struct, frozen=True):
    """Probe: is it fixed?"""


class StartVerification(msgspec.Struct, frozen=True):
    """All steps are through: begin the last verification."""


class Lapse(msgspec.Struct, frozen=True):
    """Nobody answered the approval in time."""


class Page(msgspec.Struct, frozen=True):
    """A receiver wanted to hear by now that it is not fixed."""

    rule: int


class Notify(msgspec.Struct, frozen=True):
    """Deliver one notice."""

    notice_id: str


class Finish(msgspec.Struct, frozen=True):
    """End the run; what must be undone first is undone."""

    status: FinalStatus
    reason: str
    undo: Literal["nothing", "failure", "unfinished", "all"] = "failure"


class Close(msgspec.Struct, frozen=True):
    """Nothing is left to undo: the end that was decided takes effect."""


class GiveBack(msgspec.Struct, frozen=True):
    """A person has kept the targets for as long as they said: other runs may change them again."""


Move = (
    Resolve
    | AwaitGroup
    | LeaveGroup
    | Require
    | Collect
    | ReadBaseline
    | Propose
    | Prepare
    | Ask
    | Begin
    | Apply
    | Observe
    | Verify
    | StartVerification
    | Lapse
    | Page
    | Notify
    | Finish
    | Close
    | GiveBack
)


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing to do before `until` (None: before a signal)."""

    kind: Literal["wait", "approval", "done"]
    until: datetime | None = None
    reason: str = ""
