"""Cutting: a storm's delivery as several smaller ones, none of which takes more than a transaction can.

Each is what a sender could have posted by itself: its alerts with all that was decided about them, its executions
before their later alerts, its incidents as they stand once it is stored, and the storm latch with the first run that it
counts, which has the page. So wherever the work breaks off, what is stored is whole; the sender was told nothing, posts
everything again, and what is known already is a repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from runbook_adapters.dynamodb.deliveries import Delivery, Follow
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group
from runbook_engine.model.incident import Incident, Intake

MOST_ITEMS = 90  # of the hundred of a transaction
MOST_BYTES = 2_500_000  # as msgpack, of four megabytes
WRITTEN = {"opened": 9, "joined": 2, "signals": 2}  # items of one execution, at worst
MOST_OF_ONE = 72  # of these by one alert in one transaction: its own, its incident's and its arrivals' come beside it
NOBODY = ""  # what is about no alert goes with the first


Said = dict[str, list[Any]]  # fields of an Intake


@dataclass(frozen=True, slots=True)
class _Share:
    """All that a delivery says of one alert."""

    intake: Intake
    items: frozenset[str]  # what it writes: no more than these
    size: int


class Cut:
    """How a delivery is cut: which alerts go into which part."""

    def __init__(self, delivery: Delivery, most_items: int = MOST_ITEMS) -> None:
        self._delivery = delivery
        self._shares = _shares(delivery.intake)
        self._batches = list(_batches(self._shares, most_items))
        self._follows: dict[str, list[Follow]] = {}
        for follow in delivery.follows:
            self._follows.setdefault(follow[0], []).append(follow)

    @property
    def whole(self) -> bool:
        """Whether one transaction takes all of it."""
        return len(self._batches) == 1

    def parts(self, before: Mapping[str, Incident]) -> Iterator[Delivery]:
        """Return the parts, in the order to store them in. `before` are the incidents as they are stored."""
        intake = self._delivery.intake
        incidents, groups = _Incidents(intake, before, self._batches), _Groups(intake)
        runbooks = {runbook.digest: runbook for runbook in intake.runbooks}
        latch = intake.latch
        for number, batch in enumerate(self._batches):
            told = _together(self._shares[alert_key].intake for alert_key in batch)
            last = number == len(self._batches) - 1
            counts = last or any(execution.counted for execution in told.opened)
            used = list(runbooks) if last else dict.fromkeys(each.runbook_digest for each in told.opened)
            yield Delivery(
                msgspec.structs.replace(
                    told,
                    incidents=incidents.after(number),
                    groups=groups.of(told.opened, last=last),
                    latch=latch if counts else None,
                    runbooks=tuple(runbooks.pop(digest) for digest in used if digest in runbooks),
                ),
                tuple(follow for alert_key in batch for follow in self._follows.get(alert_key, ())),
            )
            latch = None if counts else latch


class _Groups:
    """The groups of a delivery: stored with every part that adds to them, so that none is added to once decided."""

    def __init__(self, intake: Intake) -> None:
        self._groups = {group.id: group for group in intake.groups}
        self._stored: set[str] = set()

    def of(self, opened: Sequence[Execution], *, last: bool) -> tuple[Group, ...]:
        """Return the groups that executions are added to, each under the version that it finds."""
        used = [each.group_id for each in opened if each.group_id in self._groups]
        used += [name for name in self._groups if name not in self._stored] if last else []
        found = tuple(self._groups[name] for name in dict.fromkeys(used))
        self._stored |= {group.id for group in found}
        self._groups |= {group.id: msgspec.structs.replace(group, version=group.version + 1) for group in found}
        return found


class _Incidents:
    """The incidents of a delivery as they stand after each of its parts."""

    def __init__(self, intake: Intake, before: Mapping[str, Incident], batches: Sequence[Sequence[str]]) -> None:
        self._before = before
        self._part = {alert_key: number for number, batch in enumerate(batches) for alert_key in batch}
        self._opened = {each.id: self._part[_first(each, self._part)] for each in intake.opened}
        self._final = {incident.id: incident for incident in intake.incidents}
        self._parts = {incident.id: self._touched(incident, intake) for incident in intake.incidents}

    def after(self, number: int) -> tuple[Incident, ...]:
        """Return the incidents that a part touches, each under the version that it finds."""
        return tuple(
            self._after(incident, number) for incident in self._final.values() if number in self._parts[incident.id]
        )

    def _touched(self, incident: Incident, intake: Intake) -> list[int]:
        """Return the parts that touch an incident, in order."""
        old = self._before.get(incident.id)
        known, fired = (set(old.alert_keys), set(old.open_alerts)) if old is not None else (set(), set())
        about = (set(incident.alert_keys) - known) | (set(incident.open_alerts) ^ fired)
        about |= {episode.alert_key for episode in intake.episodes if episode.incident_id == incident.id}
        about |= {arrival.alert.alert_key for arrival in intake.arrivals if arrival.incident_id == incident.id}
        parts = {self._part[alert_key] for alert_key in about if alert_key in self._part}
        parts |= {self._opened[name] for name in incident.execution_ids if name in self._opened}
        return sorted(parts) or [0]

    def _after(self, incident: Incident, number: int) -> Incident:
        written = self._parts[incident.id].index(number)
        version = incident.version + written
        if number == self._parts[incident.id][-1]:
            return msgspec.structs.replace(incident, version=version)
        old = self._before.get(incident.id)
        fired = dict.fromkeys(old.open_alerts) if old is not None else {}
        known = {*old.alert_keys, *old.execution_ids} if old is not None else set()
        firing = set(incident.open_alerts)
        still_open = [key for key in incident.open_alerts if key in fired or self._done(key, number)]
        still_open += [key for key in fired if key not in firing and not self._done(key, number)]
        return msgspec.structs.replace(
            incident,
            version=version,
            open_alerts=tuple(still_open),
            alert_keys=tuple(key for key in incident.alert_keys if key in known or self._done(key, number)),
            execution_ids=tuple(
                name for name in incident.execution_ids if name in known or self._opened.get(name, 0) <= number
            ),
            resolved_at=None if still_open else incident.resolved_at,
        )

    def _done(self, alert_key: str, number: int) -> bool:
        return self._part.get(alert_key, 0) <= number


def _shares(intake: Intake) -> dict[str, _Share]:
    """Return what is said of each alert, alerts in the order in which they were taken."""
    order = [episode.alert_key for episode in intake.episodes]
    order += [arrival.alert.alert_key for arrival in intake.arrivals]
    order += [signal.alert_key for _, _, signal in intake.joined]
    order += [signal.alert_key for _, signal in intake.signals]
    order += [member.alert_key for execution in intake.opened for member in execution.members] or [NOBODY]
    parts: dict[str, Said] = {alert_key: {} for alert_key in order}
    for episode in intake.episodes:
        parts[episode.alert_key].setdefault("episodes", []).append(episode)
    for arrival in intake.arrivals:
        parts[arrival.alert.alert_key].setdefault("arrivals", []).append(arrival)
    for join in intake.joined:
        parts[join[2].alert_key].setdefault("joined", []).append(join)
    for told in intake.signals:
        parts[told[1].alert_key].setdefault("signals", []).append(told)
    numbers = {alert_key: number for number, alert_key in enumerate(parts)}
    for execution in intake.opened:
        parts[_first(execution, numbers)].setdefault("opened", []).append(execution)
    incidents = _incident_items(intake)
    return {
        name: _share(name, fields, incidents)
        for alert_key, said in parts.items()
        for name, fields in _apart(alert_key, said)
    }


def _apart(alert_key: str, said: Said) -> Iterator[tuple[str, Said]]:
    """Return what is said of an alert; where it is about very many executions, most of them before the alert itself.

    Broken off in between, its episode is as it was: posted again it opens the rest, joins those that it has opened,
    and tells them once more what it had told them.
    """
    batches: list[Said] = [{}]
    written = 0
    for name, items in WRITTEN.items():
        for value in said.get(name, ()):
            if written + items > MOST_OF_ONE:
                batches.append({})
                written = 0
            batches[-1].setdefault(name, []).append(value)
            written += items
    for number, batch in enumerate(batches[:-1]):
        yield f"{alert_key} before {number}", batch
    yield alert_key, {**{name: values for name, values in said.items() if name not in WRITTEN}, **batches[-1]}


def _first(execution: Execution, numbers: Mapping[str, int]) -> str:
    """Return the alert that an execution is stored with: whichever of its alerts comes first."""
    followed = [member.alert_key for member in execution.members if member.alert_key in numbers]
    return min(followed, key=numbers.__getitem__, default=next(iter(numbers)))


def _incident_items(intake: Intake) -> dict[str, set[str]]:
    """Return what each alert lets be written of its incidents."""
    found: dict[str, set[str]] = {}
    for incident in intake.incidents:
        items = {f"incident {incident.id}"} | ({f"pointer {incident.id}"} if not incident.version else set())
        for alert_key in incident.alert_keys:
            found.setdefault(alert_key, set()).update(items)
    for arrival in intake.arrivals:
        found.setdefault(arrival.alert.alert_key, set()).add(f"arrivals {arrival.incident_id}")
    return found


def _share(alert_key: str, fields: Said, incidents: Mapping[str, set[str]]) -> _Share:
    intake = Intake(**{name: tuple(values) for name, values in fields.items()})  # type: ignore[arg-type]  # lists only
    items = {f"alert {alert_key}", *incidents.get(alert_key, ())}
    for execution in intake.opened:
        items |= {f"{what} {execution.id}" for what in ("execution", "slot", "listed")}
        items |= {f"runbook {execution.runbook_digest}"}
        items |= {f"counted {execution.id}"} if execution.finished else set()
        if execution.group_id:
            items |= {f"part {execution.id}", *(f"{what} {execution.group_id}" for what in ("group", "pointer"))}
    for told in (*(each[1] for each in intake.joined), *(each[0] for each in intake.signals)):
        items |= {f"execution {told}", f"signals {told}"}
    return _Share(intake, frozenset(items), len(msgspec.msgpack.encode(intake)))


def _batches(shares: Mapping[str, _Share], most_items: int) -> Iterable[list[str]]:
    batch: list[str] = []
    items: frozenset[str] = frozenset()
    size = 0
    for alert_key, share in shares.items():
        if batch and (len(items | share.items) > most_items or size + share.size > MOST_BYTES):
            yield batch
            batch, items, size = [], frozenset(), 0
        batch.append(alert_key)
        items, size = items | share.items, size + share.size
    yield batch


def _together(intakes: Iterable[Intake]) -> Intake:
    found = list(intakes)
    return Intake(
        episodes=tuple(each for intake in found for each in intake.episodes),
        opened=tuple(each for intake in found for each in intake.opened),
        joined=tuple(each for intake in found for each in intake.joined),
        signals=tuple(each for intake in found for each in intake.signals),
        arrivals=tuple(each for intake in found for each in intake.arrivals),
    )
