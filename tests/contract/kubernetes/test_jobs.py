"""Jobs: started once under a name of their own, told by values that stay values, and looked at without guessing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from runbook_adapters.kubernetes.jobs import KubernetesJobReader, KubernetesJobWriter, job_manifest
from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, Unreadable
from runbook_engine.model.configuration import JobTemplate
from runbook_engine.model.target import Target
from tests.contract.kubernetes.bed import OLD, OURS, PLACE, Bed
from tests.emulators.kubernetes import FakeCluster

JOBS = r"/jobs(/|\?|$)"


def template(namespace: str = "ops", **spec: Any) -> JobTemplate:
    """Return a pinned job that takes the parameter `pod`."""
    pod = {"restartPolicy": "Never", "nodeSelector": OURS, "containers": [{"name": "dump", "image": OLD}]}
    written = {"template": {"spec": pod | spec.pop("pod", {})}, **spec}
    return JobTemplate(name="dump", namespace=namespace, spec=json.dumps(written), says="dumps", parameters=("pod",))


class Rig:
    """One pinned job of a cluster, and what starts and reads it."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.template = template(bed.namespace)
        self.reader = KubernetesJobReader(bed.transport, [self.template])
        self.writer = KubernetesJobWriter(bed.transport, [self.template])
        self.target = bed.target("job", "dump-0123456789ab")

    def start(self, pod: str = "web-0", digest: str = "") -> Any:
        return self.writer.start(self.target, "dump", {"pod": pod}, digest=digest or self.template.digest)


@pytest.fixture
def rig(cluster: Bed) -> Rig:
    """A cluster with one pinned job that has not been started."""
    return Rig(cluster)


def test_job_is_started_once_when_it_is_asked_for_twice(rig: Rig, cluster: Bed) -> None:
    """The name is the token: the second call finds the first one's job."""
    assert rig.start() == {}
    assert rig.start() == {"unchanged": True}

    found = rig.reader.job(rig.target)

    assert found is not None
    assert cluster.client.get("job", rig.target.name)["metadata"]["uid"] == found.target.uid
    assert 1 == len(cluster.client.list("job"))


def test_job_of_another_start_conflicts_when_it_bears_the_name(rig: Rig) -> None:
    """Another argument is another job."""
    rig.start()

    with pytest.raises(Conflict) as conflict:
        rig.start("web-1")

    assert str(conflict.value) == f"{rig.target} exists, and is another job: it was not started by this run (remove it)"


def test_job_is_absent_when_nobody_started_it(rig: Rig) -> None:
    """A job that is not there is none, and no error."""
    assert rig.reader.job(rig.target) is None


def test_job_is_unreadable_when_the_answer_is_no_word_of_the_api(rig: Rig, fake: FakeCluster) -> None:
    """A proxy's page does not mean that the job is gone."""
    rig.start()
    fake.faults.html("GET", JOBS, status=404)

    with pytest.raises(Unreadable):
        rig.reader.job(rig.target)


def test_start_is_asked_again_when_the_job_that_is_there_cannot_be_read(rig: Rig, fake: FakeCluster) -> None:
    """A writer speaks a writer's words: nothing was done by this call, and it may be repeated."""
    rig.start()
    fake.faults.unavailable("GET", JOBS, times=9)

    with pytest.raises(Retryable):
        rig.start()


def test_start_is_in_doubt_when_its_answer_is_lost(rig: Rig, fake: FakeCluster) -> None:
    """Nobody knows; asked again under the same name, it is the same job."""
    fake.faults.lost_after("POST", JOBS)

    with pytest.raises(EffectUnknown):
        rig.start()

    assert rig.start() == {"unchanged": True}


def test_job_that_was_started_is_found_when_its_template_has_changed_since(rig: Rig, fake: FakeCluster) -> None:
    """A lost answer, and then another engine.yaml: the job that was approved runs, and saying no would hide it."""
    approved = rig.template.digest
    fake.faults.lost_after("POST", JOBS)
    with pytest.raises(EffectUnknown):
        rig.start()
    rig.writer = KubernetesJobWriter(rig.bed.transport, [template(rig.bed.namespace, backoffLimit=3)])

    assert rig.start(digest=approved) == {"unchanged": True}


