"""Incidents: who is on them and since when, when they count as over, what changed before, and what only expired."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.entrypoints.views import view_incident
from runbook_engine.errors import Conflict
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import Incident, IncidentReport, Times
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.runbook import ModeRule
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.render.incident import record_incident_report, render_incident
from runbook_engine.render.lines import plain
from runbook_engine.reports import mitigated
from tests.scenario.rig import ALERT, MINUTE, SCALE, SECOND, Rig, runbook

HOUR = timedelta(hours=1)


def incident(rig: Rig) -> Incident:
    """Return the newest one."""
    return rig.journal.incidents(limit=1)[0]


def report(rig: Rig) -> IncidentReport:
    """Return everything that happened to it."""
    return rig.engine.incident_report(incident(rig).id)


def test_an_incident_is_resolved_only_when_its_alerts_have_been_over_for_a_while() -> None:
    """It says until when it waits; what took how long is measured to the moment at which they were over."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    rig.resolve()

    early = report(rig)
    rig.simulated.push(5 * MINUTE - SECOND)
    nearly = report(rig)
    rig.simulated.push(SECOND)
    late = report(rig)

    assert ["mitigated", "mitigated", "resolved"] == [early.status, nearly.status, late.status]
    assert incident(rig).resolved_at is not None
    assert (incident(rig).resolved_at or rig.now) + 5 * MINUTE == early.quiet_until
    assert (None, MINUTE) == (early.from_opened.resolve, late.from_opened.resolve)
    assert "  its alerts are over; resolved at 09:06:00, if none of them comes back\n" in plain(
        render_incident(early, rig.now)
    )


def test_an_incident_is_not_mitigated_by_a_run_that_verified_nothing() -> None:
    """That a change was made says nothing of what it came to."""
    rig = Rig(runbook(verify=(), strategy="sequence"))
    rig.fire()

    rig.run(MINUTE)

    assert ("succeeded", False) == (rig.execution().status, rig.execution().verified)
    assert ("open", None) == (report(rig).status, report(rig).mitigated_at)
    assert "open" == view_incident(incident(rig), rig.journal.executions(limit=10), 5 * MINUTE, rig.now)["status"]


def test_an_incident_is_not_mitigated_while_a_sibling_did_not_fix_its_part() -> None:
    """One run was verified as fixed, and beside it an alert fires that another could not help."""
    check = QueryCheck(query="cart:error_ratio", comparison="below", value=0.02, timeout=2 * MINUTE)
    cart = TargetTemplate(kind="deployment", name="cart", namespace="apps")
    rig = Rig(runbook(), runbook(name="second", digest="second", target=cart, steps=(SCALE,), verify=(check,)))
    rig.simulated.deploy("apps", "cart", replicas=4, released_ago=HOUR)
    rig.simulated.compute("cart:error_ratio", lambda world: 0.5)
    rig.healed_by_flag()
    rig.fire()

    rig.run(20 * MINUTE)

    assert ["succeeded", "unresolved"] == [rig.execution(0).status, rig.execution(1).status]
    assert ("open", None) == (report(rig).status, report(rig).mitigated_at)


def run_of(rig: Rig, identity: str, **changes: object) -> Execution:
    """Return the verified success of a rig as another run, otherwise in what is given."""
    made: Execution = replace(rig.execution(), id=identity, slot=identity, **changes)
    return made


@pytest.mark.parametrize(
    ("beside", "late"),
    [
        pytest.param({"mode": "observe", "status": "unresolved"}, 0, id="one that only looked on"),
        pytest.param({"merged_into": "a", "status": "cancelled"}, 0, id="one that joined it"),
        pytest.param({"status": "cancelled"}, 0, id="one that a person stopped"),
        pytest.param({"status": "unresolved"}, None, id="one that did not fix it"),
        pytest.param({"status": "handed_over"}, None, id="one that a person has"),
        pytest.param({"status": "running", "ended_at": None}, None, id="one at work"),
        pytest.param({"verified": False}, None, id="one that verified nothing"),
        pytest.param({"ended_at": MINUTE}, 1, id="one that was verified later"),
        pytest.param({"ended_at": MINUTE, "steps": ()}, 1, id="one that had nothing to change"),
    ],
)
def test_an_incident_is_mitigated_when_the_last_of_its_runs_is_verified(
    beside: dict[str, object], late: int | None
) -> None:
    """Each run that was to act is a verified success, or a person stopped it."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    first = rig.execution()
    assert first.ended_at is not None
    if beside.get("ended_at"):
        beside = {**beside, "ended_at": first.ended_at + MINUTE}

    answer = mitigated((run_of(rig, "b", **beside), first))

    assert (None if late is None else first.ended_at + late * MINUTE) == answer


def test_an_incident_is_mitigated_by_a_later_run_of_what_had_failed() -> None:
    """The same runbook on the same target was tried again, and that was verified."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.run(MINUTE)
    fixed = rig.execution()
    earlier = replace(fixed, id="a", status="blocked", verified=False, opened_at=fixed.opened_at - MINUTE)

    assert fixed.ended_at == mitigated((fixed, earlier))
    assert mitigated((replace(earlier, opened_at=fixed.opened_at + MINUTE), fixed)) is None
    assert mitigated((replace(fixed, steps=()),)) is None  # it was over by itself


