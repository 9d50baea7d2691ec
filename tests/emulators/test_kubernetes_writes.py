"""Writes to the Kubernetes emulator: patches, conflicts, generations, dry runs and validation."""

from collections.abc import Iterator

import pytest

from tests.emulators.kubernetes import FakeCluster
from tests.emulators.kubernetes.client import JSON_PATCH, MERGE_PATCH, STRATEGIC, call, deployments, patch
from tests.emulators.kubernetes.errors import REJECTED
from tests.emulators.kubernetes.managed import owners

WEB = deployments("web")
CONFIG = "/api/v1/namespaces/default/configmaps/flags"
NODE = "/api/v1/nodes/node-a"
CONTAINERS = "/spec/template/spec/containers"


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    """A cluster whose controllers stand still."""
    with FakeCluster(background=False) as cluster:
        cluster.node("node-a")
        cluster.deployment(
            "web", replicas=2, env={"A": "1", "B": "2"}, sidecars=[{"name": "proxy", "image": "proxy:1"}]
        )
        cluster.configmap("flags", {"slow": "false"})
        cluster.hpa("web", low=2, high=4)
        cluster.statefulset("db", replicas=1)
        yield cluster


def web(cluster: FakeCluster) -> dict:
    """Return the Deployment."""
    return cluster.get("deployments", "web")


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([("test", "/metadata/uid", "other"), ("replace", "/spec/replicas", 5)], id="a failing test"),
        pytest.param([("remove", "/spec/paused")], id="removing an absent path"),
        pytest.param([("replace", "/spec/missing/deep", 1)], id="replacing an absent path"),
        pytest.param([("add", f"{CONTAINERS}/9/env", [])], id="an index past the end"),
        pytest.param([("test", "/spec/replicas", True)], id="true is not a number"),
    ],
)
def test_json_patch_is_422_without_causes_when_it_does_not_apply(cluster: FakeCluster, operations: list) -> None:
    """A patch that does not apply says so in the server's one sentence and changes nothing."""
    before = web(cluster)

    reply = patch(cluster, WEB, *operations)

    assert (reply.status, reply.reason, reply.message, reply.causes) == (422, "Invalid", REJECTED, [])
    assert web(cluster) == before


def test_patch_changes_neither_version_nor_generation_when_it_is_a_no_op(cluster: FakeCluster) -> None:
    """Sending the same absolute value twice is safe."""
    before = web(cluster)["metadata"]

    reply = patch(cluster, WEB, ("replace", "/spec/replicas", 2))

    assert reply.status == 200
    assert reply.body["metadata"] == before


@pytest.mark.parametrize(
    ("plural", "path", "body", "expected"),
    [
        pytest.param("deployments", WEB, {"spec": {"replicas": 3}}, 2, id="spec"),
        pytest.param("deployments", WEB, {"metadata": {"labels": {"a": "b"}}}, 1, id="labels"),
        pytest.param("deployments", WEB + "/status", {"status": {"observedGeneration": 1}}, 1, id="status"),
        pytest.param(
            "deployments", WEB, {"status": {"observedGeneration": 7}}, 1, id="status through the main resource"
        ),
    ],
)
def test_generation_rises_only_when_the_spec_changes(
    cluster: FakeCluster, plural: str, path: str, body: dict, expected: int
) -> None:
    """Status and labels leave the generation alone."""
    reply = call(cluster, "PATCH", path, body, media=MERGE_PATCH)

    assert (reply.status, reply.body["metadata"]["generation"]) == (200, expected)


def test_generation_is_absent_from_nodes_and_autoscalers(cluster: FakeCluster) -> None:
    """Two kinds have none, so their writes are guarded otherwise."""
    patch(cluster, NODE, ("add", "/spec/unschedulable", True))

    assert "generation" not in cluster.get("nodes", "node-a")["metadata"]
    assert "generation" not in cluster.get("horizontalpodautoscalers", "web")["metadata"]


