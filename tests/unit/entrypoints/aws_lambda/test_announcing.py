"""What the bus hears of a delivery: the gravest first, each once, and of a crowd its number."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_engine.entrypoints.aws_lambda.announcing import MOST_TOLD, Announcer
from runbook_engine.entrypoints.aws_lambda.waking import DUE, Waker
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.errors import Overloaded, Unreadable
from runbook_engine.intake.receipt import Taken
from runbook_engine.model.bus import BusEvent, Unpublished
from runbook_engine.model.configuration import Scope


class Bus:
    """Takes events, unless it is down: then it refuses each, or cannot even be reached."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []
        self.calls = 0
        self.down = False
        self.away = False

    def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Take them all or none."""
        self.calls += 1
        if self.away:
            raise Unreadable("the bus cannot be reached")
        if self.down:
            return tuple(Unpublished(event=event, code="Down", reason="down") for event in events)
        self.events += events
        return ()

    @property
    def names(self) -> list[str]:
        """What was told, in order."""
        return [event.detail["name"] for event in self.events if event.kind != DUE]

    @property
    def due(self) -> list[str]:
        """The executions that a driver was asked for, in order."""
        return [event.detail["execution_id"] for event in self.events if event.kind == DUE]


def announcing() -> tuple[Announcer, Bus]:
    """Return an announcer and the bus that it speaks to."""
    bus = Bus()
    clock = SimpleNamespace(now=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    nobody: Any = SimpleNamespace()  # nobody waits for what is new
    waker = Waker(seats=nobody, callbacks=nobody, bus=bus, clock=clock, log=EventLog(stream=io.StringIO()))
    host: Any = SimpleNamespace(clock=clock, waker=waker)
    return Announcer(Scope(name="alertmanager"), host), bus


def wake(announce: Announcer, alerts: Sequence[Taken], *opened: str) -> int:
    """Do what is done once a delivery is stored; return how many executions could not be seen to."""
    return announce.host.waker.wake(opened, new=opened, besides=announce.untold(alerts))


def taken(name: str, severity: str = "critical", *, handled: bool = False, status: str = "firing") -> Taken:
    """Return one alert that brought news."""
    return Taken(name=name, status=status, severity=severity, alert_key=name, incident_id="inc", handled=handled)


def test_a_grave_alert_is_not_hidden_behind_a_hundred_others() -> None:
    """Severity decides who is told one by one; of the rest people hear how many."""
    announce, bus = announcing()
    crowd = [taken(f"info-{number}", "info") for number in range(MOST_TOLD + 5)]

    announce((*crowd, taken("grave")))

    assert bus.names[0] == "grave"
    assert bus.names[-1] == "6 more alerts of this delivery"
    assert len(bus.events) == MOST_TOLD + 1
    assert bus.events[-1].detail["handled"] is False


def test_only_what_fires_and_has_no_runbook_is_told_before_it_is_stored() -> None:
    """A runbook sees to the others; what is over wakes nobody."""
    announce, bus = announcing()

    announce((taken("handled", handled=True), taken("over", status="resolved"), taken("alone")))

    assert bus.names == ["alone"]


def test_each_alert_is_told_once_however_often_it_is_announced() -> None:
    """Somebody else was faster and the delivery was judged again; afterwards the others are told."""
    announce, bus = announcing()
    alerts = (taken("handled", handled=True), taken("alone"))

    announce(alerts)
    announce(alerts)
    wake(announce, alerts, "exe")

    assert bus.names == ["alone", "handled"]


def test_what_a_runbook_takes_is_told_in_the_call_that_asks_for_its_driver() -> None:
    """One call to the bus, the wish for the driver before the news."""
    announce, bus = announcing()

    unseen = wake(announce, (taken("handled", handled=True),), "exe")

    assert (0, 1) == (unseen, bus.calls)
    assert [DUE, "Alert Received"] == [event.kind for event in bus.events]
    assert (["exe"], ["handled"]) == (bus.due, bus.names)


def test_no_call_is_made_when_the_bus_has_heard_of_everything() -> None:
    """An alert that no runbook takes was told before it was stored, and starts nothing."""
    announce, bus = announcing()
    alerts = (taken("alone"),)

    announce(alerts)
    wake(announce, alerts)

    assert (["alone"], 1) == (bus.names, bus.calls)


def test_a_bus_that_is_down_keeps_an_alert_without_a_runbook_from_being_stored() -> None:
    """Its sender sends it again, and then it is told."""
    announce, bus = announcing()
    bus.down = True

    with pytest.raises(Overloaded, match=r"^1 alerts that no runbook takes could not be told to the bus$"):
        announce((taken("alone"),))

    bus.down = False
    announce((taken("alone"),))
    assert bus.names == ["alone"]


@pytest.mark.parametrize("fault", [pytest.param("down", id="it refuses"), pytest.param("away", id="out of reach")])
def test_a_bus_that_is_down_stops_no_alert_that_a_runbook_takes(fault: str) -> None:
    """The sweep finds its execution, of which is told that nobody was asked to drive it."""
    announce, bus = announcing()
    setattr(bus, fault, True)
    alerts = (taken("handled", handled=True),)

    announce(alerts)
    unseen = wake(announce, alerts, "exe")

    assert (1, []) == (unseen, bus.events)


def test_a_crowd_that_a_runbook_takes_pages_nobody_for_one_that_is_over() -> None:
    """Of those that are told after they are stored none fires without a runbook, and their number says no other."""
    announce, bus = announcing()
    crowd = [taken(f"handled-{number}", handled=True) for number in range(MOST_TOLD + 1)]

    wake(announce, (*crowd, taken("over", "info", status="resolved")), "exe")

    assert bus.names[-1] == "2 more alerts of this delivery"
    assert bus.events[-1].detail["handled"] is True
