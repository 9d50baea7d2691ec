"""A check is yes, no, or cannot be told; what cannot be told is never yes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from runbook_engine.checks import Subject, describe_check, judge_check, judge_harm
from runbook_engine.errors import InvalidTarget, Permanent, TemplateError, Unreadable
from runbook_engine.model.check import (
    AlertCheck,
    ChangedWithinCheck,
    Check,
    DoNoHarm,
    EvictablePodsCheck,
    GitopsCheck,
    NodeReadyCheck,
    QueryCheck,
    ReadyCheck,
)
from runbook_engine.model.observation import ChangeEvent, Sample
from runbook_engine.model.target import Target
from runbook_engine.ports import World
from runbook_engine.testing.clock import EPOCH
from runbook_engine.testing.simulated_world import SimulatedWorld

BELOW = QueryCheck(query="errors", comparison="below", value=0.02)
ABOVE = QueryCheck(query="errors", comparison="above", value=0.02)
EQUALS = QueryCheck(query="errors", comparison="equals", value=0.3)
HARM = DoNoHarm(query="errors", rises_by=0.25, floor=1.0)
CHECKOUT = Target("deployment", "local", "apps", "checkout")


@dataclass
class Answers:
    """A metric reader that answers what a test wants, and remembers what it was asked."""

    values: tuple[float, ...] = ()
    age: timedelta = timedelta(0)
    error: Exception | None = None
    asked: Mapping[str, str] | None = None

    def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
        self.asked = where
        if self.error is not None:
            raise self.error
        return tuple(Sample(labels={"n": str(n)}, value=value, at=at - self.age) for n, value in enumerate(self.values))


def world(answers: Answers | None = None, *, ready: int = 4) -> World:
    """Return a world with the checkout deployment, and these metrics."""
    simulated = SimulatedWorld()
    simulated.deploy("apps", "checkout", replicas=4, broken=4 - ready, released_ago=timedelta(hours=1))
    return replace(simulated.world, metrics=answers or Answers())  # type: ignore[arg-type]  # history is never asked


def subject(**changes: object) -> Subject:
    """Return what checks are judged on: an alert that fires."""
    settings: dict[str, object] = {
        "target": CHECKOUT,
        "started_at": EPOCH,
        "all_resolved": False,
        "firing": True,
        "fill": lambda text: text,
    }
    return Subject(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "values", "ok", "says"),
    [
        pytest.param(BELOW, (0.01,), True, "errors 0.01 is below 0.02", id="below"),
        pytest.param(BELOW, (0.02,), False, "errors 0.02 is not below 0.02", id="exactly the limit is not below it"),
        pytest.param(BELOW, (0.01, 0.5, 0.1), False, "errors 0.5 is not below 0.02", id="the worst series is shown"),
        pytest.param(BELOW, (0.01, 0.015), True, "errors 0.015 is below 0.02", id="all series must pass"),
        pytest.param(ABOVE, (0.03, 0.01), False, "errors 0.01 is not above 0.02", id="one series is not above"),
        pytest.param(ABOVE, (0.03,), True, "errors 0.03 is above 0.02", id="above"),
        pytest.param(EQUALS, (0.1 + 0.2,), True, "errors 0.3 equals 0.3", id="equal up to rounding"),
        pytest.param(EQUALS, (0.4,), False, "errors 0.4 does not equal 0.3", id="not equal"),
        pytest.param(BELOW, (-1e300,), True, "errors -1e+300 is below 0.02", id="very small"),
        pytest.param(BELOW, (), None, "errors has no data", id="empty"),
        pytest.param(BELOW, (math.nan,), None, "errors is not a number", id="NaN"),
        pytest.param(BELOW, (0.01, math.nan), None, "errors is not a number", id="one series is NaN"),
        pytest.param(ABOVE, (math.inf,), None, "errors is not a number", id="infinite"),
    ],
)
def test_a_query_is_judged(check: QueryCheck, values: tuple[float, ...], ok: bool | None, says: str) -> None:
    """Yes only when every series says so."""
    reading = judge_check(check, subject(), world(Answers(values)))

    assert (ok, says) == (reading.ok, reading.says)


@pytest.mark.parametrize(
    ("age", "ok"),
    [
        pytest.param(timedelta(minutes=5), True, id="just young enough"),
        pytest.param(timedelta(minutes=5, seconds=1), None, id="stale"),
    ],
)
def test_a_stale_sample_cannot_be_told(age: timedelta, ok: bool | None) -> None:
    """What was so six minutes ago says nothing of now."""
    reading = judge_check(BELOW, subject(), world(Answers((0.01,), age)))

    assert ok == reading.ok


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unreadable("connection refused"), id="unreadable"),
        pytest.param(InvalidTarget("no such deployment"), id="no such target"),
        pytest.param(Permanent("the query is malformed"), id="an error that readers should not raise"),
    ],
)
def test_a_reader_that_fails_is_a_reading(error: Exception) -> None:
    """A failure is no exception here, and no yes."""
    reading = judge_check(BELOW, subject(), world(Answers(error=error)))

    assert (None, f"errors below 0.02: cannot be read: {error}") == (reading.ok, reading.says)


def test_where_is_filled_and_handed_over_as_it_is() -> None:
    """The value may be hostile; escaping it is the reader's business, and the query text stays the author's."""
    answers = Answers((0.01,))
    check = QueryCheck(query="errors", comparison="below", value=1, where={"pod": "{{ inputs.pod }}"})

    judge_check(check, subject(fill=lambda text: 'a"} or vector(0) #'), world(answers))

    assert {"pod": 'a"} or vector(0) #'} == answers.asked


def test_where_that_cannot_be_filled_cannot_be_told() -> None:
    """The alert lacks the label."""

    def fill(text: str) -> str:
        raise TemplateError("alert.labels.pod has no value")

    check = QueryCheck(query="errors", comparison="below", value=1, where={"pod": "{{ alert.labels.pod }}"})

    reading = judge_check(check, subject(fill=fill), world(Answers((0.01,))))

    assert (None, "errors below 1: cannot be read: alert.labels.pod has no value") == (reading.ok, reading.says)


def test_a_named_source_that_is_not_there_cannot_be_told() -> None:
    """The remedy is in the sentence."""
    check = QueryCheck(query="errors", comparison="below", value=1, source="cloudwatch")

    reading = judge_check(check, subject(), world())

    assert (
        "errors below 1: cannot be read: no metric reader 'cloudwatch' (name it under adapters.metrics in engine.yaml)"
        == reading.says
    )


@pytest.mark.parametrize(
    ("check", "ok", "says"),
    [
        pytest.param(
            ReadyCheck(share=1.0), False, "apps/deployment/checkout has 3 of 4 ready, wanted 100%", id="not all"
        ),
        pytest.param(
            ReadyCheck(share=0.75), True, "apps/deployment/checkout has 3 of 4 ready, wanted 75%", id="enough"
        ),
        pytest.param(AlertCheck(state="resolved"), False, "every alert resolved: no", id="not resolved"),
        pytest.param(AlertCheck(state="firing"), True, "every alert firing: yes", id="firing"),
        pytest.param(
            ChangedWithinCheck(period=timedelta(hours=2)),
            True,
            "release 1 by somebody, 1h before the alert",
            id="changed within",
        ),
        pytest.param(
            ChangedWithinCheck(period=timedelta(minutes=30)),
            False,
            "no change by others before the alert, wanted within 30m",
            id="changed earlier",
        ),
        pytest.param(
            NodeReadyCheck(ready=True),
            None,
            "node ready: cannot be read: apps/deployment/checkout is no node "
            "(this check needs a target such as {node: NAME})",
            id="a node",
        ),
        pytest.param(
            EvictablePodsCheck(at_most=0),
            None,
            "at most 0 evictable pods: cannot be read: apps/deployment/checkout is no node "
            "(this check needs a target such as {node: NAME})",
            id="pods of a node",
        ),
        pytest.param(
            GitopsCheck(managed=False),
            True,
            "nothing in git is known to manage apps/deployment/checkout",
            id="gitops",
        ),
    ],
)
def test_every_other_kind_is_judged(check: Check, ok: bool | None, says: str) -> None:
    """Three of four replicas are ready, the alert fires, the release is an hour old."""
    reading = judge_check(check, subject(), world(ready=3))

    assert (ok, says) == (reading.ok, reading.says)


def test_only_the_newest_release_counts_as_ready_while_it_rolls_out() -> None:
    """A rollout that is stuck leaves the old replicas serving, and nothing of it is fixed."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=2)
    simulated.cluster.state(target).stuck = "its image cannot be pulled"
    simulated.release(target)
    simulated.push(timedelta(minutes=10))

    reading = judge_check(ReadyCheck(share=1.0), subject(), simulated.world)

    assert (reading.ok, reading.says) == (
        False,
        "apps/deployment/checkout has 0 of 2 ready of the newest release (2 with the older one), wanted 100%",
    )


