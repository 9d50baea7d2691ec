"""The demonstration of docs/demo.md, step for step: its runbook and engine.yaml on an emulated account and cluster.

The service is the real one. What a kubelet and the chart's second container do stands in `Pods`: a pod's environment is
its template's, and the parameter becomes the file that the service reads.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jmespath
import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from runbook_engine.entrypoints.grants import installation_grants
from runbook_engine.loading.files import load_valid_files
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import rbac_manifests
from tests.docs.pages import ROOT, blocks_of
from tests.emulators.aws import Aws
from tests.emulators.kubernetes import FakeCluster
from tests.pipeline.installation import FLAG, TOKEN, Installation
from tests.tools import find_tool

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/demo.md"
FILES = {block.settings["file"]: block.text for block in blocks_of(PAGE) if "file" in block.settings}
PAGE_CONFIG, RUNBOOK = FILES["aws-demo/engine.yaml"], FILES["aws-demo/degrade-checkout.yaml"]
(EXPECTED,) = (json.loads(block.text) for block in blocks_of(PAGE) if block.language == "json")
CLUSTER, USER = "runbook-engine", {"kind": "User", "name": "runbook-action", "apiGroup": "rbac.authorization.k8s.io"}
SERIES = """\
series:
  checkout:error_ratio: {kind: ratio, metric: checkout_errors_total, over: checkout_requests_total, window: 1m}
"""
FLAG_CHANGE = '/checkout/degraded_mode value "false" -> "true"'
POD_CHANGE = 'apps/deployment/checkout env:checkout/DEGRADED_MODE "false" -> "true"'
LABELS = {"app.kubernetes.io/name": "checkout"}
ENVIRONMENT = [{"name": "RELEASE", "value": "1"}, {"name": "DEGRADED_MODE", "value": "false"}]
CONTAINER = {"name": "checkout", "image": "registry.example/checkout:1", "env": ENVIRONMENT}
DEPLOYMENT = {  # as much of what helm/checkout renders as somebody here reads
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "checkout", "namespace": "apps", "labels": LABELS},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
    },
}
LOOK = timedelta(seconds=10)
PROMISED = timedelta(minutes=3)  # from the alert to its end


class Pods:
    """The pods of checkout: the service as the template of the newest pod wants it, and customers."""

    def __init__(self, cluster: FakeCluster, aws: Aws, folder: Path) -> None:
        self._cluster, self._aws, self._store = cluster, aws, folder / "flags.json"
        self._chance = random.Random(7).random
        self._uids: set[str] = set()
        self._app = Flask("nobody")
        self.refresh()
        server = make_server("127.0.0.1", 0, lambda *call: self._app(*call), threaded=True, request_handler=Quiet)
        self._server, self.url = server, f"http://127.0.0.1:{server.server_port}/metrics"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Serve nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def refresh(self) -> set[str]:
        """Let the rollout end and the parameter be copied; return the pods, by uid. A new pod is a new process."""
        self._cluster.wait_rollout("checkout", "apps")
        value = self._aws.client("ssm").get_parameter(Name=FLAG)["Parameter"]["Value"]
        self._store.write_text(json.dumps({"flags": {FLAG: {"value": value, "version": 1}}}))
        pods = self._cluster.pods("app.kubernetes.io/name=checkout", "apps")
        uids = {str(pod["metadata"]["uid"]) for pod in pods}
        if uids != self._uids:
            (container,) = pods[0]["spec"]["containers"]
            given = {entry["name"]: entry["value"] for entry in container["env"]}
            self._app = create_app({**given, "FLAG_STORE": str(self._store), "FLAG_TTL": "0.05"}, chance=self._chance)
            self._uids = uids
        return uids

    def sell(self, checkouts: int) -> None:
        """Let customers buy."""
        client = self._app.test_client()
        for _ in range(checkouts):
            client.post("/checkout", json={"amount": 4200})

    def total(self, metric: str) -> float:
        """Return a counter as `curl /metrics | grep` shows it, all its lines together."""
        lines = self._app.test_client().get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == metric)


class Quiet(WSGIRequestHandler):
    """Answers without a word on standard error."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


