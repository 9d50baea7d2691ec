"""A stage for the real runner: processes, journal and files of its own, and emulated clusters that enforce RBAC.

The runner holds the rights that `runbook permissions` prints for its runbooks, and reads its token from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints.clock import SystemClock
from runbook_engine.entrypoints.composition import build_journal, load_bundle_of
from runbook_engine.entrypoints.grants import installation_grants
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import rbac_manifests
from tests.e2e.runner import Runner
from tests.emulators.kubernetes import FakeCluster
from tests.emulators.kubernetes.requestlog import Logged
from tests.lab import wait_until

USER = {"kind": "User", "name": "runner", "apiGroup": "rbac.authorization.k8s.io"}
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: stage}}
clusters: [{clusters}]
adapters:
  cluster:
{choices}
scopes: {{prometheus: {{source: alertmanager}}}}
receivers: {{chat: {{adapter: console}}, oncall: {{adapter: console}}}}
teams: {{team-platform: {{receiver: chat}}}}
targets: ["node=*", "deployment=shop/*"]
modeCeiling: auto
limits: {{lease: 2s}}
"""
CHOICE = (
    "    - {{adapter: kubernetes, place: {name}, auth: token, server: '{url}', "
    "token: {{file: ../token-{name}}}, namespaces: [shop]}}"
)


class Stage:
    """One installation in a folder."""

    def __init__(self, folder: Path, clusters: Mapping[str, FakeCluster], runbooks: Sequence[str]) -> None:
        self.folder, self.clusters = folder, clusters
        place = folder / "runbooks"
        place.mkdir()
        choices = "\n".join(CHOICE.format(name=name, url=cluster.url) for name, cluster in clusters.items())
        (place / "engine.yaml").write_text(CONFIG.format(clusters=", ".join(clusters), choices=choices))
        for number, runbook in enumerate(runbooks):
            (place / f"runbook-{number}.yaml").write_text(runbook)
        self.settings: Settings = read_settings(runbooks=place, state=folder / "state", environment={})
        registry = Registry()
        bundle = load_bundle_of(self.settings, registry)
        grants = installation_grants(bundle, registry)
        self.tokens = {name: self.renew(name) for name in clusters}
        for cluster in clusters.values():
            cluster.access.load(*rbac_manifests(grants, name="runbook-engine", subject=USER))
            cluster.log.clear()
        self.runner = Runner(self.settings).wait_for_start()
        self.journal = build_journal(bundle.configuration, self.settings, registry, SystemClock())

    def renew(self, name: str) -> str:
        """Put another token into the file, as a kubelet does."""
        token = self.clusters[name].token(USER["name"])
        (self.folder / f"token-{name}").write_text(token)
        return token

    def post(self, *alerts: Mapping[str, str], status: str = "firing") -> dict[str, Any]:
        """Post one delivery, and return the receipt."""
        now = datetime.now(UTC)
        times = {"startsAt": (now - timedelta(minutes=10)).isoformat()}
        times |= {"endsAt": now.isoformat()} if status == "resolved" else {}
        body = {"version": "4", "alerts": [{"status": status, "labels": dict(labels), **times} for labels in alerts]}
        code, receipt, _ = self.runner.ask("POST", "/hooks/prometheus", json.dumps(body).encode())
        assert 202 == code, receipt
        return dict(receipt)

    def execution(self, execution_id: str = "") -> Execution:
        """Return one run; without an id the only one."""
        if execution_id:
            return self.journal.load(execution_id)
        wait_until(lambda: bool(self.journal.executions(limit=1)), "what was posted is decided")
        (found,) = self.journal.executions(limit=2)
        return found

    def wait(self, holds: Callable[[Execution], bool], what: str) -> Execution:
        """Wait until something holds of the only run."""
        try:
            wait_until(lambda: holds(self.execution()), what)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.says()])) from error
        return self.execution()

    def ended(self) -> Execution:
        """Wait for the end of the only run."""
        return self.wait(lambda execution: execution.ended_at is not None, "it has ended")

    def trail(self) -> tuple[AuditRecord, ...]:
        """Return the audit trail of the only run."""
        return tuple(self.journal.audit(self.execution().id))

    def says(self) -> list[str]:
        """Return its sentences."""
        return [record.says for record in self.trail()]

    def told(self) -> str:
        """Return everything that the runner has written."""
        return self.runner.log_file.read_text()


def asked(cluster: FakeCluster, status: int = 0) -> list[Logged]:
    """Return the runner's requests that write, or those that were answered so."""
    found = [entry for entry in cluster.log.entries() if entry.user == USER["name"]]
    return [entry for entry in found if (entry.status == status if status else entry.method != "GET")]


def evicted(cluster: FakeCluster) -> list[str]:
    """Return the uid of every pod that was let go, in order; a dry run lets none go."""
    real = [entry for entry in cluster.log.entries("POST", "/eviction") if "dryRun" not in entry.query]
    accepted = [entry for entry in real if 200 <= entry.status < 300]
    return [json.loads(entry.body)["deleteOptions"]["preconditions"]["uid"] for entry in accepted]
