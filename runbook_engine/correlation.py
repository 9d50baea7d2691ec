"""What a notification does to its alert's episode, and which incident the episode belongs to.

Pure: values in, a transition out. Senders deliver at least once, in any order, from replicas whose clocks differ,
and sometimes never say "resolved"; so the same notification twice changes nothing, an overtaken one is `late`, and
silence makes an episode `expired`, which is not `resolved`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

import msgspec

from runbook_engine.model.alert import Alert
from runbook_engine.model.digest import hash_parts
from runbook_engine.model.episode import Episode, Transition

SAME_START = timedelta(minutes=5)  # two replicas see one alert start up to an evaluation apart
EXPIRE_AFTER = timedelta(hours=9)  # two of Alertmanager's default repeat intervals, and a margin
FLAPPING_WINDOW = timedelta(minutes=30)
FLAPPING_EPISODES = 3
KEY_PREFIX = 16
WRITTEN_TIMES = 32  # in the time without news after which an episode expires, repeats are written down so many times
INCIDENT_LABELS = (
    ("cluster", "namespace", "service"),
    ("cluster", "namespace", "deployment"),
    ("cluster", "namespace", "statefulset"),
    ("cluster", "namespace", "daemonset"),
    ("cluster", "node"),
)


def observe_alert(alert: Alert, episode: Episode | None, *, cycle: str = "") -> Transition:
    """Return what the alert does to the record kept for its key; `cycle` is the sender's own episode id, if any."""
    if alert.kind != "alert":
        return _recorded(alert, episode, cycle)
    match alert.status:
        case "firing":
            if episode is None or not episode.is_open:
                fired = _fires_anew(alert, episode, cycle)
            else:
                fired = _fires_again(alert, episode, cycle)
            return _recorded(alert, episode, cycle) if fired.opens and alert.begins_nothing else fired
        case "resolved":
            if episode is None or episode.state in ("closed", "superseded"):
                return _buried(alert, episode, cycle)
            return _resolves(alert, episode, cycle)
        case "nodata" | "suppressed" | "unknown":
            return _recorded(alert, episode, cycle)
        case unknown:
            assert_never(unknown)


def expire(episode: Episode, now: datetime, after: timedelta = EXPIRE_AFTER) -> Transition | None:
    """Return the expiry of an open episode of which nobody has spoken for `after`; None when it is not due."""
    if not episode.is_open or now - episode.last_seen < after:
        return None
    expired = _next(episode, state="expired", flapping=False)
    return Transition(kind="expired", episode=expired, previous=episode)


def is_news(known: Episode, seen: Episode, after: timedelta) -> bool:
    """Whether what was seen of an episode must be written down.

    That its alert still fires need not be, if that was written lately: else every repeat of every alert would cost a
    durable write. An episode then expires up to a part of `after` too late, never too early: see `silent_since`.
    """
    same = seen.episode_id == known.episode_id and seen.is_open and known.is_open
    repeated = same and seen.displayed_start == known.displayed_start
    return not repeated or (seen.last_seen - known.last_seen) * WRITTEN_TIMES >= after


def silent_since(now: datetime, after: timedelta) -> datetime:
    """Return the time of the last word written down before which nobody can have spoken for so long."""
    return now - after - after / WRITTEN_TIMES


def incident_key(alert: Alert, keys: Iterable[tuple[str, ...]] = INCIDENT_LABELS) -> str:
    """Return what alerts of one fault share: the first label set that is all there, else resource, group or alert.

    `alertname` is no part of it, because one fault fires many names; the scope is, because two senders may use the
    same words.
    """
    for names in keys:
        values = [alert.labels.get(name, "") for name in names]
        if values and all(values):
            pairs = (part for pair in zip(names, values, strict=True) for part in pair)
            return hash_parts(alert.scope, "labels", *pairs)
    resource = alert.resource
    subject = resource.arn or resource.name
    if resource.account and resource.region and subject:
        return hash_parts(alert.scope, "resource", resource.account, resource.region, resource.kind or "", subject)
    if alert.group_key:
        return hash_parts(alert.scope, "group", alert.source, alert.group_key)
    return hash_parts(alert.scope, "alert", alert.alert_key)


def _fires_anew(alert: Alert, known: Episode | None, cycle: str) -> Transition:
    told = _told_start(alert)
    if known is None:
        return _opened(alert, None, cycle)
    if known.state == "expired" and _is_same(known, told, cycle):
        revived = _next(known, state="open", last_seen=_later(known.last_seen, alert.received_at))
        return Transition(kind="repeat", episode=revived, previous=known)
    if known.ends_at is not None and (told or alert.received_at) <= known.ends_at:
        return Transition(kind="late", previous=known)
    return _opened(alert, known, cycle)


