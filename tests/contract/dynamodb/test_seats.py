"""Seats and first uses: who drives, how they are woken, and what was used already."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import pytest

from runbook_adapters.dynamodb import DynamoSeats
from runbook_adapters.dynamodb.table import Table
from runbook_engine.errors import Unreadable
from runbook_engine.ports import FirstUses, Seats
from tests.contract.journal.samples import NOON, after
from tests.emulators.dynamodb import Faults, losing, refusal, refusing


@pytest.fixture
def seats(table: Table) -> DynamoSeats:
    """The seats of a table."""
    return DynamoSeats(table)


def test_seat_is_held_by_who_sat_down_last(seats: DynamoSeats) -> None:
    """Seats of other executions are others."""
    seats.take("a", "first", NOON)
    seats.take("b", "first", NOON)
    seats.take("a", "second", after(1))

    assert (False, True) == (seats.holds("a", "first"), seats.holds("a", "second"))
    assert seats.holds("b", "first")
    assert not seats.holds("c", "first")


def test_seat_is_free_when_its_driver_gets_up(seats: DynamoSeats) -> None:
    """Getting up twice is harmless."""
    seats.take("a", "first", NOON)
    seats.keep_token("a", "first", "secret", after(5))

    seats.leave("a", "first")
    seats.leave("a", "first")

    assert not seats.holds("a", "first")
    assert seats.token("a") is None


def test_seat_is_kept_when_somebody_else_gets_up(seats: DynamoSeats) -> None:
    """A driver that was replaced takes nothing with it."""
    seats.take("a", "first", NOON)
    seats.take("a", "second", after(1))

    seats.leave("a", "first")

    assert seats.holds("a", "second")


def test_token_is_kept_for_who_sits_there(seats: DynamoSeats) -> None:
    """A newer one replaces it; one who does not sit there is told so, and keeps none."""
    seats.take("a", "first", NOON)
    before = seats.token("a")

    kept = [seats.keep_token("a", "first", token, after(5)) for token in ("one", "two")]
    lost = seats.keep_token("a", "second", "three", after(5))
    nobody = seats.keep_token("b", "first", "four", after(5))

    assert (None, [True, True], False, False) == (before, kept, lost, nobody)
    assert ("two", None) == (seats.token("a"), seats.token("b"))


def test_token_is_forgotten_when_another_driver_sits_down(seats: DynamoSeats) -> None:
    """It would wake who has gone."""
    seats.take("a", "first", NOON)
    seats.keep_token("a", "first", "secret", after(5))

    seats.take("a", "second", after(1))

    assert seats.token("a") is None


def test_token_is_not_kept_when_another_sits_down_between_look_and_write(seats: DynamoSeats, faults: Faults) -> None:
    """The write notices, and looks again."""
    seats.take("a", "first", NOON)

    def overtake(operation: str, request: object) -> None:
        if operation == "TransactWriteItems":
            faults.before = lambda operation, request: None
            seats.take("a", "second", after(1))

    faults.before = overtake

    assert not seats.keep_token("a", "first", "secret", after(5))
    assert seats.token("a") is None


def test_key_is_used_once_until_it_is_forgotten(seats: DynamoSeats) -> None:
    """Used exactly at its end it may be used again, whether or not DynamoDB has removed it by then."""
    uses = [seats.first_use("signature", after(10), at) for at in (NOON, after(1), after(9.9))]

    assert [True, False, False] == uses
    assert seats.first_use("other", after(10), NOON)
    assert seats.first_use("signature", after(20), after(10))
    assert not seats.first_use("signature", after(30), after(11))


def test_key_may_be_used_again_when_it_is_forgotten(seats: DynamoSeats, client: Any, name: str) -> None:
    """What it was used for was not kept, and is sent again; forgetting what nobody used is harmless."""
    seats.first_use("signature", after(10), NOON)
    seats.first_use("other", after(10), NOON)

    seats.forget("signature")
    seats.forget("signature")

    assert ["USED#other"] == [item["pk"]["S"] for item in client.scan(TableName=name)["Items"]]
    assert [True, False] == [seats.first_use("signature", after(10), at) for at in (after(1), after(2))]


def test_seats_serve_all_that_their_ports_promise() -> None:
    """A host calls them through the ports; what is missing would be missed in the middle of a delivery."""
    promised = {name for port in (Seats, FirstUses) for name in vars(port) if not name.startswith("_")}

    assert [] == [name for name in sorted(promised) if not callable(getattr(DynamoSeats, name, None))]


def test_key_is_used_again_when_it_was_forgotten_in_between(seats: DynamoSeats) -> None:
    """What it was used for has not been kept; of a key that nobody used nothing need be forgotten."""
    assert seats.first_use("signature", after(10), NOON)

    seats.forget("signature")
    seats.forget("other")

    assert seats.first_use("signature", after(10), NOON)
    assert not seats.first_use("signature", after(10), NOON)


def test_key_is_used_by_one_of_many_when_they_come_together(seats: DynamoSeats) -> None:
    """Sixteen threads, one key."""
    with ThreadPoolExecutor(16) as threads:
        uses = list(threads.map(lambda number: seats.first_use("one", after(10), NOON), range(16)))

    assert [True] == [use for use in uses if use]


def test_use_is_the_first_when_its_answer_is_lost(seats: DynamoSeats, faults: Faults) -> None:
    """The repeat is no second use."""
    faults.after = losing(1)

    assert seats.first_use("key", after(10), NOON)
    assert not seats.first_use("key", after(10), NOON)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda seats: seats.take("a", "first", NOON), id="take"),
        pytest.param(lambda seats: seats.keep_token("a", "first", "secret", NOON), id="keep a token"),
        pytest.param(lambda seats: seats.first_use("key", after(1), NOON), id="first use"),
        pytest.param(lambda seats: seats.forget("used"), id="forget"),
    ],
)
def test_seats_raise_unreadable_when_the_table_is_throttled(seats: DynamoSeats, faults: Faults, ask: Any) -> None:
    """Who cannot know sits nowhere; who cannot remember says no."""
    seats.take("a", "first", NOON)
    seats.first_use("used", after(1), NOON)
    faults.before = refusing(repeat(refusal("ThrottlingException", says="Rate exceeded")))

    with pytest.raises(Unreadable, match="takes no more at the moment: ThrottlingException: Rate exceeded"):
        ask(seats)


def test_seats_and_uses_expire_when_nobody_needs_them(seats: DynamoSeats, client: Any, name: str) -> None:
    """DynamoDB removes them some time later: a seat after thirty days, a use after its end."""
    seats.take("a", "first", NOON)
    seats.first_use("key", after(10), NOON)

    items = client.scan(TableName=name)["Items"]

    noon = int(NOON.timestamp())
    assert {"SEAT": noon + 30 * 86400, "USED": noon + 601} == {item["sk"]["S"]: int(item["ttl"]["N"]) for item in items}
