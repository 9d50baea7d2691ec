"""Several processes on one table: nothing is done twice. moto answers over HTTP, one request at a time."""

from collections.abc import Iterator
from functools import partial

import pytest

from runbook_adapters.dynamodb import DynamoJournal
from tests.contract.journal.opening import Where
from tests.contract.journal.samples import after, opened
from tests.contract.journal.workers import BUDGET, race_for_versions, run_together, spend_budget
from tests.emulators.dynamodb import DynamoServer, new_table
from tests.emulators.dynamodb_client import open_journal, plain_client


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server."""
    with DynamoServer() as running:
        yield running.url


def shared(server: str) -> tuple[Where, DynamoJournal]:
    """A table, for others and for this process."""
    client = plain_client(server)
    name = new_table(client)
    return (server, name), open_journal(name, client)


@pytest.mark.slow
def test_exactly_five_changes_are_made_when_eight_processes_share_a_budget_of_five(server: str) -> None:
    """Forty executions want one; the item of the budget lets five have it."""
    where, journal = shared(server)

    results = run_together(partial(spend_budget, times=5), where, processes=8)

    assert 5 == sum(result["Committed"] for result in results)
    assert 35 == sum(result["Refused"] for result in results)
    assert 5 == journal.changes_within(BUDGET.key, after(-60), other_than="")
    assert 40 == journal.counts()["executions.pending"]


@pytest.mark.slow
def test_no_version_is_stored_twice_when_two_processes_race_for_the_lease(server: str) -> None:
    """The version is the fence: every one of them was won by one process, and none is missing."""
    where, journal = shared(server)
    opened(journal, "contested")

    first, second = run_together(partial(race_for_versions, wins=15), where, processes=2)

    assert list(range(1, 31)) == sorted(first + second)
    assert 30 == journal.load("contested").version
    assert list(range(1, 31)) == [record.number for record in journal.audit("contested")]
