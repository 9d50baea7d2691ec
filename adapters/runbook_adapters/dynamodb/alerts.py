"""Alerts in the table: one item each, with the alert's episode and the executions that follow it.

An execution that gives up its followers may have thousands. So a follower stands under the execution's epoch of
that time, and who reads asks the execution for its present one: giving up is one number in one item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from runbook_adapters.dynamodb import keys
from runbook_adapters.dynamodb.executions import known
from runbook_adapters.dynamodb.items import Item, with_body
from runbook_adapters.dynamodb.table import Table
from runbook_adapters.dynamodb.versions import refuse_moved
from runbook_adapters.dynamodb.work import Work
from runbook_engine.model.episode import Episode

FOLLOWER = "follower:"  # and the id of the execution: a column whose value is its epoch


def refuse_moved_episodes(work: Work, episodes: Sequence[Episode]) -> None:
    """Raise StaleVersion unless every episode has the version that it was read with."""
    read = [(keys.alert(episode.alert_key), episode.version) for episode in episodes]
    refuse_moved(work, "an episode of this delivery", read)


def write_episode(work: Work, episode: Episode) -> None:
    """Store an episode under the version after the one that it was read with."""
    kept = msgspec.structs.replace(episode, version=episode.version + 1)
    place = keys.alert(kept.alert_key)
    item = with_body({**_followers(work.get(place)), "version": kept.version}, kept)
    if kept.is_open:
        seen = keys.shortened(f"{keys.moment(kept.last_seen)}#{kept.alert_key}")
        item = {**item, "gsi2pk": keys.shard("OPEN", kept.alert_key), "gsi2sk": seen}
    work.put(place, item)


def follow(work: Work, alert_key: str, execution_id: str, epoch: int) -> None:
    """Let an execution hear of an alert; those that no longer do are forgotten on this occasion."""
    place = keys.alert(alert_key)
    item = work.get(place) or {}
    stale = _followers(item).keys() - {FOLLOWER + each for each in following(work, alert_key)}
    kept = {name: value for name, value in item.items() if name not in stale}
    work.put(place, {**kept, FOLLOWER + execution_id: epoch})


def following(work: Work, alert_key: str) -> tuple[str, ...]:
    """Return which executions follow an alert, in order."""
    found = _followers(work.get(keys.alert(alert_key)))
    executions = {name.removeprefix(FOLLOWER): epoch for name, epoch in found.items()}
    work.read(map(keys.execution, executions))
    return tuple(sorted(each for each, epoch in executions.items() if _epoch(work, each) == epoch))


def read_followers(work: Work, alert_keys: Iterable[str]) -> None:
    """Read everything that `following` asks of these alerts, all at once."""
    places = [keys.alert(alert_key) for alert_key in alert_keys]
    work.read(places)
    names = [name for place in places for name in _followers(work.get(place))]
    work.read(keys.execution(name.removeprefix(FOLLOWER)) for name in names)


def followers(table: Table, alert_keys: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return which executions follow these alerts; those that nobody follows are left out."""
    work = Work(table)
    read_followers(work, alert_keys)
    found = {alert_key: following(work, alert_key) for alert_key in sorted(set(alert_keys))}
    return {alert_key: executions for alert_key, executions in found.items() if executions}


def _followers(item: Item | None) -> Item:
    return {name: value for name, value in (item or {}).items() if name.startswith(FOLLOWER)}


def _epoch(work: Work, execution_id: str) -> int | None:
    stored = known(work, execution_id)
    return None if stored is None else stored.epoch
