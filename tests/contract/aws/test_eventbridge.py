"""The bus on EventBridge: chunks, sizes, and a fate for every entry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from runbook_adapters.aws.clients import AwsSettings, Clients
from runbook_adapters.eventbridge import ADAPTER
from runbook_adapters.eventbridge.bus import EventBridgeBus
from runbook_engine.errors import NoAdapter
from runbook_engine.model.bus import BusEvent
from tests.contract.aws.account import (
    ACCOUNT,
    NOW,
    REGION,
    SteppedClock,
    account,
    client,
    context,
    of_aws,
    refusal,
    serve,
    service,
    shared_sessions,
)
from tests.contract.http_service import Asked, HttpService, Told

BUS = "runbook-engine"


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here that wants one."""
    with service() as running:
        yield running


@pytest.fixture
def told(server: HttpService) -> HttpService:
    """A service that takes every entry, unless the test wants otherwise."""
    server.asked.clear()
    server.answer = lambda asked: taken(asked, lambda detail: None)
    return server


@pytest.fixture
def waits() -> list[float]:
    """How long the bus has slept."""
    return []


@pytest.fixture
def bus(told: HttpService, waits: list[float]) -> EventBridgeBus:
    """A bus over HTTP; sleeping moves the clock and takes no time."""
    clock = SteppedClock()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    clients = Clients(AwsSettings(region=REGION), shared_sessions())
    return EventBridgeBus(clients, lambda: BUS, clock, sleep=sleep, jitter=lambda: 0.5)


def events(*details: Any) -> list[BusEvent]:
    """Return one event a detail."""
    return [BusEvent(kind="Execution Due", at=NOW, detail={"it": each}) for each in details]


def entries(asked: Asked) -> list[dict[str, Any]]:
    """Return what one call carried."""
    return list(json.loads(asked.body)["Entries"])


def calls(told: HttpService) -> list[list[Any]]:
    """Return what was told of, call by call."""
    return [[json.loads(entry["Detail"])["it"] for entry in entries(asked)] for asked in told.asked]


def taken(asked: Asked, failing: Callable[[Any], str | None]) -> Told:
    """Answer as EventBridge does, with an error code for what fails."""
    codes = [failing(json.loads(entry["Detail"])["it"]) for entry in entries(asked)]
    told = [{"ErrorCode": code, "ErrorMessage": "no"} if code else {"EventId": "1"} for code in codes]
    body = {"FailedEntryCount": sum(bool(code) for code in codes), "Entries": told}
    return of_aws(json.dumps(body).encode())


def fates(unpublished: Any) -> list[tuple[Any, str, str]]:
    """Return what was not taken, and why."""
    return [(each.event.detail["it"], each.code, each.reason) for each in unpublished]


