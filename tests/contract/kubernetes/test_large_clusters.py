"""Large clusters: thousands of objects are read page by page, and only what decides is kept of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from runbook_adapters.kubernetes.amounts import asked_by
from runbook_adapters.kubernetes.events import KubernetesEventReader
from runbook_adapters.kubernetes.headroom import headroom, read_headroom, weight_of
from runbook_adapters.kubernetes.nodes import KubernetesNodeReader
from runbook_adapters.kubernetes.transport import Json, Transport
from runbook_adapters.kubernetes.wire import Wire
from runbook_engine.model.target import Target
from tests.contract.http_service import Asked, Told, http_service
from tests.contract.kubernetes.conftest import Nobody, SystemClock
from tests.contract.kubernetes.test_node_facts import AT, asking, raw_node, raw_pod

PAGE, PODS = 10, 35
BALLAST = {f"f:field-{number}": {} for number in range(50)}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def heavy(thing: Json) -> Json:
    """Return an object with much that a real one carries and nobody here asks for."""
    thing["metadata"]["managedFields"] = [{"manager": "kubelet", "operation": "Update", "fieldsV1": BALLAST}]
    thing.setdefault("status", {})["images"] = [{"names": [f"example/{number}"]} for number in range(50)]
    return thing


def pods() -> list[Json]:
    """Return the pods of a cluster of two nodes."""
    return [heavy(asking(f"web-{number}", f"node-{'ab'[number % 2]}", "20m")) for number in range(PODS)]


def nodes() -> list[Json]:
    """Return its nodes."""
    return [heavy(raw_node("node-a")), heavy(raw_node("node-b"))]


def events() -> list[Json]:
    """Return events, of which the first and the last are of the workload."""
    found: list[Json] = [{"metadata": {}, "involvedObject": {"uid": "other"}} for _ in range(PODS)]
    for index in (0, -1):
        found[index] = {"metadata": {}, "involvedObject": {"uid": "web"}, "lastTimestamp": AT}
    return found


COLLECTIONS: dict[str, Callable[[], list[Json]]] = {"nodes": nodes, "pods": pods, "events": events, "daemonsets": list}


def told(asked: Asked) -> Told:
    """Answer page by page."""
    kind = asked.path.rpartition("/")[2]
    if kind not in COLLECTIONS:
        return _said(
            {"kind": "StatefulSet", "metadata": {"name": "web", "namespace": "apps", "uid": "web"}, "spec": {}}
        )
    items, start = COLLECTIONS[kind](), int(asked.fields.get("continue", "0"))
    following = {"continue": str(start + PAGE)} if start + PAGE < len(items) else {}
    metadata = {"resourceVersion": "1", **following}
    return _said({"kind": "List", "metadata": metadata, "items": items[start : start + PAGE]})


def _said(document: Json) -> Told:
    return Told(200, msgspec.json.encode(document))


@pytest.fixture
def transport() -> Iterator[Transport]:
    """A transport to the server."""
    with http_service(told) as service:
        yield Transport(Wire(service.url), Nobody(), SystemClock())


def test_list_keeps_what_it_is_told_to_keep_when_there_are_pages(transport: Transport) -> None:
    """Each object is cut down, or dropped, before the next page is read."""

    def name_of_even(pod: Json) -> Json | None:
        name = pod["metadata"]["name"]
        return {"name": name} if int(name.removeprefix("web-")) % 2 == 0 else None

    found, version = transport.list("/api/v1/pods", keep=name_of_even)

    assert [{"name": f"web-{number}"} for number in range(0, PODS, 2)] == found
    assert "1" == version


def test_headroom_is_the_same_when_only_what_decides_is_kept(transport: Transport) -> None:
    """What is left out decides nothing."""
    assert headroom("node-a", nodes(), pods()) == read_headroom(transport, "node-a")


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(asking("web", "node-a", "1", spec={"overhead": {"cpu": "1"}}), id="with an overhead"),
        pytest.param(
            raw_pod(
                spec={
                    "containers": [{"resources": {"requests": {"cpu": "1"}}}],
                    "initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}}],
                }
            ),
            id="with a sidecar",
        ),
        pytest.param(raw_pod(spec={"resources": {"requests": {"memory": "1Gi"}}}), id="for the whole pod"),
        pytest.param(raw_pod(spec={"containers": None}, status={"conditions": None}), id="with nulls"),
        pytest.param({"metadata": {"name": "web"}}, id="fresh"),
    ],
)
def test_pod_weighs_the_same_when_only_what_decides_is_kept(pod: Json) -> None:
    """Its requests are whole, and it is a small part of itself."""
    kept = weight_of(heavy(pod))

    assert asked_by(pod) == asked_by(kept)
    assert "managedFields" not in kept["metadata"]
    assert weight_of(kept) == kept


def test_node_tells_the_same_when_its_images_are_left_out(transport: Transport) -> None:
    """Fifty images a node are most of what it weighs."""
    found = KubernetesNodeReader(transport, "test").nodes("test")

    assert ["node-a", "node-b"] == [node.target.name for node in found]
    assert all(node.ready for node in found)


def test_events_are_those_of_the_workload_when_a_namespace_has_many(transport: Transport) -> None:
    """On every page."""
    found: Any = KubernetesEventReader(transport).events(Target("statefulset", "test", "apps", "web"), LONG_AGO)

    assert 2 == len(found)
