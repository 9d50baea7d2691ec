"""Announcing: the bus hears of every alert; of those that no runbook takes, before they are stored.

An alert that nobody acts on is told to people by the bus and by nothing else. Were it stored first, a death in between
would make it known and untold for good; so it is told first, and perhaps twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from runbook_engine.entrypoints.aws_lambda.host import Host
from runbook_engine.errors import Overloaded
from runbook_engine.intake.receipt import Taken
from runbook_engine.model.bus import BUS_VERSION, BusEvent
from runbook_engine.model.configuration import Scope

MOST_TOLD = 100  # one by one, of one delivery; of the others their number
RANKS = {"critical": 0, "high": 1, "unknown": 2, "warning": 3, "low": 4, "info": 5, "none": 6}


@dataclass(slots=True)
class Announcer:
    """Tells the bus of one delivery's alerts, each once."""

    scope: Scope
    host: Host
    _told: set[str] = field(default_factory=set)

    def __call__(self, alerts: tuple[Taken, ...]) -> None:
        """Tell of what fires and has no runbook. Raises Overloaded when the bus did not take all of it."""
        untaken = [alert for alert in alerts if not alert.handled and alert.status == "firing"]
        if self._publish(untaken):
            raise Overloaded(f"{len(untaken)} alerts that no runbook takes could not be told to the bus")

    def untold(self, alerts: Iterable[Taken]) -> list[BusEvent]:
        """Return what the bus has not heard of, the gravest first; the journal has it all the same."""
        news = sorted(
            (alert for alert in alerts if alert.alert_key not in self._told), key=lambda alert: RANKS[alert.severity]
        )
        return [*map(self._event, news[:MOST_TOLD]), *self._others(news[MOST_TOLD:])]

    def _publish(self, alerts: Sequence[Taken]) -> int:
        """Publish those that it has not heard of; return how many events it did not take."""
        left = self.host.waker.publish(self.untold(alerts))
        if not left:
            self._told |= {alert.alert_key for alert in alerts}
        return len(left)

    def _others(self, alerts: Sequence[Taken]) -> list[BusEvent]:
        """Return one event for what is too much to be told one by one: nobody would read a thousand pages."""
        if not alerts:
            return []
        gravest, name = alerts[0], f"{len(alerts)} more alerts of this delivery"
        return [self._about(name, gravest, handled=gravest.handled, alert_key="")]

    def _event(self, alert: Taken) -> BusEvent:
        return self._about(alert.name, alert, handled=alert.handled, alert_key=alert.alert_key)

    def _about(self, name: str, alert: Taken, *, handled: bool, alert_key: str) -> BusEvent:
        return BusEvent(
            kind="Alert Received",
            at=self.host.clock.now(),
            detail={
                "version": BUS_VERSION,
                "scope": self.scope.name,
                "source": self.scope.source,
                "name": name,
                "status": alert.status,
                "severity": alert.severity,
                "alert_key": alert_key,
                "handled": handled,
                "incident_id": alert.incident_id,
            },
        )
