"""How the runs of one runbook, as it is written now, have ended: by this its mode is lowered, or a person raises it.

A run counts under the digest of its runbook, so a commit that changes the runbook in anything begins anew. Down it
goes by itself, one level for what a run did at that level; up only by such a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from runbook_engine.model.execution import Execution, FinalStatus
from runbook_engine.model.runbook import MODES, Mode, Runbook

MOST_ENDS = 100  # a demotion is carried on by every later end, so an older one cannot be forgotten
ENOUGH = 5  # verified successes in one mode, with nothing else since, are worth a proposal
PROMOTED: Mapping[Mode, Mode] = {"propose": "approve", "approve": "auto"}
Fault = Literal["", "failed", "unknown", "harmed", "unresolved"]
FAULTS: Mapping[Fault, str] = {
    "failed": "failed",
    "unknown": "left it unknown what it did",
    "harmed": "did harm",
    "unresolved": "was the second in a row to change something and fix nothing",
}


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How one execution ended. Kept under the runbook's digest, so a changed runbook begins anew."""

    runbook: str
    digest: str
    execution_id: str
    at: datetime
    status: FinalStatus
    mode: Mode  # that it ran in
    verified: bool = False  # it changed something, and verification passed
    harmed: bool = False  # it made worse what must not get worse
    changed: bool = False
    group_id: str = ""  # of runs that went together: how many of them may fail, their runbook says
    ceiling: Mode = "auto"  # as far as its runbook was trusted when it was opened
    reason: str = ""

    @property
    def fault(self) -> Fault:
        """What of it lowers the runbook at once; empty = nothing."""
        if self.harmed:
            return "harmed"
        match self.status:
            case "failed" | "unknown":
                return self.status
            case _:
                return ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far one runbook is trusted as it is written now: never further than `ceiling`."""

    ceiling: Mode = "auto"
    because: End | None = None  # the newest run that lowered it
    fault: Fault = ""
    successes: int = 0  # verified ones of late, with nothing else since, all in one mode
    mode: Mode | None = None  # in which they ran

    @property
    def says(self) -> str:
        """Why the runbook may not go as far as it is written; empty = it may."""
        if self.ceiling == "auto":
            return ""
        why = f", since execution {self.because.execution_id[:8]} {FAULTS[self.fault]}" if self.because else ""
        return f"demoted to {self.ceiling} until a commit changes it{why}"

    def within(self, mode: Mode) -> Mode:
        """Return how far a run may go that may go so far by what is written."""
        return min(mode, self.ceiling, key=MODES.index)


class Stands(msgspec.Struct, frozen=True, kw_only=True):
    """One runbook with how its runs have ended."""

    runbook: Runbook
    standing: Standing

    @property
    def written(self) -> Mode | None:
        """The mode that is written; None = it depends on the alert."""
        rules = self.runbook.mode
        return rules[0].mode if len(rules) == 1 and not rules[0].matchers else None

    @property
    def highest(self) -> Mode:
        """The highest mode that is written."""
        return max((rule.mode for rule in self.runbook.mode), key=MODES.index, default="observe")

    @property
    def goes(self) -> Mode:
        """How far it goes now, as far as itself is concerned; the installation's ceiling is another matter."""
        return self.standing.within(self.highest)

    @property
    def promotion(self) -> Mode | None:
        """The mode that its record would justify; None = there is nothing to propose."""
        written, standing = self.written, self.standing
        earned = standing.successes >= ENOUGH and standing.mode == written and standing.ceiling == "auto"
        return PROMOTED.get(written) if written is not None and earned else None


def standing_of(ends: Iterable[End]) -> Standing:
    """Return the standing that follows from how runs ended, newest first."""
    newest_first = tuple(ends)
    ceiling: Mode = "auto"
    because: End | None = None
    what: Fault = ""
    for index, end in enumerate(newest_first):
        fault = end.fault or _again_unresolved(newest_first[index:])
        ceiling = min(ceiling, end.ceiling, lowered(end.mode) if fault else "auto", key=MODES.index)
        if fault and because is None:
            because, what = end, fault
    successes = _successes(newest_first)
    mode = newest_first[0].mode if successes else None
    return Standing(ceiling=ceiling, because=because, fault=what, successes=successes, mode=mode)


def lowered(mode: Mode) -> Mode:
    """Return the mode after a fault in a mode: a person is asked, then a person starts it."""
    return "approve" if mode == "auto" else "propose"


def end_of(execution: Execution) -> End | None:
    """Return what an execution says of its runbook, once it has ended; None when that is nothing.

    A run that a person started says nothing, nor one that was stopped or refused before it changed anything, nor one
    that never came to try: that its target is not there, its alert said, and no alert may lower a runbook by a name.
    """
    if not execution.ended or execution.mode == "observe" or execution.started_by or execution.spoken_for:
        return None
    harmed = execution.harmed and execution.changed
    tried = any(step.effects and not step.message_only for step in execution.steps)
    if not (execution.changed or (tried and execution.status in ("failed", "unknown"))):
        return None
    assert execution.ended_at is not None, "an end has a time"
    return End(
        runbook=execution.runbook,
        digest=execution.runbook_digest,
        execution_id=execution.id,
        at=execution.ended_at,
        status=execution.status,  # type: ignore[arg-type]  # ended: a final status
        mode=execution.mode,
        verified=execution.verified and execution.changed and execution.status == "succeeded",
        harmed=harmed,
        changed=execution.changed,
        group_id=execution.group_id,
        ceiling=execution.trusted,
        reason=execution.reason,
    )


def end_to_keep(stored: Execution, execution: Execution) -> End | None:
    """Return the end that is news after what was stored; None = there is none.

    What a run did wrong stays: a person who takes it over afterwards, or an alert that comes back, makes it no better.
    """
    before, end = end_of(stored), end_of(execution)
    if end is None or before is None:
        return end
    settled = before.status != "succeeded" and (before.fault or not end.fault)
    return None if settled or end == before else end


def _again_unresolved(ends: tuple[End, ...]) -> Fault:
    """Return the fault of changing something twice in a row without fixing anything."""
    twice = len(ends) > 1 and all(end.status == "unresolved" and end.changed for end in ends[:2])
    return "unresolved" if twice else ""


def _successes(ends: tuple[End, ...]) -> int:
    """Return how many verified runs in one mode there are since anything else than a success."""
    count = 0
    for end in ends:
        if end.status != "succeeded" or end.mode != ends[0].mode:
            break
        count += end.verified
    return count