def test_a_workload_of_nothing_is_not_ready() -> None:
    """None of none is not all of them."""
    simulated = SimulatedWorld()
    simulated.deploy("apps", "checkout", replicas=0)

    reading = judge_check(ReadyCheck(share=1.0), subject(), simulated.world)

    assert (False, "apps/deployment/checkout has 0 of 0 ready, wanted 100%") == (reading.ok, reading.says)


def test_a_change_after_the_alert_began_is_no_reason() -> None:
    """It cannot have caused it."""
    simulated = SimulatedWorld()
    target = simulated.deploy("apps", "checkout", replicas=4)
    simulated.push(timedelta(minutes=5))
    simulated.release(target)

    reading = judge_check(ChangedWithinCheck(period=timedelta(hours=2)), subject(), simulated.world)

    assert reading.ok is False


@pytest.mark.parametrize(
    ("values", "baseline", "ok", "says"),
    [
        pytest.param((1.2,), 1.0, True, "errors 1.2, baseline 1", id="within the margin"),
        pytest.param((1.3,), 1.0, False, "errors rose to 1.3 from 1 (at most 1.25)", id="above the margin"),
        pytest.param((0.9,), 0.1, True, "errors 0.9, baseline 0.1", id="below the floor nothing counts"),
        pytest.param((0.1, 2.0), 1.0, False, "errors rose to 2 from 1 (at most 1.25)", id="the worst series counts"),
        pytest.param((), 1.0, None, "errors cannot be read: no data", id="no data"),
        pytest.param((math.nan,), 1.0, None, "errors cannot be read: no data", id="NaN"),
    ],
)
def test_harm_is_judged(values: tuple[float, ...], baseline: float, ok: bool | None, says: str) -> None:
    """Worse than the baseline and its margin, and above the floor."""
    reading = judge_harm(HARM, baseline, str, world(Answers(values)))

    assert (ok, says) == (reading.ok, reading.says)