def test_event_arrives_as_it_is_when_it_is_published() -> None:
    """Source, type, time and detail, on the bus that is named."""
    with account():
        events_client, queue = client("events"), client("sqs").create_queue(QueueName="heard")["QueueUrl"]
        events_client.create_event_bus(Name=BUS)
        pattern = json.dumps({"source": ["runbook-engine"], "detail-type": ["Execution Due"]})
        events_client.put_rule(Name="all", EventBusName=BUS, EventPattern=pattern)
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard"
        events_client.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "1", "Arn": arn}])

        unpublished = serve(ADAPTER, "bus", bus=BUS).writer.publish(events("ünï"))

        (heard,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(heard["Body"])
    assert () == unpublished
    assert ("runbook-engine", "Execution Due", {"it": "ünï"}) == (body["source"], body["detail-type"], body["detail"])
    assert body["time"] in ("2026-03-01T03:07:00Z", "2026-03-01T03:07:00+00:00")


def test_nothing_is_asked_when_there_is_nothing_to_tell(told: HttpService, bus: EventBridgeBus) -> None:
    """No call, no answer."""
    assert ((), []) == (bus.publish(()), told.asked)


def test_events_go_in_tens_when_there_are_many(told: HttpService, bus: EventBridgeBus) -> None:
    """In their order, at most ten a call."""
    assert () == bus.publish(events(*range(23)))

    assert [list(range(10)), list(range(10, 20)), [20, 21, 22]] == calls(told)


def test_large_events_go_in_calls_of_their_own(told: HttpService, bus: EventBridgeBus) -> None:
    """Older limits of a whole call still hold in places."""
    assert () == bus.publish(events("a" * 150_000, "b" * 80_000, "c" * 80_000, "d"))

    assert [["a", "b"], ["c", "d"]] == [[each[0] for each in call] for call in calls(told)]


def test_detail_is_returned_unsent_when_it_is_too_large(told: HttpService, bus: EventBridgeBus) -> None:
    """Measured in bytes; the others go out."""
    unpublished = bus.publish(events("a", "é" * 100_000, "b"))

    (fate,) = unpublished
    assert [["a", "b"]] == calls(told)
    assert (
        "TooLarge",
        "the detail has 200009 bytes, and 200000 are taken (name what it is about by its id)",
    ) == (fate.code, fate.reason)


def test_entries_are_sent_again_when_the_service_is_at_fault(
    told: HttpService, bus: EventBridgeBus, waits: list[float]
) -> None:
    """Only those, and only as long as they fail; HTTP 200 hides nothing."""
    left = {1: ["InternalFailure", "ThrottlingException"], 3: ["InternalFailure"]}
    told.answer = lambda asked: taken(asked, lambda it: left[it].pop(0) if left.get(it) else None)

    assert () == bus.publish(events(0, 1, 2, 3))

    assert [[0, 1, 2, 3], [1, 3], [1]] == calls(told)
    assert [0.075, 0.15] == pytest.approx(waits)


def test_entries_are_returned_when_the_service_refuses_them(
    told: HttpService, bus: EventBridgeBus, waits: list[float]
) -> None:
    """Sending them again would be pointless, and the others are taken."""
    codes = {1: "NotAuthorizedForSourceException", 2: "MalformedDetail"}
    told.answer = lambda asked: taken(asked, codes.get)

    unpublished = bus.publish(events(0, 1, 2, 3))

    assert [(1, "NotAuthorizedForSourceException", "no"), (2, "MalformedDetail", "no")] == fates(unpublished)
    assert (1, []) == (len(told.asked), waits)


def test_trying_ends_when_the_service_stays_at_fault(
    told: HttpService, bus: EventBridgeBus, waits: list[float]
) -> None:
    """Five tries within a few seconds; what is left is named with its last code."""
    told.answer = lambda asked: taken(asked, lambda it: "ThrottlingException" if it == "slow" else None)

    unpublished = bus.publish(events("fast", "slow"))

    assert [("slow", "ThrottlingException", "no")] == fates(unpublished)
    assert 5 == len(told.asked)
    assert sum(waits) < timedelta(seconds=5).total_seconds()


def test_trying_ends_when_its_time_is_used_up(told: HttpService) -> None:
    """A slow service is not asked five times: whoever publishes has a time limit of its own."""
    clock = SteppedClock()

    def slow(asked: Asked) -> Told:
        clock.advance(6)
        return taken(asked, lambda it: "InternalFailure")

    told.answer = slow
    clients = Clients(AwsSettings(region=REGION), shared_sessions())
    bus = EventBridgeBus(clients, lambda: BUS, clock, sleep=clock.advance, jitter=lambda: 0.0)

    unpublished = bus.publish(events("x"))

    assert ([("x", "InternalFailure", "no")], 1) == (fates(unpublished), len(told.asked))


def test_a_bus_that_hangs_is_waited_for_once_when_there_is_much_to_tell(told: HttpService) -> None:
    """Ten calls that each take their whole time would outlive the function that publishes."""
    clock = SteppedClock()

    def hanging(asked: Asked) -> Told:
        clock.advance(10)
        return refusal("InternalException", 500)

    told.answer = hanging
    clients = Clients(AwsSettings(region=REGION), shared_sessions())
    bus = EventBridgeBus(clients, lambda: BUS, clock, sleep=clock.advance, jitter=lambda: 0.0)

    unpublished = bus.publish(events(*range(25)))

    assert (list(range(25)), 1) == ([number for number, _, _ in fates(unpublished)], len(told.asked))
    assert unpublished[-1].reason == "not sent: the bus has not answered in time before"


@pytest.mark.parametrize(
    ("answer", "tries", "code", "says"),
    [
        pytest.param(
            refusal("AccessDeniedException", message="not authorized"),
            1,
            "AccessDeniedException",
            f"publishing to bus {BUS}: AccessDeniedException: not authorized "
            "(see `runbook permissions --format iam` for what the engine needs)",
            id="denied",
        ),
        pytest.param(
            refusal("ResourceNotFoundException", message="Event bus x does not exist."),
            1,
            "ResourceNotFoundException",
            f"publishing to bus {BUS}: ResourceNotFoundException: Event bus x does not exist.",
            id="no such bus",
        ),
        pytest.param(
            refusal("ThrottlingException", message="Rate exceeded"),
            5,
            "NotAnswered",
            f"publishing to bus {BUS}: ThrottlingException: Rate exceeded",
            id="throttled",
        ),
        pytest.param(
            refusal("InternalException", 500),
            5,
            "NotAnswered",
            f"publishing to bus {BUS}: InternalException: so it is: it may be done or not",
            id="broken",
        ),
        pytest.param(
            of_aws(b"{}"), 5, "NotAnswered", "the service did not say what became of it", id="an empty answer"
        ),
    ],
)
def test_every_event_of_a_call_is_returned_when_the_call_fails(
    told: HttpService, bus: EventBridgeBus, answer: Told, tries: int, code: str, says: str
) -> None:
    """Nothing is raised: whoever publishes keeps what was not taken."""
    told.tell(answer)

    unpublished = bus.publish(events("a", "b"))

    assert [("a", code, says), ("b", code, says)] == fates(unpublished)
    assert tries == len(told.asked)


def test_bus_is_found_when_it_is_named_by_the_environment(told: HttpService) -> None:
    """Terraform knows its name."""
    within = context(secrets={"RUNBOOK_BUS": "other"})

    serve(ADAPTER, "bus", within, bus={"env": "RUNBOOK_BUS"}).writer.publish(events("x"))

    assert ["other"] == [entry["EventBusName"] for entry in entries(told.asked[0])]


def test_other_ports_are_refused_when_asked() -> None:
    """A bus is a bus."""
    with pytest.raises(NoAdapter) as caught:
        serve(ADAPTER, "journal", bus=BUS)

    assert "eventbridge does not serve journal (it serves bus)" == str(caught.value)


def test_doctor_says_which_bus() -> None:
    """Nothing is published for it."""
    with account():
        probe = serve(ADAPTER, "bus", bus=BUS).probe
        assert probe is not None

        assert f"answers for account {ACCOUNT}, region {REGION}, as user/moto; the bus is {BUS}" == probe()
