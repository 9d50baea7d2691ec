"""An installation on an emulated cluster whose user holds exactly what `runbook permissions` says that it needs.

The whole engine runs: from the alert to its end, on the real adapter, as the composition root builds it. What was
asked of the API server is read from its request log.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.adapters import Adapters
from runbook_engine.entrypoints.composition import build_effects, build_world
from runbook_engine.entrypoints.grants import installation_grants
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.directive import Next
from runbook_engine.model.execution import Execution
from runbook_engine.model.grant import EVERYWHERE, Grant
from runbook_engine.model.runbook import Mode
from runbook_engine.ports import ChangeWatcher
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import rbac_manifests
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.emulators.kubernetes import FakeCluster
from tests.emulators.kubernetes.requestlog import Logged

USER = {"kind": "User", "name": "runner", "apiGroup": "rbac.authorization.k8s.io"}
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: granted}}
clusters: [test]
adapters:
  cluster: [{{adapter: kubernetes, place: test, auth: token, server: "{server}", token: {{env: RUNNER}}, WATCH}}]
scopes: {{alerts: {{source: alertmanager}}}}
receivers: {{chat: {{adapter: console}}}}
teams: {{team-shop: {{receiver: chat}}}}
targets: {targets}
modeCeiling: auto
"""
HEAD = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: tried, owner: team-shop}
matchers: [alertname = Broken]
guardrails: {cooldown: 1m, deadline: 4h}
"""
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[^/]+))?)?"
)
A_MOMENT = 0.02  # seconds that the cluster's controllers get, while for the engine one second passes
PATIENCE = 90.0


class ClockAhead:
    """The real time, plus how far a test has gone ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True, order=True)
class Wish:
    """What one request asked for, in the words of RBAC."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""

    def is_of(self, grant: Grant) -> bool:
        """Whether a grant is what allowed it."""
        same = (grant.group, grant.resource, grant.verb) == (self.group, self.resource, self.verb)
        here = grant.namespace in (EVERYWHERE, self.namespace)
        return same and here and (not grant.names or self.name in grant.names)


class Granted:
    """One runbook, installed."""

    def __init__(
        self,
        fake: FakeCluster,
        folder: Path,
        runbook: str,
        *,
        targets: Iterable[str],
        more: str = "",
        mode: Mode | None = None,
        watch: str = "watch: false",
    ) -> None:
        runbooks = folder / "runbooks"
        runbooks.mkdir()
        (runbooks / "tried.yaml").write_text(HEAD + f"mode: {mode or 'auto'}\n" + runbook)
        (runbooks / "engine.yaml").write_text(_config(fake.url, targets, watch) + more)
        self.fake = fake
        self.clock = ClockAhead()
        registry = Registry()
        token = fake.token(USER["name"])
        settings = read_settings(runbooks=runbooks, state=folder / "state", environment={"RUNNER": token})
        self.bundle: Bundle = load_valid_files([runbooks], registry, settings.config).bundle
        self.grants = installation_grants(self.bundle, registry, mode)
        fake.access.load(*rbac_manifests(self.grants, name="runbook-engine", subject=USER))
        self._adapters = Adapters(
            configuration=self.bundle.configuration, settings=settings, registry=registry, clock=self.clock
        )
        self.journal = MemoryJournal()
        configuration = self.bundle.configuration
        self.engine = Engine(
            bundle=self.bundle,
            journal=self.journal,
            world=build_world(configuration, settings, registry, self.clock),
            effects=build_effects(configuration, settings, registry, self.clock),
            registry=registry,
        )
        fake.log.clear()

    def alert(self, status: str = "firing", **labels: str) -> None:
        """Post an alert that began a while ago, or its end."""
        now = self.clock.now()
        times = {"startsAt": (now - timedelta(minutes=10)).isoformat()}
        times |= {"endsAt": now.isoformat()} if status == "resolved" else {}
        alert = {"status": status, "labels": {"alertname": "Broken", **labels}, **times}
        body = json.dumps({"version": "4", "alerts": [alert]}).encode()
        self.engine.ingest(Request("alerts", "alertmanager", {"content-type": "application/json"}, body, now))

    def execution(self) -> Execution:
        """Return the only run."""
        (found,) = self.journal.executions(limit=2)
        return found

    def run_until(self, over: Callable[[Execution], bool]) -> Execution:
        """Drive what is due, and let a second pass whenever nothing is."""
        ends = time.monotonic() + PATIENCE
        while not over(self.execution()):
            assert time.monotonic() < ends, "\n".join(self.says())
            due = self.engine.due(self.clock.now())
            for execution_id in due:
                while isinstance(self.engine.drive(execution_id, "test", self.clock.now(), timedelta(minutes=5)), Next):
                    pass
            if not due:
                time.sleep(A_MOMENT)
                self.clock.ahead += timedelta(seconds=1)
        return self.execution()

    def says(self) -> list[str]:
        """Return the audit trail."""
        return [record.says for record in self.journal.audit(self.execution().id)]

    def watcher(self) -> ChangeWatcher:
        """Return what watches the cluster."""
        ((_, served),) = self._adapters.serving("changes")
        watcher: ChangeWatcher = served.watcher
        return watcher

    def wishes(self) -> set[Wish]:
        """Return what was asked of the API server as the user."""
        return {wish for entry in self.fake.log.entries() if entry.user == USER["name"] for wish in _wish(entry)}

    def refused(self) -> list[str]:
        """Return the requests that RBAC refused."""
        return [
            f"{entry.method} {entry.path}?{entry.query}" for entry in self.fake.log.entries() if entry.status == 403
        ]

    def unused(self) -> set[tuple[str, str, str, str]]:
        """Return the grants that no request needed: namespace, group, resource and verb."""
        wishes = self.wishes()
        return {
            (grant.namespace, grant.group, grant.resource, grant.verb)
            for grant in self.grants
            if not any(wish.is_of(grant) for wish in wishes)
        }


def _config(server: str, targets: Iterable[str], watch: str) -> str:
    return CONFIG.format(server=server, targets=json.dumps(list(targets))).replace("WATCH", watch)


def _wish(entry: Logged) -> Iterator[Wish]:
    found = PATH.fullmatch(entry.path)
    if found is None:
        return  # discovery, which everybody may ask for
    namespace, resource, name, part = (found[key] or "" for key in ("namespace", "resource", "name", "part"))
    if resource == "namespaces":
        namespace = name
    verb = VERBS.get(entry.method) or ("get" if name else "watch" if "watch" in parse_qs(entry.query) else "list")
    yield Wish(namespace, found["group"] or "", f"{resource}/{part}" if part else resource, verb, name)
