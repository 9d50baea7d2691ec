"""The contract of every journal over the lean client; a part of it unless the long form is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from runbook_adapters.aws.clients import AwsSettings, Sessions
from runbook_adapters.aws.lean.client import LeanClient
from runbook_adapters.dynamodb import DynamoJournal
from runbook_engine.ports import Journal
from tests.chaos.tally import tries
from tests.contract.aws.account import ENDPOINT, KEYS
from tests.contract.journal import (
    test_claims,
    test_commit,
    test_due,
    test_groups,
    test_intake,
    test_queries,
    test_slots,
)
from tests.emulators.dynamodb import DynamoServer, new_table
from tests.emulators.dynamodb_client import REGION, open_journal, plain_client

SUITES = (test_commit, test_intake, test_slots, test_claims, test_due, test_groups, test_queries)
Behaviour = Callable[[Journal], None]


def behaviours(suite: ModuleType) -> list[Behaviour]:
    """Return the tests of a suite that need a journal and nothing else."""
    found = [each for name, each in vars(suite).items() if name.startswith("test_")]
    return [each for each in found if list(inspect.signature(each).parameters) == ["journal"]]


CHOSEN = [each for suite in SUITES for each in behaviours(suite)[: tries(2, 1000)]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server."""
    with DynamoServer() as running:
        yield running.url


@pytest.fixture
def journal(server: str) -> DynamoJournal:
    """A journal whose client is the lean one."""
    client = Sessions(environment={**KEYS, "HOME": "/nonexistent", ENDPOINT: server}).client(
        "dynamodb", AwsSettings(region=REGION), "looking"
    )
    assert isinstance(client, LeanClient)
    return open_journal(new_table(plain_client(server)), client, pause=lambda attempt: None)


@pytest.mark.parametrize("behaviour", [pytest.param(each, id=each.__name__[5:].replace("_", " ")) for each in CHOSEN])
def test_journal_keeps_its_promises_over_the_lean_client(behaviour: Behaviour, journal: DynamoJournal) -> None:
    """Whatever the client, the journal is the same."""
    behaviour(journal)
