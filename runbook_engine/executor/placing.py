"""Placing: what a run acts on, asked of the cluster; whether another run works on it; whether its group lets it act.

The slot of what was found is taken by the very commit that says so. When another execution has it, this one's
alerts go over to that one in the commit that ends this one: no alert is lost between the two, or heard by neither.
What a group decides is stored in the same way, with the run that found it due.
"""

from __future__ import annotations

from datetime import datetime

from runbook_engine.executor.turn import Turn
from runbook_engine.machine.events import Finished, Merged, Resolved
from runbook_engine.machine.grouping import Answer, Gathered, judge_group, judge_leaving
from runbook_engine.machine.signals import joined_signal
from runbook_engine.model.group import Group
from runbook_engine.model.runbook import GroupRule
from runbook_engine.planning import look_up


def resolve(turn: Turn, now: datetime) -> None:
    """Ask the cluster what the run acts on, and take it; or join the execution that has it. Raises StaleVersion."""
    event = look_up(turn.execution, turn.runbook, turn.tools.sight, turn.tools.now())
    if isinstance(event, Finished) and turn.execution.group_id:
        leave_group(turn, event.reason, now)
        return
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
    gathered = _gathered(turn, turn.execution.group_id)
    before = _gathered(turn, gathered.group.after) if gathered.group.after else None
    answer, decided = judge_group(turn.execution, gathered, before, _rule(turn), now)
    _store(turn, answer, decided, now)


def leave_group(turn: Turn, reason: str, now: datetime) -> None:
    """End a run before its turn; the group knows whether people have heard enough of such. Raises StaleVersion."""
    group = turn.tools.journal.group(turn.execution.group_id)
    answer, told = judge_leaving(turn.execution, group, _rule(turn), reason, now)
    _store(turn, answer, told, now)


def _store(turn: Turn, answer: Answer, group: Group | None, now: datetime) -> None:
    """Let a group's answer happen, in one commit with what it changes in the group."""
    turn.happen(answer)
    if group is not None:
        turn.commit(now, group=group)
        turn.tools.checkpoint("group decided")


def _rule(turn: Turn) -> GroupRule:
    rule = turn.runbook.group
    assert rule is not None, "only a runbook with a rule for groups opens runs in one"
    return rule


def _gathered(turn: Turn, group_id: str) -> Gathered:
    """Return a group with its parts. The group is read first: a part that comes later makes its version stale."""
    group = turn.tools.journal.group(group_id)
    return Gathered(group, turn.tools.journal.parts(group_id))
