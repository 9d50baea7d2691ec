"""The adapter `dynamodb`: what it is built from, what its table is, and what a question costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from runbook_adapters.aws.clients import COMMON, Sessions
from runbook_adapters.dynamodb import ADAPTER, DynamoJournal, DynamoSeats, DynamoSettings, Serials, keys
from runbook_adapters.dynamodb.items import body_of, decode, encode, with_body
from runbook_adapters.dynamodb.schema import TABLE
from runbook_engine.errors import NoAdapter
from runbook_engine.model.configuration import Configuration, SecretReference
from runbook_engine.model.guardrail import Budget, Cooldown, Lock
from runbook_engine.model.incident import Intake
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext
from tests.contract.journal.samples import (
    NOON,
    after,
    arrival,
    audit_record,
    episode,
    execution,
    incident,
    lease,
    minutes,
    opened,
    runbook,
    signal,
)
from tests.emulators.dynamodb import Faults, new_table
from tests.emulators.dynamodb_client import StandingClock


class OneClient(Sessions):
    """Sessions whose every client is the one of the test."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self._client = client

    def client(self, service: str, settings: Any, purpose: Any) -> Any:
        """Return it."""
        self.asked.append((service, purpose))
        return self._client


def context(client: Any, tmp_path: Path, **secrets: str) -> AdapterContext:
    """What an adapter is built with."""
    return AdapterContext(
        clock=StandingClock(),
        configuration=Configuration(),
        base=tmp_path,
        state=tmp_path,
        secret=lambda reference: secrets[reference.env],
        common={COMMON: OneClient(client)},
    )


@pytest.mark.parametrize("named", ["plainly", "by the environment"])
def test_adapter_serves_the_journal_and_the_seats_of_a_table(client: Any, tmp_path: Path, named: str) -> None:
    """Looking and touching have clients of their own, made at the first use."""
    name = new_table(client)
    given = context(client, tmp_path, RUNBOOK_TABLE=name)
    settings = DynamoSettings(table=name if named == "plainly" else SecretReference(env="RUNBOOK_TABLE"))
    served = {port: ADAPTER.build(port, settings, given) for port in ADAPTER.provides}
    before = list(given.common[COMMON].asked)

    opened(served["journal"].writer, "a")
    served["seats"].writer.take("a", "driver", NOON)

    assert [] == before
    assert {("dynamodb", "looking"), ("dynamodb", "touching")} == set(given.common[COMMON].asked)
    assert isinstance(served["journal"].reader, DynamoJournal)
    assert served["journal"].reader is served["journal"].writer
    assert isinstance(served["seats"].reader, DynamoSeats)
    assert [f"table {name} answers"] * 2 == [each.probe() for each in served.values()]


