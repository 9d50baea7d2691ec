"""What the bus hears of a delivery: the gravest first, each once, and of a crowd its number."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from runbook_engine.entrypoints.aws_lambda.announcing import MOST_TOLD, Announcer
from runbook_engine.errors import Overloaded
from runbook_engine.intake.receipt import Taken
from runbook_engine.model.bus import BusEvent, Unpublished
from runbook_engine.model.configuration import Scope


class Bus:
    """Takes events, unless it is down."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []
        self.down = False

    def publish(self, events: Sequence[BusEvent]) -> tuple[Unpublished, ...]:
        """Take them all or none."""
        if self.down:
            return tuple(Unpublished(event=event, code="Down", reason="down") for event in events)
        self.events += events
        return ()

    @property
    def names(self) -> list[str]:
        """What was told, in order."""
        return [event.detail["name"] for event in self.events]


def announcing() -> tuple[Announcer, Bus]:
    """Return an announcer and the bus that it speaks to."""
    bus = Bus()
    clock = SimpleNamespace(now=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    host: Any = SimpleNamespace(clock=clock, waker=bus)
    return Announcer(Scope(name="alertmanager"), host), bus


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
    announce.tell_the_rest(alerts)

    assert bus.names == ["alone", "handled"]


def test_a_bus_that_is_down_keeps_an_alert_without_a_runbook_from_being_stored() -> None:
    """Its sender sends it again, and then it is told."""
    announce, bus = announcing()
    bus.down = True

    with pytest.raises(Overloaded, match=r"^1 alerts that no runbook takes could not be told to the bus$"):
        announce((taken("alone"),))

    bus.down = False
    announce((taken("alone"),))
    assert bus.names == ["alone"]


def test_a_bus_that_is_down_stops_no_alert_that_a_runbook_takes() -> None:
    """The sweep finds its execution."""
    announce, bus = announcing()
    bus.down = True

    announce((taken("handled", handled=True),))
    announce.tell_the_rest((taken("handled", handled=True),))

    assert bus.events == []


def test_a_crowd_that_a_runbook_takes_pages_nobody_for_one_that_is_over() -> None:
    """Of those that are told after they are stored none fires without a runbook, and their number says no other."""
    announce, bus = announcing()
    crowd = [taken(f"handled-{number}", handled=True) for number in range(MOST_TOLD + 1)]

    announce.tell_the_rest((*crowd, taken("over", "info", status="resolved")))

    assert bus.names[-1] == "2 more alerts of this delivery"
    assert bus.events[-1].detail["handled"] is True
