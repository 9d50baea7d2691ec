"""Recorded changes in the table: each once, the newest first, and none for longer than they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from runbook_adapters.dynamodb import keys, schema
from runbook_adapters.dynamodb.items import Item, bodies_of, with_body
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.table import Table, key_of
from runbook_adapters.dynamodb.work import Work
from runbook_engine.model.changes import KEPT_FOR, MOST_RECORDED, mark_of
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target

MOST_FORGOTTEN = 20  # with one that is recorded: two items each, and a transaction takes a hundred


def record_change(work: Work, table: Table, target: Target, event: ChangeEvent, serial: Callable[[], str]) -> None:
    """Keep a change unless it is kept already, and forget some that are too old."""
    pk, mark = keys.changes(target), hashlib.sha256(mark_of(target, event).encode()).hexdigest()[:32]
    expiry = int((event.at.astimezone(UTC) + KEPT_FOR).timestamp()) + 1
    kept_once = Key(pk, f"MARK#{mark}")
    is_new = work.get(kept_once) is None
    if is_new:
        work.put(kept_once, {schema.TTL: expiry})
        place = Key(pk, f"AT#{keys.moment(event.at)}#{serial()}#{mark}")
        listed: Item = {"gsi1pk": keys.CHANGES, "gsi1sk": keys.moment(event.at), schema.TTL: expiry}
        work.add(place, with_body(listed, event))
    oldest = keys.moment(event.at - KEPT_FOR)
    for entry in islice(table.keys_in(schema.NEWEST, keys.CHANGES, "0", oldest, page=MOST_FORGOTTEN), MOST_FORGOTTEN):
        if str(entry["gsi1sk"]) < oldest:
            old = key_of(entry)
            work.point(old, None)
            old_once = Key(old.pk, f"MARK#{old.sk.rpartition('#')[2]}")
            if not (is_new and old_once == kept_once):  # expired before its change did, and said anew
                work.point(old_once, None)


def recorded_changes(table: Table, target: Target, since: datetime) -> tuple[ChangeEvent, ...]:
    """Return the changes of a target since then, newest first."""
    found = table.query(keys.changes(target), f"AT#{keys.moment(since)}", "AT#~", page=MOST_RECORDED, backwards=True)
    return bodies_of(islice(found, MOST_RECORDED), ChangeEvent)
