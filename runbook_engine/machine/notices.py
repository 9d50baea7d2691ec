"""Notices: who is told of what. Put into the execution's outbox with the event itself, delivered later.

Blocked, asked and not fixed are never silent: when no rule of the runbook covers them, the owner's receiver hears.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.machine.events import Undelivered
from runbook_engine.model.execution import Execution, Notice, Status
from runbook_engine.model.runbook import EventName, NotifyRule, Occasion, Runbook

ONCE: frozenset[Occasion] = frozenset(("started", "ended", "notFixed"))
COVERED_BY: dict[Occasion, tuple[Occasion, ...]] = {
    "blocked": ("blocked", "ended", "notFixed"),
    "notFixed": ("notFixed", "ended"),
    "approval": ("approval",),
    "storm": ("storm",),
}
UNFIXED: frozenset[Status] = frozenset(("unresolved", "blocked", "failed", "handed_over", "unknown"))
ENDINGS = ("blocked", "notFixed", "ended")
MOST_ATTEMPTS = 8
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(minutes=5)
LAST_RESORT = timedelta(days=1)  # so long what must not be silent is tried where nobody else can be told
RARER = 12  # after an hour such a one is tried again after a twelfth of the time that has passed
QUEUEING = timedelta(minutes=10)  # so long a turn that never came counts as no attempt
LONGEST_REST = timedelta(minutes=15)  # whatever a receiver asks for


def announce(execution: Execution, runbook: Runbook, event: EventName, at: datetime, text: str) -> Execution:
    """Return the execution with one notice for every receiver that wants to hear of the event."""
    for receiver in _hearers(execution, runbook, event):
        execution = put(execution, event, receiver, at, text)
    return execution


def announce_end(execution: Execution, runbook: Runbook, at: datetime, text: str) -> Execution:
    """Return the execution with one notice of its end for every receiver, as the first event that it wants of it."""
    blocked, unfixed = execution.status == "blocked", execution.status != "succeeded"
    said: dict[EventName, bool] = {"blocked": blocked, "notFixed": unfixed, "ended": True}
    told: set[str] = set()
    for event in (name for name, happened in said.items() if happened):
        for receiver in _hearers(execution, runbook, event):
            after = execution if receiver in told else put(execution, event, receiver, at, text)
            told |= {receiver} if after is not execution else set()
            execution = after
    return execution


def tell_owner(execution: Execution, runbook: Runbook, at: datetime, text: str) -> Execution:
    """Return the execution with a notice to whoever hears when a run is not fixed, whatever was told before."""
    receivers = [rule.receiver for rule in runbook.notify if "notFixed" in rule.events]
    if not receivers and execution.fallback_receiver:
        receivers = [execution.fallback_receiver]
    for receiver in dict.fromkeys(receivers):
        execution = _add(execution, "notFixed", receiver, at, text)
    return execution


def put(execution: Execution, event: Occasion, receiver: str, at: datetime, text: str) -> Execution:
    """Return the execution with one notice more; events that are told once are not told twice."""
    if event in ONCE and f"{event}:{receiver}" in execution.announced:
        return execution
    return _add(execution, event, receiver, at, text)


def delivered(execution: Execution, notice_id: str, reference: str = "") -> Execution:
    """Return the execution without a notice that arrived; what its receiver calls it is kept."""
    arrived = next((notice for notice in execution.outbox if notice.id == notice_id), None)
    without = replace(execution, outbox=tuple(notice for notice in execution.outbox if notice.id != notice_id))
    if arrived is None or not reference:
        return without
    return replace(without, told=tuple({**dict(execution.told), arrived.receiver: reference}.items()))


def overtaken(execution: Execution, notice: Notice) -> bool:
    """Whether its receiver was told something later already."""
    to_it = [
        _notice_id(execution, number)
        for number, said in enumerate(execution.announced)
        if said.partition(":")[2] == notice.receiver
    ]
    later = to_it[to_it.index(notice.id) + 1 :] if notice.id in to_it else []
    return bool(set(later) - {kept.id for kept in execution.outbox})


def undelivered(execution: Execution, lost: Undelivered) -> Execution:
    """Return the execution with the notice put off, or given up after the last attempt."""
    notice = next(kept for kept in execution.outbox if kept.id == lost.notice_id)
    delay = None if lost.permanent else _delay(execution, notice, lost.at)
    if delay is not None:
        rest = min(LONGEST_REST, lost.after or timedelta(0))
        attempts = notice.attempts + (0 if lost.untried and lost.at - notice.at < QUEUEING else 1)
        later = replace(notice, attempts=attempts, not_before=lost.at + max(delay, rest))
        outbox = tuple(later if kept.id == notice.id else kept for kept in execution.outbox)
        return replace(execution, outbox=outbox)
    return _told_instead(delivered(execution, notice.id), notice, lost.at, lost.reason)


def _delay(execution: Execution, notice: Notice, at: datetime) -> timedelta | None:
    """Return after what time a notice is tried again; None = it is given up."""
    if notice.attempts + 1 < MOST_ATTEMPTS:
        soon: timedelta = FIRST_DELAY * 2**notice.attempts
        return min(LONGEST_DELAY, soon)
    age, nobody_else = at - notice.at, execution.fallback_receiver in ("", notice.receiver)
    over = notice.event == "approval" and execution.approval is None
    if nobody_else and not over and age < LAST_RESORT and _must_be_heard(execution, notice):
        return max(LONGEST_DELAY, age / RARER)
    return None


def _must_be_heard(execution: Execution, notice: Notice) -> bool:
    """Whether somebody has to hear it: a page, or the only word of an end that fixed nothing."""
    if notice.event in COVERED_BY:
        return True
    heard = (said.partition(":") for said in execution.announced)
    others = any(event in ENDINGS and receiver != notice.receiver for event, _, receiver in heard)
    return notice.event == "ended" and execution.status in UNFIXED and not others


def _told_instead(execution: Execution, lost: Notice, at: datetime, reason: str) -> Execution:
    """Let the owner hear what its receiver never will, if it must not be silent."""
    fallback = execution.fallback_receiver
    if fallback in ("", lost.receiver) or not _must_be_heard(execution, lost):
        return execution
    return _add(execution, lost.event, fallback, at, f"{lost.text} ({lost.receiver} could not be told: {reason})")


def _add(execution: Execution, event: Occasion, receiver: str, at: datetime, text: str) -> Execution:
    notice = Notice(
        id=_notice_id(execution, len(execution.announced)),
        event=event,
        receiver=receiver,
        title=f"{execution.runbook}: {execution.alert.name} on {execution.target}",
        text=text,
        at=at,
        not_before=at,
    )
    outbox = () if execution.mode == "observe" else (*execution.outbox, notice)  # a rehearsal tells nobody
    return replace(execution, outbox=outbox, announced=(*execution.announced, f"{event}:{receiver}"))


def _notice_id(execution: Execution, number: int) -> str:
    """Return the id of what is announced as the so many-th, counted from 0."""
    return f"{execution.id}-{number + 1}"


def _hearers(execution: Execution, runbook: Runbook, event: EventName) -> tuple[str, ...]:
    """Return who hears of an event, each once; the owner, when nobody else does and silence would be wrong."""
    receivers = [rule.receiver for rule in runbook.notify if event in rule.events]
    if not receivers and not _covered(runbook.notify, event) and execution.fallback_receiver:
        receivers = [execution.fallback_receiver]
    return tuple(dict.fromkeys(receivers))


def _covered(rules: tuple[NotifyRule, ...], event: Occasion) -> bool:
    """Whether somebody hears of it anyway, or need not."""
    covering = COVERED_BY.get(event)
    return covering is None or any(other in rule.events for rule in rules for other in covering)
