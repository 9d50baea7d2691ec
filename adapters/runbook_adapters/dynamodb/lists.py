"""Lists: what an index names, read again from the table, so that what has moved meanwhile is not told as it was."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from runbook_adapters.dynamodb import keys, schema
from runbook_adapters.dynamodb.executions import Stored, parse_stored
from runbook_adapters.dynamodb.items import Item, bodies_of
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.table import Table, key_of
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Incident

MOST_AT_ONCE = 100
COLUMNS = Stored.__struct_fields__
FIRST, LAST = "0", "9~"  # around everything that begins with a time


def executions(table: Table, *, limit: int, incident_id: str, runbook: str, active_only: bool) -> tuple[Execution, ...]:
    """Return executions, newest first."""
    named = _execution_keys(table, min(limit, MOST_AT_ONCE), incident_id, runbook, active_only)
    found = (
        execution
        for item in _read(table, named, limit)
        for execution in bodies_of([item], Execution)
        if incident_id in ("", execution.incident_id)
        and runbook in ("", execution.runbook)
        and not (active_only and execution.finished)
    )
    return tuple(islice(found, limit))


def incidents(table: Table, *, limit: int, open_only: bool) -> tuple[Incident, ...]:
    """Return incidents, open ones first, then newest first."""
    opened = [each for each in _incidents(table, keys.OPEN_INCIDENTS, limit) if each.resolved_at is None]
    if open_only or len(opened) >= limit:
        return tuple(opened[:limit])
    resolved = [each for each in _incidents(table, keys.RESOLVED_INCIDENTS, limit) if each.resolved_at is not None]
    return tuple([*opened, *resolved][:limit])


def due(table: Table, now: datetime, limit: int) -> tuple[str, ...]:
    """Return ids of executions that are due: those that a signal waits for, then the others, longest due first."""
    until = f"{keys.moment(now)}~"
    named = _by_time(table, keys.DUE, until, limit, since=keys.SAID)
    items = table.columns(map(key_of, named), COLUMNS)
    found = {  # an index may show one twice, where it was and where it is
        (stored.leased or stored.signals <= stored.consumed, stored.due, str(entry["gsi2sk"]).partition("#")[2])
        for entry in named
        for stored in _stored(items.get(key_of(entry)))
        if stored.due and stored.due <= keys.moment(now)
    }
    return tuple(execution_id for *_, execution_id in sorted(found)[:limit])


def audited(table: Table, limit: int, after: str) -> tuple[str, ...]:
    """Return ids of what has audit records, in order; after an id."""
    listed = table.keys_in(schema.NEWEST, keys.AUDITED, f"{after}\0", keys.LAST_NAME, page=limit)
    return tuple(str(entry["gsi1sk"]) for entry in islice(listed, limit))


def next_due(table: Table) -> datetime | None:
    """Return when the earliest execution becomes due."""
    first = (*_by_time(table, keys.DUE, FIRST, 1, since=keys.SAID), *_by_time(table, keys.DUE, LAST, 1))
    earliest = min((str(entry["gsi2sk"]).removeprefix(keys.SAID) for entry in first), default=None)
    return None if earliest is None else keys.parse_moment(earliest.partition("#")[0])


def open_episodes(table: Table, seen_before: datetime, limit: int) -> tuple[Episode, ...]:
    """Return open episodes last seen before then, longest unseen first."""
    named = _by_time(table, "OPEN", keys.moment(seen_before), limit)
    items = table.read(map(key_of, named))
    found = [
        episode for episode in bodies_of(items.values(), Episode) if episode.is_open and episode.last_seen < seen_before
    ]
    return tuple(sorted(found, key=lambda episode: (episode.last_seen, episode.alert_key))[:limit])


def counts(table: Table) -> dict[str, int]:
    """Return the numbers of executions by status, of open incidents, and of signals that wait."""
    found: dict[str, int] = {}
    for counter in table.query(keys.COUNTS, FIRST, LAST):
        for name, number in counter.items():
            if isinstance(number, int):
                found[f"executions.{name}"] = found.get(f"executions.{name}", 0) + number
    listed = table.keys_in(schema.ACTIVE, keys.ACTIVE, FIRST, LAST)
    active = table.columns(map(key_of, listed), COLUMNS)
    waiting = 0
    for stored in map(parse_stored, active.values()):
        waiting += max(0, stored.signals - stored.consumed)
        if not stored.finished:
            found[f"executions.{stored.status}"] = found.get(f"executions.{stored.status}", 0) + 1
    opened = table.count_in(schema.NEWEST, keys.OPEN_INCIDENTS, FIRST, LAST)
    present = {name: number for name, number in found.items() if number}
    return {**present, "incidents.open": opened, "signals.waiting": waiting}


def _execution_keys(table: Table, page: int, incident_id: str, runbook: str, active_only: bool) -> Iterator[Key]:
    if incident_id:
        entries = table.query(keys.named("INC", incident_id), "EXEC#", "EXEC#~", page=page)
        return (keys.execution(str(entry["execution"])) for entry in entries)
    if runbook:
        listed = table.keys_in(schema.NEWEST, keys.named("RUNBOOK", runbook), FIRST, LAST, page=page)
        return (keys.execution(str(entry["gsi1sk"]).partition("#")[2]) for entry in listed)
    index, pk = (schema.ACTIVE, keys.ACTIVE) if active_only else (schema.NEWEST, keys.EXECUTIONS)
    return map(key_of, table.keys_in(index, pk, FIRST, LAST, page=page))


def _incidents(table: Table, pk: str, limit: int) -> tuple[Incident, ...]:
    named = table.keys_in(schema.NEWEST, pk, FIRST, LAST, page=min(limit, MOST_AT_ONCE))
    return bodies_of(islice(_read(table, map(key_of, named), limit), limit), Incident)


def _read(table: Table, named: Iterator[Key], limit: int) -> Iterator[Item]:
    """Return the items of these keys in their order, read no further ahead than is likely to be wanted."""
    while batch := list(islice(named, min(limit, MOST_AT_ONCE))):
        found = table.read(batch)
        yield from (found[key] for key in batch if key in found)


def _by_time(table: Table, kind: str, until: str, limit: int, *, since: str = FIRST) -> list[Item]:
    """Return what comes first in an index that is spread over shards, earliest first."""
    each = (
        islice(table.keys_in(schema.TIMES, pk, since, until, page=min(limit, MOST_AT_ONCE)), limit)
        for pk in keys.shards(kind)
    )
    return list(islice(heapq.merge(*each, key=lambda entry: str(entry["gsi2sk"])), limit))


def _stored(item: Item | None) -> tuple[Stored, ...]:
    return () if item is None else (parse_stored(item),)
