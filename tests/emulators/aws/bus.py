"""EventBridge as documented where moto stops: delivery to every target, retries, dead letters, replays, and faults.

At least once and in no order: a test may ask for duplicates and for a shuffle. Nothing is delivered inside PutEvents;
deliveries stand in the agenda until the test lets them run.
"""

import json
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from moto.events.exceptions import ValidationException
from moto.events.models import Archive, EventsBackend, Replay, Rule, events_backends

from runbook_engine.testing.clock import SimulatedClock
from tests.emulators.aws import events
from tests.emulators.aws.agenda import Agenda, Task
from tests.emulators.aws.patches import Patches
from tests.emulators.aws.place import ACCOUNT, REGION
from tests.emulators.aws.targets import Client, NotDelivered, Targets

Chosen = Collection[int] | Callable[[int, Mapping[str, Any]], bool]
MOST_ENTRIES = 10
MOST_BYTES = 1024 * 1024  # of all entries of one request together
RETRIES = 185
AGE = 86_400
LONGEST_PAUSE = 480.0


@dataclass
class Delivery:
    """One event for one target of one rule, and what became of it."""

    rule: str
    rule_arn: str
    target: Mapping[str, Any]
    event: Mapping[str, Any]
    begun: datetime
    attempts: int = 0
    outcome: Literal["waiting", "delivered", "dead letter", "lost"] = "waiting"
    error: str = ""


@dataclass
class Refusals:
    """Which entries of the next requests fail, and how."""

    code: str
    which: Chosen
    left: int

    def of(self, index: int, entry: Mapping[str, Any]) -> bool:
        """Say whether this entry fails."""
        return self.which(index, entry) if callable(self.which) else index in self.which


