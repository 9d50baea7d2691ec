"""What may be a recording is known, carries on what fires already, and begins nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runbook_engine.correlation import observe_alert
from runbook_engine.model.alert import Alert
from runbook_engine.model.delivery import Parsed, Request
from runbook_engine.sources.lateness import mark_late

NOW = datetime(2026, 5, 11, 8, 0, tzinfo=UTC)
FRESH = timedelta(minutes=15)


def told(**fields: Any) -> Alert:
    """Return an alert that was just received."""
    return Alert(scope="s", source="grafana", name="A", labels={"alertname": "A"}, alert_key="ab" * 32,
        received_at=NOW, **fields)  # fmt: skip


def ago(minutes: float) -> datetime:
    """Return the instant so many minutes before."""
    return NOW - timedelta(minutes=minutes)


def marked(*alerts: Alert, fresh_within: timedelta | None = FRESH, **parsed: Any) -> Parsed:
    """Return what a delivery of these alerts means."""
    request = Request("s", "grafana", {}, b"", NOW, fresh_within=fresh_within)
    return mark_late(Parsed(alerts=alerts, **parsed), request)


@pytest.mark.parametrize(
    ("alert", "within", "late"),
    [
        pytest.param(told(starts_at=ago(15)), FRESH, False, id="new enough"),
        pytest.param(told(starts_at=ago(15.1)), FRESH, True, id="too old"),
        pytest.param(told(starts_at=ago(600), observed_at=ago(1)), FRESH, False, id="old, and told of just now"),
        pytest.param(told(starts_at=ago(1), observed_at=ago(16)), FRESH, True, id="told of long ago"),
        pytest.param(told(), FRESH, True, id="of no time at all"),
        pytest.param(told(starts_at=ago(-5)), FRESH, False, id="by a clock that is a little ahead"),
        pytest.param(told(starts_at=ago(-5.1)), FRESH, True, id="to come: it would look new for as long"),
        pytest.param(told(starts_at=ago(600), status="resolved"), FRESH, False, id="over: that ends what it ends"),
        pytest.param(told(starts_at=ago(600), status="nodata"), FRESH, False, id="begins nothing anyway"),
        pytest.param(told(starts_at=ago(0.1)), timedelta(0), True, id="a body that came before"),
        pytest.param(told(starts_at=ago(600)), None, False, id="its time was signed, or nobody can record it"),
        pytest.param(told(), None, False, id="of no time, and believed"),
    ],
)
def test_an_alert_is_late_when_its_news_is_old(alert: Alert, within: timedelta | None, late: bool) -> None:
    """By the time that its sender gives for what happened."""
    parsed = marked(alert, fresh_within=within, warnings=("truncated",))

    assert (("truncated", "told_late") if late else ("truncated",)) == parsed.warnings
    assert (("told_late",) if late else ()) == parsed.alerts[0].warnings


def test_a_late_alert_is_told_as_any_other_is() -> None:
    """It may be true: the sender was muted, or this engine was down. What it may start is another matter."""
    begun_alert = told(starts_at=ago(600))
    begun = observe_alert(begun_alert, None).episode
    late = marked(told(starts_at=ago(600))).alerts[0]
    superseding = marked(told(starts_at=ago(60))).alerts[0]

    kinds = [
        observe_alert(late, None).kind,
        observe_alert(late, begun).kind,
        observe_alert(superseding, begun).kind,
    ]

    assert ["opened", "repeat", "superseded"] == kinds
    assert [True, False] == [late.told_late, begun_alert.told_late]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["firing", "resolved", "nodata"]),
            st.none() | st.integers(0, 900),
            st.none() | st.integers(0, 900),
            st.text("ab", max_size=1),
        ),
        max_size=12,
    )
)
def test_nothing_begins_by_what_begins_nothing(story: list[tuple[Any, ...]]) -> None:
    """In any order, over any episode that another delivery has opened and closed."""
    opened = observe_alert(told(starts_at=ago(500)), None).episode
    assert opened is not None
    for known in (None, opened, replace(opened, state="closed", ends_at=ago(400)), replace(opened, state="expired")):
        record = known
        for status, start, end, cycle in story:
            starts_at, ends_at = (ago(each) if each is not None else None for each in (start, end))
            alert = told(status=status, starts_at=starts_at, ends_at=ends_at, warnings=("acknowledged",), cycle=cycle)
            transition = observe_alert(alert, record, cycle=cycle)
            assert not transition.opens
            record = transition.episode or record