@pytest.mark.parametrize("media", [MERGE_PATCH, STRATEGIC])
@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        pytest.param({"resourceVersion": "1"}, "the object has been modified", id="stale version"),
        pytest.param({"uid": "other"}, "Precondition failed: UID in precondition: other", id="other uid"),
    ],
)
def test_patch_is_409_when_its_body_names_another_object(
    cluster: FakeCluster, media: str, metadata: dict, message: str
) -> None:
    """A version or uid in a patch body is a precondition."""
    reply = call(cluster, "PATCH", WEB, {"metadata": metadata, "spec": {"replicas": 9}}, media=media)

    assert (reply.status, reply.reason) == (409, "Conflict")
    assert message in reply.message
    assert web(cluster)["spec"]["replicas"] == 2


def test_put_is_409_when_the_version_is_stale(cluster: FakeCluster) -> None:
    """The classic read, change, write race."""
    body = web(cluster)
    patch(cluster, WEB, ("replace", "/spec/replicas", 3))

    reply = call(cluster, "PUT", WEB, body)

    assert (reply.status, reply.reason) == (409, "Conflict")
    assert reply.message == (
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_dry_run_computes_all_and_keeps_nothing(cluster: FakeCluster) -> None:
    """The answer has the next generation; the store does not."""
    before = web(cluster)

    reply = patch(cluster, WEB, ("replace", "/spec/replicas", 7), dryRun="All")

    assert (reply.body["spec"]["replicas"], reply.body["metadata"]["generation"]) == (7, 2)
    assert web(cluster) == before


def test_dry_run_is_422_when_the_value_is_not_all(cluster: FakeCluster) -> None:
    """There is one kind of dry run."""
    reply = patch(cluster, WEB, ("replace", "/spec/replicas", 7), dryRun="true")

    assert (reply.status, reply.reason) == (422, "Invalid")


@pytest.mark.parametrize(
    ("path", "media"),
    [
        pytest.param(WEB, "application/json", id="plain JSON"),
        pytest.param("/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects/queue", STRATEGIC, id="custom resource"),
    ],
)
def test_patch_is_415_when_the_type_is_not_served(cluster: FakeCluster, path: str, media: str) -> None:
    """Custom resources have no strategic merge."""
    cluster.scaledobject("queue", target="web")

    reply = call(cluster, "PATCH", path, {"spec": {}}, media=media)

    assert (reply.status, reply.reason) == (415, "UnsupportedMediaType")


def env(cluster: FakeCluster) -> list:
    """Return the environment of its first container."""
    return web(cluster)["spec"]["template"]["spec"]["containers"][0]["env"]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param([{"name": "C", "value": "3"}], [("C", "3"), ("A", "1"), ("B", "2")], id="a new one comes first"),
        pytest.param([{"name": "B", "value": "9"}], [("A", "1"), ("B", "9")], id="a known one keeps its place"),
        pytest.param([{"name": "A", "$patch": "delete"}], [("B", "2")], id="delete"),
        pytest.param([{"$patch": "replace"}, {"name": "Z", "value": "0"}], [("Z", "0")], id="replace"),
    ],
)
def test_strategic_merge_goes_by_name_when_the_list_has_a_key(cluster: FakeCluster, wish: list, expected: list) -> None:
    """Lists merge by key, and a sidecar survives."""
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": wish}]}}}}

    reply = call(cluster, "PATCH", WEB, body, media=STRATEGIC)

    assert reply.status == 200
    assert [(each["name"], each["value"]) for each in env(cluster)] == expected
    names = [each["name"] for each in web(cluster)["spec"]["template"]["spec"]["containers"]]
    assert names == ["app", "proxy"]


def test_strategic_merge_follows_the_order_when_a_directive_gives_one(cluster: FakeCluster) -> None:
    """kubectl sends $setElementOrder; the result has that order."""
    order = [{"name": "A"}, {"name": "C"}, {"name": "B"}]
    container = {"name": "app", "$setElementOrder/env": order, "env": [{"name": "C", "value": "3"}]}

    call(cluster, "PATCH", WEB, {"spec": {"template": {"spec": {"containers": [container]}}}}, media=STRATEGIC)

    assert [each["name"] for each in env(cluster)] == ["A", "C", "B"]


