"""Grouping: whether a group lets one of its runs act now, later, or not at all. Pure, like the rest of the machine.

The first run that looks after the wait decides for all of them, and its decision is stored with its own commit: so all
runs obey the same one, and people are told of it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from runbook_engine.machine.events import Admitted, Queued, TurnedAway
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import BUSY, Group, Part, batch_of
from runbook_engine.model.runbook import GroupRule

MOST_NAMED = 10

Answer = Admitted | Queued | TurnedAway


class Gathered(msgspec.Struct, frozen=True):
    """A group with its parts. The group is read first: who comes after that makes its decision stale."""

    group: Group
    parts: tuple[Part, ...]


def judge_group(
    execution: Execution, gathered: Gathered, before: Gathered | None, rule: GroupRule, now: datetime
) -> tuple[Answer, Group | None]:
    """Return what a group answers one of its runs, and the group as it is to be stored if that decides something."""
    group = gathered.group
    if group.refused and (group.told_at is not None or not _may_tell(execution)):
        return TurnedAway(reason=group.reason, tells=False, at=now), None
    waits = "" if group.refused else _wait_for_others(gathered, before, rule)
    if waits:
        return Queued(reason=waits, at=now), None
    decided = _decided(gathered, before, rule) if group.state == "gathering" else group
    answer, decided = _turn(execution, decided, gathered.parts, rule, now)
    return answer, None if decided == group else decided


def judge_leaving(
    execution: Execution, group: Group, rule: GroupRule, reason: str, now: datetime
) -> tuple[TurnedAway, Group | None]:
    """Return how a run ends that cannot wait for its turn, and the group as it is to be stored if it tells of that.

    As many tell as may act: of a storm whose pods are gone, or whose cluster cannot be read, people hear only so often.
    """
    known = (group.refused and group.told_at is not None) or group.told_alone >= rule.max_targets
    if known or not _may_tell(execution):
        return TurnedAway(reason=reason, tells=False, at=now), None
    return TurnedAway(reason=reason, tells=True, at=now), replace(group, told_alone=group.told_alone + 1)


def _wait_for_others(gathered: Gathered, before: Gathered | None, rule: GroupRule) -> str:
    """Return what the group as a whole must wait for; empty = nothing.

    Who came after it was complete is waited for too, but not to say what is certain: that they are too many.
    """
    group = gathered.group
    too_many = group.state == "gathering" and len(_targets(gathered.parts)) > rule.max_targets
    if before is not None and not before.group.refused and not too_many:
        busy = [part for part in before.parts if part.state in BUSY]
        if busy:
            return f"the group before it, which still works on {_named(busy)}"
    resolving = [part for part in gathered.parts if part.state == "resolving"]
    awaited = [part for part in resolving if part.opened_at < group.closes_at or not too_many]
    if group.state == "gathering" and awaited:
        return f"its group: it is not known yet what {len(awaited)} of {len(gathered.parts)} are about"
    return ""


def _decided(gathered: Gathered, before: Gathered | None, rule: GroupRule) -> Group:
    """Return the group with what is decided about it, once."""
    group = gathered.group
    if before is not None and before.group.refused:
        said = before.group.reason.removeprefix("stopped: ")
        return replace(group, state="held", reason=f"the group before it was {before.group.state}: {said}")
    targets = _targets(gathered.parts)
    if len(targets) > rule.max_targets:
        said = f"group of {len(targets)} targets, at most {rule.max_targets}: nothing was changed"
        return replace(group, state="held", reason=f"{said} ({_named(list(targets.values()))})")
    waiting = [part for part in gathered.parts if part.state == "waiting"]
    order = sorted(waiting, key=lambda part: (part.opened_at, part.target, part.execution_id))
    return replace(group, state="released", order=tuple(part.execution_id for part in order))


def _targets(parts: tuple[Part, ...]) -> dict[str, Part]:
    """Return the targets that are known, those included that need nothing any more."""
    return {part.target.key: part for part in parts if part.state not in ("left", "resolving")}


def _turn(
    execution: Execution, group: Group, parts: tuple[Part, ...], rule: GroupRule, now: datetime
) -> tuple[Answer, Group]:
    """Return whether it is a run's turn, and the group, which may be stopped by what others came to."""
    if group.refused:
        return _turned_away(execution, group, now)
    if execution.id not in group.order:
        return TurnedAway(reason="its group was judged without it: nothing was changed", tells=True, at=now), group
    by_id: Mapping[str, Part] = {part.execution_id: part for part in parts}
    failed = [by_id[member] for member in group.order if by_id[member].state == "badly"]
    if len(failed) > rule.max_failures:
        said = f"stopped: {len(failed)} of the group failed, at most {rule.max_failures} ({_named(failed)})"
        return _turned_away(execution, replace(group, state="stopped", reason=said), now)
    number, begin = batch_of(rule.batches, group.order.index(execution.id))
    last, _ = batch_of(rule.batches, len(group.order) - 1)
    busy = [by_id[member] for member in group.order[:begin] if by_id[member].state in BUSY]
    if busy:
        return Queued(reason=f"its turn: batch {number} of {last}, after {_named(busy)}", at=now), group
    return Admitted(batch=number, of=last, at=now), group


def _turned_away(execution: Execution, group: Group, now: datetime) -> tuple[Answer, Group]:
    """Return the answer to the first who asks after a refusal: it tells for all, unless it only observes."""
    tells = _may_tell(execution)
    told = replace(group, told_at=now) if tells else group
    return TurnedAway(reason=group.reason, tells=tells, at=now), told


def _may_tell(execution: Execution) -> bool:
    return execution.mode != "observe"


def _named(parts: list[Part]) -> str:
    """Return what parts act on, the first ten of them."""
    names = sorted({str(part.target) for part in parts})
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *more])
