"""One delivery: episodes, incidents, groups, new executions, joins and signals, stored on what was read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from runbook_adapters.dynamodb import alerts, executions, keys, versions
from runbook_adapters.dynamodb.items import with_body
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.work import Work
from runbook_engine.errors import StaleVersion
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, Intake, Join
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal

Follow = tuple[str, str]  # an alert, and an execution that was opened for it


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery, or as much of one as a transaction takes; `follows` are of what it opens, or a part before it has."""

    intake: Intake
    follows: tuple[Follow, ...]

    @classmethod
    def of(cls, intake: Intake) -> Delivery:
        """Return a whole delivery."""
        return cls(intake, tuple(follow for execution in intake.opened for follow in follows_of(execution)))


def follows_of(execution: Execution) -> tuple[Follow, ...]:
    """Return which alerts an execution follows as it is opened."""
    followed = dict.fromkeys(member.alert_key for member in execution.members)
    return tuple((alert_key, execution.id) for alert_key in followed) if execution.absorbing else ()


def judge(work: Work, intake: Intake) -> None:
    """Read all that a delivery was decided on. Raises StaleVersion when anything of it is no longer so."""
    opened = intake.opened
    work.read(_wanted(intake))
    alerts.refuse_moved_episodes(work, intake.episodes)
    versions.refuse_moved_incidents(work, intake.incidents)
    versions.refuse_moved_groups(work, intake.groups)
    versions.refuse_moved_latch(work, intake.latch)
    if _any_there(work, [keys.execution(execution.id) for execution in opened]):
        raise StaleVersion("an execution of this delivery is there already: read the slots again")
    if _any_there(work, [executions.slot_key(execution.slot) for execution in opened]):
        raise StaleVersion("a slot of this delivery has been taken since it was read: read it again")
    own = {(execution.slot, execution.id) for execution in opened if execution.absorbing}
    refuse_lost_slots(work, [each for each in intake.joined if each[:2] not in own])


def store(work: Work, delivery: Delivery, serial: Callable[[], str]) -> None:
    """Store a delivery. Raises StaleVersion."""
    intake = delivery.intake
    judge(work, intake)
    work.read(keys.execution(execution_id) for _, execution_id in delivery.follows)
    alerts.read_followers(work, {*(each.alert_key for _, each in _told(intake)), *(key for key, _ in delivery.follows)})
    for episode in intake.episodes:
        alerts.write_episode(work, episode)
    for incident in intake.incidents:
        versions.write_incident(work, incident)
    for group in intake.groups:
        versions.write_group(work, group)
    versions.write_latch(work, intake.latch)
    for execution in intake.opened:
        executions.insert(work, msgspec.structs.replace(execution, version=0))
    for alert_key, execution_id in delivery.follows:
        alerts.follow(work, alert_key, execution_id, epoch=0)
    keep_runbooks(work, intake.runbooks)
    _signal(work, intake.joined, intake.signals)
    _write_arrivals(work, intake.arrivals, serial)


def keep_runbooks(work: Work, runbooks: Iterable[Runbook]) -> None:
    """Keep compiled runbooks by digest; what is there already is the same."""
    for runbook in runbooks:
        place = keys.one("DIGEST", runbook.digest)
        if work.get(place) is None:
            work.put(place, with_body({}, runbook))


def refuse_lost_slots(work: Work, joined: Sequence[Join]) -> None:
    """Raise StaleVersion unless what is to be joined holds its slot."""
    for slot, execution_id, _ in joined:
        held = executions.known(work, execution_id)
        if held is None or not held.holds or held.slot != slot:
            raise StaleVersion(f"slot {slot} is no longer held by execution {execution_id}: read it again")


def joined_keys(joined: Sequence[Join]) -> list[Key]:
    """Return what is read for joins."""
    return [
        *(keys.execution(execution_id) for _, execution_id, _ in joined),
        *(keys.alert(signal.alert_key) for _, _, signal in joined),
    ]


def lead(work: Work, joined: Sequence[Join]) -> None:
    """Let alerts follow the executions that they are about to join. Raises StaleVersion."""
    work.read(joined_keys(joined))
    refuse_lost_slots(work, joined)
    alerts.read_followers(work, {signal.alert_key for _, _, signal in joined})
    for _, execution_id, signal in joined:
        alerts.follow(work, signal.alert_key, execution_id, executions.stored(work, execution_id).epoch)


def join(work: Work, joined: Sequence[Join]) -> None:
    """Let alerts join executions, each by its signal."""
    alerts.read_followers(work, {signal.alert_key for _, _, signal in joined})
    _signal(work, joined, ())


def _signal(work: Work, joined: Sequence[Join], told: Sequence[tuple[str, Signal]]) -> None:
    """Append the signals of joins, and those others that their execution still listens to."""
    wanted: dict[str, list[Signal]] = {}
    for _, execution_id, signal in joined:
        alerts.follow(work, signal.alert_key, execution_id, executions.stored(work, execution_id).epoch)
        wanted.setdefault(execution_id, []).append(signal)
    for execution_id, signal in told:
        if execution_id in alerts.following(work, signal.alert_key):
            wanted.setdefault(execution_id, []).append(signal)
    for execution_id, signals in wanted.items():
        executions.append_signals(work, execution_id, signals)


def _write_arrivals(work: Work, arrivals: Sequence[Arrival], serial: Callable[[], str]) -> None:
    by_incident: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_incident.setdefault(arrival.incident_id, []).append(arrival)
    for incident_id, arrived in by_incident.items():
        work.add(keys.arrivals(incident_id, serial()), with_body({}, tuple(arrived)))


def _told(intake: Intake) -> list[tuple[str, Signal]]:
    return [*((execution_id, signal) for _, execution_id, signal in intake.joined), *intake.signals]


def _any_there(work: Work, places: Sequence[Key]) -> bool:
    return len(set(places)) != len(places) or any(work.get(place) is not None for place in places)


def _wanted(intake: Intake) -> list[Key]:
    """Return everything that a delivery is judged by and written on top of."""
    return [
        *(keys.alert(episode.alert_key) for episode in intake.episodes),
        *(keys.incident(incident.id) for incident in intake.incidents),
        *(keys.group(group.id) for group in intake.groups),
        *([versions.LATCH] if intake.latch is not None else []),
        *(keys.execution(execution.id) for execution in intake.opened),
        *(executions.slot_key(execution.slot) for execution in intake.opened),
        *(keys.one("DIGEST", runbook.digest) for runbook in intake.runbooks),
        *(keys.execution(execution_id) for execution_id, _ in _told(intake)),
        *(keys.alert(signal.alert_key) for _, signal in _told(intake)),
    ]