def test_start_is_refused_when_no_such_job_is_pinned(rig: Rig) -> None:
    """Only what engine.yaml names is started."""
    with pytest.raises(Permanent) as refused:
        rig.writer.start(rig.target, "reboot", {}, digest=rig.template.digest)

    assert str(refused.value) == "unknown job 'reboot'; known are dump (add it under jobs in engine.yaml)"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param("web-0", "web-0", id="plain"),
        pytest.param("$(DB_PASSWORD)", "$$(DB_PASSWORD)", id="a reference"),
        pytest.param("$$(DB_PASSWORD)", "$$$$(DB_PASSWORD)", id="an escaped reference"),
        pytest.param("5$", "5$$", id="a bare dollar"),
    ],
)
def test_argument_stays_a_value_when_it_looks_like_a_reference(value: str, sent: str) -> None:
    """The kubelet expands $(NAME) from the variables before, secrets among them, and turns $$ into $."""
    pinned = template(pod={"containers": [{"name": "dump", "image": OLD, "env": [{"name": "DB_PASSWORD"}]}]})

    made = job_manifest(Target("job", PLACE, "ops", "dump-1"), pinned, {"pod": value})

    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert [{"name": "DB_PASSWORD"}, {"name": "RUNBOOK_POD", "value": sent}] == container["env"]


def test_job_is_bounded_when_it_is_sent() -> None:
    """The shorter of both limits holds, a pod is not tried again unless pinned so, and nulls are no numbers."""
    target = Target("job", PLACE, "ops", "dump-1")

    plain = job_manifest(target, template(), {"pod": "web-0"})["spec"]
    shorter = job_manifest(target, template(activeDeadlineSeconds=30, backoffLimit=2), {"pod": "web-0"})["spec"]
    empty = job_manifest(target, template(activeDeadlineSeconds=None, backoffLimit=None), {"pod": "web-0"})["spec"]

    limit = int(timedelta(minutes=10).total_seconds())
    assert [(limit, 0), (30, 2), (limit, 0)] == [
        (spec["activeDeadlineSeconds"], spec["backoffLimit"]) for spec in (plain, shorter, empty)
    ]


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        pytest.param(None, "running", "job dump-1 is running: 0 pods at work, 0 failed", id="not begun"),
        pytest.param([{"type": "Complete", "status": "True"}], "succeeded", "", id="complete"),
        pytest.param(
            [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too\n\x1b[31mlong"}],
            "failed",
            "DeadlineExceeded: too [31mlong",
            id="failed",
        ),
        pytest.param(
            [{"type": "Failed", "status": "False"}, {"type": "Suspended", "status": "True"}],
            "running",
            "job dump-1 is suspended: nothing of it runs",
            id="suspended",
        ),
    ],
)
def test_job_is_told_as_its_conditions_say(conditions: list | None, status: str, reason: str) -> None:
    """Only a condition that is true counts; what others wrote becomes one printable line."""
    target = Target("job", PLACE, "ops", "dump-1")

    class Answering:
        def get(self, path: str) -> Any:
            return {"metadata": {"uid": "u1"}, "status": {"conditions": conditions, "active": None}}

    found = KubernetesJobReader(Answering(), []).job(target)  # type: ignore[arg-type]

    assert found is not None
    assert ("u1", status, reason) == (found.target.uid, found.status, found.reason)


def test_start_is_refused_when_the_template_is_not_the_approved_one(rig: Rig) -> None:
    """What was edited after the yes is not run with it."""
    with pytest.raises(Conflict) as refused:
        rig.start(digest="0123456789ab")

    assert "job dump of engine.yaml is another one now than the one that was approved" == str(refused.value)
    assert rig.reader.job(rig.target) is None
