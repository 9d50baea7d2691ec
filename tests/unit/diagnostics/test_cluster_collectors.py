"""The collectors that ask a cluster: its events, its releases, and what containers said before they restarted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.diagnostics import events, logs, rollouts
from runbook_engine.errors import Unreadable
from runbook_engine.model.observation import ClusterEvent, Revision
from runbook_engine.model.target import Target
from runbook_engine.ports import CollectorSpec, Evidenced
from runbook_engine.registry import Registry
from runbook_engine.testing import SimulatedWorld

TARGET = Target("deployment", "local", "apps", "checkout")


def collect(collector: CollectorSpec, simulated: SimulatedWorld, **written: object) -> Evidenced:
    """Collect as an author would write it."""
    arguments = collector.arguments.model_validate(written)
    return collector.collect(arguments, TARGET, simulated.clock.now(), simulated.world)


def happen(simulated: SimulatedWorld, ago: timedelta, reason: str, **more: object) -> None:
    """Let an event have happened to one of the pods."""
    fields: dict[str, object] = {"about": "pod/checkout-1", "message": "it happened", **more}
    event = ClusterEvent(at=simulated.clock.now() - ago, reason=reason, **fields)  # type: ignore[arg-type]  # a table
    simulated.events.add(TARGET, event)


@pytest.mark.parametrize("collector", [events.COLLECTOR, rollouts.COLLECTOR], ids=lambda collector: collector.name)
def test_collector_is_found_and_says_what_it_reads(collector: CollectorSpec) -> None:
    """By name, with what it reads and a sentence for each argument."""
    fields = collector.arguments.model_json_schema()["properties"]

    assert Registry().collector(collector.name) is collector
    assert collector.needs("deployment")
    assert all(field.get("description") for field in fields.values())


@pytest.mark.parametrize(
    ("collector", "port"), [(events.COLLECTOR, "events"), (rollouts.COLLECTOR, "cluster")], ids=["events", "rollouts"]
)
def test_collector_says_so_when_unreadable(collector: CollectorSpec, port: str) -> None:
    """No evidence is not empty evidence."""
    simulated = SimulatedWorld()
    simulated.deploy("apps", "checkout", replicas=1)
    simulated.faults.make_unreadable(port)

    with pytest.raises(Unreadable):
        collect(collector, simulated)


def test_events_are_listed_newest_first_when_there_are_some() -> None:
    """When, of what, which, how often, and what was said; a secret is taken out, and a line stays a line."""
    simulated = SimulatedWorld()
    happen(simulated, timedelta(minutes=20), "Scheduled")
    happen(simulated, timedelta(minutes=2), "BackOff", warning=True, count=7, message="token=abc123\nforged\x1b[31m")
    happen(simulated, timedelta(hours=3), "Killing")

    assert collect(events.COLLECTOR, simulated).text.splitlines() == [
        "2026-01-05 08:58:00Z  pod/checkout-1  Warning BackOff (7 times): token=[redacted]\\nforged\\x1b[31m",
        "2026-01-05 08:40:00Z  pod/checkout-1  Scheduled: it happened",
    ]
    assert len(collect(events.COLLECTOR, simulated, only="warnings").text.splitlines()) == 1
    assert len(collect(events.COLLECTOR, simulated, since="4h").text.splitlines()) == 3


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param({}, "no event in the last 1h", id="nothing at all"),
        pytest.param({"only": "warnings", "since": "30m"}, "no warning in the last 30m", id="nothing bad"),
    ],
)
def test_events_say_so_when_there_are_none(written: dict[str, object], says: str) -> None:
    """That nothing happened is evidence as well."""
    assert collect(events.COLLECTOR, SimulatedWorld(), **written) == Evidenced(
        title="Events of apps/deployment/checkout", text=says
    )


def test_events_are_bounded_when_there_are_many() -> None:
    """Fifty lines of a bounded length, and how many are left out."""
    simulated = SimulatedWorld()
    for second in range(60):
        happen(simulated, timedelta(seconds=second), "BackOff", message="a" * 9000)

    lines = collect(events.COLLECTOR, simulated).text.splitlines()

    assert (len(lines), lines[-1]) == (51, "and 10 older events")
    assert max(len(line) for line in lines) < 1200


def test_rollouts_tell_each_release_when_several_are_kept() -> None:
    """Which one runs, its former numbers, how old it is, and how it did."""
    simulated = SimulatedWorld()
    now = simulated.clock.now()
    revisions = (
        Revision(number=4, formerly=(2,), released_at=now - timedelta(minutes=5), summary="r40\nby ci"),
        Revision(number=3, released_at=now - timedelta(hours=2), healthy=False, summary="password=hunter2"),
        Revision(number=1, healthy=True),
    )
    simulated.deploy("apps", "checkout", replicas=3, revisions=revisions, paused=True)

    assert collect(rollouts.COLLECTOR, simulated).text.splitlines() == [
        "complete: 3 ready and 3 updated of 3 replicas, paused",
        "* 4 (formerly 2)  5m old  not known how it did: r40\\nby ci",
        "  3  2h old  unhealthy: password=[redacted]",
        "  1  released at an unknown time  healthy",
    ]


def test_rollouts_say_why_when_one_is_stuck() -> None:
    """The reason that the cluster gives comes first; of many revisions the oldest are left out."""
    simulated = SimulatedWorld()
    revisions = tuple(Revision(number=number) for number in range(30, 0, -1))
    target = simulated.deploy("apps", "checkout", replicas=3, revisions=revisions)
    simulated.get_stuck(target, "ImagePullBackOff of container web")
    simulated.release(target)
    simulated.push(timedelta(minutes=1))

    lines = collect(rollouts.COLLECTOR, simulated).text.splitlines()

    assert lines[0] == "failed: 3 ready and 0 updated of 3 replicas: ImagePullBackOff of container web"
    assert (len(lines), lines[-1]) == (22, "and 11 older revisions")


def test_logs_of_containers_before_are_left_out_unless_wanted() -> None:
    """They say why a container died, and stand under a heading that says which they are."""
    simulated = SimulatedWorld()
    simulated.logs.add(TARGET, "checkout-1", ["started"])
    simulated.logs.add(TARGET, "checkout-1", ["out of memory", "api_key=abcdef"], previous=True)

    assert collect(logs.COLLECTOR, simulated).text == "started"
    assert collect(logs.COLLECTOR, simulated, previous=True).text.splitlines() == [
        "== checkout-1",
        "started",
        "== checkout-1 (before its last restart)",
        "out of memory",
        "api_key=[redacted]",
    ]
