"""One delivery in the file: episodes, incidents, new executions, joins and signals, all or nothing.

A storm brings thousands of alerts in one body, so every table gets one statement for the whole delivery.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from runbook_adapters.sqlite.codec import json_list, optional_micros, pack, to_micros
from runbook_adapters.sqlite.executions import append_signals, count_statuses
from runbook_adapters.sqlite.groups import add_parts, write_groups
from runbook_adapters.sqlite.inbox import leave
from runbook_adapters.sqlite.records import write_latch
from runbook_adapters.sqlite.versions import Row, changed, write_values
from runbook_engine.errors import StaleVersion
from runbook_engine.model.due import due_after_commit
from runbook_engine.model.episode import Episode
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Arrival, Incident, Intake, Join
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.signal import Signal


def write_intake(connection: sqlite3.Connection, intake: Intake, kept: Collection[str] = ()) -> None:
    """Store a delivery; `kept` are digests of runbooks that are known to be stored, which nothing ever removes.

    Raises StaleVersion when anything in it was decided on what is no longer so, Conflict when it was decided before.
    """
    leave(connection, intake.delivery)
    _write_episodes(connection, intake.episodes)
    _write_incidents(connection, intake.incidents)
    write_groups(connection, intake.groups)
    write_latch(connection, intake.latch)
    _open(connection, intake.opened)
    write_runbooks(connection, [runbook for runbook in intake.runbooks if runbook.digest not in kept])
    if intake.joined:
        refuse_lost_slots(connection, intake.joined)
        _follow(connection, [(signal.alert_key, execution_id) for _, execution_id, signal in intake.joined])
    _signal(connection, intake)
    _write_arrivals(connection, intake.arrivals)


def write_runbooks(connection: sqlite3.Connection, runbooks: Iterable[Runbook]) -> None:
    """Keep compiled runbooks by digest; what is there already is the same."""
    wanted = {runbook.digest: runbook for runbook in runbooks}
    if not wanted:
        return
    query = "SELECT digest FROM runbooks WHERE digest IN (SELECT value FROM json_each(?))"
    kept = {digest for (digest,) in connection.execute(query, (json_list(wanted),))}
    rows = [(digest, pack(runbook)) for digest, runbook in wanted.items() if digest not in kept]
    connection.executemany("INSERT OR IGNORE INTO runbooks VALUES (?, ?)", rows)


def holders(connection: sqlite3.Connection, slots: Iterable[str]) -> dict[str, str]:
    """Return who holds these slots."""
    rows = connection.execute(
        "SELECT slot, execution_id FROM slots WHERE slot IN (SELECT value FROM json_each(?))", (json_list(slots),)
    )
    return dict(rows)


def followers(connection: sqlite3.Connection, alert_keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return which executions follow these alerts."""
    rows = connection.execute(
        "SELECT alert_key, execution_id FROM followers WHERE alert_key IN (SELECT value FROM json_each(?))"
        " ORDER BY alert_key, execution_id",
        (json_list(alert_keys),),
    )
    found: dict[str, tuple[str, ...]] = {}
    for alert_key, execution_id in rows:
        found[alert_key] = (*found.get(alert_key, ()), execution_id)
    return found


def _write_episodes(connection: sqlite3.Connection, episodes: Sequence[Episode]) -> None:
    insert = "INSERT OR IGNORE INTO episodes (version, open, last_seen, body, alert_key) VALUES (?, ?, ?, ?, ?)"
    update = "UPDATE episodes SET version = ?, open = ?, last_seen = ?, body = ? WHERE alert_key = ? AND version = ?"
    write_values(connection, "an episode of this delivery", episodes, _episode_row, insert, update)


def _episode_row(episode: Episode) -> Row:
    kept = replace(episode, version=episode.version + 1)
    return kept.version, kept.is_open, to_micros(kept.last_seen), pack(kept), kept.alert_key


