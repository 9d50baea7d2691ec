"""Placing: what a run acts on, asked of the cluster; whether another run works on it; whether its group lets it act.

The slot of what was found is taken by the very commit that says so. When another execution has it, this one's
alerts go over to that one in the commit that ends this one: no alert is lost between the two, or heard by neither.
What a group decides is stored in the same way, with the run that found it due.
"""

from __future__ import annotations

from datetime import datetime

from runbook_engine.executor.turn import Turn
from runbook_engine.machine.events import Merged, Resolved
from runbook_engine.machine.grouping import Gathered, judge_group
from runbook_engine.machine.signals import joined_signal
from runbook_engine.planning import look_up


def resolve(turn: Turn, now: datetime) -> None:
    """Ask the cluster what the run acts on, and take it; or join the execution that has it. Raises StaleVersion."""
    event = look_up(turn.execution, turn.runbook, turn.tools.sight, turn.tools.now())
    if not isinstance(event, Resolved):
        turn.happen(event)
        return
    turn.tools.checkpoint("found")
    if turn.attempt(event, (), now) is None:
        turn.tools.checkpoint("placed")
        return
    holder = turn.tools.journal.holders([event.slot]).get(event.slot)
    if holder is None:
        return  # it has just let go of it: the next turn asks again
    turn.happen(Merged(target=event.target, into=holder, at=event.at))
    firing = [member for member in turn.execution.members if member.state == "firing"]
    turn.commit(now, joins=tuple((event.slot, holder, joined_signal(member)) for member in firing))
    turn.tools.checkpoint("merged")


def await_group(turn: Turn, now: datetime) -> None:
    """Ask the group whether this run may act now; the first to ask decides for all. Raises StaleVersion."""
    rule = turn.runbook.group
    assert rule is not None, "only a runbook with a rule for groups opens runs in one"
    gathered = _gathered(turn, turn.execution.group_id)
    before = _gathered(turn, gathered.group.after) if gathered.group.after else None
    answer, decided = judge_group(turn.execution, gathered, before, rule, now)
    turn.happen(answer)
    if decided is not None:
        turn.commit(now, group=decided)
        turn.tools.checkpoint("group decided")


def _gathered(turn: Turn, group_id: str) -> Gathered:
    """Return a group with its parts. The group is read first: a part that comes later makes its version stale."""
    group = turn.tools.journal.group(group_id)
    return Gathered(group, turn.tools.journal.parts(group_id))