@pytest.mark.parametrize(
    "error", [Unreadable("refused"), TemplateError("no value"), Permanent("malformed")], ids=lambda e: type(e).__name__
)
def test_harm_that_cannot_be_read_is_not_harmless(error: Exception) -> None:
    """Neither yes nor an exception."""
    reading = judge_harm(HARM, 1.0, str, world(Answers(error=error)))

    assert (None, f"errors cannot be read: {error}") == (reading.ok, reading.says)


@pytest.mark.parametrize(
    ("check", "says"),
    [
        pytest.param(BELOW, "errors below 0.02", id="a query"),
        pytest.param(
            QueryCheck(query="errors", comparison="above", value=12345.678, hold_for=timedelta(seconds=90)),
            "errors above 1.235e+04 for 1m30s",
            id="a query that must hold",
        ),
        pytest.param(ReadyCheck(share=0.5), "ready 50%", id="ready"),
        pytest.param(NodeReadyCheck(ready=False), "node not ready", id="a node that must not be ready"),
        pytest.param(GitopsCheck(managed=True), "gitops managed", id="gitops"),
        pytest.param(AlertCheck(state="firing"), "every alert firing", id="alert"),
        pytest.param(ChangedWithinCheck(period=timedelta(days=1)), "changed within 1d", id="changed within"),
    ],
)
def test_a_check_is_described_as_an_author_would(check: Check, says: str) -> None:
    """What stands in a plan and in a refusal."""
    assert says == describe_check(check)


def test_a_reading_is_made_of_the_present() -> None:
    """The reader is asked as of the world's clock."""
    asked: list[datetime] = []

    class Clocked(Answers):
        def query(self, query: str, where: Mapping[str, str], at: datetime) -> tuple[Sample, ...]:
            asked.append(at)
            return ()

    judge_check(BELOW, subject(), world(Clocked()))

    assert [EPOCH] == asked