def test_strategic_merge_is_422_when_the_container_is_unknown(cluster: FakeCluster) -> None:
    """It tries to add a container and has no image for it."""
    container = {"name": "typo", "env": [{"name": "A", "value": "1"}]}

    reply = call(cluster, "PATCH", WEB, {"spec": {"template": {"spec": {"containers": [container]}}}}, media=STRATEGIC)

    assert reply.status == 422
    assert [(each["field"], each["message"]) for each in reply.causes] == [
        ("spec.template.spec.containers[0].image", "Required value")
    ]


@pytest.mark.parametrize(
    ("path", "operations", "said"),
    [
        pytest.param(
            WEB, [("replace", f"{CONTAINERS}/0/env/0/value", True)], "cannot unmarshal bool", id="env value a bool"
        ),
        pytest.param(CONFIG, [("replace", "/data/slow", True)], "cannot unmarshal bool", id="configmap value a bool"),
        pytest.param(
            WEB,
            [("add", f"{CONTAINERS}/0/env/0/valueFrom", {"fieldRef": {"fieldPath": "metadata.name"}})],
            "may not be specified when `value` is not empty",
            id="value and valueFrom",
        ),
        pytest.param(
            "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web",
            [("replace", "/spec/minReplicas", 5)],
            "must be greater than or equal to `minReplicas`",
            id="minimum above maximum",
        ),
        pytest.param(
            "/apis/apps/v1/namespaces/default/statefulsets/db",
            [("replace", "/spec/podManagementPolicy", "Parallel")],
            "updates to statefulset spec for fields other than",
            id="immutable field of a StatefulSet",
        ),
        pytest.param(
            WEB, [("replace", "/spec/replicas", -1)], "must be greater than or equal to 0", id="negative replicas"
        ),
    ],
)
def test_patch_is_422_with_causes_when_the_result_is_invalid(
    cluster: FakeCluster, path: str, operations: list, said: str
) -> None:
    """Unlike a failed test, an invalid object names what is wrong."""
    reply = patch(cluster, path, *operations)

    assert (reply.status, reply.reason) == (422, "Invalid")
    assert any(said in each["message"] for each in reply.causes)


def test_configmap_is_422_when_it_is_immutable(cluster: FakeCluster) -> None:
    """An immutable ConfigMap stays as it is."""
    cluster.configmap("fixed", {"a": "1"}, immutable=True)

    reply = patch(cluster, "/api/v1/namespaces/default/configmaps/fixed", ("replace", "/data/a", "2"))

    assert (reply.status, reply.reason) == (422, "Invalid")
    assert cluster.get("configmaps", "fixed")["data"] == {"a": "1"}


@pytest.mark.parametrize("validation", ["Strict", "Warn", ""])
def test_unknown_field_is_refused_or_dropped_as_validation_asks(cluster: FakeCluster, validation: str) -> None:
    """By default an unknown field costs a Warning header and nothing else."""
    query = {"fieldValidation": validation} if validation else {}

    reply = call(cluster, "PATCH", WEB, {"spec": {"replicaz": 3}}, media=MERGE_PATCH, **query)

    if validation == "Strict":
        assert reply.status == 422
        assert 'strict decoding error: unknown field "spec.replicaz"' in reply.message
    else:
        assert reply.status == 200
        assert reply.headers["Warning"] == '299 - "unknown field \\"spec.replicaz\\""'
        assert "replicaz" not in web(cluster)["spec"]


def test_create_is_400_when_strict_and_a_field_is_unknown(cluster: FakeCluster) -> None:
    """A create, unlike a patch, is a bad request."""
    body = {"metadata": {"name": "x"}, "dota": {"a": "b"}}

    reply = call(cluster, "POST", "/api/v1/namespaces/default/configmaps", body, fieldValidation="Strict")

    assert (reply.status, reply.reason) == (400, "BadRequest")


def test_scale_is_compare_and_set_when_patched_with_a_test(cluster: FakeCluster) -> None:
    """The Scale has replicas and a version, but no generation."""
    first = patch(cluster, WEB + "/scale", ("test", "/spec/replicas", 2), ("replace", "/spec/replicas", 4))
    second = patch(cluster, WEB + "/scale", ("test", "/spec/replicas", 2), ("replace", "/spec/replicas", 4))

    assert (first.status, first.body["kind"], first.body["spec"]) == (200, "Scale", {"replicas": 4})
    assert "generation" not in first.body["metadata"]
    assert (second.status, second.causes) == (422, [])
    assert web(cluster)["metadata"]["generation"] == 2