def _write_incidents(connection: sqlite3.Connection, incidents: Sequence[Incident]) -> None:
    insert = "INSERT OR IGNORE INTO incidents (version, key, open, opened_at, body, id) VALUES (?, ?, ?, ?, ?, ?)"
    update = "UPDATE incidents SET version = ?, key = ?, open = ?, opened_at = ?, body = ? WHERE id = ? AND version = ?"
    write_values(connection, "an incident of this delivery", incidents, _incident_row, insert, update)


def _incident_row(incident: Incident) -> Row:
    kept = replace(incident, version=incident.version + 1)
    return kept.version, kept.key, kept.resolved_at is None, to_micros(kept.opened_at), pack(kept), kept.id


def _open(connection: sqlite3.Connection, opened: Sequence[Execution]) -> None:
    if not opened:
        return
    inserted = changed(
        connection,
        "INSERT OR IGNORE INTO executions (id, version, status, absorbing, finished, due, lease_until, slot,"
        " incident_id, runbook, opened_at, consumed, body) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        map(_execution_row, opened),
    )
    if inserted != len(opened):
        raise StaleVersion("an execution of this delivery is there already: read the slots again")
    count_statuses(connection, Counter(execution.status for execution in opened))
    slots = sorted([(execution.slot, execution.id) for execution in opened])  # neighbours share pages
    if changed(connection, "INSERT OR IGNORE INTO slots VALUES (?, ?)", slots) != len(slots):
        raise StaleVersion("a slot of this delivery has been taken since it was read: read it again")
    refused = [execution for execution in opened if not execution.absorbing]  # as they were opened
    if refused:
        connection.executemany("DELETE FROM slots WHERE slot = ?", [(execution.slot,) for execution in refused])
    absorbing = [execution for execution in opened if execution.absorbing] if refused else opened
    _follow(connection, [(member.alert_key, execution.id) for execution in absorbing for member in execution.members])
    add_parts(connection, opened)


def _execution_row(opened: Execution) -> Row:
    execution = opened if opened.version == 0 else replace(opened, version=0)
    return (
        execution.id,
        execution.status,
        execution.absorbing,
        execution.finished,
        optional_micros(due_after_commit(execution, signals=0, now=execution.opened_at)),
        optional_micros(execution.lease.until if execution.lease else None),
        execution.slot,
        execution.incident_id,
        execution.runbook,
        to_micros(execution.opened_at),
        execution.signals_consumed,
        pack(execution),
    )


def refuse_lost_slots(connection: sqlite3.Connection, joined: Sequence[Join]) -> None:
    """Raise StaleVersion unless what is to be joined holds its slot."""
    held = holders(connection, [slot for slot, _, _ in joined]) if joined else {}
    for slot, execution_id, _ in joined:
        if held.get(slot) != execution_id:
            raise StaleVersion(f"slot {slot} is no longer held by execution {execution_id}: read it again")


def join(connection: sqlite3.Connection, joined: Sequence[Join]) -> None:
    """Let alerts join executions, each by its signal."""
    _follow(connection, [(signal.alert_key, execution_id) for _, execution_id, signal in joined])
    for _, execution_id, signal in joined:
        append_signals(connection, execution_id, (signal,))


def _signal(connection: sqlite3.Connection, intake: Intake) -> None:
    """Append the signals of joins, and those others that their execution still listens to."""
    wanted: dict[str, list[Signal]] = {}
    for _, execution_id, signal in intake.joined:
        wanted.setdefault(execution_id, []).append(signal)
    following = followers(connection, {signal.alert_key for _, signal in intake.signals}) if intake.signals else {}
    for execution_id, signal in intake.signals:
        if execution_id in following.get(signal.alert_key, ()):
            wanted.setdefault(execution_id, []).append(signal)
    for execution_id, signals in wanted.items():
        append_signals(connection, execution_id, signals)


def _follow(connection: sqlite3.Connection, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        connection.executemany("INSERT OR IGNORE INTO followers VALUES (?, ?)", sorted(pairs))


def _write_arrivals(connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    connection.executemany(
        "INSERT INTO arrivals (incident_id, at, body) VALUES (?, ?, ?)",
        ((arrival.incident_id, to_micros(arrival.at), pack(arrival)) for arrival in arrivals),
    )
