"""Indexes that are a moment late, and items that expire one by one: nothing is told that is no longer so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from runbook_adapters.dynamodb import DynamoJournal, keys
from runbook_engine.model.incident import Intake
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from tests.contract.journal.samples import (
    NOON,
    after,
    audit_record,
    episode,
    execution,
    incident,
    lease,
    opened,
    signal,
)
from tests.emulators.dynamodb import Faults, LateIndexes

CHECKOUT = Target("deployment", "prod", "apps", "checkout", "uid-1")


def test_due_leaves_out_what_has_moved_since_the_index_was_written(
    journal: DynamoJournal, faults: Faults, name: str
) -> None:
    """One ended, one has a driver, one sleeps longer; what became due is named once the index knows it."""
    ended, driven, asleep = (opened(journal, each, due_at=after(1)) for each in ("ended", "driven", "asleep"))
    opened(journal, "woken", due_at=None)
    faults.before = LateIndexes(name)
    journal.commit(msgspec.structs.replace(ended, status="failed", due_at=None), expected_version=0, now=after(1))
    journal.commit(msgspec.structs.replace(driven, lease=lease("w", 9)), expected_version=0, now=after(1))
    journal.commit(msgspec.structs.replace(asleep, due_at=after(9)), expected_version=0, now=after(1))
    journal.signal("woken", signal(at=2))
    late = journal.due(after(3), 10)

    faults.before = lambda operation, request: None

    assert ((), ("woken",)) == (late, journal.due(after(3), 10))


def test_due_names_an_execution_once_when_an_index_shows_it_twice(journal: DynamoJournal, faults: Faults) -> None:
    """Its old place may be there still while its new one is there already."""
    opened(journal, "a", due_at=after(1))
    place = {"pk": {"S": "EXEC#a"}, "sk": {"S": "META"}, "gsi2pk": {"S": keys.shard("DUE", "a")}}
    shown = [{**place, "gsi2sk": {"S": f"{keys.moment(after(minute))}#a"}} for minute in (0, 1)]

    def answer(operation: str, request: Any) -> AWSResponse | None:
        if operation != "Query":
            return None
        asked = json.loads(request.body)["ExpressionAttributeValues"][":pk"]
        found = shown if asked == place["gsi2pk"] else []
        return AWSResponse("", 200, {}, MockRawResponse(json.dumps({"Items": found, "Count": len(found)}).encode()))

    faults.before = answer

    assert ("a",) == journal.due(after(3), 10)


def test_lists_leave_out_what_has_moved_since_the_index_was_written(
    journal: DynamoJournal, faults: Faults, name: str
) -> None:
    """Finished, resolved, closed or seen again: the table says so, whatever an index shows."""
    journal.record(
        Intake(
            incidents=(incident("i"),),
            episodes=(episode("shut"), episode("seen")),
            opened=(execution("a"),),
        )
    )
    faults.before = LateIndexes(name)
    journal.record(
        Intake(
            incidents=(incident("i", version=1, resolved_at=after(5)),),
            episodes=(episode("shut", version=1, state="closed"), episode("seen", 9, version=1)),
        )
    )
    journal.commit(msgspec.structs.replace(execution("a"), status="failed", due_at=None), expected_version=0, now=NOON)

    assert () == journal.executions(limit=9, active_only=True)
    assert () == journal.incidents(limit=9, open_only=True)
    assert () == journal.open_episodes(after(5), 9)
    assert {"executions.failed": 1} == {
        name: number for name, number in journal.counts().items() if name.startswith("executions.")
    }


def test_newest_incident_and_group_of_a_key_are_found_when_indexes_are_late(
    journal: DynamoJournal, faults: Faults, name: str
) -> None:
    """What is decided on is no index."""
    faults.before = LateIndexes(name)
    journal.record(Intake(incidents=(incident("i"),), opened=(execution("a", slot="s"),)))

    newest = journal.newest_incident("apps/checkout")

    assert newest is not None
    assert "i" == newest.id
    assert {"s": "a"} == journal.holders(["s"])
    assert ["a"] == [found.id for found in journal.executions(limit=9, incident_id="incident-1")]


def test_records_are_listed_though_their_execution_was_removed(journal: DynamoJournal, client: Any, name: str) -> None:
    """Somebody wrote to the table: what lists executions knows nothing of it any more."""
    journal.commit(opened(journal, "a"), expected_version=0, records=(audit_record("a", 1),), now=NOON)
    client.delete_item(TableName=name, Key={"pk": {"S": "EXEC#a"}, "sk": {"S": "META"}})

    found = journal.audited(10)

    assert (("a",), ()) == (found, journal.executions(limit=10))


def test_change_is_kept_when_its_mark_has_expired_before_the_change_itself(
    journal: DynamoJournal, client: Any, name: str
) -> None:
    """DynamoDB removes what has expired one by one, in no order; the same may be said anew after ninety days."""
    found = ChangeEvent(at=NOON, who="kubernetes", what="revision 4", kind="healthy", revision=4)
    journal.record_change(CHECKOUT, found)
    (mark,) = (item for item in client.scan(TableName=name)["Items"] if item["sk"]["S"].startswith("MARK#"))
    client.delete_item(TableName=name, Key={"pk": mark["pk"], "sk": mark["sk"]})
    again = msgspec.structs.replace(found, at=NOON + timedelta(days=91))

    journal.record_change(CHECKOUT, again)
    journal.record_change(CHECKOUT, msgspec.structs.replace(again, at=NOON + timedelta(days=92)))

    assert (again,) == journal.recorded_changes(CHECKOUT, NOON)