def test_an_incident_whose_alert_comes_back_within_the_quiet_time_is_the_same_and_open() -> None:
    """Somebody who looked away missed nothing."""
    rig = Rig()
    rig.fire()
    rig.simulated.push(MINUTE)
    rig.resolve()
    rig.simulated.push(MINUTE)

    rig.fire()

    assert 1 == len(rig.journal.incidents(limit=10))
    assert ("open", None) == (report(rig).status, report(rig).quiet_until)


def test_the_first_deed_of_a_person_acknowledges_an_incident() -> None:
    """Whoever comes later changes nothing of it."""
    rig = Rig(runbook(mode=(ModeRule(mode="approve"),)))
    rig.fire()
    rig.drive()
    rig.simulated.push(2 * MINUTE)
    asked = rig.execution().approval
    assert asked is not None

    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now)
    rig.simulated.push(MINUTE)
    rig.engine.acknowledge(incident(rig).id, by="bob", now=rig.now)

    assert ("ann", 2 * MINUTE) == (incident(rig).acknowledged_by, report(rig).from_opened.acknowledge)


def test_times_are_measured_from_the_alert_too() -> None:
    """A sender may have waited long before it told anybody."""
    rig = Rig()
    rig.healed_by_flag()
    started = rig.now - 10 * MINUTE
    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps"}
    rig.post({"status": "firing", "labels": labels, "startsAt": started.isoformat()})
    rig.engine.acknowledge(incident(rig).id, by="ann", now=rig.now)
    rig.run(MINUTE)
    rig.resolve()
    rig.simulated.push(5 * MINUTE)

    seen = report(rig)

    assert started == seen.started_at
    assert Times(timedelta(0), timedelta(0), 15 * SECOND, MINUTE) == seen.from_opened
    assert Times(10 * MINUTE, 10 * MINUTE, 10 * MINUTE + 15 * SECOND, 11 * MINUTE) == seen.from_started
    record = record_incident_report(seen)
    assert {"acknowledge": 0.0, "act": 0.0, "mitigate": 15.0, "resolve": 60.0} == record["seconds_from_opened"]
    assert "firing for 10m before, acknowledged after 0s" in plain(render_incident(seen, rig.now))


def expired() -> Rig:
    """Return a rig whose only alert has expired, ten hours after its last word."""
    rig = Rig()
    rig.fire()
    rig.simulated.push(10 * HOUR)
    assert 1 == rig.engine.expire(rig.now)
    return rig


def test_an_incident_whose_alerts_only_expired_stays_open() -> None:
    """Nobody said that it is fixed, and it says so."""
    rig = expired()

    shown = plain(render_incident(report(rig), rig.now))

    assert ("open", 1, ()) == (report(rig).status, len(incident(rig).expired_alerts), incident(rig).open_alerts)
    close = f"runbook close {incident(rig).id[:8]} --reason TEXT"
    assert f"  1 alert expired, and nobody said that it is fixed: {close}\n" in shown


def test_a_person_closes_an_incident_whose_alerts_only_expired() -> None:
    """It is kept who did and why; a new firing is a new incident."""
    rig = expired()

    closed = rig.engine.close_incident(incident(rig).id, by="ann", now=rig.now, reason="sender was removed")

    assert ("ann", "sender was removed", rig.now, rig.now) == (
        closed.closed_by,
        closed.closed_because,
        closed.closed_at,
        closed.resolved_at,
    )
    assert ("resolved", "ann") == (report(rig).status, closed.acknowledged_by)
    rig.simulated.push(MINUTE)
    rig.fire(pod="other")
    assert 2 == len(rig.journal.incidents(limit=10))


def test_an_incident_that_fires_cannot_be_closed() -> None:
    """It ends by itself."""
    rig = Rig()
    rig.fire()

    with pytest.raises(Conflict) as caught:
        rig.engine.close_incident(incident(rig).id, by="ann", now=rig.now)

    said = (
        f"incident {incident(rig).id[:8]} cannot be closed: 1 of its alerts fires (it ends by itself once they resolve)"
    )
    assert said == str(caught.value)


