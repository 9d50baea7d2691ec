"""How the runs of one runbook, as it is written now, have ended: by this its mode is lowered, or a person raises it.

A run counts under the digest of its runbook, so a commit that changes the runbook in anything begins anew. Down it
goes by itself, one level for what a run did at that level; up only by such a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import zip_longest
from typing import Literal

import msgspec
from msgspec.structs import replace

from runbook_engine.model.execution import Compensation, Execution, FinalStatus
from runbook_engine.model.runbook import MODES, Mode, Runbook

MOST_ENDS = 100  # that are looked at for successes; what lowered a runbook is found before them too
ENOUGH = 5  # verified successes in one mode, with nothing else since, are worth a proposal
PROMOTED: Mapping[Mode, Mode] = {"propose": "approve", "approve": "auto"}
LOWERED: tuple[Mode, ...] = ("approve", "propose")  # all that a fault can lower to
Fault = Literal["", "failed", "unknown", "harmed", "unresolved", "stuck"]
NOT_UNDONE: tuple[Compensation, ...] = ("failed", "superseded")
FAULTS: Mapping[Fault, str] = {
    "failed": "failed",
    "unknown": "left it unknown what it did",
    "harmed": "did harm",
    "unresolved": "was the second in a row to change something and fix nothing",
    "stuck": "fixed nothing, and what it changed was not undone",
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
    again: bool = False  # it changed something and fixed nothing, and so did the one before it, or after it
    stuck: bool = False  # it fixed nothing, and what it changed could not be undone: another may not build on it
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
            case _ if self.stuck:
                return "stuck"
            case _:
                return "unresolved" if self.again else ""

    @property
    def spotless(self) -> bool:
        """Whether it says nothing against its runbook, whatever stands beside it: so most of them end."""
        held_against = self.harmed or self.stuck or self.again or self.ceiling != "auto"
        return self.status == "succeeded" and not held_against

    @property
    def lowers_to(self) -> Mode | None:
        """How far its runbook is trusted after it; None = it lowers nothing."""
        return lowered(self.mode) if self.fault else None

    @property
    def fixed_nothing(self) -> bool:
        """Whether it changed something, and its alerts went on."""
        return self.status == "unresolved" and self.changed


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
    allowed: Mode = "auto"  # by the ceiling of the installation, where it is highest

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
    def trusted(self) -> Mode:
        """How far it would go by itself: as it is written, after what its runs did."""
        return self.standing.within(self.highest)

    @property
    def goes(self) -> Mode:
        """How far it goes now: as far as it is written, trusted and allowed here."""
        return min(self.trusted, self.allowed, key=MODES.index)

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
    for end, before in zip_longest(newest_first, newest_first[1:]):
        if end.spotless:
            continue
        fault = end.fault or _again_unresolved(end, before)
        if fault or end.ceiling != "auto":
            ceiling = min(ceiling, end.ceiling, lowered(end.mode) if fault else "auto", key=MODES.index)
        if fault and because is None:
            because, what = end, fault
    successes = _successes(newest_first)
    mode = newest_first[0].mode if successes else None
    return Standing(ceiling=ceiling, because=because, fault=what, successes=successes, mode=mode)


def with_faults(newest: tuple[End, ...], lowering: Iterable[End]) -> tuple[End, ...]:
    """Return the newest ends, and before them those that lowered their runbook; each once, newest first."""
    known = {end.execution_id for end in newest}
    older = {end.execution_id: end for end in lowering if end.execution_id not in known}
    return (*newest, *sorted(older.values(), key=_place, reverse=True))


def among(end: End, others: Iterable[End]) -> End:
    """Return an end as it stands among the others: of two in a row that fixed nothing, the later to be kept says so."""
    places = sorted([end, *(each for each in others if each.execution_id != end.execution_id)], key=_place)
    here = places.index(end)
    beside = (*places[max(0, here - 1) : here], *places[here + 1 : here + 2])
    return replace(end, again=end.fixed_nothing and any(each.fixed_nothing for each in beside))


def lowered(mode: Mode) -> Mode:
    """Return the mode after a fault in a mode: a person is asked, then a person starts it."""
    return "approve" if mode == "auto" else "propose"


def end_of(execution: Execution) -> End | None:
    """Return what an execution says of its runbook, once it has ended; None when that is nothing.

    A run that a person started says nothing, nor one that was stopped or refused before it changed anything, nor one
    that never came to try: that its target is not there, its alert said, and no alert may lower a runbook by a name.
    One that had come to no success when a person took it over says what it had come to.
    """
    if not execution.ended or execution.mode == "observe" or execution.started_by or execution.spoken_for:
        return None
    harmed = execution.harmed and execution.changed
    status = execution.decided.status if execution.decided is not None else execution.status
    if not (execution.changed or (execution.tried and status in ("failed", "unknown"))):
        return None
    assert execution.ended_at is not None, "an end has a time"
    return End(
        runbook=execution.runbook,
        digest=execution.runbook_digest,
        execution_id=execution.id,
        at=execution.ended_at,
        status=status,  # type: ignore[arg-type]  # ended: a final status
        mode=execution.mode,
        verified=execution.verified and execution.changed and execution.status == "succeeded",
        harmed=harmed,
        changed=execution.changed,
        stuck=status == "unresolved" and execution.changed and execution.compensation in NOT_UNDONE,
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


def _place(end: End) -> tuple[datetime, str]:
    return end.at, end.execution_id


def _again_unresolved(end: End, before: End | None) -> Fault:
    """Return the fault of changing something twice in a row without fixing anything, where neither of them says so.

    They do not when both were kept at the same moment. One that says so may stand here without the one before it.
    """
    silent = end.fixed_nothing and not end.again
    return "unresolved" if silent and before is not None and before.fixed_nothing and not before.again else ""


def _successes(ends: tuple[End, ...]) -> int:
    """Return how many verified runs in one mode there are since anything else than a success."""
    count = 0
    for end in ends:
        if end.status != "succeeded" or end.mode != ends[0].mode:
            break
        count += end.verified
    return count
