"""What an engine remembers of webhooks saves work, and never changes what a delivery means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.delivery import Parsed, Request, SourceSettings
from runbook_engine.model.recent import Recent
from runbook_engine.sources import alertmanager

BODY = (Path(__file__).parents[2] / "data" / "alerts" / "alertmanager-firing-grouped.json").read_bytes()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)  # after the alerts began


def read(body: bytes, recent: Recent[Any] | None, now: datetime = NOON, scope: str = "prod") -> Parsed:
    """Read a body as an engine does that remembers, or as one that does not."""
    return alertmanager.parse(Request(scope, "alertmanager", {}, body, now), SourceSettings(recent=recent))


def changed(**fields: Any) -> bytes:
    """Return the captured body with other fields."""
    return msgspec.json.encode(json.loads(BODY) | fields)


def entries(body: bytes) -> list[dict[str, Any]]:
    """Return the alerts of a body."""
    alerts: list[dict[str, Any]] = json.loads(body)["alerts"]
    return alerts


BEFORE = changed()


@pytest.mark.parametrize(
    ("body", "now", "scope"),
    [
        pytest.param(BEFORE, NOON + timedelta(hours=1), "prod", id="the same an hour later"),
        pytest.param(BEFORE, datetime(2020, 1, 1, tzinfo=UTC), "prod", id="by a clock that went back"),
        pytest.param(BEFORE, NOON, "staging", id="from another sender"),
        pytest.param(changed(truncatedAlerts=3), NOON, "prod", id="a body that is cut"),
        pytest.param(changed(externalURL="https://other.example"), NOON, "prod", id="from another address"),
        pytest.param(changed(groupKey="other"), NOON, "prod", id="in another group"),
        pytest.param(changed(alerts=entries(BODY)[::-1]), NOON, "prod", id="in another order"),
        pytest.param(changed(unknown=True), NOON, "prod", id="a body with a field of its own"),
        pytest.param(
            changed(alerts=[alert | {"status": "resolved"} for alert in entries(BODY)]), NOON, "prod", id="resolved"
        ),
    ],
)
def test_a_delivery_means_the_same_when_its_alerts_were_read_before(body: bytes, now: datetime, scope: str) -> None:
    """Every field is this delivery's own, whatever is remembered of an earlier one."""
    recent: Recent[Any] = Recent()
    read(BEFORE, recent)

    assert read(body, recent, now, scope) == read(body, None, now, scope)


def test_an_alert_is_read_once_when_it_is_told_twice() -> None:
    """Its labels are the very object that was read at first; one with a warning is read anew each time."""
    recent: Recent[Any] = Recent()

    first, second = read(BEFORE, recent), read(BEFORE, recent)

    pairs = list(zip(first.alerts, second.alerts, strict=True))
    assert [one.warnings for one, _ in pairs] == [(), (), ("link_dropped",)]
    assert [one.labels is other.labels for one, other in pairs] == [True, True, False]


def test_a_key_written_twice_is_refused_when_every_alert_is_remembered() -> None:
    """The body around known alerts is read as strictly as ever."""
    recent: Recent[Any] = Recent()
    read(BEFORE, recent)
    twice = BEFORE.replace(b'"version":"4"', b'"version":"4","version":"4"')

    with pytest.raises(InvalidAlert) as caught:
        read(twice, recent)

    assert caught.value.code == "duplicate_key"


def test_a_warning_of_one_delivery_is_not_told_of_the_next() -> None:
    """A clock that ran behind is set, and the same alert is nobody's fault any more."""
    recent: Recent[Any] = Recent()

    warned, later = read(BEFORE, recent, datetime(2020, 1, 1, tzinfo=UTC)), read(BEFORE, recent)

    assert ["clock_skew" in alert.warnings for alert in warned.alerts] == [True, True, True]
    assert ["clock_skew" in alert.warnings for alert in later.alerts] == [False, False, False]


def test_the_oldest_is_forgotten_when_there_is_no_more_room() -> None:
    """What was found again lately stays; the bytes that are kept are bounded."""
    recent: Recent[int] = Recent(40)

    for number in range(12):
        recent.keep(b"%10d" % number, number)
        recent.get(b"%10d" % 0)

    known = [number for number in range(12) if recent.get(b"%10d" % number) is not None]
    assert known[0] == 0
    assert 11 in known
    assert len(known) <= 4


def test_what_is_larger_than_all_the_room_is_not_kept() -> None:
    """One enormous alert must not push out all others for ever."""
    recent: Recent[int] = Recent(40)

    recent.keep(b"x" * 100, 1)

    assert recent.get(b"x" * 100) is None
