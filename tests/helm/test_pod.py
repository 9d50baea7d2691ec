"""The pod: one of it, with as few rights as a pod can have, and what the engine needs to run in it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.cli.arguments import make_parser
from runbook_engine.entrypoints.cli.serve import add_arguments
from tests.helm.chart import ROOT, VALUES, render

SETS = pytest.mark.parametrize("values", VALUES)
HEALTH = ROOT / "runbook_engine/entrypoints/server/health.py"
KUBERNETES = {"adapter": "kubernetes", "place": "in-cluster"}
STOP = 2.0  # seconds that serve adds to its grace before it kills what is left
SLOWEST_WRITE = 35  # seconds until the API server's answer to a write is given up


def adapters(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with these adapters and no other."""
    return {"config": {"adapters": {"cluster": None, **written}}}


def volume(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return one volume of a pod."""
    (found,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == name]
    return {key: value for key, value in found.items() if key != "name"}


@SETS
def test_one_pod_writes_the_journal(values: str) -> None:
    """There is one replica, and an upgrade ends the old pod before it starts the new one."""
    spec = render(values).one("Deployment")["spec"]

    assert 1 == spec["replicas"]
    assert {"type": "Recreate"} == spec["strategy"]


@SETS
def test_pod_has_no_more_rights_than_it_needs(values: str) -> None:
    """Not root, no capability, no way up, nothing writable but its volumes."""
    rendered = render(values)

    pod, container = rendered.pod["spec"]["securityContext"], rendered.container["securityContext"]

    assert (True, {"type": "RuntimeDefault"}) == (pod["runAsNonRoot"], pod["seccompProfile"])
    assert pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"] == 10001
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container


def test_image_runs_as_the_user_of_the_pod() -> None:
    """The files that the image gives to its user belong to the user that the pod runs as."""
    dockerfile = (ROOT / "apps/runner/Dockerfile").read_text()
    security = render().pod["spec"]["securityContext"]

    assert f"USER {security['runAsUser']}:{security['runAsGroup']}\n" in dockerfile
    assert f"--uid {security['runAsUser']} " in dockerfile


@SETS
def test_pod_writes_to_its_volumes_only(values: str) -> None:
    """State and /tmp are writable, everything else is mounted for reading."""
    mounts = render(values).container["volumeMounts"]

    writable = {mount["mountPath"] for mount in mounts if not mount.get("readOnly")}

    assert {"/var/lib/runbook", "/tmp"} == writable


@SETS
def test_every_mount_has_its_volume(values: str) -> None:
    """No volume is without a mount, no mount without a volume, and no two mounts meet."""
    rendered = render(values)
    mounts = rendered.container["volumeMounts"]
    folders = [Path(mount["mountPath"]) for mount in mounts]

    assert [mount["name"] for mount in mounts] == [volume["name"] for volume in rendered.pod["spec"]["volumes"]]
    assert not any(one in other.parents or one == other for one in folders for other in folders if one is not other)


@SETS
def test_command_is_one_that_serve_takes(values: str) -> None:
    """The arguments of the container are arguments of `runbook serve`."""
    container = render(values).container
    command, *arguments = container["args"]
    parser = make_parser(command, "", lambda parser: add_arguments(command, parser))

    given = parser.parse_args(arguments)

    assert "serve" == command
    assert given.host in ("0.0.0.0", "::")
    assert [given.port] == [port["containerPort"] for port in container["ports"]]


@SETS
def test_pod_gets_more_time_to_end_than_serve_takes(values: str) -> None:
    """Kubernetes kills what is left later than the runner does it itself."""
    rendered = render(values)
    arguments = rendered.container["args"]

    grace = int(arguments[arguments.index("--grace") + 1])

    assert rendered.pod["spec"]["terminationGracePeriodSeconds"] > grace + STOP


def test_write_in_hand_may_end_when_the_pod_is_stopped() -> None:
    """The default grace is longer than the slowest write to the API server."""
    arguments = render().container["args"]

    assert int(arguments[arguments.index("--grace") + 1]) > SLOWEST_WRITE


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
)
def test_probe_asks_a_route_that_the_server_has(probe: str, path: str) -> None:
    """Liveness asks whether the web process is up, readiness whether work can be done."""
    asked = render().container[probe]["httpGet"]

    assert {"path": path, "port": "http"} == asked
    assert path in re.findall(r'@routes\.get\("([^"]+)"\)', HEALTH.read_text())


@SETS
def test_pod_knows_where_it_is(values: str) -> None:
    """The engine must be able to tell its own pod and node from others."""
    fields = {
        variable["name"]: variable["valueFrom"]["fieldRef"]["fieldPath"]
        for variable in render(values).container["env"]
        if "fieldRef" in variable.get("valueFrom", {})
    }

    assert {
        "RUNBOOK_NODE": "spec.nodeName",
        "RUNBOOK_POD": "metadata.name",
        "RUNBOOK_NAMESPACE": "metadata.namespace",
    } == fields


@pytest.mark.parametrize(
    ("values", "mounted"),
    [
        pytest.param({}, True, id="the default, which asks the API server as itself"),
        pytest.param(adapters({"changes": {**KUBERNETES, "auth": "inCluster"}}), True, id="one adapter, not a list"),
        pytest.param(adapters({"cluster": [{**KUBERNETES, "auth": "eks"}]}), False, id="another cluster, through AWS"),
        pytest.param(adapters({"flags": {"adapter": "files", "path": "f"}}), False, id="no cluster at all"),
        pytest.param(adapters({}) | {"serviceAccount": {"automountToken": True}}, True, id="asked for"),
        pytest.param({"serviceAccount": {"automountToken": False}}, False, id="refused"),
    ],
)
def test_token_is_mounted_while_an_adapter_needs_it(values: Mapping[str, Any], mounted: bool) -> None:
    """A pod that asks no API server holds no token for one."""
    rendered = render(values)

    assert mounted == rendered.pod["spec"]["automountServiceAccountToken"]
    assert False is rendered.one("ServiceAccount")["automountServiceAccountToken"]


def test_state_is_on_the_claim_when_persistence_is_on() -> None:
    """The claim is made, kept by uninstall, admitted to one pod, and mounted where the engine writes."""
    rendered = render("persistent-irsa")
    claim = rendered.one("PersistentVolumeClaim")

    assert {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} == volume(rendered.pod, "state")
    assert ["ReadWriteOncePod"] == claim["spec"]["accessModes"]
    assert {"helm.sh/resource-policy": "keep"} == claim["metadata"]["annotations"]
    assert ("gp3", "5Gi") == (claim["spec"]["storageClassName"], claim["spec"]["resources"]["requests"]["storage"])


def test_state_is_on_a_claim_that_exists() -> None:
    """An existing claim is mounted, and no other is made."""
    rendered = render({"persistence": {"enabled": True, "existingClaim": "journal"}})

    assert {"persistentVolumeClaim": {"claimName": "journal"}} == volume(rendered.pod, "state")
    assert [] == rendered.of("PersistentVolumeClaim")


def test_state_is_an_empty_folder_by_default() -> None:
    """Without persistence there is no claim, and the folder is bounded."""
    rendered = render()

    assert {"emptyDir": {"sizeLimit": "1Gi"}} == volume(rendered.pod, "state")
    assert [] == rendered.of("PersistentVolumeClaim")


@pytest.mark.parametrize(
    ("values", "restarts"),
    [
        pytest.param({"runbooks": {"a.yaml": "a: 2\n"}}, True, id="a runbook has changed"),
        pytest.param({"config": {"links": {"board": "https://board.example"}}}, True, id="engine.yaml has changed"),
        pytest.param({"serviceMonitor": {"enabled": True}}, False, id="something beside the pod has changed"),
    ],
)
def test_pod_is_replaced_when_what_it_reads_has_changed(values: Mapping[str, Any], restarts: bool) -> None:
    """Runbooks and configuration are read once, at the start."""
    before: Mapping[str, Any] = {"runbooks": {"a.yaml": "a: 1\n"}}

    old, new = render(before).pod, render({**before, **values}).pod

    assert restarts == (old != new)


def test_secrets_come_from_secrets_that_exist() -> None:
    """Files are readable by the pod's group only, variables refer to keys, and no Secret is made."""
    rendered = render("everything-admission")
    references = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for variable in rendered.container["env"]
        if "secretKeyRef" in variable.get("valueFrom", {})
    }

    assert {
        "INGEST_TOKEN": {"name": "alertmanager", "key": "token"},
        "ONCALL_URL": {"name": "oncall", "key": "url"},
    } == references
    assert {"secret": {"secretName": "people", "defaultMode": 0o440}} == volume(rendered.pod, "secret-0")
    assert [] == rendered.of("Secret")


def test_pod_is_placed_as_the_values_say() -> None:
    """Every placement value reaches the pod."""
    spec = render("everything-admission").pod["spec"]

    assert {"kubernetes.io/arch": "amd64"} == spec["nodeSelector"]
    assert "nodeAffinity" in spec["affinity"]
    assert [{"key": "platform", "operator": "Exists", "effect": "NoSchedule"}] == spec["tolerations"]
    assert ["topology.kubernetes.io/zone"] == [one["topologyKey"] for one in spec["topologySpreadConstraints"]]
    assert "system-cluster-critical" == spec["priorityClassName"]
    assert [{"name": "pull"}] == spec["imagePullSecrets"]


def test_image_is_pinned_by_its_digest_when_one_is_given() -> None:
    """A digest wins over every tag."""
    container = render("everything-admission").container

    assert f"example.test/runbook-engine@sha256:{'0' * 64}" == container["image"]


def test_variables_of_services_stay_out_of_the_pod() -> None:
    """A Service whose name begins with runbook must not set the engine's own variables."""
    assert False is render().pod["spec"]["enableServiceLinks"]