class Demo:
    """Everything of the page, and its commands."""

    def __init__(self, aws: Aws, cluster: FakeCluster, pods: Pods, folder: Path) -> None:
        self.aws, self.cluster, self.pods, self._folder = aws, cluster, pods, folder
        (folder / "token").write_text(cluster.token(USER["name"]))
        self._kubeconfig = cluster.kubeconfig(folder / "kubeconfig", cluster.token("ann", ["system:masters"]))
        self.installed = Installation(aws, folder, runbooks=(RUNBOOK,), config=self._config())
        self._grant()

    def graph(self) -> int:
        """Look at the error ratio as the function sees it, and return how many series there are."""
        metrics, now = self.installed.host(acts=True).engine.world.metrics, self.aws.clock.now()
        return len(metrics.history("checkout:error_ratio", {}, now - timedelta(minutes=1), now, LOOK))

    def kubectl(self, *arguments: str) -> str:
        """Type a command of kubectl, as an administrator."""
        chosen = ["--kubeconfig", str(self._kubeconfig), "--namespace", "apps"]
        typed = [str(find_tool("kubectl")), *chosen, *arguments]
        done = subprocess.run(typed, check=False, capture_output=True, text=True, timeout=120)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def live(self, time: timedelta, look: timedelta = LOOK) -> None:
        """Let time pass, with customers all along, and pods that start as they are told."""
        end = self.aws.clock.now() + time
        while self.aws.clock.now() < end:
            self.pods.refresh()
            self.pods.sell(10)
            self.aws.advance(look)

    def alert(self) -> dict[str, Any]:
        """Return the alert as Prometheus makes it of the rule."""
        return self.installed.fires(service="checkout", namespace="apps", cluster=CLUSTER)

    def record(self) -> list[dict[str, Any]]:
        """Return the only incident as the page's last command shows it, beside the alerts as they arrived."""
        table, client = self.installed.pipeline.table, self.aws.client("dynamodb")
        (found,) = self._query(client, table, "gsi1pk", "INCIDENTS#resolved", IndexName="gsi1")["Items"]
        answer = self._query(client, table, "pk", found["pk"]["S"])
        (shown,) = re.findall(r"--query '(Items\[\]\.\{[^']+)'", PAGE.read_text())
        return [row for row in jmespath.search(shown, answer) if any(row.values())]

    def told(self) -> list[str]:
        """Return the sentences of the audit log group."""
        events = self.aws.audit(self.installed.pipeline)
        return [event["detail"]["record"]["says"] for event in events if event["detail-type"] == "Execution Audited"]

    def _query(self, client: Any, table: str, key: str, value: str, **more: str) -> dict[str, Any]:
        values = {":value": {"S": value}}
        asked = {"KeyConditionExpression": f"{key} = :value", "ExpressionAttributeValues": values}
        return dict(client.query(TableName=table, **asked, **more))

    def _config(self) -> str:
        """Return the page's engine.yaml; only where cluster, metrics and token are is the emulators'."""
        entry = next(line for line in PAGE_CONFIG.splitlines() if "adapter: kubernetes" in line)
        metrics = next(line for line in PAGE_CONFIG.splitlines() if "adapter: prometheus" in line)
        where = f"place: {CLUSTER}, namespaces: [apps], server: '{self.cluster.url}', caFile: '{self.cluster.ca_file}'"
        token = f"auth: token, token: {{file: {self._folder / 'token'}}}"
        config = PAGE_CONFIG.replace(entry, f"  cluster: [{{adapter: kubernetes, {where}, {token}}}]")
        config = config.replace(metrics, f"  metrics: {{adapter: scrape, url: '{self.pods.url}'}}")
        return config.replace("/runbook-engine/scopes/", "/runbook-engine/tokens/") + SERIES

    def _grant(self) -> None:
        """Give the engine the rights that `runbook permissions` prints, and no more."""
        registry, sources = Registry(), self._folder / "runbooks"
        bundle = load_valid_files([sources], registry, sources / "engine.yaml").bundle
        grants = installation_grants(bundle, registry)
        self.cluster.access.load(*rbac_manifests(grants, name="runbook-engine", subject=USER))


