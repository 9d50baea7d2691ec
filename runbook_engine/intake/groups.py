"""Groups: which group a run belongs to that an alert opens; found in the draft, in the journal, or made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.intake.draft import Draft
from runbook_engine.model.group import BUSY, Group
from runbook_engine.model.runbook import GroupRule, Runbook
from runbook_engine.ports import Journal

INSTANT = timedelta(microseconds=1)
TOLD_AGAIN_AFTER = timedelta(hours=1)


def find_group(runbook: Runbook, draft: Draft, journal: Journal, now: datetime) -> Group | None:
    """Return the group of a run that opens now, drafted to be stored with it, so that its decision meets it.

    It is a new one unless nothing is decided about the newest yet, however late that is, so that a storm that goes on
    is counted whole; or the newest was held or stopped, and its alerts are not over. One whose runs have all ended
    before anything had to be decided is over as well: what it counted is no part of the next storm.
    """
    rule = runbook.group
    if rule is None:
        return None
    drafted = draft.groups.get(runbook.name)
    newest = drafted or journal.newest_group(runbook.name)
    if newest is None or not (_goes_on(newest, draft, journal, now) or (drafted and newest.state == "gathering")):
        newest = _next_group(runbook, rule, newest, now)
    draft.groups[runbook.name] = newest
    return newest


def told_again(group: Group, draft: Draft, now: datetime) -> bool:
    """Return whether people are to hear once more that a group is held, and draft that they did."""
    if group.told_at is not None and now - group.told_at < TOLD_AGAIN_AFTER:
        return False
    draft.groups[group.runbook] = replace(group, told_at=now)
    return True


def _goes_on(newest: Group, draft: Draft, journal: Journal, now: datetime) -> bool:
    """Whether a run that opens now still belongs to the newest group."""
    if newest.state == "gathering":
        return now < newest.closes_at or any(part.state in BUSY for part in journal.parts(newest.id))
    return newest.refused and _still_fires(newest, draft, journal)


def _next_group(runbook: Runbook, rule: GroupRule, newest: Group | None, now: datetime) -> Group:
    """Return the group after the newest. Its identity follows from that one's, so that only one of many can open it."""
    before = newest.id if newest is not None else ""
    identity = hashlib.sha256(f"{len(runbook.name)}:{runbook.name}{before}".encode()).hexdigest()[:12]
    if newest is None:
        return Group(id=identity, runbook=runbook.name, opened_at=now, closes_at=now + rule.wait)
    opened_at = max(now, newest.opened_at + INSTANT)  # the clocks of two hosts disagree
    return Group(
        id=identity,
        runbook=runbook.name,
        opened_at=opened_at,
        closes_at=opened_at + rule.wait,
        after="" if newest.refused else newest.id,
    )


def _still_fires(group: Group, draft: Draft, journal: Journal) -> bool:
    """Whether any alert of a group that was refused still fires."""
    if group.id not in draft.firing_groups:
        keys = [key for part in journal.parts(group.id) for key in part.alert_keys]
        draft.firing_groups[group.id] = _any_open(dict.fromkeys(keys), draft, journal)
    return draft.firing_groups[group.id]


def _any_open(alert_keys: Iterable[str], draft: Draft, journal: Journal) -> bool:
    keys = list(alert_keys)
    known = dict(journal.episodes(keys)) | {key: draft.touched[key] for key in keys if key in draft.touched}
    return any(episode.is_open for episode in known.values())
