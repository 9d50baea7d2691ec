"""A cluster to try things on: the emulated API server with a small shop in it, until it is interrupted.

    python -m tests.emulators.kubernetes FOLDER

It writes FOLDER/kubeconfig for kubectl, and FOLDER/engine.yaml with the token and the CA that it needs.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
from pathlib import Path

from tests.emulators.kubernetes import FakeCluster

ENGINE = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: trial}}
clusters: [trial]
adapters:
  cluster: [{{adapter: kubernetes, place: trial, auth: token, server: "{url}", caFile: ca.pem, token: {{file: token}}}}]
scopes:
  trial: {{source: alertmanager}}
receivers:
  chat: {{adapter: console}}
  oncall: {{adapter: console}}
teams:
  team-platform: {{receiver: oncall}}
targets: [deployment=shop/*, statefulset=shop/*, pod=shop/*, node=*]
modeCeiling: auto
"""


def main(arguments: list[str]) -> None:
    """Run the cluster until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.kubernetes", description=__doc__)
    parser.add_argument("folder", type=Path, help="where kubeconfig, engine.yaml and token are written")
    given = parser.parse_args(arguments)
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with FakeCluster(tls=True, authenticate=True) as cluster:
        furnish(cluster)
        cluster.kubeconfig(folder / "kubeconfig", token=cluster.token("you", ["system:masters"]))
        assert cluster.ca_file is not None, "a server with TLS has a certificate"
        shutil.copy(cluster.ca_file, folder / "ca.pem")
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(cluster.token("runbook-engine", ["system:masters"]))
        (folder / "engine.yaml").write_text(ENGINE.format(url=cluster.url))
        sys.stdout.write(f"{cluster.url} is up: kubectl --kubeconfig {folder / 'kubeconfig'} get nodes,pods -A\n")
        sys.stdout.flush()
        stop.wait()


def furnish(cluster: FakeCluster) -> None:
    """Put three nodes and a shop into the cluster."""
    for name in ("worker-1", "worker-2", "worker-3"):
        cluster.node(name)
    cluster.namespace("shop")
    cluster.deployment("web", replicas=4, namespace="shop", env={"RECOMMENDATIONS": "on"})
    cluster.deployment("cart", replicas=2, namespace="shop")
    cluster.statefulset("orders", replicas=2, namespace="shop")
    cluster.daemonset("logs", namespace="shop")
    cluster.pdb("web", min_available=3, namespace="shop")
    for kind, name in (("deployment", "web"), ("deployment", "cart"), ("statefulset", "orders")):
        cluster.wait(lambda kind=kind, name=name: ready(cluster, kind, name))


def ready(cluster: FakeCluster, kind: str, name: str) -> bool:
    """Whether every wanted replica of a workload is ready."""
    found = cluster.get(f"{kind}s", name, "shop")
    return bool(found.get("status", {}).get("readyReplicas") == found["spec"]["replicas"])


if __name__ == "__main__":
    main(sys.argv[1:])