class Bus:
    """All event buses of the account."""

    def __init__(self, clock: SimulatedClock, agenda: Agenda, client: Client) -> None:
        self.events: list[dict[str, Any]] = []
        self.deliveries: list[Delivery] = []
        self._clock = clock
        self._agenda = agenda
        self._client = client
        self._targets = Targets(client)
        self._times = 1
        self._order: random.Random | None = None
        self._held: list[Task] | None = None
        self._refusals: list[Refusals] = []

    def duplicate(self, times: int = 2) -> None:
        """Deliver everything so many times from now on."""
        self._times = times

    def shuffle(self, seed: int) -> None:
        """Deliver out of order from now on."""
        self._order = random.Random(seed)

    def in_order(self) -> None:
        """Deliver once and in order again."""
        self._times, self._order = 1, None

    def hold(self) -> None:
        """Let deliveries wait until they are released."""
        self._held = []

    def release(self) -> None:
        """Let the waiting deliveries go."""
        held, self._held = self._held or [], None
        for task in held:
            self._schedule(task, timedelta(0))

    def fail_entries(self, code: str = "ThrottlingException", which: Chosen = (0,), times: int = 1) -> None:
        """Let these entries of the next requests fail, and the others pass."""
        self._refusals.append(Refusals(code, which, times))

    def replay(
        self, archive: str, name: str = "replay", start: datetime | None = None, end: datetime | None = None
    ) -> None:
        """Start a replay of an archive, of all its events unless told a window."""
        client = self._client("events")
        found = client.describe_archive(ArchiveName=archive)
        client.start_replay(
            ReplayName=name,
            EventSourceArn=found["ArchiveArn"],
            EventStartTime=start or self._clock.start,
            EventEndTime=end or self._clock.now() + timedelta(seconds=1),
            Destination={"Arn": found["EventSourceArn"]},
        )

    def install(self, patches: Patches) -> None:
        """Take over from moto: what a request accepts, where events go, what a replay sends."""
        bus = self

        def put_events(backend: EventsBackend, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return bus.accept(entries, lambda accepted: original(backend, accepted))

        def send_to_targets(rule: Rule, event: Any, transform_input: bool = True) -> None:
            bus.send(rule, delivered_form(event))

        def replay_events(replay: Replay, archive: Archive) -> None:
            bus.send_again(replay, archive)

        original = patches.replace(EventsBackend, "put_events", put_events)
        patches.replace(Rule, "send_to_targets", send_to_targets)
        patches.replace(Replay, "replay_events", replay_events)

    def accept(
        self, entries: list[dict[str, Any]], put: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    ) -> list[dict[str, Any]]:
        """Put the entries of one request that are to pass; return the answer to each entry."""
        if len(entries) <= MOST_ENTRIES and sum(map(entry_size, entries)) > MOST_BYTES:
            raise ValidationException("Total size of the entries in the request is over the limit.")
        stamped = [{"Time": self._clock.now().timestamp()} | entry for entry in entries]
        codes = {} if len(entries) > MOST_ENTRIES else self._refuse(stamped)
        passed = [entry for index, entry in enumerate(stamped) if index not in codes]
        answers = put(passed)
        self.events += [
            accepted_form(entry, answer) for entry, answer in zip(passed, answers, strict=True) if "EventId" in answer
        ]
        rest = iter(answers)
        return [
            {"ErrorCode": codes[index], "ErrorMessage": "injected"} if index in codes else next(rest)
            for index in range(len(stamped))
        ]

    def _refuse(self, entries: list[dict[str, Any]]) -> dict[int, str]:
        refusals = next((each for each in self._refusals if each.left), None)
        if refusals is None:
            return {}
        refusals.left -= 1
        return {index: refusals.code for index, entry in enumerate(entries) if refusals.of(index, entry)}

    def send(self, rule: Rule, event: Mapping[str, Any]) -> None:
        """Plan the deliveries of an event to the targets of a rule that matches it."""
        if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
            return
        for target in rule.targets:
            if target["Arn"].split(":")[2:5] == ["events", REGION, ""]:
                self._keep(rule, event)
                continue
            for _ in range(self._times):
                delivery = Delivery(rule.name, rule.arn, target, event, self._clock.now())
                self.deliveries.append(delivery)
                self._schedule(lambda delivery=delivery: self._attempt(delivery), timedelta(0))

    def send_again(self, replay: Replay, archive: Archive) -> None:
        """Send the archived events of a replay's window to the rules of its bus, marked with its name."""
        backend = events_backends[ACCOUNT][REGION]
        rules = backend.describe_event_bus(replay.destination["Arn"].split("/")[-1]).rules
        chosen = replay.destination.get("FilterArns") or [rule.arn for rule in rules.values()]
        window = (_moment(replay.event_start_time), _moment(replay.event_end_time))
        for event in archive.events:
            if window[0] <= datetime.fromisoformat(event["time"]) <= window[1]:
                for rule in rules.values():
                    if rule.arn in chosen:
                        self.send(rule, {**event, "replay-name": replay.name})
        replay.state = type(replay.state).COMPLETED

    def _keep(self, rule: Rule, event: Mapping[str, Any]) -> None:
        archives = events_backends[ACCOUNT][REGION].archives.values()
        next(archive for archive in archives if archive.rule is rule).events.append(dict(event))

    def _schedule(self, task: Task, after: timedelta) -> None:
        if self._held is not None:
            self._held.append(task)
        else:
            self._agenda.add(self._clock.now() + after, task, self._order.random() if self._order else 0.0)

    def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            self._targets.send(delivery.target, delivery.event, delivery.rule_arn)
        except NotDelivered as problem:
            self._fail(delivery, problem)
        else:
            delivery.outcome = "delivered"

    def _fail(self, delivery: Delivery, problem: NotDelivered) -> None:
        """Try again later, or give the event up: to the dead letter queue when there is one."""
        policy = delivery.target.get("RetryPolicy", {})
        pause = timedelta(seconds=min(2.0 ** (delivery.attempts - 1), LONGEST_PAUSE))
        age = self._clock.now() + pause - delivery.begun
        exhausted = ""
        if problem.retried and delivery.attempts > policy.get("MaximumRetryAttempts", RETRIES):
            exhausted = "MaximumRetryAttempts"
        elif problem.retried and age > timedelta(seconds=policy.get("MaximumEventAgeInSeconds", AGE)):
            exhausted = "MaximumEventAgeInSeconds"
        elif problem.retried:
            self._schedule(lambda: self._attempt(delivery), pause)
            return
        delivery.error = problem.code
        queue = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        delivery.outcome = "dead letter" if queue else "lost"
        if queue:
            self._bury(delivery, problem, queue, exhausted)

    def _bury(self, delivery: Delivery, problem: NotDelivered, queue: str, exhausted: str) -> None:
        """Send the event as it was to the dead letter queue, with the reason in attributes."""
        attributes = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": problem.code,
            "ERROR_MESSAGE": str(problem),
            "RETRY_ATTEMPTS": str(delivery.attempts - 1),
            "EXHAUSTED_RETRY_CONDITION": exhausted,
        }
        self._client("sqs").send_message(
            QueueUrl=self._targets.queue_url(queue),
            MessageBody=json.dumps(delivery.event),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
            },
        )


def entry_size(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry as EventBridge counts it; a time counts 14 bytes."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + list(entry.get("Resources") or ())
    return sum(len(text.encode()) for text in texts) + (14 if "Time" in entry else 0)


def delivered_form(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return moto's event as targets see it: the time as text, and nothing internal."""
    known = {name: value for name, value in event.items() if name != "ingestion-time"}
    return known | {"time": f"{_moment(event['time']):%Y-%m-%dT%H:%M:%SZ}"}


def accepted_form(entry: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an accepted entry as the event it became."""
    return events.event(
        entry["Source"],
        entry["DetailType"],
        json.loads(entry["Detail"]),
        time=_moment(entry["Time"]),
        resources=entry.get("Resources") or (),
        event_id=answer["EventId"],
    )


def _moment(given: Any) -> datetime:
    """Return a time of the API: seconds since 1970, or text."""
    try:
        return datetime.fromtimestamp(float(given), UTC)
    except (TypeError, ValueError):
        return datetime.fromisoformat(str(given)).astimezone(UTC)
