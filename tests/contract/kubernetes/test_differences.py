"""What two looks at a workload say: who changed what, and how its release does. Pure, so in tables."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook_adapters.kubernetes.differences import (
    Failure,
    creation_of,
    deletion_of,
    differences,
    failure_of,
    is_whole,
    look_at,
)
from runbook_adapters.kubernetes.releases import LONGEST, said_difference
from runbook_engine.model.observation import ChangeEvent

Json = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER, LATER = "2026-03-01T11:00:00Z", "2026-03-01T11:59:58Z"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def template(*containers: Json, annotations: Json | None = None, **spec: Any) -> Json:
    """A pod template; one container `app` unless others are given."""
    given = list(containers) or [app()]
    return {
        "metadata": {"labels": {"app": "web"}, "annotations": annotations or {}},
        "spec": {"containers": given, **spec},
    }


def app(name: str = "app", image: str = "web:1", **fields: Any) -> Json:
    """A container."""
    return {"name": name, "image": image, **fields}


def env(**entries: str) -> list[Json]:
    """An environment."""
    return [{"name": name, "value": value} for name, value in entries.items()]


PAIRS = {
    "the same": (template(), template(), ""),
    "another image": (template(), template(app(image="web:2")), "image web:1 -> web:2"),
    "another image of one of two": (
        template(app(), app("proxy", "envoy:1")),
        template(app(), app("proxy", "envoy:2")),
        "image of proxy envoy:1 -> envoy:2",
    ),
    "another image before they start": (
        template(initContainers=[app("migrate", "web:1")]),
        template(initContainers=[app("migrate", "web:2")]),
        "image of migrate web:1 -> web:2",
    ),
    "a sidecar more": (template(), template(app(), app("proxy", "envoy:1")), "container proxy added: image envoy:1"),
    "a sidecar less": (template(app(), app("proxy", "envoy:1")), template(), "container proxy removed"),
    "a restart": (template(), template(annotations={RESTARTED_AT: LATER}), "restarted"),
    "a second restart": (
        template(annotations={RESTARTED_AT: EARLIER}),
        template(annotations={RESTARTED_AT: LATER}),
        "restarted",
    ),
    "a mark of ours": (template(), template(annotations={"runbook-engine/execution": "e1"}), "marked"),
    "an annotation": (template(), template(annotations={"team": "a"}), "pod template changed"),
    "a new entry, a changed one and one less": (
        template(app(env=env(KEPT="s3cret", CHANGED="s3cret", GONE="s3cret"))),
        template(app(env=env(KEPT="s3cret", CHANGED="0ther", NEW="0ther"))),
        "environment of app: CHANGED, GONE, NEW",
    ),
    "an entry that comes from elsewhere now": (
        template(app(env=env(A="s3cret"))),
        template(app(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}])),
        "environment of app: A",
    ),
    "a whole ConfigMap": (
        template(),
        template(app(envFrom=[{"configMapRef": {"name": "limits"}}])),
        "environment of app: all of limits",
    ),
    "an image and an environment": (
        template(),
        template(app(image="web:2", env=env(A="s3cret"))),
        "image web:1 -> web:2; environment of app: A",
    ),
    "resources and a probe": (
        template(app(resources={"limits": {"cpu": "1"}})),
        template(app(resources={"limits": {"cpu": "2"}}, livenessProbe={"exec": {"command": ["s3cret"]}})),
        "settings of app: livenessProbe, resources",
    ),
    "volumes": (template(), template(volumes=[{"name": "tmp", "emptyDir": {}}]), "settings of its pods: volumes"),
}


@pytest.mark.parametrize(("before", "after", "said"), PAIRS.values(), ids=PAIRS)
def test_difference_of_two_templates_is_told_in_words(before: Json, after: Json, said: str) -> None:
    """Names and images, never a value."""
    found = said_difference(before, after)

    assert said == found
    assert "s3cret" not in found


def test_difference_is_cut_when_it_is_long() -> None:
    """Whoever reads it has other things to do."""
    found = said_difference(template(), template(app(env=env(**{f"ENTRY_{number}": "" for number in range(200)}))))

    assert LONGEST == len(found)
    assert found.endswith("...")


def writer(name: str, *path: str, at: str = LATER, subresource: str = "") -> Json:
    """An entry of the managed fields."""
    fields: Json = {}
    for part in reversed(path):
        fields = {f"f:{part}": fields}
    found = {"manager": name, "operation": "Update", "time": at, "fieldsV1": fields}
    return found | ({"subresource": subresource} if subresource else {})


def workload(*writers: Json, generation: int = 1, **spec: Any) -> Json:
    """A deployment of two replicas."""
    metadata = {"name": "web", "uid": "u1", "resourceVersion": str(generation), "generation": generation}
    return {
        "metadata": {**metadata, "managedFields": list(writers)},
        "spec": {"replicas": 2, "template": template(), **spec},
    }


CREATOR = writer("kubectl-create", "spec", "replicas", at=EARLIER)
OWNER = writer("helm", "spec", "template", "spec", at=EARLIER)
LOOKS = {
    "only its status": (workload(CREATOR, generation=2, replicas=9), []),
    "a release": (
        workload(
            CREATOR, writer("ci", "spec", "template", "spec"), generation=3, template=template(app(image="web:2"))
        ),
        [("image web:1 -> web:2", "ci", LATER, "change")],
    ),
    "two changes by two people": (
        workload(
            writer("ann", "spec", "replicas"),
            writer("ci", "spec", "template", "spec", at="2026-03-01T11:30:00Z"),
            generation=4,
            replicas=4,
            template=template(app(image="web:2")),
        ),
        [
            ("image web:1 -> web:2", "ci", "2026-03-01T11:30:00Z", "change"),
            ("replicas 2 -> 4", "ann", LATER, "change"),
        ],
    ),
    "an autoscaler": (
        workload(writer("kube-controller-manager", "spec", "replicas", subresource="scale"), generation=3, replicas=5),
        [("replicas 2 -> 5", "kube-controller-manager", LATER, "autoscaled")],
    ),
    "an entry removed by somebody who wrote something else": (
        workload(OWNER, writer("ann", "metadata", "annotations"), generation=3, template=template(app(image="web:2"))),
        [("image web:1 -> web:2", "ann", LATER, "change")],
    ),
    "something removed without a trace": (
        workload(OWNER, generation=3, template=template(app(image="web:2"))),
        [("image web:1 -> web:2", "somebody", NOW.isoformat(), "change")],
    ),
    "a write that only the cluster has made beside": (
        workload(
            OWNER,
            writer("kube-controller-manager", "metadata", "annotations"),
            generation=3,
            template=template(app(image="web:2")),
        ),
        [("image web:1 -> web:2", "somebody", NOW.isoformat(), "change")],
    ),
    "no managed fields at all": (
        workload(generation=3, paused=True),
        [("rollouts paused", "somebody", NOW.isoformat(), "change")],
    ),
}


@pytest.mark.parametrize(("after", "told"), LOOKS.values(), ids=LOOKS)
def test_two_looks_tell_who_changed_what(after: Json, told: list[tuple[str, str, str, str]]) -> None:
    """An older writer is not blamed for what a newer one did."""
    before = look_at(workload(CREATOR, OWNER, generation=2))

    found = differences(before, after, NOW)

    assert [(what, who, datetime.fromisoformat(at), kind) for what, who, at, kind in told] == [
        (event.what, event.who, event.at, event.kind) for event in found
    ]


def test_second_write_of_one_second_is_told_when_its_entry_looks_the_same() -> None:
    """Managed fields tell whole seconds; a writer who has just written is still the writer."""
    ci = writer("ci", "spec", "template", "spec")
    before = look_at(workload(ci, generation=2))

    (event,) = differences(before, workload(ci, generation=3, template=template(app(image="web:2"))), NOW)

    assert ("ci", datetime.fromisoformat(LATER)) == (event.who, event.at)


def test_change_of_ours_is_marked_when_the_engine_is_the_writer() -> None:
    """What we did is nothing that others did."""
    ours = workload(writer("runbook-engine", "spec", "replicas"), generation=3, replicas=3)

    (event,) = differences(look_at(workload(CREATOR, generation=2)), ours, NOW)

    assert event.ours


def test_creation_and_deletion_say_when_they_were() -> None:
    """As far as the object knows it."""
    found = workload(writer("helm", "spec", "template", "spec"))
    found["metadata"] |= {"creationTimestamp": EARLIER, "deletionTimestamp": LATER}

    assert ChangeEvent(at=datetime.fromisoformat(EARLIER), who="helm", what="created with image web:1") == creation_of(
        found, NOW
    )
    assert ChangeEvent(at=datetime.fromisoformat(LATER), who="somebody", what="deleted") == deletion_of(found, NOW)
    assert NOW == deletion_of({}, NOW).at


WHOLE = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
DAEMONS = {
    "observedGeneration": 1,
    "desiredNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
}


@pytest.mark.parametrize(
    ("status", "spec", "whole"),
    [
        pytest.param(WHOLE, {}, True, id="everything there"),
        pytest.param(WHOLE | {"observedGeneration": 0}, {}, False, id="not looked at yet"),
        pytest.param(WHOLE | {"availableReplicas": 1}, {}, False, id="one not available"),
        pytest.param(WHOLE | {"updatedReplicas": 1}, {}, False, id="one of the release before"),
        pytest.param(WHOLE | {"replicas": 3}, {}, False, id="one too many"),
        pytest.param({"observedGeneration": 1}, {"replicas": 0}, False, id="nothing wanted proves nothing"),
        pytest.param(DAEMONS, {}, True, id="a daemon on every node"),
        pytest.param(DAEMONS | {"numberAvailable": 2}, {}, False, id="a daemon less"),
        pytest.param(DAEMONS | {"desiredNumberScheduled": 0}, {}, False, id="a daemonset without nodes"),
    ],
)
def test_workload_is_whole_when_everything_wanted_is_there(status: Json, spec: Json, whole: bool) -> None:
    """Equal, never more-or-equal."""
    assert whole is is_whole({**workload(**spec), "status": status})


def progressing(status: str = "False", reason: str = "ProgressDeadlineExceeded", observed: int = 1) -> Json:
    """A status with one condition."""
    condition = {"type": "Progressing", "status": status, "reason": reason, "message": "it timed out"}
    return {"observedGeneration": observed, "conditions": [condition | {"lastUpdateTime": LATER}]}


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        pytest.param(progressing(), Failure("it timed out", datetime.fromisoformat(LATER)), id="timed out"),
        pytest.param(progressing(observed=0), None, id="of the change before"),
        pytest.param(progressing("True", "NewReplicaSetAvailable"), None, id="rolled out"),
        pytest.param(progressing("Unknown", "DeploymentPaused"), None, id="paused"),
        pytest.param({}, None, id="nothing said"),
    ],
)
def test_rollout_has_failed_when_its_deadline_has_passed(status: Json, failure: Failure | None) -> None:
    """Only if the status speaks of what is wanted now."""
    assert failure == failure_of({**workload(), "status": status})


def test_look_is_unaffected_when_the_workload_is_changed_afterwards() -> None:
    """It keeps what was seen, not what it was seen in."""
    seen = workload(CREATOR)
    kept = copy.deepcopy(seen)

    look = look_at(seen)
    seen["spec"]["replicas"] = 7

    assert look_at(kept) == look
