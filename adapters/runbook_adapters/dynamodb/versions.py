"""Versioned records, incidents and groups: stored on top of the version that was read, the newest found by a pointer.

What is decided on the newest must not be read late, so each has a pointer in the table itself, under its owner.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runbook_adapters.dynamodb import keys
from runbook_adapters.dynamodb.captions import incident_columns
from runbook_adapters.dynamodb.items import Item, body_of, with_body
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.table import Table
from runbook_adapters.dynamodb.work import Work
from runbook_engine.errors import StaleVersion
from runbook_engine.model.group import Group
from runbook_engine.model.incident import Incident
from runbook_engine.model.storm import Latch

LATCH = keys.one("LATCH", "storm")
POINTER = ("owner", "found")  # where the pointer to an item stands: it may have to go elsewhere


def refuse_moved(work: Work, what: str, read: Sequence[tuple[Key, int]]) -> None:
    """Raise StaleVersion unless every item is there once, with the version that it was read with."""
    work.read(key for key, _ in read)
    versions = dict(read)
    if len(versions) != len(read) or any(_version(work.get(key)) != version for key, version in read):
        raise StaleVersion(f"{what} has moved since it was read: read it again")


def refuse_moved_incidents(work: Work, incidents: Sequence[Incident]) -> None:
    """Raise StaleVersion unless every incident has the version that it was read with."""
    read = [(keys.incident(incident.id), incident.version) for incident in incidents]
    refuse_moved(work, "an incident of this delivery", read)


def refuse_moved_groups(work: Work, groups: Sequence[Group]) -> None:
    """Raise StaleVersion unless every group has the version that it was read with."""
    refuse_moved(work, "a group", [(keys.group(group.id), group.version) for group in groups])


def write_incident(work: Work, incident: Incident) -> None:
    """Store an incident under the version after the one that it was read with."""
    kept = msgspec.structs.replace(incident, version=incident.version + 1)
    listed = keys.OPEN_INCIDENTS if kept.resolved_at is None else keys.RESOLVED_INCIDENTS
    found = keys.newest_first(kept.opened_at, kept.id)
    columns: Item = {"version": kept.version, "gsi1pk": listed, "gsi1sk": found, **incident_columns(kept)}
    pointer = keys.newest("KEY", kept.key, kept.opened_at, kept.id)
    _write(work, keys.incident(kept.id), with_body(columns, kept), pointer)


def write_group(work: Work, group: Group) -> None:
    """Store a group under the version after the one that it was read with."""
    kept = msgspec.structs.replace(group, version=group.version + 1)
    pointer = keys.newest("GROUPS", kept.runbook, kept.opened_at, kept.id)
    _write(work, keys.group(kept.id), with_body({"version": kept.version}, kept), pointer)


def refuse_moved_latch(work: Work, latch: Latch | None) -> None:
    """Raise StaleVersion unless the storm latch has the version that it was read with."""
    if latch is not None:
        refuse_moved(work, "the storm latch", [(LATCH, latch.version)])


def write_latch(work: Work, latch: Latch | None) -> None:
    """Store the storm latch under the version after the one that it was read with."""
    if latch is not None:
        kept = msgspec.structs.replace(latch, version=latch.version + 1)
        work.put(LATCH, with_body({"version": kept.version}, kept))


def newest_incident(table: Table, key: str) -> Incident | None:
    """Return the newest incident of a correlation key."""
    item = _newest(table, keys.named("KEY", key))
    return None if item is None else body_of(item, Incident)


def newest_group(table: Table, runbook: str) -> Group | None:
    """Return the newest group of a runbook."""
    item = _newest(table, keys.named("GROUPS", runbook))
    return None if item is None else body_of(item, Group)


def _newest(table: Table, pk: str) -> Item | None:
    pointer = next(table.query(pk, "0", "9~", page=1), None)
    if pointer is None:
        return None
    place = Key(str(pointer["at"]), keys.META)
    return table.read([place]).get(place)


def _write(work: Work, place: Key, item: Item, pointer: Key) -> None:
    before = work.get(place)
    owner, found = POINTER
    old = Key(str(before[owner]), str(before[found])) if before is not None else None
    work.put(place, {**item, owner: pointer.pk, found: pointer.sk})
    if old == pointer:
        return
    if old is not None:
        work.point(old, None)
    work.point(pointer, {"at": place.pk})


def _version(item: Item | None) -> int:
    return int(str(item.get("version", 0))) if item is not None else 0
