"""How long incidents took is counted once for each, as it is resolved, whoever ended it and however many look."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.entrypoints import measuring
from runbook_engine.entrypoints.logs import EventLog
from runbook_engine.entrypoints.measuring import Measuring
from runbook_engine.entrypoints.metrics import Metrics
from runbook_engine.entrypoints.worker import Worker
from runbook_engine.errors import StaleVersion
from runbook_engine.model.incident import IncidentReport
from tests.contract.test_metrics import values_of
from tests.scenario.rig import MINUTE, SECOND, Rig


@pytest.fixture(autouse=True)
def _always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "PERIOD", 0.0)


def healed() -> Rig:
    """Return a rig whose only incident was acknowledged, fixed within a minute, and whose alert is over."""
    rig = Rig()
    rig.healed_by_flag()
    rig.fire()
    rig.simulated.push(10 * SECOND)
    rig.engine.acknowledge(rig.journal.incidents(limit=1)[0].id, by="ann", now=rig.now)
    rig.run(MINUTE)
    rig.resolve()
    return rig


def test_an_incident_is_counted_once_it_is_resolved() -> None:
    """Not while its alerts are over for a moment only; then at the first look, and never again."""
    rig, counted = healed(), list[IncidentReport]()
    measuring_now = Measuring(rig.engine, counted.append)

    seen = []
    for step in (5 * MINUTE - SECOND, SECOND, MINUTE):
        rig.simulated.push(step)
        measuring_now.look(rig.now)
        seen.append(len(counted))

    assert [0, 1, 1] == seen
    assert 10 * SECOND == counted[0].from_opened.acknowledge
    assert timedelta(0) < (counted[0].from_opened.act or timedelta(0)) <= MINUTE + 10 * SECOND
    assert MINUTE + 10 * SECOND == counted[0].from_opened.resolve


def test_two_who_look_count_an_incident_once_between_them() -> None:
    """Also when one of them had seen it open, and one that has only just started."""
    rig, counted = healed(), list[IncidentReport]()
    early = Measuring(rig.engine, counted.append)
    early.look(rig.now)
    rig.simulated.push(5 * MINUTE)

    for each in (Measuring(rig.engine, counted.append), early, Measuring(rig.engine, counted.append)):
        each.look(rig.now)

    assert 1 == len(counted)


def test_an_incident_that_opens_again_is_not_counted_twice() -> None:
    """Its alert comes back after it was resolved, and goes again."""
    rig, counted = healed(), list[IncidentReport]()
    measuring_now = Measuring(rig.engine, counted.append)
    rig.simulated.push(6 * MINUTE)
    measuring_now.look(rig.now)

    rig.fire()
    rig.run(MINUTE)
    rig.resolve()
    rig.simulated.push(6 * MINUTE)
    measuring_now.look(rig.now)

    assert 1 == len(rig.journal.incidents(limit=10))
    assert 1 == len(counted)


def test_what_was_over_long_before_is_history() -> None:
    """An upgrade does not count the incidents of a year in one minute."""
    rig, counted = healed(), list[IncidentReport]()
    rig.simulated.push(timedelta(days=1, minutes=6))

    Measuring(rig.engine, counted.append).look(rig.now)

    assert [] == counted


def test_an_incident_that_is_not_among_the_newest_any_more_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen open is remembered until it is resolved, though others were opened since."""
    rig, counted = Rig(), list[IncidentReport]()
    monkeypatch.setattr(measuring, "MOST_LOOKED_AT", 1)
    measuring_now = Measuring(rig.engine, counted.append)
    rig.fire()
    first = rig.journal.incidents(limit=1)[0]
    measuring_now.look(rig.now)
    rig.resolve()
    rig.simulated.push(MINUTE)
    rig.fire(service="other", deployment="other", team="other")
    assert first.id != rig.journal.incidents(limit=1)[0].id

    rig.simulated.push(5 * MINUTE)
    measuring_now.look(rig.now)

    assert [first.id] == [report.incident.id for report in counted]


def test_an_incident_that_others_write_to_waits_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm is no reason for the worker to stop, nor to leave an incident out."""
    rig, counted = healed(), list[IncidentReport]()
    measuring_now = Measuring(rig.engine, counted.append)
    rig.simulated.push(6 * MINUTE)
    with monkeypatch.context() as storm:
        storm.setattr(rig.journal, "record", _moved)
        storm.setattr("runbook_engine.intake.recording.time.sleep", lambda seconds: None)
        measuring_now.look(rig.now)
    assert [] == counted

    measuring_now.look(rig.now)

    assert 1 == len(counted)


def test_the_worker_looks_while_it_goes_round() -> None:
    """Nothing else has to be started for it."""
    rig, counted = healed(), list[IncidentReport]()
    rig.simulated.push(6 * MINUTE)
    rounds = iter(range(3))
    worker = Worker(
        engine=rig.engine,
        clock=rig.simulated.clock,
        log=EventLog(io.StringIO()),
        owner="w1",
        count_incident=counted.append,
    )

    worker.run(alive=lambda: next(rounds, None) is not None)

    assert 1 == len(counted)


def test_a_histogram_tells_when_what_was_done() -> None:
    """One observation for each of the four; nothing of what nobody did."""
    rig, metrics = healed(), Metrics()
    rig.simulated.push(6 * MINUTE)
    Measuring(rig.engine, metrics.count_incident).look(rig.now)
    report = rig.engine.incident_report(rig.journal.incidents(limit=1)[0].id)

    metrics.count_incident(replace(report, from_opened=replace(report.from_opened, acknowledge=None)))

    values = values_of(metrics.render([]).decode())
    counts = [values["runbook_incident_seconds_count", (until,)] for until in ("acknowledge", "act", "resolve")]
    assert [1.0, 2.0, 2.0] == counts
    assert 140.0 == values["runbook_incident_seconds_sum", ("resolve",)]
    assert 0.0 == values["runbook_incident_seconds_bucket", ("60.0", "resolve")]
    assert 2.0 == values["runbook_incident_seconds_bucket", ("120.0", "resolve")]


def test_what_happens_seldom_begins_at_nothing() -> None:
    """The first change and the first incident are an increase too."""
    rig, metrics = healed(), Metrics()

    metrics.begin(rig.engine.bundle)

    values = values_of(metrics.render([]).decode())
    assert 0.0 == values["runbook_incident_seconds_count", ("resolve",)]
    assert 0.0 == values["runbook_action_seconds_count", ("degrade", "undo", "failed")]


def _moved(intake: object) -> None:
    raise StaleVersion("incident has moved")
