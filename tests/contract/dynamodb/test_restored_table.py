"""A table that DynamoDB restored beside the old one is a whole journal, as it was at that time."""

from typing import Any

from runbook_adapters.dynamodb import DynamoJournal
from runbook_engine.model.guardrail import Lock
from runbook_engine.ports import Committed, Refused
from tests.contract.journal.samples import NOON, after, audit_record, opened
from tests.emulators.dynamodb_client import open_journal


def restored(client: Any, name: str) -> DynamoJournal:
    """Restore a table as people are told to, and open it under its new name."""
    client.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    client.restore_table_to_point_in_time(
        SourceTableName=name, TargetTableName=f"{name}-restored", UseLatestRestorableTime=True
    )
    return open_journal(f"{name}-restored", client, pause=lambda attempt: None)


def test_restored_table_knows_what_the_old_one_knew_and_goes_on_by_itself(
    client: Any, name: str, journal: DynamoJournal
) -> None:
    """Executions, records, claims and indexes are there; what is written afterwards concerns one of them only."""
    held = opened(journal, "a")
    journal.commit(held, expected_version=0, records=[audit_record("a", 1)], claims=[Lock("local/flag")], now=NOON)
    opened(journal, "b")

    again = restored(client, name)
    refused = again.commit(again.load("b"), expected_version=0, claims=[Lock("local/flag")], now=after(5))
    moved = again.commit(again.load("a"), expected_version=1, now=after(6))

    assert isinstance(refused, Refused)
    assert Committed(2) == moved
    assert (1, 2) == (journal.load("a").version, again.load("a").version)
    assert journal.audit("a") == again.audit("a") != ()
    assert ["a", "b"] == sorted(each.id for each in again.executions(limit=10))
    assert {"a", "b"} == set(again.due(after(7), 10))