def test_scale_leaves_replicas_out_when_they_are_zero(cluster: FakeCluster) -> None:
    """Zero is omitted, so a patch cannot replace it."""
    cluster.patch("deployments", "web", {"spec": {"replicas": 0}})

    shown = call(cluster, "GET", WEB + "/scale")
    replaced = patch(cluster, WEB + "/scale", ("replace", "/spec/replicas", 1))
    added = patch(cluster, WEB + "/scale", ("add", "/spec/replicas", 1))

    assert shown.body["spec"] == {}
    assert (replaced.status, added.status) == (422, 200)


@pytest.mark.parametrize(
    ("path", "operation", "plural", "name", "field", "expected"),
    [
        pytest.param(
            WEB + "/scale", ("replace", "/spec/replicas", 4), "deployments", "web", ("spec", "replicas"),
            ("engine", "Update", "scale"), id="replicas through scale",
        ),
        pytest.param(
            NODE, ("add", "/spec/unschedulable", True), "nodes", "node-a", ("spec", "unschedulable"),
            ("engine", "Update", ""), id="a cordon",
        ),
        pytest.param(
            WEB, ("replace", f"{CONTAINERS}/0/image", "app:v2"), "deployments", "web",
            ("spec", "template", "spec", "containers", 'k:{"name":"app"}', "image"),
            ("engine", "Update", ""), id="an image",
        ),
    ],
)  # fmt: skip
def test_managed_fields_name_the_last_writer(
    cluster: FakeCluster, path: str, operation: tuple, plural: str, name: str, field: tuple, expected: tuple
) -> None:
    """Whoever changes a field owns it alone."""
    patch(cluster, path, operation, fieldManager="engine")

    assert owners(cluster.get(plural, name), *field) == [expected]


def test_uncordon_is_422_when_the_node_is_not_cordoned(cluster: FakeCluster) -> None:
    """Removing what is absent fails; a merge with null does not; false is stored as absence."""
    removed = patch(cluster, NODE, ("remove", "/spec/unschedulable"))
    merged = call(cluster, "PATCH", NODE, {"spec": {"unschedulable": None}}, media=MERGE_PATCH)
    patch(cluster, NODE, ("add", "/spec/unschedulable", False))

    assert (removed.status, removed.causes, merged.status) == (422, [], 200)
    assert "unschedulable" not in cluster.get("nodes", "node-a")["spec"]


def test_create_is_404_when_the_namespace_is_missing(cluster: FakeCluster) -> None:
    """A missing namespace looks like a missing object."""
    reply = call(cluster, "POST", deployments(namespace="gone"), {"metadata": {"name": "x"}})

    assert (reply.status, reply.message) == (404, 'namespaces "gone" not found')


def test_create_is_409_when_the_name_is_taken(cluster: FakeCluster) -> None:
    """A deterministic name is a token."""
    reply = call(cluster, "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "flags"}})

    assert (reply.status, reply.reason) == (409, "AlreadyExists")


def test_body_is_400_when_it_is_not_a_patch(cluster: FakeCluster) -> None:
    """An object where a list of operations belongs is a bad request."""
    reply = call(cluster, "PATCH", WEB, {"spec": {}}, media=JSON_PATCH)

    assert (reply.status, reply.reason) == (400, "BadRequest")


def test_put_of_a_lease_is_422_without_a_version_and_409_with_an_old_one(cluster: FakeCluster) -> None:
    """So a lease can be a lock: one of two writers loses."""
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    body = {"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a"}}
    created = call(cluster, "POST", leases, body).body

    blind = call(cluster, "PUT", f"{leases}/lock", body)
    first = call(cluster, "PUT", f"{leases}/lock", created | {"spec": {"holderIdentity": "b"}})
    second = call(cluster, "PUT", f"{leases}/lock", created | {"spec": {"holderIdentity": "c"}})

    assert (blind.status, first.status, second.status) == (422, 200, 409)
    assert cluster.get("leases", "lock")["spec"] == {"holderIdentity": "b"}