def test_an_incident_that_is_over_cannot_be_closed() -> None:
    """There is nothing to say of it."""
    rig = Rig()
    rig.fire()
    rig.simulated.push(MINUTE)
    rig.resolve()

    with pytest.raises(Conflict) as caught:
        rig.engine.close_incident(incident(rig).id, by="ann", now=rig.now)

    assert f"incident {incident(rig).id[:8]} is over already, so there is nothing to close" == str(caught.value)


def test_an_incident_with_an_expired_alert_is_not_resolved_by_another_ones_end() -> None:
    """Of one of them nobody has said that it is over."""
    rig = Rig()
    rig.fire(pod="a")
    rig.simulated.push(5 * HOUR)
    rig.fire(pod="b")
    rig.simulated.push(5 * HOUR)
    rig.engine.expire(rig.now)

    rig.resolve(pod="b")

    assert (None, 1) == (incident(rig).resolved_at, len(incident(rig).expired_alerts))
    rig.resolve(pod="a")
    assert rig.now == incident(rig).resolved_at


def test_an_alert_that_had_expired_and_fires_again_is_in_its_incident_again() -> None:
    """Its sender was away, the fault was not."""
    rig = Rig()
    started = rig.now
    rig.fire()
    rig.simulated.push(10 * HOUR)
    rig.engine.expire(rig.now)

    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps"}
    rig.post({"status": "firing", "labels": labels, "startsAt": started.isoformat()})

    assert (1, ()) == (len(incident(rig).open_alerts), incident(rig).expired_alerts)


def change(at: timedelta, what: str, rig: Rig, *, ours: bool = False) -> ChangeEvent:
    """Return a change that somebody made so long ago."""
    return ChangeEvent(at=rig.now - at, who="ci", what=what, ours=ours)


def test_an_incident_shows_what_others_changed_in_the_hour_before() -> None:
    """Its own targets first, then what bears its labels, the latest first; not ours, and nothing older."""
    rig = Rig()
    own, near = rig.target(), Target("deployment", "local", "apps", "cart")
    rig.journal.record_change(own, change(50 * MINUTE, "release 1", rig))
    rig.journal.record_change(own, change(20 * MINUTE, "release 2", rig))
    rig.journal.record_change(own, change(10 * MINUTE, "scaled", rig, ours=True))
    rig.journal.record_change(own, change(61 * MINUTE, "release 0", rig))
    rig.journal.record_change(near, change(MINUTE, "release of cart", rig))
    rig.journal.record_change(Target("deployment", "local", "other", "web"), change(MINUTE, "elsewhere", rig))
    rig.fire(service="cart")

    seen = report(rig)

    told = [(each.event.what, each.same_target) for each in seen.changes]
    assert [("release 2", True), ("release 1", True), ("release of cart", False)] == told
    shown = plain(render_incident(seen, rig.now))
    assert (
        "  What changed in the hour before:\n    08:40:00  20m before  apps/deployment/checkout  release 2 by ci\n"
        in shown
    )
    assert "release 2" == record_incident_report(seen)["changes"][0]["what"]


def test_an_incident_says_which_alerts_flap() -> None:
    """What comes and goes is only proposed, and people are told why."""
    rig = Rig()
    for _ in range(3):
        rig.fire()
        rig.simulated.push(MINUTE)
        rig.resolve()
        rig.simulated.push(MINUTE)

    seen = report(rig)

    assert (ALERT,) == seen.flapping
    said = f"  flapping: {ALERT} came and went too often, so runs were only proposed\n"
    assert said in plain(render_incident(seen, rig.now))


def test_a_closed_incident_whose_alert_fires_on_is_open_again_and_can_be_closed_again() -> None:
    """The sender was only away: whoever closed it was mistaken, and its times are of the end that holds."""
    rig = Rig()
    started = rig.now
    labels = {"alertname": ALERT, "severity": "critical", "namespace": "apps"}
    rig.fire()
    rig.simulated.push(10 * HOUR)
    rig.engine.expire(rig.now)
    rig.engine.close_incident(incident(rig).id, by="ann", now=rig.now, reason="sender was removed")
    rig.simulated.push(MINUTE)

    rig.post({"status": "firing", "labels": labels, "startsAt": started.isoformat()})

    assert ("open", None, "") == (report(rig).status, incident(rig).closed_at, incident(rig).closed_by)
    rig.simulated.push(10 * HOUR)
    rig.engine.expire(rig.now)
    closed = rig.engine.close_incident(incident(rig).id, by="bob", now=rig.now)
    assert ("bob", rig.now) == (closed.closed_by, closed.resolved_at)


def test_an_end_that_is_told_after_an_incident_was_closed_does_not_move_its_times() -> None:
    """It was over when the person said so."""
    rig = expired()
    closed = rig.engine.close_incident(incident(rig).id, by="ann", now=rig.now, reason="looked")
    rig.simulated.push(HOUR)

    rig.resolve()

    assert closed.resolved_at == incident(rig).resolved_at