def _fires_again(alert: Alert, known: Episode, cycle: str) -> Transition:
    told = _told_start(alert)
    seen = _later(known.last_seen, alert.received_at)
    if _is_same(known, told, cycle) or (told is None and not (cycle and known.cycle)):
        displayed = min(known.displayed_start, told or known.displayed_start)
        repeated = _next(known, last_seen=seen, displayed_start=displayed)
        return Transition(kind="repeat", episode=repeated, previous=known, flapping=known.flapping)
    if (told or alert.received_at) < known.start:
        return Transition(kind="late", episode=_next(known, last_seen=seen), previous=known)
    opened = _opened(alert, known, cycle)
    ended = msgspec.structs.replace(known, state="superseded", ends_at=told or alert.received_at)
    return msgspec.structs.replace(opened, kind="superseded", previous=ended)


def _resolves(alert: Alert, known: Episode, cycle: str) -> Transition:
    ended = _told_end(alert)
    if ended < known.start:
        return Transition(kind="late", previous=known, flapping=known.flapping)
    seen = _later(known.last_seen, alert.received_at)
    closed = _next(known, state="closed", ends_at=ended, last_seen=seen, flapping=False)
    return Transition(kind="resolved", episode=closed, previous=known, flapping=known.flapping)


def _buried(alert: Alert, known: Episode | None, cycle: str) -> Transition:
    """Remember an end whose beginning was never seen, so that a firing from before it opens nothing."""
    ended = _told_end(alert)
    if known is not None and known.ends_at is not None and ended <= known.ends_at:
        kind = "repeat" if ended == known.ends_at else "late"
        return Transition(kind=kind, previous=known)  # type: ignore[arg-type]  # mypy widens the literals
    start = _told_start(alert) or ended
    openings = known.openings if known is not None else ()
    grave = _begin(alert, known, start, cycle, state="closed", ends_at=ended, openings=openings)
    return Transition(kind="tombstone", episode=grave, previous=known)


def _recorded(alert: Alert, known: Episode | None, cycle: str) -> Transition:
    """Nodata and suppression say that the alert still exists; other words say nothing about an episode."""
    if known is not None and known.is_open and alert.kind == "alert" and alert.status in ("nodata", "suppressed"):
        seen = _next(known, last_seen=_later(known.last_seen, alert.received_at))
        return Transition(kind="recorded", episode=seen, previous=known)
    return Transition(kind="recorded", previous=known)


def _opened(alert: Alert, known: Episode | None, cycle: str) -> Transition:
    start = _told_start(alert) or alert.received_at
    since = alert.received_at - FLAPPING_WINDOW
    earlier = tuple(moment for moment in known.openings if moment > since) if known is not None else ()
    openings = (*earlier, alert.received_at)[-FLAPPING_EPISODES:]
    flapping = len(openings) >= FLAPPING_EPISODES
    opened = _begin(alert, known, start, cycle, openings=openings, flapping=flapping)
    if known is not None and known.episode_id.startswith(opened.episode_id):  # another cycle that tells the same start
        apart = hash_parts(str(opened.version), cycle)[:8]
        opened = msgspec.structs.replace(opened, episode_id=f"{opened.episode_id}-{apart}")
    return Transition(kind="opened", episode=opened, previous=known, flapping=flapping)


def _begin(alert: Alert, known: Episode | None, start: datetime, cycle: str, **told: Any) -> Episode:
    return Episode(
        alert_key=alert.alert_key,
        episode_id=f"{alert.alert_key[:KEY_PREFIX]}-{_compact(start)}",
        scope=alert.scope,
        name=alert.name,
        start=start,
        displayed_start=start,
        last_seen=alert.received_at,
        cycle=cycle,
        version=known.version + 1 if known is not None else 0,
        **told,
    )


def _told_start(alert: Alert) -> datetime | None:
    """The start as the sender tells it; None when it tells none, or one so far ahead that it cannot be ordered by."""
    return None if "clock_skew" in alert.warnings else alert.starts_at


def _told_end(alert: Alert) -> datetime:
    ended = alert.ends_at or alert.observed_at or alert.received_at
    return min(ended, alert.received_at) if ended - alert.received_at > SAME_START else ended


def _is_same(known: Episode, told: datetime | None, cycle: str) -> bool:
    if cycle and known.cycle:
        return cycle == known.cycle
    return told is not None and abs(told - known.start) <= SAME_START


def _next(episode: Episode, **changes: object) -> Episode:
    return msgspec.structs.replace(episode, version=episode.version + 1, **changes)


def _later(one: datetime, other: datetime) -> datetime:
    return one if one > other else other


def _compact(moment: datetime) -> str:
    """Return a time as 20260301T115912318472, in UTC."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{text[:4]}{text[5:7]}{text[8:13]}{text[14:16]}{text[17:19]}{text[20:26]}"
