"""The server of the Kubernetes emulator: lists, watches, access, faults and restarts."""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator

import pytest

from tests.emulators.kubernetes import FakeCluster
from tests.emulators.kubernetes.client import MERGE_PATCH, call, deployments, evict, patch

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """Pods with labels on two nodes; no controller runs."""
    with FakeCluster(background=False) as cluster:
        for node in ("node-a", "node-b"):
            cluster.node(node)
        cluster.pod("one", node="node-a", labels={"app": "web", "tier": "front"})
        cluster.pod("two", node="node-b", labels={"app": "web"})
        cluster.pod("three", node="node-a", labels={"app": "db"})
        cluster.deployment("web", replicas=2)
        yield cluster


def names(body: dict) -> list[str]:
    """Return the names in a list."""
    return [item["metadata"]["name"] for item in body["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"labelSelector": "app=web"}, ["one", "two"], id="equal"),
        pytest.param({"labelSelector": "app!=web"}, ["three"], id="not equal"),
        pytest.param({"labelSelector": "app in (web,db),tier"}, ["one"], id="in a set, and present"),
        pytest.param({"labelSelector": "app notin (db),!tier"}, ["two"], id="not in a set, and absent"),
        pytest.param({"fieldSelector": "spec.nodeName=node-a"}, ["one", "three"], id="on a node"),
        pytest.param({"fieldSelector": "metadata.name=two"}, ["two"], id="by name"),
        pytest.param({"fieldSelector": "status.phase!=Pending"}, [], id="by phase"),
    ],
)
def test_list_holds_what_the_selector_takes(cluster: FakeCluster, query: dict, expected: list[str]) -> None:
    """Selectors are the server's work."""
    reply = call(cluster, "GET", PODS, **query)

    assert sorted(names(reply.body)) == sorted(expected)


def test_list_is_400_when_the_field_is_not_indexed(cluster: FakeCluster) -> None:
    """Not every field can be selected by."""
    reply = call(cluster, "GET", PODS, fieldSelector="spec.hostname=a")

    assert (reply.status, reply.message) == (400, "field label not supported: spec.hostname")


def test_list_goes_on_page_by_page_and_is_410_when_the_token_expires(cluster: FakeCluster) -> None:
    """An expired token means starting over."""
    first = call(cluster, "GET", PODS, limit="2")
    token = first.body["metadata"]["continue"]
    second = call(cluster, "GET", PODS, limit="2", continue_=token)
    cluster.expire_watches()
    expired = call(cluster, "GET", PODS, limit="2", continue_=token)

    assert names(first.body) + names(second.body) == ["one", "three", "two"]
    assert "continue" not in second.body["metadata"]
    assert (expired.status, expired.reason) == (410, "Expired")


def test_watch_tells_changes_since_a_version_and_ends_in_time(cluster: FakeCluster) -> None:
    """A pod that gains the label appears as added."""
    version = call(cluster, "GET", PODS).body["metadata"]["resourceVersion"]
    cluster.patch("pods", "three", {"metadata": {"labels": {"app": "web"}}})
    cluster.patch("pods", "one", {"metadata": {"labels": {"app": "db"}}})
    cluster.delete("pods", "two", gracePeriodSeconds=0)

    query = {"watch": "1", "resourceVersion": version, "labelSelector": "app=web", "timeoutSeconds": "1"}
    reply = call(cluster, "GET", PODS, **query)

    events = [json.loads(line) for line in reply.body.splitlines()]
    seen = [(event["type"], event["object"]["metadata"]["name"]) for event in events]
    assert seen == [("ADDED", "three"), ("DELETED", "one"), ("DELETED", "two")]


def test_watch_ends_with_410_when_the_version_is_forgotten(cluster: FakeCluster) -> None:
    """The error comes as an event."""
    cluster.expire_watches()

    reply = call(cluster, "GET", PODS, watch="1", resourceVersion="1000", timeoutSeconds="1")

    assert (reply.status, reply.body["type"], reply.body["object"]["code"]) == (200, "ERROR", 410)