def test_adapter_says_what_it_serves_when_another_port_is_asked_for(client: Any, tmp_path: Path) -> None:
    """The sentence names the two."""
    with pytest.raises(NoAdapter) as caught:
        ADAPTER.build("flags", DynamoSettings(table="t"), context(client, tmp_path))

    assert "dynamodb does not serve flags (it serves journal and seats)" == str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({}, "Object missing required field `table`", id="no table"),
        pytest.param({"table": "t", "tabel": "u"}, "Object contains unknown field `tabel`", id="a misspelt key"),
    ],
)
def test_settings_are_refused_when_they_are_not_understood(given: dict[str, str], says: str) -> None:
    """A table is always named."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, DynamoSettings)

    assert says == str(caught.value)


def test_adapter_is_imported_without_any_sdk() -> None:
    """Loading it costs a function's cold start nothing that it may not need."""
    program = (
        "import sys, runbook_adapters.dynamodb; print(sorted({'boto3', 'botocore', 'pydantic'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_table_has_two_keys_and_three_sparse_indexes_of_keys() -> None:
    """As Terraform makes it; all of them are text."""
    indexes = {index["IndexName"]: index for index in TABLE["GlobalSecondaryIndexes"]}

    assert ["gsi1", "gsi2", "gsi3"] == list(indexes)
    assert {"KEYS_ONLY"} == {index["Projection"]["ProjectionType"] for index in indexes.values()}
    assert [("pk", "HASH"), ("sk", "RANGE")] == [(key["AttributeName"], key["KeyType"]) for key in TABLE["KeySchema"]]
    assert [("gsi2pk", "HASH"), ("gsi2sk", "RANGE")] == [
        (key["AttributeName"], key["KeyType"]) for key in indexes["gsi2"]["KeySchema"]
    ]
    assert {"S"} == {each["AttributeType"] for each in TABLE["AttributeDefinitions"]}
    assert "PAY_PER_REQUEST" == TABLE["BillingMode"]


MOMENTS = some.datetimes(timezones=some.just(UTC))


@given(one=MOMENTS, other=MOMENTS)
def test_keys_sort_as_times_do(one: datetime, other: datetime) -> None:
    """Forwards by `moment`, backwards by `newest_first`; and a moment is read back exactly."""
    assert (one < other) == (keys.moment(one) < keys.moment(other))
    assert (one > other) == (keys.newest_first(one, "") < keys.newest_first(other, ""))
    assert one == keys.parse_moment(keys.moment(one))


@given(name=some.text(max_size=3000))
def test_names_fit_into_a_key_whatever_they_are(name: str) -> None:
    """A partition key may have 2,048 bytes, and no name is empty."""
    assert 1 <= len(keys.named("LOCK", name).encode()) <= 2048


@given(
    item=some.dictionaries(
        some.text(min_size=1),
        some.one_of(
            some.text(), some.integers(-(10**37), 10**37), some.binary(), some.booleans(), some.lists(some.text())
        ),
    )
)
def test_items_are_read_back_as_they_were_written(item: dict[str, Any]) -> None:
    """Through the API's own types."""
    assert item == decode(encode(item))


@given(text=some.text(), times=some.integers(1, 500))
def test_bodies_are_read_back_as_they_were_written(text: str, times: int) -> None:
    """Compressed or not; what was beside them stays."""
    value = incident("i", title=text * times)

    item = with_body({"version": 3, "packed": True, "pieces": 2, "digest": "old"}, value)

    assert value == body_of(item, type(value))
    assert 3 == item["version"]
    assert "pieces" not in item


def test_serials_sort_in_the_order_in_which_they_were_asked_for() -> None:
    """Although the clock stands still, and although it goes back."""
    serials = Serials(StandingClock(), token=lambda: "same")

    found = [serials() for _ in range(50)]

    assert found == sorted(set(found))


BUDGET = Budget("b", minutes(60), 5)
CHANGED = Target("deployment", "", "apps", "web")
STEPS: dict[str, tuple[Callable[[DynamoJournal], Any], dict[str, int]]] = {
    "load": (lambda journal: journal.load("a"), {"BatchGetItem": 1}),
    "take a lease, or rest": (
        lambda journal: journal.commit(execution("a", lease=lease("w", 5)), expected_version=0, now=NOON),
        {"BatchGetItem": 1, "TransactWriteItems": 1},
    ),
    "begin with three claims": (
        lambda journal: journal.commit(
            execution("a"),
            expected_version=0,
            records=[audit_record("a", 1)],
            claims=[Lock("l"), Cooldown("c", minutes(1)), BUDGET],
            now=NOON,
        ),
        {"BatchGetItem": 1, "TransactWriteItems": 1},
    ),
    "be refused": (
        lambda journal: journal.commit(execution("a"), expected_version=0, claims=[Lock("taken")], now=NOON),
        {"BatchGetItem": 1},
    ),
    "end": (
        lambda journal: journal.commit(
            execution("a", status="succeeded"), expected_version=0, release_locks=True, now=NOON
        ),
        {"BatchGetItem": 1, "TransactWriteItems": 1},
    ),
    "signal": (lambda journal: journal.signal("a", signal()), {"BatchGetItem": 1, "TransactWriteItems": 1}),
    "store a delivery that opens one": (
        lambda journal: journal.record(
            Intake(
                episodes=(episode("k"),),
                incidents=(incident("i"),),
                opened=(execution("new", "k"),),
                runbooks=(runbook("d1"),),
                arrivals=(arrival("i", 1, "k"),),
            )
        ),
        {"BatchGetItem": 1, "TransactWriteItems": 1},
    ),
    "store a repeat": (
        lambda journal: journal.record(Intake(episodes=(episode("k"),))),
        {"BatchGetItem": 1, "TransactWriteItems": 1},
    ),
    "read episodes": (lambda journal: journal.episodes([f"k{number}" for number in range(100)]), {"BatchGetItem": 1}),
    "read followers": (lambda journal: journal.followers(["alert-a"]), {"BatchGetItem": 2}),
    "read what is due": (lambda journal: journal.due(after(60), 10), {"Query": 4, "BatchGetItem": 1}),
    "read when something is due": (lambda journal: journal.next_due(), {"Query": 8}),
    "read signals": (lambda journal: journal.signals("a", 0), {"Query": 1}),
    "read the newest incident of a key": (lambda journal: journal.newest_incident("x"), {"Query": 1}),
    "count": (lambda journal: journal.counts(), {"Query": 3, "BatchGetItem": 1}),
    "list a page of executions": (lambda journal: journal.executions(limit=50), {"Query": 1, "BatchGetItem": 1}),
    "keep a change": (
        lambda journal: journal.record_change(CHANGED, ChangeEvent(at=NOON, who="ci", what="x")),
        {"BatchGetItem": 1, "Query": 1, "TransactWriteItems": 1},
    ),
}


@pytest.mark.parametrize(("ask", "requests"), STEPS.values(), ids=STEPS)
def test_question_takes_so_many_requests(
    journal: DynamoJournal, faults: Faults, ask: Callable[[DynamoJournal], Any], requests: dict[str, int]
) -> None:
    """A round trip is what a step of a run waits for, so none is added unnoticed."""
    opened(journal, "a")
    journal.commit(opened(journal, "other"), expected_version=0, claims=[Lock("taken")], now=NOON)
    faults.asked.clear()

    ask(journal)

    assert requests == dict(faults.asked)


def test_only_the_newest_five_hundred_changes_are_told_when_there_are_more(
    journal: DynamoJournal, client: Any, name: str
) -> None:
    """A question is bounded, whatever happened."""
    events = [ChangeEvent(at=after(number), who="ci", what="x") for number in range(510)]
    places = [
        {"pk": keys.changes(CHANGED), "sk": f"AT#{keys.moment(event.at)}#{number}#mark"}
        for number, event in enumerate(events)
    ]
    puts = [
        {"Put": {"TableName": name, "Item": encode(with_body(place, event))}}
        for place, event in zip(places, events, strict=True)
    ]
    for first in range(0, len(puts), 100):  # as many as one transaction takes
        client.transact_write_items(TransactItems=puts[first : first + 100])

    found = journal.recorded_changes(CHANGED, NOON - timedelta(days=365))

    assert 500 == len(found)
    assert (after(509), after(10)) == (found[0].at, found[-1].at)