@pytest.mark.parametrize(
    ("wanted", "live", "ok", "says"),
    [
        pytest.param(True, True, True, "node/worker-1 is ready", id="ready"),
        pytest.param(
            True, False, False, "node/worker-1 is not ready (NodeStatusUnknown), wanted ready", id="not ready"
        ),
        pytest.param(False, False, True, "node/worker-1 is not ready (NodeStatusUnknown)", id="wanted not ready"),
        pytest.param(False, True, False, "node/worker-1 is ready, wanted not ready", id="ready after all"),
    ],
)
def test_a_node_is_judged(wanted: bool, live: bool, ok: bool, says: str) -> None:
    """What its kubelet reports, and why."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.nodes.edit(node, ready=live, ready_reason="" if live else "NodeStatusUnknown")

    reading = judge_check(NodeReadyCheck(ready=wanted), subject(target=node), simulated.world)

    assert (ok, says, live) == (reading.ok, reading.says, reading.value)


@pytest.mark.parametrize(
    ("pods", "at_most", "ok", "says"),
    [
        pytest.param(0, 0, True, "evictable pods on node/worker-1: 0, wanted at most 0", id="none"),
        pytest.param(
            1, 0, False, "evictable pods on node/worker-1: 1 (apps/cache-0), wanted at most 0", id="one that forbids"
        ),
        pytest.param(
            5,
            5,
            True,
            "evictable pods on node/worker-1: 5 (apps/cache-0, apps/cache-1, apps/cache-2, ...), wanted at most 5",
            id="as many as wanted",
        ),
    ],
)
def test_pods_of_a_node_are_counted(pods: int, at_most: int, ok: bool, says: str) -> None:
    """A pod that forbids the drain is left too; a DaemonSet's pod is not."""
    simulated = SimulatedWorld()
    node = simulated.add_node("worker-1")
    simulated.add_pod("kube-system", "agent", node, Target("daemonset", "local", "kube-system", "agent"))
    for number in range(pods):
        simulated.add_pod("apps", f"cache-{number}", node, CHECKOUT, empty_dirs=("data",))

    reading = judge_check(EvictablePodsCheck(at_most=at_most), subject(target=node), simulated.world)

    assert (ok, says, pods) == (reading.ok, reading.says, reading.value)


@pytest.mark.parametrize("check", [NodeReadyCheck(ready=True), EvictablePodsCheck(at_most=0)], ids=["ready", "pods"])
def test_a_node_that_is_not_there_cannot_be_told(check: Check) -> None:
    """Nothing on no node is not an empty node."""
    simulated = SimulatedWorld()

    reading = judge_check(check, subject(target=Target("node", "local", "", "worker-9")), simulated.world)

    assert reading.ok is None
    assert reading.says.endswith("cannot be read: node/worker-9 does not exist in cluster 'local'")


@pytest.mark.parametrize(
    ("managed", "ok"), [pytest.param(True, True, id="wanted managed"), pytest.param(False, False, id="wanted not")]
)
def test_a_workload_that_git_owns_is_managed(managed: bool, ok: bool) -> None:
    """The reading names the owner."""
    simulated = SimulatedWorld()
    simulated.deploy("apps", "checkout", replicas=1)
    simulated.cluster.state(CHECKOUT).gitops = "Argo CD application web"

    reading = judge_check(GitopsCheck(managed=managed), subject(), simulated.world)

    assert (ok, "apps/deployment/checkout is managed by Argo CD application web") == (reading.ok, reading.says)


@pytest.mark.parametrize(
    ("event", "ok"),
    [
        pytest.param(ChangeEvent(at=EPOCH, who="ci", what="image a:1 -> a:2"), True, id="a release"),
        pytest.param(ChangeEvent(at=EPOCH, who="ci", what="image a:1 -> a:2", ours=True), False, id="one of ours"),
        pytest.param(ChangeEvent(at=EPOCH, who="c", what="replicas 2 -> 3", kind="autoscaled"), False, id="a scaling"),
        pytest.param(ChangeEvent(at=EPOCH, who="c", what="revision 1", kind="healthy", revision=1), False, id="health"),
        pytest.param(ChangeEvent(at=EPOCH, who="c", what="revision 1", kind="failed", revision=1), False, id="failure"),
    ],
)
def test_changed_within_is_true_when_somebody_decided_something(event: ChangeEvent, ok: bool) -> None:
    """An autoscaler answers to load, and how a release did is no change: the alert itself may be the reason."""
    simulated = SimulatedWorld()
    simulated.changes.add(CHECKOUT, event)

    reading = judge_check(ChangedWithinCheck(period=timedelta(hours=1)), subject(), simulated.world)

    assert ok == reading.ok