def rule(resource: str, *verbs: str, group: str = "", named: list[str] | None = None) -> dict:
    """Return an RBAC rule."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)} | (
        {"resourceNames": named} if named else {}
    )


def grant(cluster: FakeCluster, *rules: dict, kind: str = "Role") -> str:
    """Bind rules to a group and return the token of a member."""
    binding = {
        "kind": f"{kind}Binding",
        "metadata": {"name": "engine", "namespace": "default"},
        "subjects": [{"kind": "Group", "name": "runbook-engine"}],
        "roleRef": {"kind": kind, "name": "engine"},
    }
    role = {"kind": kind, "metadata": {"name": "engine", "namespace": "default"}, "rules": list(rules)}
    cluster.access.load(role, binding)
    return cluster.token("engine", ["runbook-engine"])


def test_eviction_is_forbidden_when_no_rule_allows_it(cluster: FakeCluster) -> None:
    """The message names user, verb and subresource."""
    token = grant(cluster, rule("pods", "get"))

    reply = evict(cluster, "one", token=token)

    assert (reply.status, reply.reason) == (403, "Forbidden")
    assert reply.message == (
        'pods "one" is forbidden: User "engine" cannot create resource "pods/eviction" in API group "" '
        'in the namespace "default"'
    )


def test_node_is_forbidden_at_the_cluster_scope_when_only_a_role_is_bound(cluster: FakeCluster) -> None:
    """A Role gives nothing outside its namespace."""
    token = grant(cluster, rule("nodes", "get", "patch"))

    reply = call(cluster, "GET", "/api/v1/nodes/node-a", token=token)

    assert reply.message == (
        'nodes "node-a" is forbidden: User "engine" cannot get resource "nodes" in API group "" at the cluster scope'
    )


def test_eviction_needs_only_create_on_the_subresource(cluster: FakeCluster) -> None:
    """No permission to delete pods."""
    token = grant(cluster, rule("pods/eviction", "create"))

    assert evict(cluster, "one", token=token).status == 201
    assert call(cluster, "DELETE", f"{PODS}/two", token=token).status == 403


def test_resource_names_permit_one_object_and_no_list(cluster: FakeCluster) -> None:
    """A named rule works for get, not for list."""
    token = grant(cluster, rule("deployments", "get", "list", group="apps", named=["web"]))

    assert call(cluster, "GET", deployments("web"), token=token).status == 200
    assert call(cluster, "GET", deployments(), token=token).status == 403


@pytest.mark.parametrize("token", ["unknown", "expired"])
def test_token_is_401_when_it_is_unknown_or_expired(cluster: FakeCluster, token: str) -> None:
    """Rejected before anything happens."""
    if token == "expired":
        token = cluster.token("alice")
        cluster.access.expire(token)

    reply = call(cluster, "DELETE", f"{PODS}/one", token=token)

    assert (reply.status, reply.reason) == (401, "Unauthorized")
    assert cluster.exists("pods", "one")


SCALE = deployments("web") + "/scale"


@pytest.mark.parametrize(
    ("fault", "replicas"), [pytest.param("lost_before", 2, id="before"), pytest.param("lost_after", 5, id="after")]
)
def test_response_is_lost_before_or_after_the_effect(cluster: FakeCluster, fault: str, replicas: int) -> None:
    """The client cannot tell which; the store can."""
    getattr(cluster.faults, fault)("PATCH", r"/scale$")

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        patch(cluster, SCALE, ("replace", "/spec/replicas", 5))

    assert cluster.get("deployments", "web")["spec"]["replicas"] == replicas
    assert cluster.log.entries("PATCH", "/scale")[0].status == 0


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        pytest.param("throttle_json", 429, "TooManyRequests", id="throttled by a webhook"),
        pytest.param("webhook_down", 500, "InternalError", id="webhook down"),
        pytest.param("timeout", 504, "Timeout", id="server timeout"),
        pytest.param("unauthorized", 401, "Unauthorized", id="token expired"),
    ],
)
def test_fault_answers_with_a_status_once(cluster: FakeCluster, fault: str, status: int, reason: str) -> None:
    """Then the request succeeds."""
    getattr(cluster.faults, fault)("PATCH", r"/scale$")

    first = patch(cluster, SCALE, ("replace", "/spec/replicas", 5))
    second = patch(cluster, SCALE, ("replace", "/spec/replicas", 5))

    assert (first.status, first.reason, second.status) == (status, reason, 200)
    assert [entry.status for entry in cluster.log.entries("PATCH")] == [status, 200]


def test_throttling_is_plain_text_with_retry_after(cluster: FakeCluster) -> None:
    """API priority and fairness answers no Status object."""
    cluster.faults.throttle("GET", "/pods", retry_after=2)

    reply = call(cluster, "GET", PODS)

    assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
    assert reply.body == "Too many requests, please try again later.\n"


def test_garbage_is_no_json(cluster: FakeCluster) -> None:
    """Parsing must not raise in a client."""
    cluster.faults.garbage("GET", "/pods")

    assert call(cluster, "GET", PODS).body == '{"kind": "Deploym'


def test_timeout_after_the_effect_is_kept(cluster: FakeCluster) -> None:
    """504 tells nothing about the write."""
    cluster.faults.timeout("PATCH", "/scale", after=True)

    reply = patch(cluster, SCALE, ("replace", "/spec/replicas", 5))

    assert reply.status == 504
    assert cluster.get("deployments", "web")["spec"]["replicas"] == 5


def test_restart_refuses_connections_and_keeps_the_state(cluster: FakeCluster) -> None:
    """The same port comes back with the same objects."""
    back = cluster.restart(away=0.3)

    with pytest.raises(ConnectionRefusedError):
        call(cluster, "GET", PODS)

    back.join()
    assert len(names(call(cluster, "GET", PODS).body)) == 3


def test_close_leaves_no_thread_behind() -> None:
    """Keep-alive connections and watches end with the server."""
    before = set(threading.enumerate())
    with FakeCluster(tls=True) as cluster:
        assert call(cluster, "GET", "/version").body["minor"] == "32"
        trusting = ssl.create_default_context(cafile=str(cluster.ca_file))
        connection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=trusting)
        connection.request("GET", "/api/v1/pods?watch=1")
        assert connection.getresponse().status == 200
    connection.close()

    assert set(threading.enumerate()) == before


def test_log_knows_who_asked_what(cluster: FakeCluster) -> None:
    """API calls can be counted by user and path."""
    token = cluster.token("alice")
    call(cluster, "PATCH", deployments("web"), {"spec": {"replicas": 3}}, media=MERGE_PATCH, token=token, dryRun="All")
    call(cluster, "GET", PODS, token=token)

    found = [(each.method, each.user, each.status) for each in cluster.log.entries()]
    assert found == [("PATCH", "alice", 200), ("GET", "alice", 200)]
    assert cluster.log.writes() == []
    assert cluster.log.count("PATCH", r"deployments/web\?.*dryRun=All") == 1


def test_log_of_a_pod_is_the_one_it_was_given(cluster: FakeCluster) -> None:
    """The tail of it, and a refusal when there was no container before."""
    cluster.set_log("one", "first\nsecond\nthird\n")

    tail = call(cluster, "GET", f"{PODS}/one/log", tailLines="2")
    previous = call(cluster, "GET", f"{PODS}/one/log", previous="true")

    assert tail.body == "second\nthird\n"
    assert (previous.status, previous.reason) == (400, "BadRequest")


def test_events_are_found_by_the_object_they_are_about(cluster: FakeCluster) -> None:
    """As kubectl describe asks for them."""
    cluster.event(cluster.get("pods", "one"), "BackOff", "Back-off restarting failed container")
    cluster.event(cluster.get("pods", "two"), "Unhealthy", "Readiness probe failed")

    selector = "involvedObject.name=one,involvedObject.kind=Pod"
    reply = call(cluster, "GET", "/api/v1/namespaces/default/events", fieldSelector=selector)

    assert [item["reason"] for item in reply.body["items"]] == ["BackOff"]


@pytest.mark.parametrize(
    ("image", "previous", "said"),
    [
        pytest.param("app:bad-pull", "false", "is waiting to start: ImagePullBackOff", id="never started"),
        pytest.param(
            "app:v1", "true", 'previous terminated container "app" in pod "lone" not found', id="never restarted"
        ),
    ],
)
def test_log_is_400_when_the_container_has_none(cluster: FakeCluster, image: str, previous: str, said: str) -> None:
    """The reason is in the message."""
    cluster.pod("lone", node="node-a", image=image)
    cluster.settle()
    cluster.wait(lambda: cluster.get("pods", "lone")["status"]["phase"] == "Running" or image == "app:bad-pull")

    reply = call(cluster, "GET", f"{PODS}/lone/log", previous=previous)

    assert reply.status == 400
    assert said in reply.message