@pytest.fixture
def demo(aws: Aws, tmp_path: Path) -> Iterator[Demo]:
    """The installation, with its service up and customers who buy without a failure."""
    with FakeCluster(authenticate=True, tls=True) as cluster:
        cluster.node("node-a")
        cluster.namespace("apps")
        cluster.create(DEPLOYMENT)
        aws.client("ssm").put_parameter(Name=FLAG, Value="false", Type="String")
        pods = Pods(cluster, aws, tmp_path)
        aws.client("ssm").delete_parameter(Name=FLAG)  # the installation makes it
        try:
            yield Demo(aws, cluster, pods, tmp_path)
        finally:
            pods.close()


def test_the_demo_goes_as_its_page_says(demo: Demo, record_property: Any) -> None:
    """Errors are injected, and the page's six steps show what the page expects."""
    demo.pods.sell(50)
    healthy = demo.pods.total("checkout_errors_total")
    before = demo.pods.refresh()
    unknown = demo.graph()  # a rate needs two looks: this is the first
    demo.aws.advance(LOOK)

    # 1: break it
    demo.kubectl("set", "env", "deployment/checkout", "--containers=checkout", "ERROR_RATE=0.10")
    broken_pods = demo.pods.refresh()
    demo.pods.sell(200)
    ratio = demo.pods.total("checkout_errors_total") / demo.pods.total("checkout_requests_total")
    assert (0.0, 0, set()) == (healthy, unknown, before & broken_pods)
    assert 0.05 < ratio < 0.2

    # 2: the alert fires, and API Gateway takes it
    alert, fired = demo.alert(), demo.aws.clock.now()
    reply = demo.installed.post(alert, token=TOKEN)
    assert (202, 1) == (reply.status, reply.json()["accepted"])

    # 3: the engine acts: an execution runs, and the log says what it does
    demo.aws.settle()
    demo.live(LOOK)
    arn = demo.installed.pipeline.machine_arn
    (newest,) = demo.aws.client("stepfunctions").list_executions(stateMachineArn=arn, maxResults=1)["executions"]
    assert "RUNNING" == newest["status"]
    assert f"flip-the-switch: is about to change {FLAG_CHANGE}" in demo.told()
    assert f"restart-degraded: is about to change {POD_CHANGE}" in demo.told()

    # 4: what was done
    degraded_pods = demo.pods.refresh()
    listed = demo.kubectl("get", "pods", "--selector", "app.kubernetes.io/name=checkout", "--output", "name")
    assert ("true", ["false", "true"]) == (demo.installed.flag(), demo.installed.writes())
    assert "DEGRADED_MODE=true" in demo.kubectl("set", "env", "deployment/checkout", "--list").splitlines()
    assert (2, set()) == (len(listed.split()), broken_pods & degraded_pods)

    # 5: errors stop, the alert resolves, the incident is resolved with the actions that were taken
    demo.live(LOOK)
    stopped = demo.pods.total("checkout_errors_total")
    demo.live(timedelta(seconds=70))
    assert stopped == demo.pods.total("checkout_errors_total")
    assert "succeeded" == demo.installed.execution().status, "\n".join(demo.told())
    assert 202 == demo.installed.post(demo.installed.resolved(alert)).status
    took = demo.aws.clock.now() - fired
    record_property("alert to resolved, simulated", took.total_seconds())
    print(f"alert to resolved, simulated: {took.total_seconds():.0f} s")
    demo.aws.settle()
    assert took < PROMISED
    assert EXPECTED == demo.record()

    # 6: the fault is over, and what was done is undone
    demo.kubectl("set", "env", "deployment/checkout", "--containers=checkout", "ERROR_RATE-")
    demo.live(timedelta(minutes=3), look=2 * LOOK)
    undone = demo.record()[0]["actions_taken"]
    assert ("false", ["false", "true", "false"]) == (demo.installed.flag(), demo.installed.writes())
    assert "DEGRADED_MODE=false" in demo.kubectl("set", "env", "deployment/checkout", "--list").splitlines()
    assert EXPECTED[0]["actions_taken"] == undone[:2]
    assert ["undo degrade", "undo degrade"] == [line[:12] for line in undone[2:]]
    assert "undone" == demo.installed.execution().compensation
    assert ["started", "changed", "changed", "ended"] == [message["event"] for message in demo.installed.told()][:4]
