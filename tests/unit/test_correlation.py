"""Notifications become episodes, however often, late or out of order they arrive."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.correlation import EXPIRE_AFTER, expire, incident_key, observe_alert
from runbook_engine.model.alert import Alert, AlertStatus, Resource
from runbook_engine.model.delivery import Request, SourceSettings
from runbook_engine.model.episode import Episode, Transition
from runbook_engine.sources import alertmanager
from tests.length import examples

pytestmark = pytest.mark.slow

T0 = datetime(2026, 5, 11, 8, 0, tzinfo=UTC)
KEY = "ab" * 32


def at(minutes: float) -> datetime:
    """Return the instant so many minutes after the beginning."""
    return T0 + timedelta(minutes=minutes)


def told(
    status: AlertStatus,
    start: float | None = None,
    end: float | None = None,
    *,
    received: float | None = None,
    **more: object,
) -> Alert:
    """Return a notification; times are minutes after the beginning."""
    latest = max(moment for moment in (start, end, 0.0) if moment is not None)
    alert = Alert(
        scope="prod",
        source="alertmanager",
        name="A",
        labels={"alertname": "A"},
        alert_key=KEY,
        status=status,
        starts_at=None if start is None else at(start),
        ends_at=None if end is None else at(end),
        received_at=at(latest if received is None else received),
    )
    return msgspec.structs.replace(alert, **more)


def follow(*alerts: Alert) -> list[Transition]:
    """Return the transitions of notifications in order of arrival, each on the record that the one before left."""
    record: Episode | None = None
    transitions = []
    for alert in alerts:
        transitions.append(observe_alert(alert, record))
        record = transitions[-1].episode or record
    return transitions


def kinds(*alerts: Alert) -> list[str]:
    """Return what each notification did, in one word."""
    return [transition.kind for transition in follow(*alerts)]


def test_the_first_firing_opens_an_episode() -> None:
    """Named by its key and its start, and never renamed."""
    (transition,) = follow(told("firing", 3, received=4))

    assert transition.opens
    assert transition.episode == Episode(
        alert_key=KEY,
        episode_id="abababababababab-20260511T080300000000",
        scope="prod",
        name="A",
        start=at(3),
        displayed_start=at(3),
        last_seen=at(4),
        openings=(at(4),),
    )


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        pytest.param([told("firing", 0), told("firing", 0)], ["opened", "repeat"], id="a duplicate"),
        pytest.param([told("firing", 0), told("firing", 4)], ["opened", "repeat"], id="another replica's later start"),
        pytest.param(
            [told("firing", 5), told("firing", 0)], ["opened", "repeat"], id="another replica's earlier start"
        ),
        pytest.param([told("firing", 0), told("firing")], ["opened", "repeat"], id="a repeat without a start"),
        pytest.param([told("firing", 0), told("resolved", 0, 9)], ["opened", "resolved"], id="a resolve"),
        pytest.param(
            [told("firing", 0), told("resolved", 0, 9), told("resolved", 0, 9)],
            ["opened", "resolved", "repeat"],
            id="a resolve twice",
        ),
        pytest.param(
            [told("firing", 0), told("resolved", 0, 9), told("firing", 0)],
            ["opened", "resolved", "late"],
            id="a firing overtaken by its resolve's copy",
        ),
        pytest.param(
            [told("firing", 0), told("resolved", 0, 9), told("firing", 10)],
            ["opened", "resolved", "opened"],
            id="a fire again",
        ),
        pytest.param([told("firing", 0), told("firing", 6)], ["opened", "superseded"], id="a resolve that nobody told"),
        pytest.param([told("firing", 6), told("firing", 0)], ["opened", "late"], id="an old firing after a new one"),
        pytest.param(
            [told("firing", 20), told("resolved", 0, 9, received=21)],
            ["opened", "late"],
            id="an old resolve after a new firing",
        ),
        pytest.param(
            [told("resolved", 0, 9), told("firing", 0)], ["tombstone", "late"], id="a resolve before its firing"
        ),
        pytest.param(
            [told("resolved", 0, 9), told("firing", 12)], ["tombstone", "opened"], id="a firing after a tombstone"
        ),
        pytest.param(
            [told("resolved", 0, 9), told("resolved", 0, 5), told("resolved", 10, 15)],
            ["tombstone", "late", "tombstone"],
            id="several resolves of unseen episodes",
        ),
        pytest.param(
            [told("nodata"), told("suppressed"), told("unknown")], ["recorded"] * 3, id="words that open nothing"
        ),
        pytest.param(
            [told("firing", 0), told("nodata", 0), told("unknown", 0), told("suppressed", 0, 5)],
            ["opened", "recorded", "recorded", "recorded"],
            id="words that close nothing",
        ),
        pytest.param([told("firing", 0, kind="change")], ["recorded"], id="a change"),
        pytest.param([told("firing", 0, kind="event")], ["recorded"], id="an event"),
        pytest.param(
            [told("firing"), told("resolved", received=1), told("firing", received=2), told("resolved", received=3)],
            ["opened", "resolved", "opened", "resolved"],
            id="minimal bodies without any time",
        ),
    ],
)
def test_notifications_have_their_effect_in_order_of_arrival(alerts: list[Alert], expected: list[str]) -> None:
    """The table of the identity rules."""
    assert kinds(*alerts) == expected


def test_an_earlier_start_lowers_only_the_start_that_is_shown() -> None:
    """The id and the start that ordering uses stay as first seen."""
    first, second = follow(told("firing", 5, received=6), told("firing", 2, received=7))

    assert second.episode is not None
    assert first.episode is not None
    assert second.episode.displayed_start == at(2)
    assert (second.episode.start, second.episode.episode_id) == (at(5), first.episode.episode_id)
    assert second.episode.last_seen == at(7)


def test_the_superseded_episode_is_closed_by_the_start_of_the_next() -> None:
    """Both are in the transition: the one that ended, and the one to store."""
    _, transition = follow(told("firing", 0), told("firing", 30))

    assert transition.previous is not None
    assert transition.episode is not None
    assert (transition.previous.state, transition.previous.ends_at) == ("superseded", at(30))
    assert (transition.episode.state, transition.episode.start) == ("open", at(30))
    assert transition.opens
    assert transition.previous.episode_id != transition.episode.episode_id


def test_an_old_firing_is_a_sign_of_life_only() -> None:
    """It moves the last sign, and nothing else."""
    first, second = follow(told("firing", 20), told("firing", 0, received=25))

    assert first.episode is not None
    assert second.episode == msgspec.structs.replace(first.episode, last_seen=at(25), version=1)


def test_a_start_ahead_of_our_clock_is_not_ordered_by() -> None:
    """The same skewed notification again is a repeat, and its resolve closes."""
    skewed = {"warnings": ("clock_skew",)}

    transitions = follow(
        told("firing", 60, received=0, **skewed),
        told("firing", 60, received=20, **skewed),
        told("resolved", 60, 90, received=30, **skewed),
    )

    assert [transition.kind for transition in transitions] == ["opened", "repeat", "resolved"]
    assert transitions[-1].episode is not None
    assert transitions[-1].episode.ends_at == at(30)


def test_cycles_are_told_apart_by_the_senders_own_id_when_it_has_one() -> None:
    """Equal ids join whatever the start, different ids part."""
    opened = observe_alert(told("firing", 0), None, cycle="1").episode

    assert observe_alert(told("firing", 50), opened, cycle="1").kind == "repeat"
    assert observe_alert(told("firing", 2), opened, cycle="2").kind == "superseded"
    assert observe_alert(told("firing", received=2), opened, cycle="2").kind == "superseded"


def test_every_cycle_is_an_episode_of_its_own_although_all_tell_the_same_start() -> None:
    """Else the runs of two would have one identity, and nothing of the second could ever be stored."""
    record, ids = None, []
    for cycle in ("1", "2", "3", "1", "2"):
        opened = observe_alert(told("firing", 0), record, cycle=cycle)
        assert opened.opens
        record = opened.episode
        ids.append(record.episode_id if record is not None else "")

    assert 5 == len(set(ids))


def test_silence_expires_an_episode_and_does_not_resolve_it() -> None:
    """Nine hours after the last sign, not after the start."""
    *_, last = follow(told("firing", 0), told("firing", 0, received=60))
    assert last.episode is not None

    assert expire(last.episode, at(60) + EXPIRE_AFTER - timedelta(seconds=1)) is None
    transition = expire(last.episode, at(60) + EXPIRE_AFTER)

    assert transition is not None
    assert transition.episode is not None
    assert (transition.kind, transition.closes) == ("expired", False)
    assert (transition.episode.state, transition.episode.ends_at) == ("expired", None)
    assert expire(transition.episode, at(99_999)) is None


@pytest.mark.parametrize(
    ("alert", "kind", "state"),
    [
        pytest.param(told("firing", 0, received=700), "repeat", "open", id="the same firing again"),
        pytest.param(told("firing", 690), "opened", "open", id="a new firing"),
        pytest.param(told("resolved", 0, 695), "resolved", "closed", id="its resolve at last"),
    ],
)
def test_an_expired_episode_is_taken_up_again_when_the_sender_speaks(alert: Alert, kind: str, state: str) -> None:
    """It was silence and not an end: the same start goes on, a real resolve resolves."""
    opened = observe_alert(told("firing", 0), None).episode
    assert opened is not None
    expired = expire(opened, at(600))
    assert expired is not None

    transition = observe_alert(alert, expired.episode)

    assert transition.episode is not None
    assert (transition.kind, transition.episode.state) == (kind, state)


def test_the_third_episode_within_half_an_hour_is_flapping() -> None:
    """And stays so for its repeats; an episode after a quiet time is not."""
    transitions = follow(
        told("firing", 0),
        told("resolved", 0, 1),
        told("firing", 2),
        told("resolved", 2, 3),
        told("firing", 4),
        told("firing", 4),
        told("resolved", 4, 5),
        told("firing", 40),
    )

    assert [transition.flapping for transition in transitions] == [False, False, False, False, True, True, True, False]


def test_tombstones_do_not_count_as_flapping() -> None:
    """Only what opened can flap."""
    transitions = follow(*(told("resolved", minute, minute + 1) for minute in range(0, 20, 2)), told("firing", 22))

    assert not any(transition.flapping for transition in transitions)


def test_every_stored_record_has_the_next_version() -> None:
    """So a store can refuse a write that is based on an older one."""
    transitions = follow(
        told("firing", 0), told("firing", 0), told("resolved", 0, 9), told("firing", 20), told("firing", 50)
    )

    assert [transition.episode.version for transition in transitions if transition.episode] == [0, 1, 2, 3, 4]


notifications = st.lists(
    st.tuples(st.sampled_from(("firing", "resolved", "nodata", "unknown")), st.integers(0, 40), st.integers(0, 20)),
    max_size=12,
).map(
    lambda told_of: [
        told(status, start, start + length) if status == "resolved" else told(status, start)
        for status, start, length in told_of
    ]
)


@settings(max_examples=examples(150))
@given(notifications)
def test_a_notification_never_opens_or_closes_anything_when_it_comes_again_at_once(alerts: list[Alert]) -> None:
    """At least once delivery: the copy changes no state, whatever came before."""
    record: Episode | None = None
    for alert in alerts:
        record = observe_alert(alert, record).episode or record
        again = observe_alert(alert, record)

        assert not again.opens
        assert not again.closes
        if again.episode is not None and record is not None:
            assert (again.episode.state, again.episode.episode_id) == (record.state, record.episode_id)


@settings(max_examples=examples(150))
@given(
    st.permutations(
        [told("firing", 0, received=60), told("firing", 0, received=60), told("resolved", 0, 10, received=60)]
    )
)
def test_an_episode_ends_closed_when_its_notifications_come_in_any_order(alerts: list[Alert]) -> None:
    """Resolved before firing included; nothing stays open by accident."""
    transitions = follow(*alerts)

    records = [transition.episode for transition in transitions if transition.episode is not None]
    assert records[-1].state == "closed"
    assert sum(transition.opens for transition in transitions) <= 1


@settings(max_examples=examples(100))
@given(notifications)
def test_no_word_but_resolved_ever_closes(alerts: list[Alert]) -> None:
    """Absence, no data and unknown words never look like a repair."""
    for alert, transition in zip(alerts, follow(*alerts), strict=True):
        assert transition.closes == (transition.kind == "resolved")
        assert not transition.closes or alert.status == "resolved"


def test_the_captured_incident_has_the_episodes_that_really_were() -> None:
    """Three receivers send every notification; two of the alerts came back three times within two minutes."""
    sequence = json.loads((Path(__file__).parents[1] / "data" / "alerts" / "alertmanager-sequence.json").read_text())
    records: dict[str, Episode] = {}
    seen: dict[str, list[str]] = {}
    flapping: set[str] = set()
    for notification in sequence:
        now = datetime(2026, 11, 21, 19, 28, 40, tzinfo=UTC) + timedelta(seconds=notification["t"])
        body = json.dumps(notification["body"]).encode()
        request = Request(scope="prod", source="alertmanager", headers={}, body=body, received_at=now)
        for alert in alertmanager.parse(request, SourceSettings()).alerts:
            transition = observe_alert(alert, records.get(alert.alert_key))
            records[alert.alert_key] = transition.episode or records[alert.alert_key]
            name = f"{alert.name} {alert.labels.get('instance', '')}".strip()
            if transition.kind != "repeat":
                seen.setdefault(name, []).append(transition.kind)
            if transition.flapping:
                flapping.add(name)

    assert seen == {
        "CheckoutHighErrorRate": ["opened", "resolved"] * 4,
        "CheckoutInstanceErrors 127.0.0.1:18081": ["opened", "resolved"] * 4,
        "CheckoutInstanceErrors 127.0.0.1:18082": ["opened", "resolved"],
    }
    assert flapping == {"CheckoutHighErrorRate", "CheckoutInstanceErrors 127.0.0.1:18081"}


def labelled(scope: str = "prod", group: str | None = None, resource: Resource | None = None, **labels: str) -> Alert:
    """Return an alert with these labels."""
    return told("firing", 0, scope=scope, group_key=group, labels=labels, resource=resource or Resource())


def test_alerts_of_one_service_are_one_incident_whatever_their_names() -> None:
    """One fault fires many names."""
    one = labelled(alertname="A", cluster="c", namespace="n", service="s", pod="p1")
    other = labelled(alertname="B", cluster="c", namespace="n", service="s")

    assert incident_key(one) == incident_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            labelled(cluster="c", namespace="n", service="s"),
            labelled(cluster="c", namespace="n", service="t"),
            id="services",
        ),
        pytest.param(
            labelled(cluster="c", namespace="n", service="s"),
            labelled("other", cluster="c", namespace="n", service="s"),
            id="scopes",
        ),
        pytest.param(
            labelled(cluster="c", namespace="n", deployment="x"),
            labelled(cluster="c", namespace="n", statefulset="x"),
            id="sorts of workload",
        ),
        pytest.param(
            labelled(cluster="c", namespace="ns", service="x"),
            labelled(cluster="cn", namespace="s", service="x"),
            id="borders",
        ),
        pytest.param(labelled(group="{}:{a}"), labelled(group="{}:{b}"), id="groups"),
        pytest.param(
            labelled(resource=Resource(account="1" * 12, region="eu-west-1", arn="arn:a")),
            labelled(resource=Resource(account="1" * 12, region="eu-west-1", arn="arn:b")),
            id="resources",
        ),
        pytest.param(told("firing"), told("firing", alert_key="cd" * 32), id="alerts with nothing to correlate by"),
    ],
)
def test_incidents_are_apart_when_what_they_are_about_is(one: Alert, other: Alert) -> None:
    """Labels first, then the resource, then the group, then the alert itself."""
    assert incident_key(one) != incident_key(other)


def test_the_first_configured_labels_that_are_all_there_decide() -> None:
    """An empty or missing label passes on to the next set."""
    keys = (("team", "region"), ("service",))

    assert incident_key(labelled(team="t", service="s"), keys) == incident_key(labelled(team="u", service="s"), keys)
    assert incident_key(labelled(team="t", region="r", service="s"), keys) == incident_key(
        labelled(team="t", region="r", service="x"), keys
    )
