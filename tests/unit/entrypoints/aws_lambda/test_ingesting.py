"""What the bus hears of a delivery, where it cannot hear of everything."""

import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from runbook_engine.engine import Receipt, Taken
from runbook_engine.entrypoints.aws_lambda.ingesting import MOST_TOLD, _told
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.model.configuration import Scope


def taken(name: str, *, handled: bool) -> Taken:
    """Return one alert that brought news."""
    return Taken(name=name, status="firing", severity="critical", alert_key=name, incident_id="inc-1", handled=handled)


def test_alerts_that_nobody_handles_are_told_first_when_there_are_too_many() -> None:
    """A runbook sees to the others; what is left out is in the log."""
    said = io.StringIO()
    clock = SimpleNamespace(now=lambda: datetime(2026, 1, 5, tzinfo=UTC))
    host: Any = SimpleNamespace(clock=clock, log=EventLog(said))
    crowd = tuple(taken(f"handled-{number}", handled=True) for number in range(MOST_TOLD + 1))
    receipt = Receipt(accepted=len(crowd) + 1, alerts=(*crowd, taken("nobody's", handled=False)))

    events = _told(receipt, Scope(name="alertmanager"), host)

    assert len(events) == MOST_TOLD
    assert events[0].detail["name"] == "nobody's"
    assert (json.loads(said.getvalue())["event"], json.loads(said.getvalue())["count"]) == ("alerts.untold", 2)
